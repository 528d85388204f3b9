//! A local account in memory: its roster, its resources and what waits for it, behind one short lock.
//!
//! An account is loaded when somebody logs in or writes to it and leaves when nobody has used it for a while. Lock
//! order: account, then outbox; never two accounts at once; nothing is awaited under the lock.

pub mod ack;
pub mod archiving;
pub mod blocking;
pub mod capabilities;
pub mod joined;
pub mod noted;
pub mod push;
pub mod replay;
pub mod resource;
pub mod resumable;
pub mod roster;
pub mod table;
pub mod turns;

use crate::hold::Hold;
use crate::storage::{AccountId, ArchiveId};
use archiving::Preferences;
use blocking::BlockList;
use push::Devices;
use replay::HandOut;
use resource::{Bound, Resource};
use roster::Roster;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::Stanza;

/// A local account.
pub struct Account {
    /// `localpart@domainpart`.
    pub jid: BareJid,
    /// Its key in storage; `None` for an anonymous account, which lives only as long as its session.
    pub id: Option<AccountId>,
    state: Mutex<AccountState>,
    /// Messages on their way into its archive and not committed yet.
    pub archive_pending: AtomicUsize,
    used_seconds: AtomicU32,
    roster_turn: tokio::sync::Mutex<()>,
}

/// What the lock of an account protects.
pub struct AccountState {
    /// Contacts and subscriptions (RFC 6121 §2, §3).
    pub roster: Roster,
    /// Bound resources, in order of binding.
    pub resources: Vec<Bound>,
    /// Messages kept for it (XEP-0160).
    pub offline: OfflineState,
    /// What it wants archived (XEP-0441), if it has said so.
    pub archiving: Option<Arc<Preferences>>,
    /// Devices that are told by a push service when something comes (XEP-0357); `None`: none.
    pub push: Option<Box<Devices>>,
    /// The SHA-1 of the photograph in its card, in hexadecimal (XEP-0153).
    pub photo: Option<Arc<str>>,
    /// Whom it does not want to hear of (XEP-0191), if there is anybody.
    pub blocked: Option<Arc<BlockList>>,
    /// Removed: nothing may be bound or stored any more.
    pub removed: bool,
}

/// What is known about an account's offline store without asking the disk.
#[derive(Default)]
pub struct OfflineState {
    /// Stored messages, those still queued for the writer included.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
    /// How many of them are not committed yet.
    pub uncommitted: usize,
    /// Counts every message that was ever stored: has anything been added since?
    pub stored: u32,
    /// Are they being handed out just now?
    pub replay: Replay,
    /// A page that waits for a client without a connection. Whoever can take it now gets it.
    pub detached: Option<Weak<HandOut>>,
    /// A resumed client said that it has the messages up to this one, which may have been read anew meanwhile.
    pub had_upto: i64,
}

impl OfflineState {
    /// Somebody can take messages: what is stored comes first, so from this moment on new messages go behind it. To be
    /// called under the same lock that makes the resource reachable; stage Available then begins the handing out.
    pub fn claim(&mut self) {
        self.revoke_detached();
        if self.messages > 0 && matches!(self.replay, Replay::Idle) {
            self.replay = Replay::Due;
        }
    }

    /// What waits for a client without a connection is for others now.
    pub fn revoke_detached(&mut self) {
        if let Some(page) = self.detached.take().and_then(|page| page.upgrade()) {
            page.revoke();
        }
    }

    /// Messages were deleted behind the server's back (by an operator). While some are being handed out nobody knows which
    /// of them were meant: then the end of that puts the numbers right.
    pub fn purged(&mut self, messages: usize, bytes: usize) {
        if matches!(self.replay, Replay::Idle) {
            self.messages = self.messages.saturating_sub(messages);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

/// How far the handing out of stored messages is. New messages must not overtake older ones.
#[derive(Default)]
pub enum Replay {
    /// Nothing is being handed out.
    #[default]
    Idle,
    /// It begins in a moment; new ones join them in the store.
    Due,
    /// Stored messages are on their way; new ones join them in the store.
    Storing,
    /// The last of them are being read; new ones wait here for a moment.
    Parking(Vec<Parcel>),
    /// All of them are in the outbox of a resource, but not all written; new ones take their normal way, behind them.
    Draining,
}

impl Replay {
    /// Do new messages take their normal way?
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Idle | Self::Draining)
    }
}

/// A message on its way to an account.
pub struct Parcel {
    /// The message, `from` stamped.
    pub stanza: Arc<Stanza>,
    /// Its sender's unsettled acknowledgement; `None` when the server itself sent it.
    pub hold: Option<Hold>,
    /// XML that the receiving account alone gets behind the children (a stanza-id).
    pub extra: Option<Arc<str>>,
    /// The message as it is stored; made once for all who store it.
    stored: Option<Arc<str>>,
    /// When the server got it, if that is a while ago (XEP-0203).
    pub stamp_us: Option<i64>,
    /// It has passed stage Receive.
    pub received: bool,
    /// The server itself made it in somebody's name: whom its addressee blocks does not matter.
    pub ours: bool,
    /// Nobody's other resources are to get copies of it (XEP-0280).
    pub uncopied: bool,
    /// The id it has in its sender's archive (XEP-0359), for who copies it to the sender's other resources.
    pub archived_as: Option<ArchiveId>,
}

impl Parcel {
    /// A stanza on its way, nothing added yet.
    pub fn new(stanza: Arc<Stanza>, hold: Option<Hold>) -> Self {
        Self {
            stanza,
            hold,
            extra: None,
            stored: None,
            stamp_us: None,
            received: false,
            ours: false,
            uncopied: false,
            archived_as: None,
        }
    }

    /// Adds XML for the receiving account.
    pub fn add(&mut self, xml: &str) {
        let before = self.extra.as_deref().unwrap_or_default();
        self.extra = Some([before, xml].concat().into());
    }

    /// The message as it is stored, without what was added for one account.
    pub fn stored(&mut self) -> Arc<str> {
        self.stored.get_or_insert_with(|| self.stanza.to_xml().into()).clone()
    }
}

impl Account {
    /// An account as read from storage.
    pub fn new(jid: BareJid, id: Option<AccountId>, roster: Roster, offline: OfflineState, now_seconds: u32) -> Self {
        let state = AccountState {
            roster,
            resources: Vec::new(),
            offline,
            archiving: None,
            push: None,
            photo: None,
            blocked: None,
            removed: false,
        };
        Self {
            jid,
            id,
            state: Mutex::new(state),
            archive_pending: AtomicUsize::new(0),
            used_seconds: AtomicU32::new(now_seconds),
            roster_turn: tokio::sync::Mutex::default(),
        }
    }

    /// The lock. Held for a few instructions, never over an await or another account's lock.
    pub fn lock(&self) -> MutexGuard<'_, AccountState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to change the roster, from the change in memory to the last push: changes do not overtake each other.
    /// Nobody takes the turns of two accounts at once.
    pub async fn roster_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.roster_turn.lock().await
    }

    /// Notes that the account is in use, so that it stays in memory.
    pub fn touch(&self, now_seconds: u32) {
        self.used_seconds.store(now_seconds, Ordering::Relaxed);
    }

    /// When it was last used, in seconds of the monotonic clock.
    pub fn used_seconds(&self) -> u32 {
        self.used_seconds.load(Ordering::Relaxed)
    }
}

impl AccountState {
    /// The bound resource with this resourcepart.
    pub fn resource(&self, resourcepart: &str) -> Option<&Bound> {
        self.resources.iter().find(|b| b.resource.jid.resource() == resourcepart)
    }

    /// This very session, as long as it is bound.
    pub fn bound(&mut self, resource: &Arc<Resource>) -> Option<&mut Bound> {
        self.resources.iter_mut().find(|b| Arc::ptr_eq(&b.resource, resource))
    }

    /// Resources that have sent available presence (RFC 6121 §1.4).
    pub fn available(&self) -> impl Iterator<Item = &Bound> {
        self.resources.iter().filter(|b| b.presence.is_some())
    }

    /// Available resources that want messages: those with a priority of zero or more (RFC 6121 §8.5.2.1) that are
    /// connected.
    pub fn reachable(&self) -> impl Iterator<Item = &Bound> {
        self.resources.iter().filter(|b| b.takes_messages() && !b.is_detached())
    }

    /// May nothing come from or go to this address (XEP-0191)?
    pub fn blocks(&self, jid: &Jid) -> bool {
        self.blocked.as_ref().is_some_and(|list| list.forbids(jid))
    }

    /// Resources that asked for the roster (RFC 6121 §2.2).
    pub fn interested(&self) -> impl Iterator<Item = &Bound> {
        self.resources.iter().filter(|b| b.interested)
    }
}
