//! What all parts of a running server share.

use crate::account::capabilities::Capabilities;
use crate::account::push::PushLog;
use crate::account::resumable::ResumeTable;
use crate::account::table::AccountTable;
use crate::account::turns::Turns;
use crate::clock;
use crate::config::Config;
use crate::extension::registry::Registry;
use crate::hosts::Hosts;
use crate::journal::Journal;
use crate::pubsub::Nodes;
use crate::requests::Requests;
use crate::sasl::{Decoy, DeviceSecret};
use crate::site::Site;
use crate::storage::Storage;
use arc_swap::{ArcSwap, Guard};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::task::TaskTracker;
use xep_support::stanza::error::Condition;

/// The running server, as the handlers of stanzas see it.
pub struct Core {
    /// Settings; replaced as a whole by a reload.
    pub config: ArcSwap<Config>,
    /// The domains we serve.
    pub hosts: Hosts,
    /// Local accounts in use.
    pub accounts: AccountTable,
    /// Sessions that can be resumed (XEP-0198).
    pub resumable: ResumeTable,
    /// Nodes of publish-subscribe in use (XEP-0060).
    pub nodes: Nodes,
    /// What of these survives a restart.
    pub journal: Arc<Journal>,
    /// The database.
    pub storage: Storage,
    /// What extensions declared.
    pub registry: Registry,
    /// What unknown users are answered with.
    pub decoy: Arc<Decoy>,
    /// What the tokens of devices are derived from (XEP-0484).
    pub device_secret: DeviceSecret,
    /// Failed logins and registrations, by address and account.
    pub attempts: crate::attempts::Attempts,
    /// What became of the last push notifications.
    pub push_log: PushLog,
    /// IQ requests of our own that wait for an answer.
    pub requests: Requests,
    /// What clients can do, by the hash in their presence.
    pub capabilities: Capabilities,
    /// Whose avatars and bookmarks are being converted.
    pub conversions: Turns,
    /// The web side.
    pub site: Site,
    /// Work that a stop waits for although no session does any more.
    pub work: TaskTracker,
    /// Accounts whose password has just changed, and devices that were just revoked.
    pub changed: RecentChanges,
    /// Counters for operators.
    pub counters: Counters,
    /// When the server started, microseconds since 1970.
    pub started_us: i64,
}

impl Core {
    /// The settings in force. Take what is needed and drop the guard: it must not live over an await.
    pub fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }
}

/// What an operator wants to count. Nothing here is touched for a message.
#[derive(Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections refused by a limit.
    pub connections_refused: AtomicU64,
    /// Of these, what the log has not said yet.
    pub connections_refused_log: LogGate,
    /// TLS handshakes that failed.
    pub tls_failed: AtomicU64,
    /// Successful authentications.
    pub logins: AtomicU64,
    /// Failed authentications.
    pub logins_failed: AtomicU64,
    /// Sessions bound at the moment.
    pub sessions: AtomicU64,
    /// Messages put into the offline store.
    pub offline_stored: AtomicU64,
    /// Messages that could not be put into an archive, since the start.
    pub archive_failed: AtomicU64,
    /// Accounts registered by clients.
    pub registrations: AtomicU64,
    /// Stanzas answered with an error, by its condition, in the order of [`Condition::ALL`].
    pub stanza_errors: [AtomicU64; Condition::ALL.len()],
}

impl Counters {
    /// A stanza is answered with this error.
    pub fn stanza_error(&self, condition: Condition) {
        self.stanza_errors[condition as usize].fetch_add(1, Ordering::Relaxed);
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

/// Accounts whose password was changed a short while ago, and devices that were revoked. A login that began before the change must not succeed after it,
/// and looking at the database again at each login would be dear.
#[derive(Default)]
pub struct RecentChanges {
    changes: Mutex<Vec<(Box<str>, u64)>>,
}

/// A negotiation is over after this time, whatever happens.
const RECENT_MS: u64 = 15 * 60 * 1000;

impl RecentChanges {
    /// The password of this account, or the access of this device of it, changes now.
    pub fn note(&self, subject: &str) {
        let now = clock::monotonic_ms();
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.retain(|(known, at)| now.saturating_sub(*at) < RECENT_MS && **known != *subject);
        changes.push((subject.into(), now));
    }

    /// Has it changed since?
    pub fn since(&self, subject: &str, since_ms: u64) -> bool {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().any(|(known, at)| **known == *subject && *at >= since_ms)
    }
}
