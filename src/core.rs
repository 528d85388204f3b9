//! What all parts of a running server share.

use crate::account::capabilities::Capabilities;
use crate::account::push::PushLog;
use crate::account::resource::Client;
use crate::account::resumable::ResumeTable;
use crate::account::table::AccountTable;
use crate::account::turns::Turns;
use crate::clock;
use crate::config::Config;
use crate::counters::Counters;
use crate::extension::registry::Registry;
use crate::hosts::Hosts;
use crate::journal::Journal;
use crate::pubsub::Nodes;
use crate::requests::Requests;
use crate::rooms::Rooms;
use crate::sasl::{Decoy, DeviceSecret, Remembered};
use crate::site::Site;
use crate::storage::Storage;
use arc_swap::{ArcSwap, Guard};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::task::TaskTracker;
use xep_support::stanza::Stanza;
use xep_support::stanza::error::StanzaError;

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
    /// Rooms in use (XEP-0045).
    pub rooms: Rooms,
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
    /// Logins of the last hours.
    pub remembered: Remembered,
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

    /// Answers a stanza of a client with an error.
    pub fn refuse(&self, client: &Client, stanza: &Stanza, error: &StanzaError) {
        self.counters.stanza_error(error.condition);
        if let Some(reply) = stanza.error_reply(error) {
            client.send(reply);
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
