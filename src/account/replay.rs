//! Stored messages on their way to a client: what was written to the socket, and what may therefore be deleted.

use super::Account;
use crate::storage::Storage;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// A page of stored messages being handed out to one client.
pub struct HandOut {
    account: Arc<Account>,
    storage: Storage,
    /// Rows neither written nor given up.
    left: AtomicUsize,
    rows_written: AtomicUsize,
    tell_writer: AtomicBool,
    waiter: Mutex<Option<Waker>>,
    /// Its rows are for others now; changed under the account's lock.
    revoked: AtomicBool,
}

/// One stored message in an outbox. Dropped without [`written`](Self::written), it stays in the store.
pub struct RowReceipt {
    /// Taken out when it was written.
    page: Option<Arc<HandOut>>,
    row: i64,
    bytes: usize,
}

impl HandOut {
    /// A page for this account, without rows yet.
    pub fn new(account: Arc<Account>, storage: Storage) -> Arc<Self> {
        Arc::new(Self {
            account,
            storage,
            left: AtomicUsize::new(0),
            rows_written: AtomicUsize::new(0),
            tell_writer: AtomicBool::new(false),
            waiter: Mutex::default(),
            revoked: AtomicBool::new(false),
        })
    }

    /// The receipt of a row in this page.
    pub fn row(self: &Arc<Self>, row: i64, bytes: usize) -> RowReceipt {
        self.left.fetch_add(1, Ordering::Relaxed);
        RowReceipt { page: Some(self.clone()), row, bytes }
    }

    /// Rows neither written nor given up.
    pub fn rows_left(&self) -> usize {
        self.left.load(Ordering::Acquire)
    }

    /// Waits until every row was written and noted as such, or given up; the number of rows that were written.
    pub async fn finished(&self) -> usize {
        std::future::poll_fn(|cx| {
            *self.waiter.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            if self.left.load(Ordering::Acquire) == 0 || self.is_revoked() {
                return Poll::Ready(self.rows_written.load(Ordering::Acquire));
            }
            Poll::Pending
        })
        .await
    }

    /// The client that has these rows in hand has lost its connection, and somebody else is there. Nobody waits for it any
    /// longer, and what it has not acknowledged is handed out anew. Under the account's lock.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
        if let Some(waker) = self.waiter.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    fn settle(&self, rows: usize) {
        if self.left.fetch_sub(rows, Ordering::AcqRel) == rows
            && let Some(waker) = self.waiter.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }
}

impl RowReceipt {
    /// The bytes of this row and of all before it have been given to the socket: notes that on disk, so that not even
    /// `kill -9` brings them back.
    pub fn note(&self) {
        if let Some(page) = &self.page
            && let Some(id) = page.account.id
            && page.storage.note_handed_out(id, self.row)
        {
            page.tell_writer.store(true, Ordering::Relaxed);
        }
    }

    /// Its place in the store.
    pub fn row(&self) -> i64 {
        self.row
    }

    /// The page it belongs to.
    pub fn page(&self) -> Option<&Arc<HandOut>> {
        self.page.as_ref()
    }

    /// Is it for others now?
    pub fn is_revoked(&self) -> bool {
        self.page.as_ref().is_some_and(|page| page.is_revoked())
    }

    /// The row's bytes have been given to the socket, and that was noted. The caller ends a batch of these with
    /// [`HandedOut::settle`].
    pub fn written(mut self, batch: &mut Option<HandedOut>) {
        let Some(page) = self.page.take() else { return };
        // One session has rows of one page at a time: the next is read when all of this one are settled.
        let b = batch.get_or_insert_with(|| HandedOut { page, rows: 0, bytes: 0 });
        b.rows += 1;
        b.bytes += self.bytes;
    }
}

impl Drop for RowReceipt {
    fn drop(&mut self) {
        if let Some(page) = self.page.take() {
            page.settle(1);
        }
    }
}

/// Rows that went out with one socket write.
#[must_use = "whoever waits for the page would wait for ever"]
pub struct HandedOut {
    page: Arc<HandOut>,
    rows: usize,
    bytes: usize,
}

impl HandedOut {
    /// They are no longer stored.
    pub fn settle(self) {
        {
            let mut state = self.page.account.lock();
            // Of a page that was revoked others have the same rows in hand, and count them. What is counted too much is
            // put right by the end of the next handing out.
            let counted = !self.page.is_revoked();
            if counted {
                state.offline.messages = state.offline.messages.saturating_sub(self.rows);
                state.offline.bytes = state.offline.bytes.saturating_sub(self.bytes);
            }
        }
        if self.page.tell_writer.swap(false, Ordering::Relaxed) {
            self.page.storage.remove_handed_out();
        }
        // Only now: whoever waits for the page goes by these numbers, and must not read noted rows again.
        self.page.rows_written.fetch_add(self.rows, Ordering::AcqRel);
        self.page.settle(self.rows);
    }
}
