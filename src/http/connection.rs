//! One connection of the HTTP server, from accept to its end: who it is, TLS, requests, and the patience we have with it.

use super::watched::{Patience, Verdict, Watched};
use super::{Door, Web, routes};
use crate::attempts::{Allowance, Purpose, address_key};
use crate::clock;
use crate::config::Http;
use crate::core::Core;
use crate::net::budget::Slot;
use crate::net::proxy_protocol::{self, Header};
use crate::net::transport::Transport;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::TcpStream;

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The listener.
    pub door: Door,
}

/// What HTTP/2 may have on its way for one request, and for a connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;

/// Serves one connection to its end.
pub async fn serve(web: Arc<Web>, door: Door, mut stream: TcpStream, socket_peer: SocketAddr) {
    let Some((peer, slot)) = Box::pin(admit(&web, &mut stream, socket_peer, door)).await else { return };
    let (builder, patience) = {
        let http = &web.core.config().http;
        (builder(http), patience(http))
    };
    let Some(transport) = Box::pin(transport(&web, door, stream, patience.head)).await else { return };
    let io = Watched::new(transport, web.core.clone(), slot);
    let (watch, origin) = (io.watch().clone(), Origin { peer, door });
    let mut stopping = web.stopping.clone();
    let of_service = watch.clone();
    // Boxed: the connection keeps room for this future as long as it lives.
    let service = service_fn(move |request| Box::pin(routes::answer(web.clone(), origin, of_service.clone(), request)));
    let mut connection = Box::pin(builder.serve_connection_with_upgrades(TokioIo::new(io), service).into_owned());
    let mut is_closing = false;
    loop {
        let look_again = match watch.judge(patience) {
            Verdict::Fine(time) => time,
            // What is not over now will not be.
            Verdict::Idle if is_closing => return,
            Verdict::Idle => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
                GOODBYE
            }
            Verdict::Stuck => {
                tracing::debug!(%peer, "HTTP connection given up: the other side does nothing");
                return;
            }
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "HTTP connection ended");
                }
                return;
            }
            () = tokio::time::sleep(look_again) => {}
            _ = stopping.wait_for(|s| *s), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// How long a connection may take to end that is told to.
const GOODBYE: Duration = Duration::from_secs(2);

fn patience(http: &Http) -> Patience {
    Patience { head: http.header_seconds_max, idle: http.idle_seconds_max, stall: http.stall_seconds_max }
}

/// HTTP/1.1 and HTTP/2, told apart by ALPN or by how the connection begins. The library's own time limits are off: they
/// cannot tell a slow head from a connection that waits for its next request.
fn builder(http: &Http) -> Builder<TokioExecutor> {
    let header_bytes = u32::try_from(http.header_bytes_max).unwrap_or(u32::MAX);
    let streams = u32::try_from(http.streams_per_connection_max).unwrap_or(u32::MAX);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None).max_buf_size(http.header_bytes_max);
    builder
        .http2()
        .max_header_list_size(header_bytes)
        .max_concurrent_streams(streams)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(STREAM_WINDOW_BYTES as usize);
    builder
}

/// Who is it, and may it connect? A load balancer that is trusted says first whom it stands for.
async fn admit(web: &Web, stream: &mut TcpStream, socket_peer: SocketAddr, door: Door) -> Option<(IpAddr, Slot)> {
    let core = &web.core;
    let (trusted, time_limit) = {
        let http = &core.config().http;
        (proxy_protocol::is_trusted(&http.proxy_protocol_from, socket_peer.ip()), http.header_seconds_max)
    };
    let mut peer = socket_peer.ip();
    if trusted && door != Door::Metrics {
        match tokio::time::timeout(time_limit, proxy_protocol::read(stream)).await {
            Ok(Ok(Header::Proxied { source, .. })) => peer = source.ip(),
            Ok(Ok(Header::Local)) => {}
            Ok(Err(error)) => {
                tracing::warn!(proxy = %socket_peer, %error, "no usable PROXY header from a trusted proxy");
                return None;
            }
            Err(_) => return None,
        }
    }
    if !too_often(core, peer)
        && let Ok(slot) = web.budget.acquire(peer)
    {
        return Some((peer, slot));
    }
    core.counters.connections_refused.fetch_add(1, Relaxed);
    tracing::debug!(%peer, "too many HTTP connections");
    if door != Door::Tls {
        // A word of explanation, if the socket takes it at once; nothing is waited for.
        let _ = stream.try_write(REFUSAL);
    }
    None
}

const REFUSAL: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 60\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Does this address connect too often? Clients of all kinds are counted together. A proxy that asks for others is not.
fn too_often(core: &Core, peer: IpAddr) -> bool {
    let config = core.config();
    if config.limits.is_exempt(peer) || config.http.trusted_proxies.iter().any(|network| network.contains(peer)) {
        return false;
    }
    let allowance = Allowance {
        attempts_max: config.limits.connections_per_address_per_minute_max,
        window_ms: 60_000,
        tracked_max: config.limits.addresses_tracked_max,
    };
    !core.attempts.take(Purpose::Connect, &address_key(peer), allowance, clock::monotonic_ms())
}

async fn transport(web: &Web, door: Door, stream: TcpStream, time_limit: Duration) -> Option<Transport> {
    if door != Door::Tls {
        return Some(Transport::tcp(stream));
    }
    match tokio::time::timeout(time_limit, Transport::accept_https(stream, &web.certs)).await {
        Ok(Ok((io, _))) => Some(io),
        Ok(Err(error)) => {
            web.core.counters.tls_failed.fetch_add(1, Relaxed);
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}
