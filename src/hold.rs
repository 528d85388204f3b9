//! Holds: what a client's session still owes the disk or another client's socket.
//!
//! "Acknowledged means durable" rests on this file. Every stanza a client sends carries a [`Hold`]; the hold travels with
//! the stanza (parked while an account loads, queued in an [`Outbox`](crate::outbox), waiting for a commit) and is
//! dropped when the stanza is safe: its bytes were given to the recipient's socket, or its row is committed. The session
//! answers no IQ, and so acknowledges nothing, while one of its holds is alive.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

/// The unsettled stanzas of one session.
#[derive(Default)]
pub struct Pending {
    count: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
    /// The session's number in the session journal; 0: it is not there.
    session: AtomicU32,
    /// The number of the stanza that is being handled.
    stanza: AtomicU32,
    /// What was caused before a restart by stanzas that are sent again.
    caused: OnceLock<Box<Caused>>,
    /// What is to be done when a session that is over has nothing unsettled any more.
    at_end: OnceLock<Box<AtEnd>>,
}

type AtEnd = Box<dyn Fn() + Send + Sync>;

/// Which stanza an effect comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cause {
    /// The session, by its number in the session journal.
    pub session: u32,
    /// The stanza, as XEP-0198 counts.
    pub stanza: u32,
    /// The session did not send it but was sent it, and does not have it: it goes another way.
    pub moved: bool,
}

/// What a stanza had caused when the server was killed. Its session was not told that it was handled, so its client sends it
/// again; what was done is not done again.
#[derive(Clone, Default, Debug)]
pub struct Effects {
    /// It was put into the offline store.
    pub stored: bool,
    /// The id it has in its sender's archive.
    pub archived_as: Option<i64>,
    /// The id it has in its addressee's archive.
    pub received_as: Option<i64>,
    /// The id its addressee was told, which may not be in the archive yet.
    pub told_as: Option<i64>,
    /// The sessions it reached, by their numbers.
    pub reached: Vec<u32>,
    /// It was written to the socket of somebody who acknowledges nothing.
    pub read: bool,
    /// It reached a session that is over, which has seen to it.
    pub elsewhere: bool,
    /// What those it reached make of it.
    pub fate: Option<Arc<Fate>>,
}

/// By the number of the stanza. Boxed: it is hardly ever there.
struct Caused(HashMap<u32, Effects>);

impl Pending {
    /// A new obligation of this session.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.hold_for(self.stanza.load(Ordering::Relaxed), false)
    }

    /// For a stanza that this session, which is over, was sent and does not have. Nobody waits for it to be safe; the journal
    /// forgets the session only then.
    pub fn hold_moved(self: &Arc<Self>, stanza: u32) -> Hold {
        self.hold_for(stanza, true)
    }

    fn hold_for(self: &Arc<Self>, stanza: u32, moved: bool) -> Hold {
        self.count.fetch_add(1, Ordering::Relaxed);
        Hold { pending: self.clone(), stanza, moved }
    }

    /// The session is in the journal from now on.
    pub fn journaled_as(&self, session: u32) {
        self.session.store(session, Ordering::Relaxed);
    }

    /// Its number there; 0: it is not.
    pub fn session(&self) -> u32 {
        self.session.load(Ordering::Relaxed)
    }

    /// Stanzas that come again after a restart, with what they have caused.
    pub fn has_caused(&self, effects: HashMap<u32, Effects>) {
        let _ = self.caused.set(Box::new(Caused(effects)));
    }

    /// The stanza with this number is being handled.
    pub fn begin(&self, stanza: u32) {
        self.stanza.store(stanza, Ordering::Relaxed);
    }

    /// Calls this once everything is safe. For a session that is over.
    pub fn when_clear(&self, act: impl Fn() + Send + Sync + 'static) {
        let _ = self.at_end.set(Box::new(Box::new(act)));
        if self.is_clear() {
            self.end();
        }
    }

    fn end(&self) {
        if let Some(act) = self.at_end.get() {
            act();
        }
    }

    /// How many stanzas are unsettled.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Is everything sent so far durable or delivered?
    pub fn is_clear(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Waits until [`is_clear`](Self::is_clear). One waiter at a time: the session itself.
    pub async fn cleared(&self) {
        std::future::poll_fn(|cx| self.poll_cleared(cx)).await;
    }

    fn poll_cleared(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_clear() {
            return Poll::Ready(());
        }
        *self.waiter() = Some(cx.waker().clone());
        // The last hold may have gone between the check and the registration.
        if self.is_clear() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn waiter(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stanza not yet safe. Dropping it settles it.
pub struct Hold {
    pending: Arc<Pending>,
    stanza: u32,
    moved: bool,
}

impl Hold {
    /// Is its session waiting for it just now?
    pub fn is_awaited(&self) -> bool {
        self.pending.waiter().is_some()
    }

    /// Is it a stanza that went another way than to the session it was for?
    pub fn is_moved(&self) -> bool {
        self.moved
    }

    /// Which stanza it is, if its session can be resumed after a restart.
    pub fn cause(&self) -> Option<Cause> {
        let session = self.pending.session();
        (session != 0).then_some(Cause { session, stanza: self.stanza, moved: self.moved })
    }

    /// What the stanza has caused already, if its client sends it again after a restart.
    pub fn effects(&self) -> Option<&Effects> {
        let caused = self.pending.caused.get()?;
        if self.moved { None } else { caused.0.get(&self.stanza) }
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        self.pending.hold_for(self.stanza, self.moved)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.pending.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            if let Some(waker) = self.pending.waiter().take() {
                waker.wake();
            }
            self.pending.end();
        }
    }
}

/// Does anybody have a message that several clients were given, who have not acknowledged it yet (XEP-0198)?
#[derive(Default, Debug)]
pub struct Fate {
    /// Names the message in the session journal; 0: it has no name.
    group: u64,
    /// How many may still acknowledge it.
    shares: AtomicUsize,
    acknowledged: AtomicBool,
    moved: AtomicBool,
}

/// One client's share in a [`Fate`].
pub struct Share(Arc<Fate>);

impl Fate {
    /// A message with this name in the session journal.
    pub fn new(group: u64) -> Arc<Self> {
        Arc::new(Self { group, ..Self::default() })
    }

    /// Its name there; 0: none.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// A message that one more client has been given.
    pub fn share(self: &Arc<Self>) -> Share {
        self.shares.fetch_add(1, Ordering::Relaxed);
        Share(self.clone())
    }

    /// Somebody has it.
    pub fn acknowledged(&self) {
        self.acknowledged.store(true, Ordering::Release);
    }

    /// Has somebody got it?
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// A message that went another way before a restart.
    pub fn gone() -> Arc<Self> {
        Arc::new(Self { moved: AtomicBool::new(true), ..Self::default() })
    }

    /// Nobody had it, and it went another way.
    pub fn is_moved(&self) -> bool {
        self.moved.load(Ordering::Acquire)
    }
}

impl Share {
    /// For whoever else is given the message.
    pub fn fate(&self) -> &Arc<Fate> {
        &self.0
    }

    /// Does it depend on this one alone whether anybody has the message?
    pub fn is_last(&self) -> bool {
        self.0.shares.load(Ordering::Acquire) == 1 && !self.0.is_acknowledged()
    }

    /// The client has acknowledged it.
    pub fn acknowledged(&self) {
        self.0.acknowledged();
    }

    /// The client did not and will not. Is it the last one, and nobody has the message? Then it must go another way.
    pub fn given_up(self) -> bool {
        let fate = self.0.clone();
        drop(self);
        let lost = fate.shares.load(Ordering::Acquire) == 0 && !fate.acknowledged.load(Ordering::Acquire);
        lost && !fate.moved.swap(true, Ordering::AcqRel)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.shares.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_only_when_every_copy_is_gone() {
        let pending = Arc::new(Pending::default());
        assert!(pending.is_clear());
        let hold = pending.hold();
        let copy = hold.clone();
        drop(hold);
        assert!(!pending.is_clear());
        drop(copy);
        assert!(pending.is_clear());
    }

    #[tokio::test]
    async fn the_waiter_is_woken_by_the_last_hold() {
        let pending = Arc::new(Pending::default());
        let hold = pending.hold();
        let waiter = tokio::spawn({
            let pending = pending.clone();
            async move { pending.cleared().await }
        });
        tokio::task::yield_now().await;
        drop(hold);
        waiter.await.expect("the waiter finishes");
    }
}
