//! Holds: what a client's session still owes the disk or another client's socket.
//!
//! "Acknowledged means durable" rests on this file. Every stanza a client sends carries a [`Hold`]; the hold travels with
//! the stanza (parked while an account loads, queued in an [`Outbox`](crate::outbox), waiting for a commit) and is
//! dropped when the stanza is safe: its bytes were given to the recipient's socket, or its row is committed. The session
//! answers no IQ, and so acknowledges nothing, while one of its holds is alive.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The unsettled stanzas of one session.
#[derive(Default)]
pub struct Pending {
    count: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

impl Pending {
    /// A new obligation of this session.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.count.fetch_add(1, Ordering::Relaxed);
        Hold(self.clone())
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
pub struct Hold(Arc<Pending>);

impl Hold {
    /// Is its session waiting for it just now?
    pub fn is_awaited(&self) -> bool {
        self.0.waiter().is_some()
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        self.0.hold()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(waker) = self.0.waiter().take()
        {
            waker.wake();
        }
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
