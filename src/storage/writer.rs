//! The only writer: a bounded queue, one task, one connection, group commit.
//!
//! Whatever queued while the last commit ran goes into the next one, so a slow disk makes batches larger and not the
//! server slower. Nothing is answered before its commit. The order of enqueueing is the order of effect.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};
use sqlx::{Connection, SqliteConnection};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Error, StorageOptions,
    archive_places::Places,
    batch::{self, Op},
    handout::{FLUSH_ACCOUNTS, Handout},
    history::{History, WriterHistory},
    session_mark::Noted,
    sqlite,
};
use crate::journal::Journal;

/// What the writer is doing, for `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterStats {
    /// Operations enqueued and not yet answered.
    pub queue_depth: usize,
    /// What these hold in memory, roughly.
    pub queue_bytes: usize,
    /// Batches tried since the start.
    pub batches: u64,
    /// Operations in them.
    pub ops: u64,
    /// Batches rolled back.
    pub failed_batches: u64,
    /// How long the last batch took from begin to commit, in microseconds.
    pub last_commit_us: u64,
    /// The most operations one batch had.
    pub largest_batch: u64,
}

/// The sending side, shared by all clones of the storage.
pub(super) struct Queue {
    sender: mpsc::UnboundedSender<Op>,
    gauges: Arc<Gauges>,
    ops_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct Gauges {
    depth: AtomicUsize,
    bytes: AtomicUsize,
    batches: AtomicU64,
    ops: AtomicU64,
    failed_batches: AtomicU64,
    last_commit_us: AtomicU64,
    largest_batch: AtomicU64,
    history: History,
}

impl Queue {
    /// Starts the writer on an open, migrated connection.
    pub(super) fn start(
        options: StorageOptions,
        connection: SqliteConnection,
        handout: Arc<Handout>,
        places: Places,
        sessions: Arc<OnceLock<Arc<Journal>>>,
    ) -> Self {
        // The channel itself is unbounded; `submit` holds it to the limits. So a few operations that must not be
        // refused, and are few by nature, can pass.
        let (sender, receiver) = mpsc::unbounded_channel();
        let gauges = Arc::new(Gauges::default());
        let (ops_max, bytes_max) = (options.queue_max, options.queue_bytes_max);
        let writer = Writer {
            receiver,
            gauges: Arc::clone(&gauges),
            connection: Some(connection),
            handout,
            places,
            sessions,
            noted: Noted::default(),
            options,
            due: None,
            streak: 0,
        };
        tokio::spawn(writer.run());
        Self { sender, gauges, ops_max, bytes_max }
    }

    /// Enqueues without waiting; what cannot be taken is answered at once.
    pub(super) fn submit(&self, op: Op) {
        let bytes = op.bytes();
        let depth = self.gauges.depth.fetch_add(1, Relaxed) + 1;
        let total = self.gauges.bytes.fetch_add(bytes, Relaxed) + bytes;
        let refused = if (depth > self.ops_max || total > self.bytes_max) && op.may_be_refused() {
            Some((op, Error::Busy))
        } else {
            self.sender.send(op).err().map(|unsent| (unsent.0, Error::Closed))
        };
        if let Some((op, error)) = refused {
            self.gauges.depth.fetch_sub(1, Relaxed);
            self.gauges.bytes.fetch_sub(bytes, Relaxed);
            op.finish(Err(error));
        }
    }

    /// Is at least this share, in percent, of what may wait waiting?
    pub(super) fn is_filled(&self, percent: usize) -> bool {
        let filled = |now: usize, most: usize| now.saturating_mul(100) >= most.saturating_mul(percent);
        filled(self.gauges.depth.load(Relaxed), self.ops_max) || filled(self.gauges.bytes.load(Relaxed), self.bytes_max)
    }

    pub(super) fn history(&self) -> WriterHistory {
        self.gauges.history.so_far()
    }

    pub(super) fn stats(&self) -> WriterStats {
        let gauges = &self.gauges;
        WriterStats {
            queue_depth: gauges.depth.load(Relaxed),
            queue_bytes: gauges.bytes.load(Relaxed),
            batches: gauges.batches.load(Relaxed),
            ops: gauges.ops.load(Relaxed),
            failed_batches: gauges.failed_batches.load(Relaxed),
            last_commit_us: gauges.last_commit_us.load(Relaxed),
            largest_batch: gauges.largest_batch.load(Relaxed),
        }
    }
}

struct Writer {
    receiver: mpsc::UnboundedReceiver<Op>,
    gauges: Arc<Gauges>,
    /// `None` after a failure: the next batch starts on a fresh connection, whatever state the old one was in.
    connection: Option<SqliteConnection>,
    handout: Arc<Handout>,
    places: Places,
    /// Who must know what is committed, if anybody.
    sessions: Arc<OnceLock<Arc<Journal>>>,
    noted: Noted,
    options: StorageOptions,
    /// When to remove what was handed out; `None` if nothing is.
    due: Option<Instant>,
    /// Batches failed in a row.
    streak: u64,
}

impl Writer {
    async fn run(mut self) {
        let mut ops = Vec::new();
        let mut closers = Vec::new();
        while self.next(&mut ops).await {
            if ops.iter().any(|op| matches!(op, Op::Close(_))) {
                // Nothing new comes in; what is already here is still written.
                self.receiver.close();
            }
            self.batch(&mut ops, &mut closers).await;
        }
        self.shut_down().await;
        for closer in closers {
            closer.finish(Ok(()));
        }
    }

    /// Waits for something to do, which is the removal of what was handed out if `ops` stays empty; `false` at the end.
    async fn next(&mut self, ops: &mut Vec<Op>) -> bool {
        let batch_max = self.options.batch_max.max(1);
        let Some(due) = self.due else { return self.receiver.recv_many(ops, batch_max).await > 0 };
        tokio::select! {
            biased;
            received = self.receiver.recv_many(ops, batch_max) => received > 0,
            () = tokio::time::sleep_until(due) => true,
        }
    }

    /// What was handed out, if it is time.
    fn take_handed_out(&mut self) -> Vec<batch::Delete> {
        let count = self.handout.len();
        if count == 0 {
            self.due = None;
            return Vec::new();
        }
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + self.options.handed_out_delay);
        if count < FLUSH_ACCOUNTS && now < due {
            return Vec::new();
        }
        // For what comes meanwhile, or stays if the commit fails.
        self.due = Some(now + self.options.handed_out_delay);
        self.handout.owed()
    }

    /// Commits `ops` together and answers each.
    async fn batch(&mut self, ops: &mut Vec<Op>, closers: &mut Vec<Op>) {
        let handed_out = self.take_handed_out();
        let mut results = vec![Ok(()); ops.len()];
        let outcome = if handed_out.is_empty() && ops.iter().all(Op::is_idle) {
            Ok(())
        } else {
            self.commit(ops, &mut results, &handed_out).await
        };
        match &outcome {
            Ok(()) => self.handout.settled(handed_out.into_iter().chain(ops.iter().filter_map(Op::as_delete))),
            // What is owed stays so, and is tried again.
            Err(error) => {
                for (op, result) in ops.iter().zip(&mut results) {
                    // A barrier promises that all before it is decided, not how.
                    *result = if op.is_idle() { Ok(()) } else { Err(error.clone()) };
                }
            }
        }

        let bytes = ops.iter().map(Op::bytes).sum();
        self.gauges.depth.fetch_sub(ops.len(), Relaxed);
        self.gauges.bytes.fetch_sub(bytes, Relaxed);
        for (op, result) in ops.drain(..).zip(results) {
            match op {
                Op::Close(_) => closers.push(op),
                op => op.finish(result),
            }
        }
        // A burst of large batches should not stay in memory for ever.
        ops.shrink_to(64);
    }

    async fn commit(
        &mut self,
        ops: &mut [Op],
        results: &mut [Result<(), Error>],
        handed_out: &[batch::Delete],
    ) -> Result<(), Error> {
        let started = Instant::now();
        self.gauges.history.begin();
        let outcome = self.transaction(ops, results, handed_out).await;
        self.noted.end(&self.sessions, outcome.is_ok());
        if outcome.is_err() {
            self.places.forget();
            if let Some(connection) = self.connection.take() {
                // Waits for the rollback. Whether a failed COMMIT reached the disk nobody knows: it counts as failed.
                drop(connection.close().await);
            }
        }
        let gauges = &self.gauges;
        gauges.batches.fetch_add(1, Relaxed);
        gauges.ops.fetch_add(ops.len() as u64, Relaxed);
        gauges.largest_batch.fetch_max(ops.len() as u64, Relaxed);
        let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        gauges.last_commit_us.store(took_us, Relaxed);
        gauges.history.end(took_us, ops.len());
        self.report(ops.len(), &outcome);
        outcome
    }

    async fn transaction(
        &mut self,
        ops: &mut [Op],
        results: &mut [Result<(), Error>],
        handed_out: &[batch::Delete],
    ) -> Result<(), Error> {
        if self.connection.is_none() {
            self.connection = Some(sqlite::open_writer(&self.options).await?);
        }
        let connection = self.connection.as_mut().expect("opened just above");
        // IMMEDIATE: waits for a foreign lock here, where nothing has been done yet.
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        batch::delete(&mut transaction, handed_out).await?;
        batch::apply(&mut transaction, &mut self.places, ops, results).await?;
        let succeeded = ops.iter().zip(&*results).filter(|(_, result)| result.is_ok());
        let effects: Vec<_> = succeeded.filter_map(|(op, _)| op.effect()).collect();
        self.noted.begin(&self.sessions, &mut transaction, effects).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One line when trouble starts, at doublings while it lasts, and one when it is over.
    fn report(&mut self, ops: usize, outcome: &Result<(), Error>) {
        match outcome {
            Ok(()) if self.streak > 0 => {
                tracing::info!(failed_batches = self.streak, "the database takes writes again");
                self.streak = 0;
            }
            Ok(()) => {}
            Err(error) => {
                self.streak += 1;
                self.gauges.failed_batches.fetch_add(1, Relaxed);
                if self.streak.is_power_of_two() {
                    tracing::error!(%error, ops, failed_batches = self.streak, "commit failed; its writes were refused");
                }
            }
        }
    }

    async fn shut_down(&mut self) {
        let owed = self.handout.owed();
        if !owed.is_empty() && self.commit(&mut [], &mut [], &owed).await.is_ok() {
            self.handout.settled(owed.into_iter());
        }
        self.handout.truncate();
        let Some(mut connection) = self.connection.take() else { return };
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
        if let Err(error) = checkpoint.and(connection.close().await) {
            // Nothing is lost: the log is read again at the next start.
            tracing::warn!(%error, "the write-ahead log could not be folded into the database");
        }
    }
}
