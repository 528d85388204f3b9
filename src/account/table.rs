//! The accounts in memory, by bare JID: finding, loading, parking what arrives meanwhile, forgetting.

use super::archiving::Preferences;
use super::blocking::BlockList;
use super::push::{Device, Devices};
use super::roster::Roster;
use super::{Account, OfflineState, Parcel};
use crate::storage::{self, Storage};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;
use xep_support::jid::{BareJid, Jid};

/// Local accounts in use.
pub struct AccountTable {
    map: DashMap<BareJid, Slot>,
    storage: Storage,
    loading: AtomicUsize,
}

enum Slot {
    Loaded(Arc<Account>),
    /// Being read from storage. What is for it waits here, bounded and in order.
    Loading(Waiting),
}

#[derive(Default)]
struct Waiting {
    parcels: Vec<Parcel>,
    bytes: usize,
    waiters: Vec<oneshot::Sender<Loaded>>,
}

/// The outcome of loading: the account, or `None` when there is no such account.
pub type Loaded = Result<Option<Arc<Account>>, storage::Error>;

/// What became of a parcel for an account that may not be in memory.
pub enum Parked {
    /// The account is here: deliver.
    Here(Arc<Account>, Parcel),
    /// It waits; somebody else is loading the account already.
    Waits,
    /// It waits, and the caller is the one who must see to the loading ([`AccountTable::load`]).
    MustLoad,
    /// Too much waits already.
    Refused(Parcel),
}

/// The bounds of what waits for accounts being loaded.
#[derive(Clone, Copy)]
pub struct ParkLimits {
    /// Stanzas for one account.
    pub stanzas_max: usize,
    /// Bytes for one account.
    pub bytes_max: usize,
    /// Accounts being loaded at once.
    pub loading_max: usize,
}

impl AccountTable {
    /// An empty table over this storage.
    pub fn new(storage: Storage) -> Self {
        Self { map: DashMap::new(), storage, loading: AtomicUsize::new(0) }
    }

    /// The account, if it is in memory.
    pub fn find(&self, bare: &str) -> Option<Arc<Account>> {
        match self.map.get(bare)?.value() {
            Slot::Loaded(account) => Some(account.clone()),
            Slot::Loading(_) => None,
        }
    }

    /// Gives the parcel back with its account, or keeps it until the account is loaded.
    pub fn find_or_park(&self, jid: &BareJid, parcel: Parcel, limits: ParkLimits) -> Parked {
        if let Some(account) = self.find(jid.as_str()) {
            return Parked::Here(account, parcel);
        }
        match self.map.entry(jid.clone()) {
            Entry::Occupied(mut slot) => match slot.get_mut() {
                Slot::Loaded(account) => Parked::Here(account.clone(), parcel),
                Slot::Loading(waiting) => {
                    let bytes = parcel.stanza.size();
                    if waiting.parcels.len() >= limits.stanzas_max || waiting.bytes + bytes > limits.bytes_max {
                        return Parked::Refused(parcel);
                    }
                    waiting.bytes += bytes;
                    waiting.parcels.push(parcel);
                    Parked::Waits
                }
            },
            Entry::Vacant(slot) => {
                if self.loading.load(Ordering::Relaxed) >= limits.loading_max {
                    return Parked::Refused(parcel);
                }
                let bytes = parcel.stanza.size();
                slot.insert(Slot::Loading(Waiting { parcels: vec![parcel], bytes, waiters: Vec::new() }));
                self.loading.fetch_add(1, Ordering::Relaxed);
                Parked::MustLoad
            }
        }
    }

    /// The account, read from storage if need be. Parcels that waited are given to `deliver`, in order, before the
    /// account becomes visible to others; with `None` there is no such account.
    pub async fn load(
        &self,
        jid: &BareJid,
        now_seconds: u32,
        mut deliver: impl FnMut(Result<Option<&Arc<Account>>, &storage::Error>, Parcel),
    ) -> Loaded {
        let loaded = self.read(jid, now_seconds).await;
        loop {
            let Entry::Occupied(mut slot) = self.map.entry(jid.clone()) else { return loaded };
            let Slot::Loading(waiting) = slot.get_mut() else { return loaded };
            if waiting.parcels.is_empty() {
                for waiter in waiting.waiters.drain(..) {
                    let _ = waiter.send(loaded.clone());
                }
                match &loaded {
                    Ok(Some(account)) => drop(slot.insert(Slot::Loaded(account.clone()))),
                    _ => drop(slot.remove()),
                }
                self.loading.fetch_sub(1, Ordering::Relaxed);
                return loaded;
            }
            let parcels = std::mem::take(&mut waiting.parcels);
            waiting.bytes = 0;
            drop(slot);
            for parcel in parcels {
                deliver(loaded.as_ref().map(Option::as_ref), parcel);
            }
        }
    }

    /// Prepares a [`load`](Self::load): who waits, or who has to do it.
    pub fn find_or_wait(&self, jid: &BareJid) -> Wait {
        if let Some(account) = self.find(jid.as_str()) {
            return Wait::Here(account);
        }
        match self.map.entry(jid.clone()) {
            Entry::Occupied(mut slot) => match slot.get_mut() {
                Slot::Loaded(account) => Wait::Here(account.clone()),
                Slot::Loading(waiting) => {
                    let (sender, receiver) = oneshot::channel();
                    waiting.waiters.push(sender);
                    Wait::Others(receiver)
                }
            },
            Entry::Vacant(slot) => {
                let (sender, receiver) = oneshot::channel();
                slot.insert(Slot::Loading(Waiting { waiters: vec![sender], ..Waiting::default() }));
                self.loading.fetch_add(1, Ordering::Relaxed);
                Wait::MustLoad(receiver)
            }
        }
    }

    /// Puts an account there that exists only in memory (SASL ANONYMOUS).
    pub fn insert_temporary(&self, account: Arc<Account>) {
        self.map.insert(account.jid.clone(), Slot::Loaded(account));
    }

    /// Forgets an account at once: it was removed, or it was temporary.
    pub fn remove(&self, bare: &str) -> Option<Arc<Account>> {
        match self.map.remove_if(bare, |_, slot| matches!(slot, Slot::Loaded(_)))?.1 {
            Slot::Loaded(account) => Some(account),
            Slot::Loading(_) => None,
        }
    }

    /// Forgets accounts nobody has used since `before_seconds`. With more than `cached_max` in memory every unused one
    /// goes.
    pub fn sweep(&self, before_seconds: u32, cached_max: usize) {
        let crowded = self.map.len() > cached_max;
        self.map.retain(|_, slot| match slot {
            Slot::Loading(_) => true,
            // Nobody else can take a copy while `retain` holds the shard.
            Slot::Loaded(account) => {
                let unused = Arc::strong_count(account) == 1 && account.lock().resources.is_empty();
                !(unused && (crowded || account.used_seconds() < before_seconds))
            }
        });
    }

    /// All accounts in memory.
    pub fn all(&self) -> Vec<Arc<Account>> {
        let loaded = self.map.iter().filter_map(|entry| match entry.value() {
            Slot::Loaded(account) => Some(account.clone()),
            Slot::Loading(_) => None,
        });
        loaded.collect()
    }

    /// All accounts with at least one bound resource.
    pub fn connected(&self) -> Vec<Arc<Account>> {
        self.all().into_iter().filter(|a| !a.lock().resources.is_empty()).collect()
    }

    /// How many accounts are in memory.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// No account in memory?
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    async fn read(&self, jid: &BareJid, now_seconds: u32) -> Loaded {
        let Some(record) = self.storage.account(jid.as_str()).await? else { return Ok(None) };
        let id = record.account.id;
        let rows = if record.roster_count > 0 { self.storage.roster_load(id).await? } else { Vec::new() };
        let (roster, bad) = Roster::from_rows(rows, record.account.roster_version);
        for contact in bad {
            tracing::error!(account = %jid, contact, "roster item with a malformed JID left out");
        }
        let mut offline = OfflineState::default();
        if record.offline_count > 0 {
            let usage = self.storage.offline_count(id).await?;
            offline.messages = usize::try_from(usage.count).unwrap_or(usize::MAX);
            offline.bytes = usize::try_from(usage.bytes).unwrap_or(usize::MAX);
        }
        let account = Account::new(jid.clone(), Some(id), roster, offline, now_seconds);
        account.lock().photo = record.photo.map(Arc::from);
        if record.blocked_count > 0 {
            let rows = self.storage.blocking_load(id).await?;
            let jids: Vec<Jid> = rows.iter().filter_map(|row| Jid::parse(row).ok()).collect();
            if jids.len() < rows.len() {
                tracing::error!(account = %jid, "malformed JIDs in the block list left out");
            }
            account.lock().blocked = Some(Arc::new(BlockList::new(jid.clone()).with(&jids)));
        }
        if let Some(stored) = record.archive_prefs {
            let prefs = Preferences::from_stored(&stored);
            if prefs.is_none() {
                tracing::error!(account = %jid, "archiving preferences are damaged, left out");
            }
            account.lock().archiving = prefs.map(Arc::new);
        }
        if !record.push.is_empty() {
            let devices = record.push.into_iter().filter_map(Device::new).collect();
            account.lock().push = Some(Box::new(Devices(devices)));
        }
        Ok(Some(Arc::new(account)))
    }
}

/// How to get at an account that may not be in memory.
pub enum Wait {
    /// It is here.
    Here(Arc<Account>),
    /// Somebody is loading it.
    Others(oneshot::Receiver<Loaded>),
    /// The caller has to see to the loading, and waits like the others.
    MustLoad(oneshot::Receiver<Loaded>),
}
