//! Who comes in, and what he speaks: admission, TLS, and then whether it is HTTP or a client's stream (XEP-0368 §4). An HTTPS
//! port takes both: ALPN tells them apart, and of a client that does not say, its first bytes do.

use super::{Door, Web};
use crate::c2s::{self, Arrived};
use crate::core::Core;
use crate::net::budget::Slot;
use crate::net::proxy_protocol;
use crate::net::tls::ALPN_CLIENT;
use crate::net::transport::{TlsInfo, Transport};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A connection that was let in, its TLS done.
pub(super) enum Entered {
    /// It speaks HTTP.
    Http {
        /// The connection.
        io: Transport,
        /// What the handshake of TLS settled, if there was one.
        tls: Option<TlsInfo>,
        /// The other end.
        peer: IpAddr,
        /// Its place among all connections.
        slot: Slot,
    },
    /// It speaks XMPP.
    Client(Box<Arrived>),
}

/// Lets a connection in, unless something is against it.
pub(super) async fn enter(web: &Web, door: Door, mut stream: TcpStream, socket_peer: SocketAddr) -> Option<Entered> {
    let since = Instant::now();
    let (peer, slot) = admit(web, &mut stream, socket_peer, door).await?;
    if door != Door::Tls {
        return Some(Entered::Http { io: Transport::tcp(stream), tls: None, peer, slot });
    }
    let time_limit = web.core.config().http.header_seconds_max;
    let mut stopping = web.stopping.clone();
    let (io, tls, is_client) = tokio::select! {
        begun = tokio::time::timeout(time_limit, handshake(web, stream)) => begun.ok()??,
        _ = stopping.wait_for(|s| *s) => return None,
    };
    if !is_client {
        return Some(Entered::Http { io, tls: Some(tls), peer, slot });
    }
    // Whoever was let in as a proxy of many is none.
    if is_proxy(&web.core, peer) && c2s::too_often(&web.core, peer) {
        refused(&web.core, peer);
        return None;
    }
    Some(Entered::Client(Box::new(Arrived { io, tls, peer, slot, since })))
}

/// Who is it, and may it connect? A load balancer that is trusted says first whom it stands for.
async fn admit(web: &Web, stream: &mut TcpStream, socket_peer: SocketAddr, door: Door) -> Option<(IpAddr, Slot)> {
    let core = &web.core;
    let (trusted, time_limit) = {
        let http = &core.config().http;
        (proxy_protocol::is_trusted(&http.proxy_protocol_from, socket_peer.ip()), http.header_seconds_max)
    };
    let peer = match trusted && door != Door::Metrics {
        true => proxy_protocol::peer(stream, socket_peer, time_limit).await?,
        false => socket_peer.ip(),
    };
    // A proxy that asks for others connects as often as they do.
    let too_often = !is_proxy(core, peer) && c2s::too_often(core, peer);
    if !too_often && let Ok(slot) = web.budget.acquire(peer) {
        return Some((peer, slot));
    }
    refused(core, peer);
    if door != Door::Tls {
        // A word of explanation, if the socket takes it at once; nothing is waited for.
        let _ = stream.try_write(REFUSAL);
    }
    None
}

const REFUSAL: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 60\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn refused(core: &Core, peer: IpAddr) {
    core.counters.connections_refused.fetch_add(1, Relaxed);
    tracing::debug!(%peer, "too many connections");
}

fn is_proxy(core: &Core, peer: IpAddr) -> bool {
    core.config().http.trusted_proxies.iter().any(|network| network.contains(peer))
}

/// TLS, and what is spoken then.
async fn handshake(web: &Web, stream: TcpStream) -> Option<(Transport, TlsInfo, bool)> {
    match Transport::accept_shared(stream, &web.certs).await {
        Ok((mut io, tls)) => {
            let is_client = match &tls.alpn {
                Some(name) => name.as_bytes() == ALPN_CLIENT,
                None => begins_xml(io.first_byte().await?),
            };
            Some((io, tls, is_client))
        }
        Err(error) => {
            web.core.counters.tls_failed.fetch_add(1, Relaxed);
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
    }
}

/// A stream begins with a tag or the XML declaration, perhaps after white space (RFC 6120 §4.2, §11.7). A request begins with
/// a letter, the preface of HTTP/2 included, and to what is neither HTTP has an answer.
fn begins_xml(first: u8) -> bool {
    matches!(first, b'<' | b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_requests_begin_differently() {
        for stream in ["<?xml version='1.0'?>", "<stream:stream", " <", "\r\n<", "\t<"] {
            assert!(begins_xml(stream.as_bytes()[0]), "{stream:?}");
        }
        for request in ["GET / HTTP/1.1", "PRI * HTTP/2.0", "put /x HTTP/1.1", "\u{feff}<", "\0", "\u{16}\u{3}"] {
            assert!(!begins_xml(request.as_bytes()[0]), "{request:?}");
        }
    }
}
