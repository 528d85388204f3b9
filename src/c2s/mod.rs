//! Client connections: from accept to goodbye.

pub mod bind;
pub mod channel;
mod from_client;
pub mod leave;
mod login;
pub mod negotiate;
pub mod restart;
pub mod session;
mod stream_management;
pub mod wire;

use crate::attempts::{Allowance, Purpose, address_key};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::limits::Limits;
use crate::net::budget::{AddressBudget, Slot};
use crate::net::proxy_protocol::{self, Header};
use crate::net::shaper::Shaper;
use crate::net::tls::CertStore;
use crate::net::transport::{TlsInfo, Transport};
use channel::Channel;
use negotiate::{Negotiation, Ready};
use session::Session;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::Instrument;
use wire::Wire;
use xep_support::xml::framer::FrameLimits;

/// One listening socket, as the connections that come through it see it.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    /// TLS from the first byte (XEP-0368), or STARTTLS.
    pub direct_tls: bool,
    /// May passwords go over it in the clear? Only a test switch for loopback addresses.
    pub plaintext_auth: bool,
}

/// What all connections need.
#[derive(Clone)]
pub struct Service {
    /// The server.
    pub core: Arc<Core>,
    /// Its certificates.
    pub certs: Arc<CertStore>,
    /// Who may still connect.
    pub budget: Arc<AddressBudget>,
    /// Becomes true when the server stops.
    pub stopping: watch::Receiver<bool>,
}

/// Serves one connection to its end.
pub async fn serve(service: Service, door: Door, mut stream: TcpStream, socket_peer: SocketAddr) {
    let Some((peer, slot)) = Box::pin(admit(&service, &mut stream, socket_peer, door.direct_tls)).await else { return };
    let span = tracing::error_span!("conn", peer = %peer, kind = "c2s", jid = tracing::field::Empty);
    let core = service.core.clone();
    let session = Box::pin(begin(service, door, stream, peer).instrument(span.clone())).await;
    if let Some((session, client)) = session {
        let ended = session.run().instrument(span.clone()).await;
        Box::pin(leave::finish(core, client, ended, slot).instrument(span)).await;
    }
}

/// Who is it, and may it connect? A trusted proxy says first whom it stands for.
async fn admit(
    service: &Service,
    stream: &mut TcpStream,
    socket_peer: SocketAddr,
    direct_tls: bool,
) -> Option<(IpAddr, Slot)> {
    let (trusted, time_limit) = {
        let config = service.core.config();
        let trusted = config.c2s.proxy_protocol_from.iter().any(|n| n.contains(socket_peer.ip()));
        (trusted, config.limits.negotiation_seconds_max)
    };
    let mut peer = socket_peer.ip();
    if trusted {
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
    let limit = if too_often(&service.core, peer) {
        "per minute"
    } else if let Ok(slot) = service.budget.acquire(peer) {
        service.core.counters.connections.fetch_add(1, Ordering::Relaxed);
        return Some((peer, slot));
    } else {
        "at once"
    };
    service.core.counters.connections_refused.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(%peer, limit, "too many connections");
    service.core.counters.connections_refused_log.note(|count| {
        tracing::warn!(%peer, limit, count, "connections refused by a limit; the last one from this address");
    });
    if !direct_tls {
        // A word of explanation, if the socket takes it at once; nothing is waited for.
        let from = service.core.hosts.first().jid.as_str();
        let _ = stream.try_write(channel::refusal(from).as_bytes());
    }
    None
}

/// Does this address connect too often?
fn too_often(core: &Core, peer: IpAddr) -> bool {
    let allowance = {
        let l = &core.config().limits;
        if l.is_exempt(peer) {
            return false;
        }
        Allowance {
            attempts_max: l.connections_per_address_per_minute_max,
            window_ms: 60_000,
            tracked_max: l.addresses_tracked_max,
        }
    };
    !core.attempts.take(Purpose::Connect, &address_key(peer), allowance, clock::monotonic_ms())
}

/// Negotiates; says goodbye itself when that fails.
async fn begin(
    service: Service,
    door: Door,
    stream: TcpStream,
    peer: IpAddr,
) -> Option<(Session, crate::account::resource::Client)> {
    let core = &service.core;
    let (limits, frame, close_limit, exempt) = {
        let l = &core.config().limits;
        let frame = frame_limits(l, l.stanza_bytes_before_auth_max);
        ((l.xml_depth_max, l.attributes_max, l.negotiation_seconds_max), frame, l.close_seconds_max, l.is_exempt(peer))
    };
    let deadline = tokio::time::Instant::now() + limits.2;
    let begun = tokio::time::timeout_at(deadline, transport(&service, door, stream)).await;
    let Ok(Some((io, tls))) = begun else { return None };
    let mut channel = Channel::new(Wire::new(io, frame), limits.0, limits.1);
    let mut negotiation = Negotiation::new(core, &mut channel, &door, peer, tls);
    let mut stopping = service.stopping.clone();
    let patience = negotiation.patience();
    let outcome = tokio::select! {
        outcome = Box::pin(negotiation.run(&service.certs)) => outcome,
        () = time_is_up(deadline, &patience) => Err(CloseReason::NegotiationTimeout),
        _ = stopping.wait_for(|s| *s) => Err(CloseReason::Shutdown),
    };
    let host = negotiation.host().cloned();
    match outcome {
        Ok(Ready { client, lang, ack, resumed }) => {
            tracing::info!(resumed, "session begins");
            let encrypted = channel.wire.io.is_tls();
            let shaper = (!exempt).then(|| shaper(core)).flatten();
            let session = Session::new(core.clone(), client.clone(), channel.wire, channel.context, lang, shaper);
            if let Some(bound) = client.account.lock().bound(&client.resource).filter(|_| resumed) {
                bound.moved_to = Some(Box::new((peer, encrypted)));
            }
            let session = match ack {
                Some(ack) => session.managed_by(ack),
                None => session,
            };
            Some((session, client))
        }
        Err(reason) => {
            tracing::debug!(reason = reason.name(), "negotiation ended");
            let from = host.as_ref().map_or_else(|| core.hosts.first().jid.as_str(), |h| h.as_str());
            let goodbye = channel::say_goodbye(channel.wire, reason, channel.opened, Some(from), None);
            let _ = tokio::time::timeout(close_limit, goodbye).await;
            None
        }
    }
}

/// The deadline of the negotiation, moved once for a person who fills in a registration form.
async fn time_is_up(deadline: tokio::time::Instant, patience: &AtomicBool) {
    tokio::time::sleep_until(deadline).await;
    if patience.load(Ordering::Relaxed) {
        tokio::time::sleep(REGISTRATION_PATIENCE).await;
    }
}

const REGISTRATION_PATIENCE: Duration = Duration::from_secs(600);

async fn transport(service: &Service, door: Door, stream: TcpStream) -> Option<(Transport, Option<TlsInfo>)> {
    if !door.direct_tls {
        return Some((Transport::tcp(stream), None));
    }
    match Transport::accept_tls(stream, &service.certs).await {
        Ok((io, info)) => Some((io, Some(info))),
        Err(error) => {
            service.core.counters.tls_failed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
    }
}

fn frame_limits(limits: &Limits, element_bytes_max: usize) -> FrameLimits {
    FrameLimits { header_bytes_max: limits.header_bytes_max, element_bytes_max, depth_max: limits.xml_depth_max }
}

fn shaper(core: &Core) -> Option<Shaper> {
    let config = core.config();
    let rate = NonZeroU32::new(u32::try_from(config.limits.bytes_per_second_max).unwrap_or(u32::MAX))?;
    Some(Shaper::new(rate, u32::try_from(config.limits.bytes_burst_max).unwrap_or(u32::MAX)))
}

/// 128 bits nobody can guess, as text: stream ids (RFC 6120 §4.7.3), resources, anonymous names.
pub fn random_id() -> String {
    let mut bytes = [0u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // The kernel has no randomness: unheard of after boot. Unique is then the best there is.
        bytes[..8].copy_from_slice(&clock::now_micros().to_le_bytes());
    }
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
