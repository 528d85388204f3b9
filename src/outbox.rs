//! The outbox of a resource: what waits to be written to its client.
//!
//! It belongs to the resource, not to a connection: whoever serves the resource drains it. Four rules: a push never
//! blocks, never reorders, is bounded in bytes and stanzas, and what was refused or never written comes back to the
//! caller, so that it can go the way of an offline message.

mod inactive;
mod receipt;

use crate::clock;
use crate::close::CloseReason;
use crate::hold::Hold;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use tokio::sync::Notify;
use xep_support::jid::Jid;
use xep_support::stanza::{Print, Stanza};

pub use self::inactive::HeldLimits;
use self::inactive::{Added, Held};
pub use self::receipt::{Copies, Receipt};

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

    /// Prints it.
    pub fn print(&self, out: &mut Vec<u8>) {
        self.print_in(out, None);
    }

    /// Prints it, and declares this default namespace where nothing around it does.
    pub fn print_in(&self, out: &mut Vec<u8>, xmlns: Option<&'static str>) {
        let extra = self.extra.as_deref().unwrap_or_default().as_bytes();
        self.stanza.write(out, &Print { to: self.to.as_ref(), xmlns, extra });
    }

    /// What it counts against the bounds of a queue.
    pub fn bytes(&self) -> usize {
        self.stanza.size() + self.extra.as_ref().map_or(0, |e| e.len()) + ITEM_OVERHEAD_BYTES
    }
}

/// Counted for each item beside its text.
pub const ITEM_OVERHEAD_BYTES: usize = 128;

/// A bounded queue of [`Item`]s.
pub struct Outbox {
    inner: Mutex<Inner>,
    bytes_max: u32,
    stanzas_max: u32,
    /// The number of its session in the session journal; 0: it is not there.
    session: AtomicU32,
    /// Since then (monotonic seconds) something waits that could not be written at once; 0: nothing does. Written under the
    /// lock, and here because there is room.
    behind_seconds: AtomicU32,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Item>,
    bytes: usize,
    /// While the client is inactive (XEP-0352): what waits.
    held: Option<Box<Held>>,
    waker: Option<Waker>,
    /// The client said that its user does not look at it (XEP-0352), or it has lost its connection.
    inactive: bool,
    /// The session cannot write: a push need not wake it, a close must.
    stalled: bool,
    close: Option<CloseReason>,
    /// The connection has to let go of it; pushes go on.
    hand_over: bool,
    /// What the peer is told instead of the reason's own text. Hardly ever there: one pointer, not two.
    farewell: Option<Box<Box<str>>>,
    /// The connection is gone: nobody takes anything.
    lost: bool,
    shut: bool,
    departed: bool,
    /// Who waits for room, or for the end. Nobody, as a rule.
    waiting: Option<Arc<Notify>>,
}

impl Inner {
    /// What the session is told when it asks.
    fn told(&self) -> Option<CloseReason> {
        self.close.or(self.hand_over.then_some(CloseReason::Resumed))
    }

    /// Whoever waits looks again.
    fn call_waiting(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.notify_waiters();
        }
    }

    /// What waited goes out.
    fn release(&mut self) {
        if let Some(held) = &mut self.held {
            let (items, bytes) = held.take();
            self.queue.extend(items);
            self.bytes += bytes;
        }
    }

    /// Puts an item among those that wait: was it one too many? It comes back if it must not wait.
    fn hold_back(&mut self, item: Item, journaled: bool) -> Result<bool, Item> {
        let Some(held) = &mut self.held else { return Err(item) };
        let added = match held.add(item, journaled) {
            Added::Kept => return Ok(false),
            Added::Full => Ok(true),
            Added::Important(item) => Err(item),
        };
        self.release();
        added
    }
}

/// Between the moment a session is told to end and its next turn, which is its last, what comes is still taken, to go
/// another way behind what is there. So much cannot come in that time; it is there because everything has a limit.
const CLOSING_BYTES_MAX: usize = 64 << 20;

impl Outbox {
    /// An empty outbox with its bounds.
    pub fn new(bytes_max: usize, stanzas_max: usize) -> Self {
        let fit = |max: usize| u32::try_from(max).unwrap_or(u32::MAX);
        let (bytes_max, stanzas_max) = (fit(bytes_max), fit(stanzas_max));
        let (session, behind_seconds) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { inner: Mutex::default(), bytes_max, stanzas_max, session, behind_seconds }
    }

    /// Its session is in the journal from now on.
    pub fn journaled_as(&self, session: u32) {
        self.session.store(session, Ordering::Relaxed);
    }

    /// The number of its session in the session journal; 0: it is not there.
    pub fn session(&self) -> u32 {
        self.session.load(Ordering::Relaxed)
    }

    /// Appends an item. It comes back when the resource is gone. A resource that is too slow is told to go, and what it
    /// has not written goes another way, this item included.
    pub fn push(&self, item: Item) -> Result<(), Item> {
        if item.receipt.effects().is_some_and(|known| known.reached.contains(&self.session())) {
            // Its sender did not know when the server was killed, and has sent it again.
            return Ok(());
        }
        let mut inner = self.lock();
        let (result, waker) = self.put(&mut inner, item);
        drop(inner);
        wake(waker);
        result
    }

    /// Appends items that nobody misses if the resource is gone, and wakes its session once. Is it away, because its client
    /// is inactive or has lost its connection?
    pub fn push_all(&self, items: impl Iterator<Item = Item>) -> bool {
        let mut inner = self.lock();
        let is_away = !inner.shut && (inner.inactive || inner.lost);
        let mut waker = None;
        for item in items {
            waker = waker.or(self.put(&mut inner, item).1);
        }
        drop(inner);
        wake(waker);
        is_away
    }

    /// Appends an item under the lock. Who is to be woken when that is released?
    fn put(&self, inner: &mut Inner, item: Item) -> (Result<(), Item>, Option<Waker>) {
        if inner.shut {
            return (Err(item), None);
        }
        let item = match inner.hold_back(item, self.session() != 0) {
            Ok(full) => return (Ok(()), if full && !inner.stalled { inner.waker.take() } else { None }),
            Err(item) => item,
        };
        let bytes = item.bytes();
        let (bytes_max, stanzas_max) = (self.bytes_max as usize, self.stanzas_max as usize);
        let exceeds = inner.bytes + bytes > bytes_max || inner.queue.len() >= stanzas_max;
        let too_slow = exceeds && inner.close.is_none();
        let refused = inner.bytes + bytes > bytes_max.saturating_add(CLOSING_BYTES_MAX);
        if too_slow {
            inner.close = Some(CloseReason::SlowReader);
            inner.call_waiting();
        }
        // The waker is there only while the session sleeps: later items of a burst find none and cost no wake-up.
        let waker = if inner.stalled && !too_slow { None } else { inner.waker.take() };
        if refused {
            return (Err(item), waker);
        }
        inner.bytes += bytes;
        inner.queue.push_back(item);
        if inner.stalled {
            self.note_stalled(inner);
        }
        (Ok(()), waker)
    }

    /// Waits until at most a quarter of it is taken, for work that can wait for its client. `false`: its session was told to
    /// end or has lost its connection, and nobody knows when there will be room.
    pub async fn room(&self) -> bool {
        self.until(|inner| {
            if inner.shut || inner.lost || inner.told().is_some() {
                return Some(false);
            }
            self.has_room(inner).then_some(true)
        })
        .await
    }

    fn has_room(&self, inner: &Inner) -> bool {
        inner.bytes <= self.bytes_max as usize / 4 && inner.queue.len() <= self.stanzas_max as usize / 4
    }

    async fn until<T>(&self, mut found: impl FnMut(&Inner) -> Option<T>) -> T {
        loop {
            let waiting = {
                let mut inner = self.lock();
                if let Some(found) = found(&inner) {
                    return found;
                }
                // Hears of it from now on, not only from its first poll.
                inner.waiting.get_or_insert_default().clone().notified_owned()
            };
            waiting.await;
        }
    }

    /// The connection is gone; what comes is kept until there is another one.
    pub fn lost(&self) {
        let mut inner = self.lock();
        inner.lost = true;
        inner.call_waiting();
    }

    /// The client is inactive: from now on what can wait does.
    pub fn deactivate(&self, limits: HeldLimits) {
        let mut inner = self.lock();
        inner.inactive = true;
        if limits.stanzas_max > 0 {
            inner.held.get_or_insert_with(|| Box::new(Held::new(limits)));
        }
    }

    /// Is the client inactive?
    pub fn is_inactive(&self) -> bool {
        self.lock().inactive
    }

    /// The client is active: what waited goes out.
    pub fn activate(&self) {
        let mut inner = self.lock();
        inner.inactive = false;
        inner.release();
        inner.held = None;
        let waker = if inner.queue.is_empty() { None } else { inner.waker.take() };
        drop(inner);
        wake(waker);
    }

    /// Tells the session to end for this reason. The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        let mut inner = self.lock();
        inner.close.get_or_insert(reason);
        inner.call_waiting();
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
    }

    /// The same with a text for the peer, as an operator wrote it.
    pub fn close_saying(&self, reason: CloseReason, farewell: &str) {
        self.lock().farewell.get_or_insert_with(|| Box::new(farewell.into()));
        self.close(reason);
    }

    /// Tells the session to let go: a newer connection goes on with this outbox (XEP-0198 §5).
    pub fn hand_over(&self) {
        let mut inner = self.lock();
        inner.hand_over = true;
        inner.call_waiting();
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
    }

    /// The newer connection is there.
    pub fn taken_over(&self) {
        {
            let mut inner = self.lock();
            (inner.hand_over, inner.lost) = (false, false);
        }
        self.activate();
    }

    /// Waits until the session is told to end, for one that has no connection.
    pub async fn closed(&self) -> CloseReason {
        std::future::poll_fn(|cx| {
            let mut inner = self.lock();
            if let Some(reason) = inner.close {
                return Poll::Ready(reason);
            }
            self.note_stalled(&mut inner);
            inner.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Takes out the items that are like this, in order. What waits for an inactive client stays.
    pub fn extract(&self, mut like: impl FnMut(&mut Item) -> bool) -> Vec<Item> {
        let mut inner = self.lock();
        let (mut out, mut kept) = (Vec::new(), VecDeque::new());
        for mut item in inner.queue.drain(..) {
            if like(&mut item) { out.push(item) } else { kept.push_back(item) }
        }
        if kept.is_empty() {
            self.behind_seconds.store(0, Ordering::Relaxed);
        }
        inner.queue = kept;
        inner.bytes = inner.queue.iter().map(Item::bytes).sum();
        out
    }

    /// What the peer is to be told, if an operator wrote something.
    pub fn farewell(&self) -> Option<Box<str>> {
        self.lock().farewell.as_deref().cloned()
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
        if inner.waiting.is_some() && self.has_room(&inner) {
            inner.call_waiting();
        }
        let left = !inner.queue.is_empty();
        if !left {
            self.behind_seconds.store(0, Ordering::Relaxed);
            if inner.queue.capacity() > QUEUE_KEPT_MAX {
                inner.queue = VecDeque::new();
            }
            if !inner.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
                inner.waker = Some(waker.clone());
            }
        }
        Taken { left, close: inner.told() }
    }

    /// Ends the outbox: later pushes are refused. Returns what was never taken.
    pub fn shut(&self) -> VecDeque<Item> {
        let mut inner = self.lock();
        inner.shut = true;
        inner.release();
        inner.bytes = 0;
        inner.waker = None;
        inner.call_waiting();
        std::mem::take(&mut inner.queue)
    }

    /// Everything that its session had to do is done, and everybody has been told.
    pub fn departed(&self) {
        let mut inner = self.lock();
        inner.departed = true;
        inner.call_waiting();
    }

    /// Waits until the session has [`departed`](Self::departed).
    pub async fn ended(&self) {
        self.until(|inner| inner.departed.then_some(())).await;
    }

    /// Was the session told to end?
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.lock().told()
    }

    /// The same for one that cannot write now: if not told yet, `waker` is called when it is.
    pub fn poll_close(&self, waker: &Waker) -> Option<CloseReason> {
        let mut inner = self.lock();
        let told = inner.told();
        if told.is_none() {
            self.note_stalled(&mut inner);
            if !inner.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
                inner.waker = Some(waker.clone());
            }
        }
        told
    }

    /// Is there an item like this?
    pub fn any(&self, like: impl FnMut(&Item) -> bool) -> bool {
        self.lock().queue.iter().any(like)
    }

    /// Bytes and stanzas waiting (for `magpie session list`).
    pub fn depth(&self) -> (usize, usize) {
        let inner = self.lock();
        let (bytes, stanzas) = inner.held.as_ref().map_or((0, 0), |held| held.depth());
        (inner.bytes + bytes, inner.queue.len() + stanzas)
    }

    /// For how many seconds it has not been empty, if its client does not take what is there.
    pub fn age_seconds(&self) -> Option<u32> {
        let inner = self.lock();
        let since = self.behind_seconds.load(Ordering::Relaxed);
        (since > 0 && !inner.queue.is_empty()).then(|| clock::monotonic_seconds().saturating_sub(since))
    }

    /// Its session cannot write just now. The clock is read only when it falls behind.
    fn note_stalled(&self, inner: &mut Inner) {
        inner.stalled = true;
        if self.behind_seconds.load(Ordering::Relaxed) == 0 && !inner.queue.is_empty() {
            self.behind_seconds.store(clock::monotonic_seconds().max(1), Ordering::Relaxed);
        }
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

#[cfg(test)]
mod tests;
