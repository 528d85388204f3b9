//! The outbox of a resource: what waits to be written to its client.
//!
//! It belongs to the resource, not to a connection: whoever serves the resource drains it. Four rules: a push never
//! blocks, never reorders, is bounded in bytes and stanzas, and what was refused or never written comes back to the
//! caller, so that it can go the way of an offline message.

use crate::account::replay::RowReceipt;
use crate::close::CloseReason;
use crate::hold::Hold;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::sync::Notify;
use xep_support::jid::Jid;
use xep_support::stanza::Stanza;

/// A stanza on its way to one client.
pub struct Item {
    /// Shared with all other recipients.
    pub stanza: Arc<Stanza>,
    /// Replaces the stanza's own `to`.
    pub to: Option<Jid>,
    /// XML put behind the stanza's children (a delay stamp).
    pub extra: Option<Arc<str>>,
    /// Who wants to know that it was written.
    pub receipt: Receipt,
}

/// What is settled when an item's bytes have been given to the socket.
pub enum Receipt {
    /// Nobody waits.
    None,
    /// A sender's acknowledgement waits.
    Hold(Hold),
    /// Other resources have the same message; a sender's acknowledgement waits for all of them.
    Copy(Arc<Copies>),
    /// It came from the offline store, whose row may now go.
    Row(RowReceipt),
}

/// A message that went to several resources.
pub struct Copies {
    hold: Option<Hold>,
    written: AtomicBool,
}

impl Copies {
    /// For copies that are made now.
    pub fn new(hold: Option<Hold>) -> Arc<Self> {
        Arc::new(Self { hold, written: AtomicBool::new(false) })
    }

    /// Does the sender wait for an acknowledgement just now?
    pub fn is_awaited(&self) -> bool {
        self.hold.as_ref().is_some_and(Hold::is_awaited)
    }

    /// One of them was given to a socket.
    pub fn written(&self) {
        self.written.store(true, Ordering::Release);
    }

    /// One of them was not and will not be. `Some` with the sender's hold if it was the last one and no other one was:
    /// nobody has the message.
    pub fn given_up(self: Arc<Self>) -> Option<Option<Hold>> {
        let last = Arc::into_inner(self)?;
        (!last.written.load(Ordering::Acquire)).then_some(last.hold)
    }
}

impl Receipt {
    /// Notes on disk that a stored message, and all before it, was given to the socket.
    pub fn note(&self) {
        if let Self::Row(row) = self {
            row.note();
        }
    }

    /// Is a sender waiting for it just now?
    pub fn is_awaited(&self) -> bool {
        match self {
            Self::Hold(hold) => hold.is_awaited(),
            Self::Copy(copies) => copies.is_awaited(),
            Self::None | Self::Row(_) => false,
        }
    }
}

impl Item {
    /// An item nobody waits for.
    pub fn plain(stanza: Arc<Stanza>) -> Self {
        Self { stanza, to: None, extra: None, receipt: Receipt::None }
    }

    /// An item whose sender may hold an acknowledgement for it.
    pub fn held(stanza: Arc<Stanza>, hold: Option<&Hold>) -> Self {
        let receipt = hold.map_or(Receipt::None, |h| Receipt::Hold(h.clone()));
        Self { stanza, to: None, extra: None, receipt }
    }

    /// One of several copies of a message.
    pub fn copy(stanza: Arc<Stanza>, copies: Arc<Copies>) -> Self {
        Self { stanza, to: None, extra: None, receipt: Receipt::Copy(copies) }
    }

    /// An item addressed to somebody else than the stanza says.
    pub fn addressed(stanza: Arc<Stanza>, to: Jid) -> Self {
        Self { stanza, to: Some(to), extra: None, receipt: Receipt::None }
    }

    fn bytes(&self) -> usize {
        self.stanza.size() + self.extra.as_ref().map_or(0, |e| e.len()) + ITEM_OVERHEAD_BYTES
    }
}

/// Counted for each item beside its text.
const ITEM_OVERHEAD_BYTES: usize = 128;

/// A bounded queue of [`Item`]s.
pub struct Outbox {
    inner: Mutex<Inner>,
    bytes_max: usize,
    stanzas_max: usize,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Item>,
    bytes: usize,
    waker: Option<Waker>,
    /// The session cannot write: a push need not wake it, a close must.
    stalled: bool,
    close: Option<CloseReason>,
    /// What the peer is told instead of the reason's own text.
    farewell: Option<Box<str>>,
    shut: bool,
    departed: bool,
    /// Who waits for the end.
    end: Option<Arc<Notify>>,
}

/// Between the moment a session is told to end and its next turn, which is its last, what comes is still taken, to go
/// another way behind what is there. So much cannot come in that time; it is there because everything has a limit.
const CLOSING_BYTES_MAX: usize = 64 << 20;

impl Outbox {
    /// An empty outbox with its bounds.
    pub fn new(bytes_max: usize, stanzas_max: usize) -> Self {
        Self { inner: Mutex::default(), bytes_max, stanzas_max }
    }

    /// Appends an item. It comes back when the resource is gone. A resource that is too slow is told to go, and what it
    /// has not written goes another way, this item included.
    pub fn push(&self, item: Item) -> Result<(), Item> {
        let bytes = item.bytes();
        let mut inner = self.lock();
        if inner.shut {
            return Err(item);
        }
        let exceeds = inner.bytes + bytes > self.bytes_max || inner.queue.len() >= self.stanzas_max;
        let too_slow = exceeds && inner.close.is_none();
        let refused = inner.bytes + bytes > self.bytes_max.saturating_add(CLOSING_BYTES_MAX);
        if too_slow {
            inner.close = Some(CloseReason::SlowReader);
        }
        // The waker is there only while the session sleeps: later items of a burst find none and cost no wake-up.
        let waker = if inner.stalled && !too_slow { None } else { inner.waker.take() };
        let result = if refused {
            Err(item)
        } else {
            inner.bytes += bytes;
            inner.queue.push_back(item);
            Ok(())
        };
        drop(inner);
        wake(waker);
        result
    }

    /// Tells the session to end for this reason. The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        let mut inner = self.lock();
        inner.close.get_or_insert(reason);
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
    }

    /// The same with a text for the peer, as an operator wrote it.
    pub fn close_saying(&self, reason: CloseReason, farewell: &str) {
        self.lock().farewell.get_or_insert_with(|| farewell.into());
        self.close(reason);
    }

    /// What the peer is to be told, if an operator wrote something.
    pub fn farewell(&self) -> Option<Box<str>> {
        self.lock().farewell.clone()
    }

    /// Moves items worth about `bytes_max` to `into`. When there are none, `waker` is called at the next push.
    pub fn take(&self, into: &mut Vec<Item>, bytes_max: usize, waker: &Waker) -> Taken {
        let mut inner = self.lock();
        let mut taken = 0;
        while taken < bytes_max {
            let Some(item) = inner.queue.pop_front() else { break };
            taken += item.bytes();
            into.push(item);
        }
        inner.bytes -= taken;
        inner.stalled = false;
        let left = !inner.queue.is_empty();
        if !left {
            if inner.queue.capacity() > QUEUE_KEPT_MAX {
                inner.queue = VecDeque::new();
            }
            if !inner.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
                inner.waker = Some(waker.clone());
            }
        }
        Taken { left, close: inner.close }
    }

    /// Ends the outbox: later pushes are refused. Returns what was never taken.
    pub fn shut(&self) -> VecDeque<Item> {
        let mut inner = self.lock();
        inner.shut = true;
        inner.bytes = 0;
        inner.waker = None;
        std::mem::take(&mut inner.queue)
    }

    /// Everything that its session had to do is done, and everybody has been told.
    pub fn departed(&self) {
        let mut inner = self.lock();
        inner.departed = true;
        if let Some(end) = inner.end.take() {
            end.notify_waiters();
        }
    }

    /// Waits until the session has [`departed`](Self::departed).
    pub async fn ended(&self) {
        let end = {
            let mut inner = self.lock();
            if inner.departed {
                return;
            }
            // Hears of the end from now on, not only from its first poll.
            inner.end.get_or_insert_default().clone().notified_owned()
        };
        end.await;
    }

    /// Was the session told to end?
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.lock().close
    }

    /// The same for one that cannot write now: if not told yet, `waker` is called when it is.
    pub fn poll_close(&self, waker: &Waker) -> Option<CloseReason> {
        let mut inner = self.lock();
        if inner.close.is_none() {
            inner.stalled = true;
            if !inner.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
                inner.waker = Some(waker.clone());
            }
        }
        inner.close
    }

    /// Is there an item like this?
    pub fn any(&self, like: impl FnMut(&Item) -> bool) -> bool {
        self.lock().queue.iter().any(like)
    }

    /// Bytes and stanzas waiting (for `magpie session list`).
    pub fn depth(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.bytes, inner.queue.len())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An emptied queue gives its memory back above this many items: idle costs nothing.
const QUEUE_KEPT_MAX: usize = 0;

/// What [`Outbox::take`] found.
pub struct Taken {
    /// More is waiting.
    pub left: bool,
    /// The session was told to end.
    pub close: Option<CloseReason>,
}

fn wake(waker: Option<Waker>) {
    if let Some(w) = waker {
        w.wake();
    }
}
