//! A connection that remembers when something last moved on it, so that nobody holds one for nothing (slow heads, idle
//! connections, readers that do not read). It also holds the connection's place in the budget as long as it lives; a
//! WebSocket takes it along.

use super::held::Held;
use super::reply::Reply;
use super::websocket::Upgrade;
use crate::clock;
use crate::core::Core;
use crate::net::budget::Slot;
use crate::net::transport::Transport;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How a connection is doing. Times are monotonic milliseconds, and never 0 where 0 means "not".
#[derive(Debug)]
pub struct Watch {
    /// Requests being answered.
    in_flight: AtomicUsize,
    /// A byte was last read or written then.
    moved_ms: AtomicU64,
    /// The last answer was over then.
    answered_ms: AtomicU64,
    /// The first byte of a head came then, and the head is not complete; 0: nothing has begun.
    reading_ms: AtomicU64,
    /// Since then the peer takes nothing of what we write; 0: it does.
    blocked_ms: AtomicU64,
    /// It speaks HTTP/2, where frames come that belong to no request.
    is_http2: AtomicBool,
    /// Answers of which the peer is to take something, each by the number of its request, and since when. HTTP/2 lets a
    /// peer refuse to take one while it goes on with others.
    to_be_taken: Mutex<Vec<(u64, u64)>>,
    /// The number of the next request.
    next_request: AtomicU64,
    /// What it becomes when its last answer has been written.
    upgrade: Mutex<Option<Box<Upgrade>>>,
    /// A request that is held, or the answer to it.
    rest: Mutex<Rest>,
}

/// What is known of a request that is held.
#[derive(Default)]
enum Rest {
    /// There is none.
    #[default]
    None,
    /// There is one.
    Held(Box<(Reply, Held)>),
    /// It has its answer.
    Answered(Box<Reply>),
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

/// What a look at a connection found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well; look again after this time.
    Fine(Duration),
    /// Nobody wants anything of it.
    Idle,
    /// The peer does not do its part.
    Stuck,
}

/// How patient we are.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of a request.
    pub head: Duration,
    /// For the next request.
    pub idle: Duration,
    /// For a peer to take what we write.
    pub stall: Duration,
}

/// For so many times the patience for an idle connection one may be kept without a request, whatever else moves on it.
const IDLES_WITHOUT_REQUEST: u32 = 4;

/// For so many times the patience for a stalled connection a peer may leave one answer of several where it is.
const ANSWER_STALLS: u32 = 5;

fn now() -> u64 {
    clock::monotonic_ms().max(1)
}

impl Watch {
    fn new() -> Self {
        let now = now();
        Self {
            in_flight: AtomicUsize::new(0),
            moved_ms: AtomicU64::new(now),
            answered_ms: AtomicU64::new(now),
            // The first head is awaited from the start.
            reading_ms: AtomicU64::new(now),
            blocked_ms: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
            to_be_taken: Mutex::default(),
            next_request: AtomicU64::new(0),
            upgrade: Mutex::default(),
            rest: Mutex::default(),
        }
    }

    /// Nothing happens on this connection until the request has its answer.
    pub(super) fn rest(&self, reply: Reply, held: Held) {
        *self.resting() = Rest::Held(Box::new((reply, held)));
    }

    /// The request that is held, once everything before it has been taken by the socket: nobody writes while it is held.
    pub(super) fn take_rest(&self) -> Option<(Reply, Held)> {
        let mut rest = self.resting();
        if !matches!(*rest, Rest::Held(_)) || self.blocked_ms.load(Relaxed) > 0 {
            return None;
        }
        match std::mem::take(&mut *rest) {
            Rest::Held(held) => Some(*held),
            _ => None,
        }
    }

    /// The request that was held has this answer.
    pub(super) fn answer(&self, reply: Reply) {
        *self.resting() = Rest::Answered(Box::new(reply));
    }

    /// The answer to be given to the stand-in of a request that was held.
    pub(super) fn take_answer(&self) -> Option<Reply> {
        let mut rest = self.resting();
        match std::mem::take(&mut *rest) {
            Rest::Answered(reply) => Some(*reply),
            other => {
                *rest = other;
                None
            }
        }
    }

    fn resting(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection becomes something else when this answer has been written.
    pub fn upgrade(&self, upgrade: Upgrade) {
        *self.upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(upgrade));
    }

    /// That, if there is anything.
    pub fn take_upgrade(&self) -> Option<Upgrade> {
        self.upgrade.lock().unwrap_or_else(PoisonError::into_inner).take().map(|upgrade| *upgrade)
    }

    fn read(&self) {
        let now = now();
        self.moved_ms.store(now, Relaxed);
        if self.in_flight.load(Relaxed) == 0 && !self.is_http2.load(Relaxed) && self.reading_ms.load(Relaxed) == 0 {
            self.reading_ms.store(now, Relaxed);
        }
    }

    fn wrote(&self, taken: bool) {
        if taken {
            self.moved_ms.store(now(), Relaxed);
            self.blocked_ms.store(0, Relaxed);
        } else if self.blocked_ms.load(Relaxed) == 0 {
            self.blocked_ms.store(now(), Relaxed);
        }
    }

    /// What was written before has gone to the peer, also what TLS had kept.
    fn flushed(&self) {
        self.blocked_ms.store(0, Relaxed);
    }

    /// A head is complete.
    pub fn request(&self, is_http2: bool) {
        self.reading_ms.store(0, Relaxed);
        self.is_http2.store(is_http2, Relaxed);
    }

    /// Whose turn is it with the answer to this request: the peer's, or ours?
    pub(super) fn turn(&self, request: u64, is_peers: bool) {
        let mut all = self.to_be_taken.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(known, _)| *known != request);
        if is_peers {
            all.push((request, now()));
        }
    }

    /// The answer that waits longest for the peer does so since then.
    fn not_taken_since(&self) -> Option<u64> {
        let all = self.to_be_taken.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(_, since)| *since).min()
    }

    /// One more request is being answered: its number.
    pub(super) fn begin(&self) -> u64 {
        self.in_flight.fetch_add(1, Relaxed);
        self.next_request.fetch_add(1, Relaxed)
    }

    /// Its answer has been written, or given up.
    pub(super) fn end(&self, request: u64) {
        self.turn(request, false);
        self.in_flight.fetch_sub(1, Relaxed);
        let now = now();
        self.moved_ms.store(now, Relaxed);
        self.answered_ms.store(now, Relaxed);
    }

    /// How does it stand?
    pub fn judge(&self, patience: Patience) -> Verdict {
        let now = now();
        let left = |since: u64, limit: Duration| {
            let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            limit.saturating_sub(now.saturating_sub(since))
        };
        let mut next = left(now, patience.stall);
        let (blocked, reading) = (self.blocked_ms.load(Relaxed), self.reading_ms.load(Relaxed));
        if blocked > 0 {
            match left(blocked, patience.stall) {
                0 => return Verdict::Stuck,
                ms => next = next.min(ms),
            }
        }
        if let Some(since) = self.not_taken_since() {
            // Slow is not stuck: those of one connection may come one after the other.
            match left(since, patience.stall * ANSWER_STALLS) {
                0 => return Verdict::Stuck,
                ms => next = next.min(ms),
            }
        }
        if self.in_flight.load(Relaxed) == 0 {
            if reading > 0 {
                match left(reading, patience.head) {
                    0 => return Verdict::Stuck,
                    ms => next = next.min(ms),
                }
            }
            // Frames that ask for nothing (RFC 9113 §6.7: PING) do not make it busy for ever.
            let quiet = left(self.answered_ms.load(Relaxed), patience.idle * IDLES_WITHOUT_REQUEST);
            match left(self.moved_ms.load(Relaxed), patience.idle).min(quiet) {
                0 => return Verdict::Idle,
                ms => next = next.min(ms),
            }
            next = next.min(left(now, patience.idle)).min(left(now, patience.head));
        }
        Verdict::Fine(Duration::from_millis(next.max(1)))
    }
}

/// The connection itself.
pub struct Watched {
    transport: Transport,
    watch: Arc<Watch>,
    core: Arc<Core>,
    slot: Option<Slot>,
    /// Read before what the connection brings.
    again: Vec<u8>,
}

/// RFC 9113 §3.4.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Watched {
    /// Watches a connection from now on.
    pub fn new(transport: Transport, core: Arc<Core>, slot: Slot) -> Self {
        core.site.counters.connections.fetch_add(1, Relaxed);
        core.site.counters.connections_accepted.fetch_add(1, Relaxed);
        Self { transport, watch: Arc::new(Watch::new()), core, slot: Some(slot), again: Vec::new() }
    }

    /// What is read next, before anything else.
    pub(super) fn read_again(&mut self, bytes: Vec<u8>) {
        self.again = bytes;
    }

    /// Reads a little, to be read again; 0 is the end.
    pub(super) fn poll_ahead(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let mut few = [0; 256];
        let mut buf = ReadBuf::new(&mut few);
        match self.transport.poll_read(cx, &mut buf) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(done) => Poll::Ready(done.map(|()| {
                into.extend_from_slice(buf.filled());
                buf.filled().len()
            })),
        }
    }

    /// Does it begin like HTTP/2?
    pub(super) async fn begins_http2(&mut self) -> io::Result<bool> {
        let mut begun = Vec::new();
        loop {
            let count = begun.len().min(HTTP2_PREFACE.len());
            let is_like = begun[..count] == HTTP2_PREFACE[..count];
            if !is_like || count == HTTP2_PREFACE.len() {
                self.watch.read();
                self.again = begun;
                return Ok(is_like);
            }
            if std::future::poll_fn(|cx| self.poll_ahead(cx, &mut begun)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Lets go of it.
    pub fn into_parts(mut self) -> Option<(Transport, Slot)> {
        let slot = self.slot.take()?;
        Some((std::mem::replace(&mut self.transport, Transport::Closed), slot))
    }

    /// What is noted about it.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // An answer knows the connection it is for: nobody else would let go of it.
        let rest = std::mem::take(&mut *self.watch.resting());
        drop(rest);
        self.core.site.counters.connections.fetch_sub(1, Relaxed);
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.again.is_empty() {
            let count = this.again.len().min(buf.remaining());
            buf.put_slice(&this.again[..count]);
            this.again.drain(..count);
            if this.again.is_empty() {
                this.again = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let done = this.transport.poll_read(cx, buf);
        if buf.filled().len() > before {
            this.watch.read();
        }
        done
    }
}

impl Watched {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(_)) => self.watch.wrote(true),
            Poll::Pending => self.watch.wrote(false),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.transport.poll_write(cx, buf);
        this.note(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.transport.poll_write_vectored(cx, bufs);
        this.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = this.transport.poll_flush(cx);
        match &flushed {
            Poll::Ready(Ok(())) => this.watch.flushed(),
            Poll::Pending => this.watch.wrote(false),
            Poll::Ready(Err(_)) => {}
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().transport.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: Patience =
        Patience { head: Duration::from_secs(600), idle: Duration::from_secs(600), stall: Duration::from_secs(600) };

    #[test]
    fn a_connection_is_judged_by_what_it_waits_for() {
        let watch = Watch::new();
        assert!(matches!(watch.judge(PATIENT), Verdict::Fine(_)));
        let none = Duration::ZERO;
        assert_eq!(watch.judge(Patience { head: none, ..PATIENT }), Verdict::Stuck, "no head yet");
        watch.request(false);
        assert!(matches!(watch.judge(Patience { head: none, ..PATIENT }), Verdict::Fine(_)), "between two requests");
        assert_eq!(watch.judge(Patience { idle: none, ..PATIENT }), Verdict::Idle);
        watch.read();
        assert_eq!(watch.judge(Patience { head: none, ..PATIENT }), Verdict::Stuck, "half a head");
        watch.request(true);
        watch.read();
        assert!(matches!(watch.judge(Patience { head: none, ..PATIENT }), Verdict::Fine(_)), "frames of HTTP/2");
        watch.in_flight.store(1, Relaxed);
        let hasty = Patience { head: none, idle: none, ..PATIENT };
        assert!(matches!(watch.judge(hasty), Verdict::Fine(_)), "a request held open is no idle connection");
        watch.wrote(false);
        assert_eq!(watch.judge(Patience { stall: none, ..PATIENT }), Verdict::Stuck);
        watch.wrote(true);
        watch.wrote(false);
        watch.flushed();
        assert!(matches!(watch.judge(Patience { stall: none, ..hasty }), Verdict::Fine(_)), "TLS had kept something");
        watch.turn(7, true);
        assert_eq!(watch.judge(Patience { stall: none, ..PATIENT }), Verdict::Stuck, "an answer nobody takes");
        watch.turn(7, false);
        assert!(matches!(watch.judge(PATIENT), Verdict::Fine(_)));
    }
}
