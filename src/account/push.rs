//! The devices of an account that are woken by a push service (XEP-0357), and what became of the last notifications.

use crate::storage::PushRow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use xep_support::jid::{BareJid, Jid};

/// A registration with a push service.
pub struct Device {
    /// What was registered.
    pub registration: Arc<Registration>,
    /// Notifications in a row that failed.
    pub failures: u32,
    /// Messages that the device may not have seen, since it was here last.
    pub missed: u32,
    /// What it has to be told; `None`: nothing.
    pub news: Option<News>,
    /// A task sees to its notifications.
    pub busy: bool,
    /// Wakes that task when it must not wait any longer.
    pub hurry: Arc<Notify>,
}

/// All devices of one account.
#[derive(Default)]
pub struct Devices(pub Vec<Device>);

/// What a client registered.
pub struct Registration {
    /// The push service.
    pub service: Jid,
    /// As stored; `failures` are counted in the device.
    pub row: PushRow,
}

/// What a device has to be told.
pub struct News {
    /// Somebody calls.
    pub urgent: bool,
    /// Who wrote last, if the settings want that told.
    pub sender: Option<Box<str>>,
    /// What, likewise.
    pub body: Option<Box<str>>,
}

impl Device {
    /// A device that needs not be told anything yet. `None`: what is stored is damaged.
    pub fn new(row: PushRow) -> Option<Self> {
        let service = Jid::parse(&row.service).ok()?;
        Some(Self {
            failures: row.failures,
            registration: Arc::new(Registration { service, row }),
            missed: 0,
            news: None,
            busy: false,
            hurry: Arc::default(),
        })
    }

    /// Is it a registration with this service, and for this node if one is named?
    pub fn is_for(&self, service: &Jid, node: Option<&str>) -> bool {
        self.registration.service == *service && node.is_none_or(|node| self.registration.row.node == node)
    }
}

/// What became of the last notifications of each device, for operators. In memory only.
#[derive(Default)]
pub struct PushLog {
    devices: Mutex<HashMap<LogKey, VecDeque<Attempt>>>,
}

/// Account, service, node.
type LogKey = (BareJid, Jid, String);

/// One notification.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When its outcome was known, microseconds since 1970.
    pub at_us: i64,
    /// `delivered`, or what the error was.
    pub outcome: Box<str>,
}

/// Devices whose last notifications are remembered; beyond it the one that was quiet for longest is forgotten.
const DEVICES_MAX: usize = 10_000;
/// Notifications remembered of each.
const ATTEMPTS_MAX: usize = 10;

impl PushLog {
    /// Notes an outcome.
    pub fn note(&self, account: &BareJid, registration: &Registration, at_us: i64, outcome: impl Into<Box<str>>) {
        let mut devices = self.lock();
        let key = key(account, registration);
        if devices.len() >= DEVICES_MAX && !devices.contains_key(&key) {
            let last = |attempts: &VecDeque<Attempt>| attempts.back().map_or(i64::MIN, |a| a.at_us);
            let quiet = devices.iter().min_by_key(|(_, attempts)| last(attempts)).map(|(key, _)| key.clone());
            quiet.and_then(|quiet| devices.remove(&quiet));
        }
        let attempts = devices.entry(key).or_default();
        if attempts.len() >= ATTEMPTS_MAX {
            attempts.pop_front();
        }
        attempts.push_back(Attempt { at_us, outcome: outcome.into() });
    }

    /// The last notifications of a device, oldest first.
    pub fn of(&self, account: &BareJid, registration: &Registration) -> Vec<Attempt> {
        self.lock().get(&key(account, registration)).map(|a| a.iter().cloned().collect()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LogKey, VecDeque<Attempt>>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(account: &BareJid, registration: &Registration) -> LogKey {
    (account.clone(), registration.service.clone(), registration.row.node.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(node: &str) -> Registration {
        let service = Jid::parse("push.example").expect("a JID");
        let row = PushRow {
            service: service.to_string(),
            node: node.to_owned(),
            resource: "phone".to_owned(),
            options: None,
            since_us: 1,
            failures: 0,
        };
        Registration { service, row }
    }

    #[test]
    fn the_last_outcomes_are_remembered() {
        let (log, romeo) = (PushLog::default(), BareJid::parse("romeo@im.example").expect("a JID"));
        let phone = registration("phone");
        assert_eq!(log.of(&romeo, &phone).len(), 0);
        for at_us in 0..25 {
            log.note(&romeo, &phone, at_us, "delivered");
        }
        let kept: Vec<i64> = log.of(&romeo, &phone).iter().map(|a| a.at_us).collect();
        assert_eq!(kept, (15..25).collect::<Vec<_>>());
        assert_eq!(log.of(&romeo, &registration("tablet")).len(), 0);
    }

    #[test]
    fn the_quietest_device_is_forgotten_first() {
        let (log, romeo) = (PushLog::default(), BareJid::parse("romeo@im.example").expect("a JID"));
        for n in 0..=DEVICES_MAX as i64 {
            // The first one was heard of again.
            log.note(&romeo, &registration("0"), n, "delivered");
            log.note(&romeo, &registration(&n.to_string()), n, "delivered");
        }
        assert_eq!(log.lock().len(), DEVICES_MAX);
        assert_eq!(log.of(&romeo, &registration("1")).len(), 0);
        assert_eq!(log.of(&romeo, &registration("0")).len(), ATTEMPTS_MAX);
    }
}
