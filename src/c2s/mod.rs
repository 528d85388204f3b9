//! Client connections: from accept to goodbye.

pub mod bind;
pub mod channel;
mod contexts;
mod detached;
mod finish;
pub mod framing;
mod from_client;
mod goodbye;
pub mod leave;
mod login;
pub mod negotiate;
pub mod restart;
pub mod session;
mod stream_management;
pub mod wire;

use crate::account::resource::Client;
use crate::attempts::{Allowance, Purpose, address_key};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::counters::{LinkKind, Place};
use crate::limits::Limits;
use crate::net::budget::{AddressBudget, Slot};
use crate::net::proxy_protocol;
use crate::net::shaper::Shaper;
use crate::net::tls::CertStore;
use crate::net::transport::{TlsInfo, Transport};
use channel::Channel;
use framing::Framing;
use negotiate::{Negotiation, Ready, Way};
use session::Session;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
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
pub fn serve(service: Service, door: Door, stream: TcpStream, socket_peer: SocketAddr) -> impl Future<Output = ()> {
    to_its_end(Box::pin(admitted(service, door, stream, socket_peer)))
}

/// A connection whose session has begun.
struct Begun {
    core: Arc<Core>,
    session: Box<Session>,
    client: Client,
    place: Place,
    span: tracing::Span,
}

/// What comes before the session is gone when that begins: this is what an idle connection owns.
async fn to_its_end(begun: Pin<Box<impl Future<Output = Option<Begun>>>>) {
    let Some(Begun { core, session, client, place, span }) = begun.await else { return };
    let ended = session.run().instrument(span.clone()).await;
    Box::pin(finish::finish(core, client, ended, place).instrument(span)).await;
}

async fn admitted(service: Service, door: Door, mut stream: TcpStream, socket_peer: SocketAddr) -> Option<Begun> {
    let (peer, place) = admit(&service, &mut stream, socket_peer, door.direct_tls).await?;
    let span = tracing::error_span!("conn", peer = %peer, kind = "c2s", jid = tracing::field::Empty);
    let core = service.core.clone();
    let (session, client) = Box::pin(begin(service, door, stream, peer).instrument(span.clone())).await?;
    Some(Begun { core, session, client, place: place.bound(), span })
}

/// A connection that something else has accepted: WebSocket, BOSH.
pub struct Link {
    /// The connection, at the start of its stream; what has been read of it already is there.
    pub wire: Wire,
    /// The client.
    pub peer: IpAddr,
    /// What protects it.
    pub way: Way,
    /// What it is.
    pub kind: LinkKind,
}

impl Link {
    /// A connection of this client.
    pub fn new(core: &Core, kind: LinkKind, framing: Framing, io: Transport, peer: IpAddr, way: Way) -> Self {
        Self { wire: wire(core, framing, io), peer, way, kind }
    }
}

/// Serves such a connection to its end. The slot is that of the client.
pub fn serve_link(service: Service, link: Link, slot: Slot) -> impl Future<Output = ()> {
    to_its_end(Box::pin(linked(service, link, slot, Instant::now())))
}

/// A client's connection that came in through a port for everything: it was let in, its TLS is done, and what it speaks is
/// known.
pub struct Arrived {
    /// The connection.
    pub io: Transport,
    /// What its handshake settled.
    pub tls: TlsInfo,
    /// Whose it is.
    pub peer: IpAddr,
    /// Its place among all connections.
    pub slot: Slot,
    /// When it was accepted.
    pub since: Instant,
}

/// Serves such a connection to its end.
pub fn serve_arrived(service: Service, door: Door, arrived: Box<Arrived>) -> impl Future<Output = ()> {
    to_its_end(Box::pin(async move {
        let Arrived { io, tls, peer, slot, since } = *arrived;
        let way = Way { encrypted: true, tls: Some(tls), plaintext_auth: door.plaintext_auth };
        let link = Link::new(&service.core, LinkKind::Tls, Framing::Stream, io, peer, way);
        linked(service, link, slot, since).await
    }))
}

/// A connection that was let in, and whose negotiation began then.
async fn linked(service: Service, link: Link, slot: Slot, since: Instant) -> Option<Begun> {
    let span = tracing::error_span!("conn", peer = %link.peer, kind = link.kind.name(), jid = tracing::field::Empty);
    let core = service.core.clone();
    let place = Place::new(&core.counters.links, slot, link.kind);
    let deadline = deadline(&core, since);
    let (session, client) = Box::pin(negotiate(service, link, deadline).instrument(span.clone())).await?;
    Some(Begun { core, session, client, place: place.bound(), span })
}

/// Who is it, and may it connect? A trusted proxy says first whom it stands for.
async fn admit(
    service: &Service,
    stream: &mut TcpStream,
    socket_peer: SocketAddr,
    direct_tls: bool,
) -> Option<(IpAddr, Place)> {
    let (trusted, time_limit) = {
        let config = service.core.config();
        let trusted = proxy_protocol::is_trusted(&config.c2s.proxy_protocol_from, socket_peer.ip());
        (trusted, config.limits.negotiation_seconds_max)
    };
    let peer = match trusted {
        true => proxy_protocol::peer(stream, socket_peer, time_limit).await?,
        false => socket_peer.ip(),
    };
    let limit = if too_often(&service.core, peer) {
        "per minute"
    } else if let Ok(slot) = service.budget.acquire(peer) {
        let kind = if direct_tls { LinkKind::Tls } else { LinkKind::Tcp };
        return Some((peer, Place::new(&service.core.counters.links, slot, kind)));
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
        let _ = stream.try_write(&goodbye::refusal(from));
    }
    None
}

/// Does this address connect too often? Clients of all kinds are counted together.
pub(crate) fn too_often(core: &Core, peer: IpAddr) -> bool {
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

/// A socket that was admitted.
async fn begin(service: Service, door: Door, stream: TcpStream, peer: IpAddr) -> Option<(Box<Session>, Client)> {
    let deadline = deadline(&service.core, Instant::now());
    let begun = tokio::time::timeout_at(deadline, transport(&service, door, stream)).await;
    let Ok(Some((io, tls))) = begun else { return None };
    let way = Way { encrypted: tls.is_some(), tls, plaintext_auth: door.plaintext_auth };
    let kind = if door.direct_tls { LinkKind::Tls } else { LinkKind::Tcp };
    let link = Link::new(&service.core, kind, Framing::Stream, io, peer, way);
    negotiate(service, link, deadline).await
}

/// The end of a negotiation that began then.
fn deadline(core: &Core, since: Instant) -> Instant {
    since + core.config().limits.negotiation_seconds_max
}

/// A connection of somebody unknown.
fn wire(core: &Core, framing: Framing, io: Transport) -> Wire {
    let l = &core.config().limits;
    Wire::new(io, framing, frame_limits(l, l.stanza_bytes_before_auth_max))
}

/// Negotiates; says goodbye itself when that fails.
async fn negotiate(service: Service, link: Link, deadline: Instant) -> Option<(Box<Session>, Client)> {
    let core = &service.core;
    let Link { wire, peer, way, kind } = link;
    let (xml, close_limit, exempt) = {
        let l = &core.config().limits;
        ((l.xml_depth_max, l.attributes_max), l.close_seconds_max, l.is_exempt(peer))
    };
    let mut channel = Channel::new(wire, xml.0, xml.1);
    let mut negotiation = Negotiation::new(core, &mut channel, peer, way);
    let mut stopping = service.stopping.clone();
    let patience = negotiation.patience();
    let outcome = tokio::select! {
        outcome = Box::pin(negotiation.run(&service.certs)) => outcome,
        () = time_is_up(deadline, &patience) => Err(CloseReason::NegotiationTimeout),
        _ = stopping.wait_for(|s| *s) => Err(CloseReason::Shutdown),
    };
    let (host, encrypted) = (negotiation.host().cloned(), negotiation.is_encrypted());
    match outcome {
        Ok(Ready { client, lang, ack, resumed }) => {
            tracing::info!(resumed, "session begins");
            let shaper = (!exempt).then(|| shaper(core)).flatten();
            let session = Session::new(core.clone(), client.clone(), channel.wire, channel.context, lang, shaper);
            if let Some(bound) = client.account.lock().bound(&client.resource) {
                bound.link = Some(kind);
                if resumed {
                    bound.moved_to = Some(Box::new((peer, encrypted)));
                }
            }
            let session = match ack {
                Some(ack) => session.managed_by(ack),
                None => session,
            };
            Some((session, client))
        }
        Err(reason) => {
            tracing::debug!(reason = reason.name(), "negotiation ended");
            core.counters.stream_ended(reason);
            let from = host.as_ref().map_or_else(|| core.hosts.first().jid.as_str(), |h| h.as_str());
            let elsewhere =
                (reason == CloseReason::Moved).then(|| core.config().http.websocket_see_other_uri.as_str().into());
            let goodbye = goodbye::say_goodbye(channel.wire, reason, channel.opened, Some(from), elsewhere);
            let _ = tokio::time::timeout(close_limit, goodbye).await;
            None
        }
    }
}

/// The deadline of the negotiation, moved once for a person who fills in a registration form.
async fn time_is_up(deadline: Instant, patience: &AtomicBool) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand idle clients pay for each byte here ten thousand times.
    #[test]
    fn the_task_of_a_connection_is_small() {
        assert!(future_bytes(serve) <= 400, "{} bytes", future_bytes(serve));
    }
}
