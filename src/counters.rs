//! What an operator wants to count. What happens once in a while is an addition to a number all share; what happens with
//! every stanza goes into a [`Tally`].

mod logins;
mod place;
mod tally;

pub use logins::Logins;
pub use place::{LinkKind, Links, Place};
pub use tally::Tally;

use crate::clock;
use crate::close::CloseReason;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xep_support::stanza::error::Condition;
use xep_support::stream::StreamCondition;

/// Kinds of stanzas.
const KINDS: usize = 3;

/// All counters but those of the web side.
#[derive(Default)]
pub struct Counters {
    /// Connections refused by a limit.
    pub connections_refused: AtomicU64,
    /// Of these, what the log has not said yet.
    pub connections_refused_log: LogGate,
    /// Connections of clients by what they are.
    pub links: Arc<Links>,
    /// TLS handshakes that failed.
    pub tls_failed: AtomicU64,
    /// Authentications.
    pub logins: Logins,
    /// Sessions bound at the moment.
    pub sessions: AtomicU64,
    /// Stanzas from clients, by [`Kind`](xep_support::stanza::Kind).
    pub stanzas_in: Tally<KINDS>,
    /// Stanzas to clients.
    pub stanzas_out: Tally<KINDS>,
    /// Messages put into the offline store.
    pub offline_stored: AtomicU64,
    /// Messages that could not be put into an archive, since the start.
    pub archive_failed: AtomicU64,
    /// Accounts registered by clients.
    pub registrations: AtomicU64,
    /// Stanzas answered with an error, by its condition, in the order of [`Condition::ALL`].
    pub stanza_errors: [AtomicU64; Condition::ALL.len()],
    /// Streams ended with an error, by its condition, in the order of [`StreamCondition::ALL`].
    pub stream_errors: [AtomicU64; StreamCondition::ALL.len()],
}

impl Counters {
    /// A stanza is answered with this error.
    pub fn stanza_error(&self, condition: Condition) {
        self.stanza_errors[condition as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A client is told that its stream ends for this reason.
    pub fn stream_ended(&self, reason: CloseReason) {
        if let Some((condition, _)) = reason.stream_error() {
            self.stream_errors[condition as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Something strangers can cause as often as they like is not logged each time: at most once in ten seconds, with how
/// often it happened.
#[derive(Default)]
pub struct LogGate {
    next_ms: AtomicU64,
    count: AtomicU64,
}

const LOG_GATE_MS: u64 = 10_000;

impl LogGate {
    /// Nothing noted yet.
    pub const fn new() -> Self {
        Self { next_ms: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    /// Notes one case, and calls `log` with the number of cases if it is time.
    pub fn note(&self, log: impl FnOnce(u64)) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let (now, next) = (clock::monotonic_ms(), self.next_ms.load(Ordering::Relaxed));
        let first = now >= next
            && self.next_ms.compare_exchange(next, now + LOG_GATE_MS, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            log(self.count.swap(0, Ordering::Relaxed));
        }
    }
}
