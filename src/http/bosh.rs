//! BOSH (XEP-0124, XEP-0206): a stream over requests and answers of HTTP, at `/http-bind`.
//!
//! Here a request becomes a `<body/>` of a session, and its answer an answer of HTTP. The rules are in `exchange.rs`, the
//! session's stream hangs on `link.rs`.

mod answers;
mod exchange;
mod keys;
mod link;
mod reading;
mod sessions;

use super::Web;
use super::held::Held;
use super::reply::{self, Reply};
use super::routes::{Call, Cors};
use crate::c2s::framing::Framing;
use crate::c2s::negotiate::Way;
use crate::c2s::{self, Link};
use crate::config::Http;
use crate::counters::LinkKind;
use crate::extension::BoxFuture;
use crate::net::budget::Slot;
use crate::net::transport::Transport;
use answers::Reply as Answer;
use exchange::Terms;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
pub(super) use link::Place;
use link::Shared;
use sessions::Listed;
pub use sessions::Sessions;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use xep_support::bosh::{Body, BodyError, BodyLimits, Condition, Created};
use xep_support::jid::Jid;

/// Where it is.
pub const PATH: &str = "/http-bind";

/// Pages of other sites may use it: whoever does must log in.
pub const CORS: Cors = Cors { methods: "POST, OPTIONS", headers: "Content-Type", exposed: "" };

/// XEP-0124 §7.1.
const CONTENT_TYPE: &str = "text/xml; charset=utf-8";
/// Bytes of another type that a client may ask for.
const CONTENT_TYPE_BYTES_MAX: usize = 100;
/// Payloads in one body. Clients send one or a few.
const PAYLOADS_MAX: usize = 1_000;

/// Answers a request.
pub fn serve(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        let place = match Box::pin(reading::read(call)).await {
            Ok((call, body)) => place(&call, &body).map_err(Refused::reply),
            Err(refusal) => Err(refusal),
        };
        match place {
            Ok(place) => {
                let mut reply = http(Answer::nothing(), HeaderValue::from_static(CONTENT_TYPE));
                Held::mark(&mut reply, place);
                reply
            }
            Err(refusal) => refusal,
        }
    })
}

/// Where the request waits for its answer.
fn place(call: &Call, body: &[u8]) -> Result<Place, Refused> {
    let limits = {
        let limits = &call.web.core.config().limits;
        let (depth_max, attributes_max) = (limits.xml_depth_max, limits.attributes_max);
        BodyLimits { depth_max, attributes_max, payloads_max: PAYLOADS_MAX }
    };
    // Nobody knows whose it is when it cannot be read: that the session is over is for its client to say (§16.1).
    let body = Body::parse(body, limits).map_err(|error| match error {
        BodyError::Malformed => Refused(Condition::BadRequest, false),
        BodyError::Limit => Refused(Condition::PolicyViolation, false),
    })?;
    let Some(sid) = &body.sid else { return begin(call, body) };
    let found = call.web.bosh.find(sid);
    // §18.1: whoever speaks in the clear is not the client, and the client shall not suffer from it.
    match found.filter(|shared| call.is_secure || !shared.is_secure) {
        Some(shared) => Ok(shared.receive(body)),
        None => Err(Refused(Condition::ItemNotFound, false)),
    }
}

fn http(answer: Answer, content_type: HeaderValue) -> Reply {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut reply = reply::text(status, CONTENT_TYPE, answer.body);
    reply.headers_mut().insert(header::CONTENT_TYPE, content_type);
    reply
}

/// A request that belongs to no session is refused; is its client an old one (§17.2)?
struct Refused(Condition, bool);

impl Refused {
    fn reply(self) -> Reply {
        http(Answer::end(Some(self.0), "", self.1), HeaderValue::from_static(CONTENT_TYPE))
    }
}

/// §7: a session begins.
fn begin(call: &Call, body: Body) -> Result<Place, Refused> {
    let Call { web, client, .. } = call;
    let is_legacy = body.ver.is_none();
    let refuse = |condition| Err(Refused(condition, is_legacy));
    if let Some(condition) = check_addresses(web, &body) {
        return refuse(condition);
    }
    if *web.stopping.borrow() {
        return refuse(Condition::SystemShutdown);
    }
    let content_type = match body.content.as_deref() {
        None => HeaderValue::from_static(CONTENT_TYPE),
        Some(wanted) => match content_type(wanted) {
            Some(content_type) => content_type,
            None => return refuse(Condition::BadRequest),
        },
    };
    // A session counts like a connection of its own, whoever carries its requests.
    if c2s::too_often(&web.core, client.address) {
        return refuse(Condition::PolicyViolation);
    }
    let Ok(slot) = client.slot(&web.budget) else { return refuse(Condition::PolicyViolation) };
    let (terms, created, body_bytes_max) = {
        let http = &web.core.config().http;
        let (terms, created) = agree(http, &body);
        (terms, created, http.bosh_body_bytes_max)
    };
    match Shared::begin(terms, created, call.is_secure, content_type, body_bytes_max, body) {
        Ok((shared, place)) => {
            run(call, shared, slot);
            Ok(place)
        }
        Err(condition) => refuse(condition),
    }
}

/// Is it one of our domains? What else is wrong with a stream the stream says itself.
fn check_addresses(web: &Web, body: &Body) -> Option<Condition> {
    let hosts = &web.core.hosts;
    match body.to.as_deref() {
        None if hosts.iter().count() == 1 => None,
        None => Some(Condition::ImproperAddressing),
        Some(to) => {
            let found = Jid::parse(to).ok().and_then(|to| hosts.find(to.as_str()));
            if found.is_some() { None } else { Some(Condition::HostUnknown) }
        }
    }
}

/// §7.1: a type a client asks for because it can read no other.
fn content_type(wanted: &str) -> Option<HeaderValue> {
    let essence = wanted.split(';').next().unwrap_or_default().trim();
    let is_token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+.".contains(&b));
    // Nothing that a browser would show as a page of ours.
    let good = essence.split_once('/').is_some_and(|(kind, name)| match kind {
        "text" => matches!(name, "xml" | "plain"),
        "application" => is_token(name) && !["html", "svg"].iter().any(|page| name.contains(page)),
        _ => false,
    });
    let fits = wanted.len() <= CONTENT_TYPE_BYTES_MAX;
    (good && fits).then(|| HeaderValue::from_str(wanted).ok()).flatten()
}

/// §7.2: what the client wishes, within our bounds.
fn agree(http: &Http, body: &Body) -> (Terms, Created) {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let milliseconds = |seconds: u32| u64::from(seconds) * 1000;
    let wait = body.wait.unwrap_or(u32::MAX).min(seconds(http.bosh_wait_seconds_max));
    let hold = body.hold.unwrap_or(1).min(u32::try_from(http.bosh_hold_max).unwrap_or(u32::MAX));
    // §11: a polling session, if the client wants to wait for nothing.
    let hold = if wait == 0 { 0 } else { hold };
    let polling = seconds(http.bosh_polling_seconds);
    let inactivity = seconds(http.bosh_inactivity_seconds_max);
    // §11: longer for a client that comes only now and then.
    let inactivity = if hold == 0 { inactivity.saturating_add(polling.saturating_mul(2)) } else { inactivity };
    let maxpause = seconds(http.bosh_pause_seconds_max);
    let requests = hold + 1;
    let acks = body.ack == Some(1);
    let terms = Terms {
        hold: hold as usize,
        requests: requests as usize,
        wait_ms: milliseconds(wait),
        inactivity_ms: milliseconds(inactivity),
        polling_ms: milliseconds(polling),
        maxpause_ms: milliseconds(maxpause),
        acks,
        is_legacy: body.ver.is_none(),
    };
    let created = Created {
        sid: c2s::random_id(),
        ver: body.ver.map(Created::version),
        wait,
        hold,
        requests,
        inactivity,
        polling,
        maxpause,
        ack: acks.then_some(body.rid),
    };
    (terms, created)
}

/// Its stream, in a task of its own.
fn run(call: &Call, shared: Arc<Shared>, slot: Slot) {
    let web = call.web.clone();
    let address = call.client.address;
    let carrier = link::Link::new(shared.clone(), SocketAddr::new(address, 0), web.stopping.clone());
    let io = Transport::Carried(Box::new(carrier));
    // Its requests may come over any connection: there is none that a login could be bound to.
    let way = Way { tls: None, ..call.way() };
    let link = Link::new(&web.core, LinkKind::Bosh, Framing::Alone, io, address, way);
    let service = web.clients();
    let listed = Listed::new(&web.bosh, shared);
    web.tasks.spawn(async move { listed.serve(Box::pin(c2s::serve_link(service, link, slot))).await });
}
