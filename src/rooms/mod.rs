//! Rooms (XEP-0045) as they are in memory. What is done in them is in `xep::muc`.
//!
//! A room is an inbox and a state. Whatever is to happen in a room goes into its inbox, and is done in that order by the
//! room's task, which exists only while there is something to do and has the state to itself. A room that nobody is in is
//! not in memory: its task reads it first and forgets it last.

pub mod activity;
mod affiliation;
mod applied;
mod blocks;
mod config;
mod created;
pub mod form;
mod hats;
mod history;
mod info;
mod listed;
pub mod mentions;
mod occupant;
mod requests;
mod state;
mod versions;

use crate::account::Parcel;
use crate::account::resource::Client;
use crate::hold::Hold;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::{PresenceType, Stanza};

pub use affiliation::{Affiliation, Role, Roles, affiliation_name};
pub use applied::Applied;
pub use blocks::{Blocks, is_on};
pub use config::{AllowPm, RoomConfig, Whois};
pub use created::{Counted, CreatedBy};
pub use hats::{Hat, HatFault, Hats, stored as stored_hat};
pub use history::{History, HistoryBytes, Kept, Wanted};
pub use info::{Info, REGISTER_NICK, features, info, register_form, registered_nick};
pub use listed::{Affiliations, Listed, Temporary};
pub use mentions::{MayMention, Mentions};
pub use occupant::{Occupant, Occupants, Seat, fold};
pub use requests::{ID_BYTES_MAX, Request, Requests};
pub use state::{Affiliated, RoomState, Spoke, Subject, Voices};
pub use versions::{Heads, Sight};

/// Rooms in use.
#[derive(Default)]
pub struct Rooms {
    map: DashMap<BareJid, Arc<Room>>,
    /// Those that are in no list of storage.
    pub temporary: Temporary,
    /// Whom services keep out.
    pub blocks: Blocks,
    /// Who has asked to become a member.
    pub applied: Applied,
    /// What was counted since the start.
    pub counters: RoomCounters,
    /// What is kept for who enters, of all rooms.
    pub history: Arc<HistoryBytes>,
    /// Rooms that are not stored.
    pub created: CreatedBy,
    /// Those nobody is in that were needed last, the latest last.
    lingering: Mutex<VecDeque<Arc<Room>>>,
    /// One at a time tells devices of what is said in rooms.
    pub telling: tokio::sync::Mutex<()>,
    /// How many wait for that.
    pub untold: AtomicUsize,
}

/// What happens in rooms, for who operates the server.
#[derive(Default)]
pub struct RoomCounters {
    /// Messages to all that were reflected.
    pub reflected: AtomicU64,
    /// To how many sessions altogether.
    pub deliveries: AtomicU64,
    /// Messages taken back by moderators.
    pub moderated: AtomicU64,
}

/// Rooms nobody is in that are kept in memory.
const LINGERING_MAX: usize = 32;

/// A room in use.
pub struct Room {
    /// Its address.
    pub jid: BareJid,
    /// Sessions in it, as its task has seen it last.
    pub sessions: AtomicUsize,
    listed: Mutex<Option<Listed>>,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    queue: VecDeque<Event>,
    /// While no task has it. `None` as well: it is not read from storage yet.
    state: Option<Box<RoomState>>,
    /// A task is at work.
    running: bool,
    /// Forgotten: another one has taken its place, or will.
    gone: bool,
}

/// Something to be done within a room's turn: with its state, which is `None` if there is no such room.
pub type Work = Box<
    dyn for<'a> FnOnce(&'a Arc<Room>, &'a mut Option<Box<RoomState>>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>
        + Send,
>;

/// What can happen in a room.
pub enum Event {
    /// Presence from a client: it enters, changes its nickname or its availability, or leaves.
    Presence {
        /// Who.
        client: Client,
        /// `from` and `to` are there.
        stanza: Box<Stanza>,
        /// Until it is done.
        hold: Hold,
        /// Dropped when it is done.
        done: Option<oneshot::Sender<()>>,
    },
    /// A message to the room or to an occupant.
    Message(Parcel),
    /// A request to an occupant, or the answer to one.
    Iq(Parcel),
    /// A session has become unavailable, or is over.
    Left {
        /// Which.
        client: Client,
        /// As its contacts are told.
        presence: Arc<Stanza>,
    },
    /// Anything rarer.
    Work(Work),
}

impl Event {
    /// Who leaves has left, and a crowd must not keep moderators from doing something about it. Of such requests each
    /// session has one at a time.
    fn may_be_refused(&self) -> bool {
        match self {
            Self::Left { .. } | Self::Work(_) => false,
            Self::Presence { stanza, .. } => stanza.presence_type() != Ok(PresenceType::Unavailable),
            Self::Message(_) | Self::Iq(_) => true,
        }
    }
}

/// What became of an event.
pub enum Pushed {
    /// It waits for the room's task.
    Queued,
    /// It waits, and the caller has to start the task.
    Start,
    /// Too many wait.
    Full(Event),
    /// The room has been forgotten; it is to be looked up anew.
    Gone(Event),
}

impl Rooms {
    /// The room, known or not.
    pub fn get(&self, jid: &BareJid) -> Arc<Room> {
        if let Some(room) = self.map.get(jid) {
            return room.clone();
        }
        match self.map.entry(jid.clone()) {
            Entry::Occupied(room) => room.get().clone(),
            Entry::Vacant(place) => {
                let room = Room {
                    jid: jid.clone(),
                    sessions: AtomicUsize::new(0),
                    listed: Mutex::default(),
                    inbox: Mutex::default(),
                };
                let room = Arc::new(room);
                place.insert(room).clone()
            }
        }
    }

    /// The room, if it is in use.
    pub fn find(&self, jid: &str) -> Option<Arc<Room>> {
        self.map.get(jid).map(|room| room.clone())
    }

    /// To how many sessions something goes that is said there.
    pub fn fan_out(&self, to: &Jid) -> usize {
        self.map.get(to.bare_str()).map_or(0, |room| room.sessions.load(Ordering::Relaxed))
    }

    /// All in use.
    pub fn all(&self) -> Vec<Arc<Room>> {
        self.map.iter().map(|room| room.clone()).collect()
    }

    /// How many are in use.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// None in use?
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The task has nothing to do for now: the room keeps its state, or is forgotten. `false`: there is something after all.
    pub fn rest(&self, room: &Arc<Room>, state: &mut Option<Box<RoomState>>, is_kept: bool) -> bool {
        let mut inbox = room.lock();
        if !inbox.queue.is_empty() {
            return false;
        }
        inbox.running = false;
        inbox.queue = VecDeque::new();
        if is_kept {
            inbox.state = state.take();
            return true;
        }
        inbox.gone = true;
        drop(inbox);
        self.map.remove_if(&room.jid, |_, known| Arc::ptr_eq(known, room));
        true
    }

    /// A stored room nobody is in is kept for a moment: clients ask for one thing after the other, and it need not be read
    /// each time.
    pub fn linger(&self, room: &Arc<Room>) {
        let mut lingering = self.lingering.lock().unwrap_or_else(PoisonError::into_inner);
        lingering.retain(|known| !Arc::ptr_eq(known, room));
        lingering.push_back(room.clone());
        let oldest = if lingering.len() > LINGERING_MAX { lingering.pop_front() } else { None };
        drop(lingering);
        if let Some(oldest) = oldest {
            self.forget_unused(&oldest);
        }
    }

    /// The moment is over.
    pub fn forget_lingering(&self) {
        let lingering = std::mem::take(&mut *self.lingering.lock().unwrap_or_else(PoisonError::into_inner));
        lingering.iter().for_each(|room| self.forget_unused(room));
    }

    fn forget_unused(&self, room: &Arc<Room>) {
        let mut inbox = room.lock();
        if inbox.running || inbox.state.as_ref().is_none_or(|state| !state.occupants.is_empty()) {
            return;
        }
        inbox.gone = true;
        let state = inbox.state.take();
        drop(inbox);
        self.map.remove_if(&room.jid, |_, known| Arc::ptr_eq(known, room));
        drop(state);
    }

    /// The room's task has come to a bad end. Who is in the room is in none any more; what waited is lost.
    pub fn abandon(&self, room: &Arc<Room>) {
        let mut inbox = room.lock();
        inbox.gone = true;
        let left = std::mem::take(&mut inbox.queue);
        drop(inbox);
        self.temporary.note(room, None);
        self.map.remove_if(&room.jid, |_, known| Arc::ptr_eq(known, room));
        drop(left);
    }
}

impl Room {
    /// Puts an event into the inbox, in which at most `events_max` wait.
    pub fn push(&self, event: Event, events_max: usize) -> Pushed {
        let mut inbox = self.lock();
        if inbox.gone {
            return Pushed::Gone(event);
        }
        if inbox.queue.len() >= events_max && event.may_be_refused() {
            return Pushed::Full(event);
        }
        inbox.queue.push_back(event);
        if std::mem::replace(&mut inbox.running, true) { Pushed::Queued } else { Pushed::Start }
    }

    /// For the room's task: the state.
    pub fn take_state(&self) -> Option<Box<RoomState>> {
        self.lock().state.take()
    }

    /// For the room's task: the next event.
    pub fn pop(&self) -> Option<Event> {
        self.lock().queue.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
