//! `/xmpp-websocket`: XMPP over WebSocket (RFC 7395). Here is the handshake (RFC 6455 §4.2) and how the connection is taken
//! from HTTP; what is spoken then is `net/websocket` and `c2s/framing`.
//!
//! With HTTP/1.1 the whole connection becomes the WebSocket; with HTTP/2 one of its streams does (RFC 8441, `stream.rs`).
//! Nothing is compressed.

mod stream;

use super::Web;
use super::reply::{self, Reply};
use super::routes::Call;
use super::watched::Watched;
use crate::c2s::framing::Framing;
use crate::c2s::negotiate::Way;
use crate::c2s::{self, Link};
use crate::counters::LinkKind;
use crate::extension::BoxFuture;
use crate::http::forwarded::Client;
use crate::net::budget::Slot;
use crate::net::websocket;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, StatusCode, Version};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Where it is.
pub const PATH: &str = "/xmpp-websocket";
/// RFC 7395 §3.1.
const SUBPROTOCOL: &str = "xmpp";
/// RFC 6455 §4.1.
const VERSION: &str = "13";

/// A connection that becomes a WebSocket when the answer to its request has been written.
#[derive(Debug)]
pub struct Upgrade {
    ready: OnUpgrade,
    client: Client,
    way: Way,
}

/// Answers the handshake.
pub fn serve(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move { shake(call) })
}

fn shake(mut call: Call) -> Reply {
    let headers = call.request.headers();
    let bad = |why| reply::refusal(StatusCode::BAD_REQUEST, why);
    match (call.request.version(), stream::is_asked(&call.request)) {
        (Version::HTTP_2, true) => return stream::shake(call),
        (Version::HTTP_11, _) if call.request.method() == Method::GET => {}
        _ => return bad("a WebSocket is opened by GET with HTTP/1.1 (RFC 6455), by CONNECT with HTTP/2 (RFC 8441)"),
    }
    if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade") {
        let mut refusal = reply::refusal(StatusCode::UPGRADE_REQUIRED, "here is a WebSocket (RFC 7395)");
        reply::set(&mut refusal, header::UPGRADE, "websocket");
        reply::set(&mut refusal, header::CONNECTION, "upgrade");
        return refusal;
    }
    if !has_token(headers, header::SEC_WEBSOCKET_VERSION, VERSION) {
        return other_version(StatusCode::UPGRADE_REQUIRED);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| websocket::accept_key(key.to_str().ok()?));
    let Some(accept) = key.and_then(|accept| HeaderValue::try_from(accept).ok()) else {
        return bad("Sec-WebSocket-Key must be 16 bytes in base64");
    };
    if let Some(refusal) = refusal(&call) {
        return refusal;
    }
    if is_proxied(&call.client) && c2s::too_often(&call.web.core, call.client.address) {
        return too_many();
    }
    let upgrade = Upgrade { ready: hyper::upgrade::on(&mut call.request), client: call.client, way: call.way() };
    call.watch.upgrade(upgrade);
    let mut reply = reply::empty(StatusCode::SWITCHING_PROTOCOLS);
    reply::set(&mut reply, header::UPGRADE, "websocket");
    reply::set(&mut reply, header::CONNECTION, "upgrade");
    reply::set(&mut reply, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    reply.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    reply
}

/// RFC 6455 §4.2.2.
fn other_version(status: StatusCode) -> Reply {
    let mut refusal = reply::refusal(status, "this version of WebSocket is not spoken here");
    reply::set(&mut refusal, header::SEC_WEBSOCKET_VERSION, VERSION);
    refusal
}

/// What is to be said against any handshake.
fn refusal(call: &Call) -> Option<Reply> {
    let headers = call.request.headers();
    if !members(headers, header::SEC_WEBSOCKET_PROTOCOL).contains(&SUBPROTOCOL) {
        let why = "Sec-WebSocket-Protocol must have xmpp (RFC 7395)";
        return Some(reply::refusal(StatusCode::BAD_REQUEST, why));
    }
    if !is_welcome(call, headers) {
        return Some(reply::refusal(StatusCode::FORBIDDEN, "pages from there may not open a WebSocket here"));
    }
    None
}

fn too_many() -> Reply {
    reply::refusal(StatusCode::TOO_MANY_REQUESTS, "too many connections from your address")
}

/// RFC 6455 §10.2: a browser says on behalf of which page it asks. Whoever is none does not.
fn is_welcome(call: &Call, headers: &HeaderMap) -> bool {
    let config = call.web.core.config();
    let allowed = &config.http.websocket_origins;
    let is_allowed =
        |origin: &HeaderValue| allowed.iter().any(|a| a.as_bytes().eq_ignore_ascii_case(origin.as_bytes()));
    allowed.is_empty() || headers.get_all(header::ORIGIN).into_iter().all(is_allowed)
}

/// The members of a header that is a list.
fn members(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    members(headers, name).into_iter().any(|member| member.eq_ignore_ascii_case(token))
}

fn is_proxied(client: &Client) -> bool {
    client.is_forwarded || client.is_hidden
}

/// The connection, when HTTP has let go of it: the socket itself and what was read behind the request. Its place in the
/// budget comes with it, or that of the client a proxy stands for.
pub async fn take_over(web: &Arc<Web>, upgrade: Upgrade) -> Option<(Link, Slot)> {
    let Upgrade { ready, client, way } = upgrade;
    let parts = ready.await.ok()?.downcast::<TokioIo<Watched>>().ok()?;
    let (io, mut slot) = parts.io.into_inner().into_parts()?;
    if is_proxied(&client) {
        drop(slot);
        slot = client.slot(&web.budget).ok().or_else(|| {
            web.core.counters.connections_refused.fetch_add(1, Relaxed);
            None
        })?;
    }
    let mut link = Link::new(&web.core, LinkKind::WebSocket, Framing::WebSocket, io, client.address, way);
    link.wire.unread = parts.read_buf.to_vec();
    Some((link, slot))
}
