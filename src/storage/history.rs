//! How the writer's commits have gone since the start: for operators, counted once for each commit.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{
    clock,
    histogram::{Histogram, Snapshot},
};

/// A tenth of a millisecond to ten seconds.
const COMMIT_US: [u64; 13] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000, 10_000_000];
const BATCH_WRITES: [u64; 9] = [1, 2, 5, 10, 25, 50, 100, 250, 500];

/// See the top of the file.
#[derive(Debug)]
pub(super) struct History {
    commit_us: Histogram<13>,
    batch_writes: Histogram<9>,
    /// When the commit under way began, monotonic milliseconds; 0: there is none.
    began_ms: AtomicU64,
}

/// The same at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterHistory {
    /// How long commits took, in microseconds.
    pub commit_us: Snapshot,
    /// How many writes each had.
    pub batch_writes: Snapshot,
    /// For how long the one under way has been; 0: there is none.
    pub under_way_us: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            commit_us: Histogram::new(COMMIT_US),
            batch_writes: Histogram::new(BATCH_WRITES),
            began_ms: AtomicU64::new(0),
        }
    }
}

impl History {
    /// A commit begins.
    pub(super) fn begin(&self) {
        self.began_ms.store(clock::monotonic_ms().max(1), Relaxed);
    }

    /// It is over, one way or the other.
    pub(super) fn end(&self, took_us: u64, writes: usize) {
        self.began_ms.store(0, Relaxed);
        self.commit_us.observe(took_us);
        self.batch_writes.observe(writes as u64);
    }

    pub(super) fn so_far(&self) -> WriterHistory {
        let under_way_us = match self.began_ms.load(Relaxed) {
            0 => 0,
            began => clock::monotonic_ms().saturating_sub(began) * 1000,
        };
        WriterHistory { commit_us: self.commit_us.snapshot(), batch_writes: self.batch_writes.snapshot(), under_way_us }
    }
}
