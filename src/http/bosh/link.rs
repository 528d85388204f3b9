//! A session of BOSH between its requests and its stream.
//!
//! To `c2s` it is a connection: what requests bring is read from it in the order of their rids, what is written to it goes
//! into an answer at once. It takes nothing while there is no request to be answered, so that what waits stays where
//! messages wait: it is bounded there, and goes another way (other resources, the store) if no request comes any more.
//!
//! **What counts as delivered** is what was given to a request whose HTTP connection stood: the same as what a TCP socket
//! took. If the connection breaks nevertheless, the client repeats the request and gets the same answer again (§13.3). One
//! that never comes back may have lost that answer, as it may lose what is in the buffers of a TCP connection; who cannot
//! bear that acknowledges stanzas (XEP-0198), here as there.

use super::answers::Reply;
use super::exchange::{Effects, Exchange, Input, Terms};
use crate::clock;
use crate::http::reply as http;
use crate::net::transport::Carrier;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, Sleep};
use xep_support::bosh::{Body, Condition, Created, Opened};
use xep_support::ns;
use xep_support::stream::FRAMED_CLOSE;
use xep_support::xml::Element;
use xep_support::xml::writer::escape_attr;

/// With so much not read yet by the stream no request is answered, so that the client sends nothing more (§8.1: it may not
/// have more requests than agreed).
const UNREAD_BYTES_MAX: usize = 32 * 1024;

/// Bodies not read yet by the stream, beside those the client may have on the way without an answer: requests to pause are
/// answered at once, and so is one when there is something for the client.
const UNREAD_BODIES_MAX: usize = 2;

/// A request that waits for its answer.
#[derive(Debug)]
struct Waiter {
    number: u64,
    answer: oneshot::Sender<Reply>,
}

/// A session.
pub(super) struct Shared {
    /// Its name.
    pub(super) sid: String,
    /// It began encrypted: so must everything that belongs to it (§18.1).
    pub(super) is_secure: bool,
    /// What its answers say they are (§7.1).
    content_type: HeaderValue,
    /// Whoever has so much not read yet does not keep to what was agreed.
    unread_bytes_max: usize,
    state: Mutex<State>,
}

struct State {
    exchange: Exchange<Waiter>,
    requests: u64,
    /// What the stream has not read yet.
    unread: Vec<u8>,
    read: usize,
    /// Of the task that serves the stream.
    waker: Option<Waker>,
}

impl State {
    fn apply(&mut self, effects: Effects<Waiter>) {
        for input in effects.input {
            match input {
                Input::Open(body) => write_open(&mut self.unread, &body),
                Input::Elements(elements) => self.unread.extend_from_slice(elements.as_bytes()),
                Input::Close => self.unread.extend_from_slice(FRAMED_CLOSE.as_bytes()),
            }
        }
        for (waiter, reply) in effects.replies {
            // Who has gone meanwhile asks again.
            let _ = waiter.answer.send(reply);
        }
    }

    /// The task has something to do.
    fn wake(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }
}

/// What stands for a stream header (RFC 7395 §3.4) between here and the stream.
fn write_open(out: &mut Vec<u8>, body: &Body) {
    let mut open = format!("<open xmlns='{}'", ns::FRAMING);
    // XEP-0206 §3, §11: without a version it is 1.0.
    let version = body.xmpp_version.as_deref().or(Some("1.0"));
    let attributes = [
        ("to", body.to.as_deref()),
        ("from", body.from.as_deref()),
        ("xml:lang", body.lang.as_deref()),
        ("version", version),
    ];
    for (name, value) in attributes.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        open.extend([" ", name, "='"]);
        escape_attr(&mut open, value);
        open.push('\'');
    }
    open.push_str("/>");
    out.extend_from_slice(open.as_bytes());
}

/// A place in the queue, given up when the request is over before its answer was there.
pub(in crate::http) struct Place {
    shared: Arc<Shared>,
    number: u64,
    answer: oneshot::Receiver<Reply>,
    is_answered: bool,
}

impl Place {
    /// The answer goes into one of HTTP.
    pub(in crate::http) async fn fill(mut self, reply: &mut http::Reply) {
        let answer = (&mut self.answer).await;
        self.is_answered = true;
        // Who has a place gets an answer, unless there is a defect.
        let answer = answer.unwrap_or_else(|_| Reply::end(Some(Condition::InternalServerError), "", false));
        *reply.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
        reply.headers_mut().insert(CONTENT_TYPE, self.shared.content_type.clone());
        reply.body_mut().fill(answer.body);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let number = self.number;
        let mut state = self.shared.lock();
        state.exchange.lost(clock::monotonic_ms(), |waiter| waiter.number == number);
        let waker = state.wake();
        drop(state);
        wake(waker);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Shared {
    /// A session that begins with this request.
    pub(super) fn begin(
        terms: Terms,
        created: Created,
        is_secure: bool,
        content_type: HeaderValue,
        body_bytes_max: usize,
        first: Body,
    ) -> Result<(Arc<Self>, Place), Condition> {
        let (sender, answer) = oneshot::channel();
        let (sid, waiter) = (created.sid.clone(), Waiter { number: 0, answer: sender });
        let mut effects = Effects::default();
        let exchange = Exchange::begin(clock::monotonic_ms(), terms, created, first, waiter, &mut effects)?;
        let mut state = State { exchange, requests: 1, unread: Vec::new(), read: 0, waker: None };
        state.apply(effects);
        let unread_bytes_max = UNREAD_BYTES_MAX + (terms.requests + UNREAD_BODIES_MAX).saturating_mul(body_bytes_max);
        let shared = Arc::new(Self { sid, is_secure, content_type, unread_bytes_max, state: Mutex::new(state) });
        Ok((shared.clone(), Place { shared, number: 0, answer, is_answered: false }))
    }

    /// A further request.
    pub(super) fn receive(self: &Arc<Self>, body: Body) -> Place {
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        let number = state.requests;
        state.requests += 1;
        let mut effects = Effects::default();
        let waiter = Waiter { number, answer: sender };
        let unread_bytes = state.unread.len() - state.read;
        if unread_bytes + body.payload.len() > self.unread_bytes_max && !state.exchange.is_over() {
            state.exchange.fail(Condition::PolicyViolation, Some(waiter), &mut effects);
        } else {
            state.exchange.receive(clock::monotonic_ms(), body, waiter, &mut effects);
        }
        state.apply(effects);
        let waker = state.wake();
        drop(state);
        wake(waker);
        Place { shared: self.clone(), number, answer, is_answered: false }
    }

    /// After each turn of the stream: gives the answers that are due. When the next ones are.
    fn settle(&self, cx: &Context<'_>) -> Option<u64> {
        let mut state = self.lock();
        let is_behind = state.unread.len() - state.read > UNREAD_BYTES_MAX;
        let mut effects = Effects::default();
        let now_ms = clock::monotonic_ms();
        if state.exchange.settle(now_ms, is_behind, &mut effects) {
            // §9: without a word. To the stream the connection is lost.
            state.exchange.finish(now_ms, Some(Condition::ItemNotFound), "", &mut effects);
            cx.waker().wake_by_ref();
        }
        state.apply(effects);
        state.wait(cx);
        state.exchange.deadline_ms(is_behind)
    }

    /// Serves the stream, and keeps the times of its requests, until there is nothing any more that could be asked for. Has
    /// the stream ended as well? If not it still has something to do, or waits for a client to resume it.
    pub(super) async fn keep(&self, mut stream: Pin<&mut impl Future<Output = ()>>) -> bool {
        let mut timer = pin!(tokio::time::sleep(FOREVER));
        std::future::poll_fn(|cx| {
            // First of all: what it says is part of the answers.
            if stream.as_mut().poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            if self.lock().exchange.is_over() {
                return Poll::Ready(false);
            }
            while let Some(deadline_ms) = self.settle(cx) {
                if !is_due(timer.as_mut(), deadline_ms, cx) {
                    break;
                }
            }
            Poll::Pending
        })
        .await
    }

    /// When it is over: bytes of answers that may be asked for again, and for how long at most (§13.3).
    pub(super) fn remains(&self) -> (usize, Duration) {
        let state = self.lock();
        (state.exchange.kept_bytes(), Duration::from_millis(state.exchange.patience_ms()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FOREVER: Duration = Duration::from_secs(86_400);

/// Is it that time? The timer is moved only when it would come too late.
fn is_due(mut timer: Pin<&mut Sleep>, deadline_ms: u64, cx: &mut Context<'_>) -> bool {
    let left = Duration::from_millis(deadline_ms.saturating_sub(clock::monotonic_ms()));
    if left.is_zero() {
        return true;
    }
    let at = Instant::now() + left;
    if timer.deadline() > at || timer.is_elapsed() {
        timer.as_mut().reset(at);
    }
    while timer.as_mut().poll(cx).is_ready() {
        if Instant::now() >= at {
            return true;
        }
        timer.as_mut().reset(at);
    }
    false
}

/// The stream's end of a session.
pub(super) struct Link {
    shared: Arc<Shared>,
    peer: SocketAddr,
    stopping: watch::Receiver<bool>,
}

impl Link {
    /// The stream's end of this session. There is only one.
    pub(super) fn new(shared: Arc<Shared>, peer: SocketAddr, stopping: watch::Receiver<bool>) -> Self {
        Self { shared, peer, stopping }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Carrier for Link {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let State { unread, read, exchange, .. } = &mut *state;
        let left = &unread[*read..];
        if !left.is_empty() {
            let count = left.len().min(buf.remaining());
            buf.put_slice(&left[..count]);
            *read += count;
            if *read == unread.len() {
                (*unread, *read) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        if exchange.is_over() {
            return Poll::Ready(Ok(()));
        }
        state.wait(cx);
        Poll::Pending
    }

    /// All or nothing, so that an answer has whole elements.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
        if state.exchange.is_over() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // When the server stops no request comes any more that could be told so.
        let is_last = buf.ends_with(FRAMED_CLOSE.as_bytes()) && *self.stopping.borrow();
        if !state.exchange.can_take() && !is_last {
            state.wait(cx);
            return Poll::Pending;
        }
        let text = String::from_utf8_lossy(buf);
        let (opened, elements) = split_open(&text);
        if let Some(opened) = opened {
            state.exchange.opened(opened);
        }
        let mut effects = Effects::default();
        if let Some(last_words) = elements.strip_suffix(FRAMED_CLOSE) {
            state.exchange.finish(clock::monotonic_ms(), condition_of(last_words), last_words, &mut effects);
        } else if !elements.is_empty() {
            state.exchange.send(clock::monotonic_ms(), elements, &mut effects);
        }
        state.apply(effects);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        // Nobody reads it any more.
        (state.unread, state.read) = (Vec::new(), 0);
        if !state.exchange.is_over() {
            let mut effects = Effects::default();
            state.exchange.finish(clock::monotonic_ms(), Some(Condition::RemoteConnectionFailed), "", &mut effects);
            state.apply(effects);
        }
    }
}

/// Our `<open/>`, if that is what it begins with, and the rest.
fn split_open(text: &str) -> (Option<Opened>, &str) {
    let Some(end) = text.strip_prefix("<open ").and_then(|rest| rest.find("/>")) else { return (None, text) };
    let (open, rest) = text.split_at("<open ".len() + end + "/>".len());
    let opened = Element::parse(open, "").ok().map(|open| Opened {
        id: open.get_attr("id").unwrap_or_default().to_owned(),
        from: open.get_attr("from").map(str::to_owned),
    });
    (opened, rest)
}

/// §16.2: what a stream error is called here. XEP-0206 §6 wants its element, too.
fn condition_of(last_words: &str) -> Option<Condition> {
    let error = last_words.ends_with("</stream:error>").then(|| last_words.rfind("<stream:error")).flatten()?;
    let error = Element::parse(&last_words[error..], "").ok()?;
    let condition = error.first_child().map_or("", Element::name);
    Some(match condition {
        "host-unknown" => Condition::HostUnknown,
        "host-gone" => Condition::HostGone,
        "improper-addressing" => Condition::ImproperAddressing,
        "internal-server-error" => Condition::InternalServerError,
        "system-shutdown" => Condition::SystemShutdown,
        _ => Condition::RemoteStreamError,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use xep_support::bosh::BodyLimits;

    #[test]
    fn our_open_is_taken_off() {
        let open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='a&amp;b' from='im.example' version='1.0'/>";
        let (opened, rest) = split_open(open);
        assert_eq!((opened, rest), (Some(Opened { id: "a&b".into(), from: Some("im.example".into()) }), ""));
        assert_eq!(split_open(&[open, "<x/>"].concat()).1, "<x/>");
        assert_eq!(split_open("<opener/>"), (None, "<opener/>"));
    }

    fn body(rid: u64, attributes: &str, payload: &str) -> Body {
        let text = format!("<body xmlns='{}' rid='{rid}' {attributes}>{payload}</body>", ns::BOSH);
        Body::parse(text.as_bytes(), BodyLimits { depth_max: 10, attributes_max: 10, payloads_max: 10 }).unwrap()
    }

    /// A session whose stream reads nothing, and the first request.
    pub(in super::super) fn session(wait: u32) -> (Arc<Shared>, Place) {
        let hold = usize::from(wait > 0);
        let terms = Terms {
            hold,
            requests: hold + 1,
            wait_ms: u64::from(wait) * 1000,
            inactivity_ms: 30_000,
            polling_ms: 0,
            maxpause_ms: 120_000,
            acks: false,
            is_legacy: false,
        };
        let (hold, requests) = (hold as u32, hold as u32 + 1);
        let created = Created {
            sid: "sid".to_owned(),
            ver: None,
            wait,
            hold,
            requests,
            inactivity: 30,
            polling: 0,
            maxpause: 120,
            ack: None,
        };
        let kind = HeaderValue::from_static("text/xml");
        Shared::begin(terms, created, true, kind, 10_000, body(1, "to='a'", "")).unwrap_or_else(|_| panic!())
    }

    /// Requests to pause are answered at once (§9), whether the stream has caught up or not.
    #[test]
    fn who_pauses_to_say_ever_more_is_refused() {
        let (shared, _first) = session(60);
        let payload = format!("<x xmlns='a'>{}</x>", "x".repeat(9_000));
        let said = (2..100).take_while(|rid| {
            let _place = shared.receive(body(*rid, "pause='1'", &payload));
            !shared.lock().exchange.is_over()
        });
        assert!((4..10).contains(&said.count()));
        assert!(shared.lock().unread.len() <= shared.unread_bytes_max);
    }

    /// What cannot be answered before the stream has caught up is not tried for ever.
    #[tokio::test]
    async fn a_stream_that_is_behind_is_waited_for() {
        let (shared, _first) = session(0);
        let mut effects = Effects::default();
        shared.lock().exchange.send(clock::monotonic_ms(), "<features/>", &mut effects);
        let payload = format!("<x xmlns='a'>{}</x>", "x".repeat(UNREAD_BYTES_MAX));
        let _second = shared.receive(body(2, "", &payload));
        let mut stream = std::future::pending();
        let mut kept = Box::pin(shared.keep(Pin::new(&mut stream)));
        assert!(kept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    #[test]
    fn a_stream_error_gives_the_condition() {
        let stanza = "<message xmlns='jabber:client'><body>&lt;stream:error></body></message>";
        let error = |condition: &str| {
            format!(
                "{stanza}<stream:error xmlns:stream='{}'><{condition} xmlns='{}'/></stream:error>",
                ns::STREAM,
                ns::STREAM_ERRORS
            )
        };
        assert_eq!(condition_of(stanza), None);
        assert_eq!(condition_of(""), None);
        assert_eq!(condition_of(&error("system-shutdown")), Some(Condition::SystemShutdown));
        assert_eq!(condition_of(&error("policy-violation")), Some(Condition::RemoteStreamError));
    }
}
