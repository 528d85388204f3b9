//! The task of a room: one event after the other, in bounded steps.

use super::{activity, enter, exit, message, private, requests, rules, stored};
use crate::clock;
use crate::core::Core;
use crate::outbox::Item;
use crate::rooms::{Event, Pushed, Room, RoomState, Seat};
use crate::router::bounce::{bounce, storage_error};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::oneshot;
use tracing::Instrument;
use xep_support::jid::BareJid;
use xep_support::stanza::Stanza;
use xep_support::stanza::error::{Condition, StanzaError};

/// A room during its turn.
pub(crate) struct Here<'a> {
    /// The server.
    pub(crate) core: &'a Arc<Core>,
    /// The room.
    pub(crate) room: &'a Arc<Room>,
    /// What it is at the moment.
    pub(crate) state: &'a mut RoomState,
}

/// After so many deliveries the others have their turn.
const STEP: u32 = 256;

/// Messages that wait to be reflected at most.
const STAGED_MAX: usize = 256;

/// Counts deliveries.
#[derive(Default)]
pub(super) struct Pace(u32);

impl Pace {
    /// One more; now and then the others have their turn.
    pub(super) async fn step(&mut self) {
        self.steps(1).await;
    }

    /// So many more.
    pub(super) async fn steps(&mut self, count: u32) {
        self.0 += count;
        if self.0 >= STEP {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Gives a session a stanza that others are given as well.
pub(super) fn give(seat: &Seat, stanza: &Arc<Stanza>) {
    let resource = seat.resource();
    let _ = resource.outbox.push(Item::addressed(stanza.clone(), resource.jid.as_jid().clone()));
}

/// Puts something into a room's inbox.
pub(crate) fn post(core: &Arc<Core>, jid: &BareJid, event: Event) {
    let events_max = core.config().limits.room_queue_max;
    let mut event = event;
    loop {
        let room = core.rooms.get(jid);
        match room.push(event, events_max) {
            Pushed::Queued => return,
            Pushed::Start => {
                let span = tracing::info_span!(parent: None, "room", jid = %jid);
                core.work.spawn(run(core.clone(), room).instrument(span));
                return;
            }
            Pushed::Full(event) => return refuse(core, event, StanzaError::new(Condition::ResourceConstraint)),
            Pushed::Gone(back) => event = back,
        }
    }
}

/// Does something in a room's turn. The work is done even if nobody waits for it any more.
///
/// # Errors
/// The room has too much to do, cannot be read, or has come to a bad end.
pub(crate) async fn with_room<T: Send + 'static>(
    core: &Arc<Core>,
    jid: &BareJid,
    work: impl for<'a> FnOnce(&'a Arc<Core>, &'a Arc<Room>, &'a mut Option<Box<RoomState>>) -> BoxedIn<'a, T>
    + Send
    + 'static,
) -> Result<T, StanzaError> {
    let (answer, answered) = oneshot::channel();
    let inner = core.clone();
    let work = Event::Work(Box::new(move |room, state| {
        Box::pin(async move {
            let core = inner;
            let value = work(&core, room, state).await;
            // Whoever is answered finds it in the lists as it is now.
            noted(&core, room, state);
            // Whoever asked may no longer listen.
            drop(answer.send(value));
        })
    }));
    post(core, jid, work);
    answered.await.map_err(|_| StanzaError::new(Condition::ResourceConstraint))
}

/// A future that borrows from the room's turn.
pub(crate) type BoxedIn<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An event that is not taken.
fn refuse(core: &Arc<Core>, event: Event, error: StanzaError) {
    match event {
        Event::Presence { client, stanza, .. } => enter::refuse(&client, &stanza, error),
        Event::Message(parcel) | Event::Iq(parcel) => bounce(core, &parcel, error),
        // The one waits for an answer and gets none; the other is never refused.
        Event::Work(_) | Event::Left { .. } => {}
    }
}

/// Whatever happens, a room without a task must not seem to have one.
struct Guard {
    core: Arc<Core>,
    room: Arc<Room>,
    over: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.over {
            tracing::error!(room = %self.room.jid, "a defect ended this room's task");
            self.core.rooms.abandon(&self.room);
        }
    }
}

/// The task.
async fn run(core: Arc<Core>, room: Arc<Room>) {
    let mut guard = Guard { core: core.clone(), room: room.clone(), over: false };
    let mut state = room.take_state();
    if state.is_none() {
        match stored::load(&core, &room).await {
            Ok(loaded) => state = loaded,
            Err(error) => {
                tracing::error!(%error, "a room could not be read");
                loop {
                    while let Some(event) = room.pop() {
                        refuse(&core, event, storage_error(&error));
                    }
                    if core.rooms.rest(&room, &mut state, false) {
                        guard.over = true;
                        return;
                    }
                }
            }
        }
    }
    let (mut staged, mut pace) = (VecDeque::new(), Pace::default());
    loop {
        while let Some(event) = room.pop() {
            step(&core, &room, &mut state, &mut staged, event).await;
            pace.step().await;
            if staged.len() >= STAGED_MAX {
                message::settle(&core, &room, &mut state, &mut staged).await;
            }
            room.sessions.store(state.as_ref().map_or(0, |state| state.occupants.sessions()), Relaxed);
        }
        if !staged.is_empty() {
            message::settle(&core, &room, &mut state, &mut staged).await;
            continue;
        }
        let is_used = state.as_ref().is_some_and(|state| !state.destroyed && !state.occupants.is_empty());
        if let Some(state) = state.as_deref_mut().filter(|_| !is_used) {
            activity::put_away(&core, state);
        }
        let lingers = state.as_ref().is_some_and(|state| !state.destroyed && state.id.is_some()) && !is_used;
        if core.rooms.rest(&room, &mut state, is_used || lingers) {
            guard.over = true;
            if lingers {
                core.rooms.linger(&room);
            }
            return;
        }
    }
}

async fn step(
    core: &Arc<Core>,
    room: &Arc<Room>,
    state: &mut Option<Box<RoomState>>,
    staged: &mut VecDeque<message::Staged>,
    event: Event,
) {
    let event = match event {
        Event::Message(parcel) if message::is_for_all(&parcel) => {
            let Some(here) = state.as_deref_mut().map(|state| Here { core, room, state }) else {
                return bounce(core, &parcel, no_room());
            };
            return staged.extend(message::accept(here, parcel));
        }
        event => event,
    };
    // One order for all: what is said comes before what happens next.
    settle_all(core, room, state, staged).await;
    Box::pin(happen(core, room, state, event)).await;
    noted(core, room, state);
}

/// What has happened is done: the room is no more, or is in the lists as it is.
fn noted(core: &Core, room: &Arc<Room>, state: &mut Option<Box<RoomState>>) {
    if state.as_ref().is_some_and(|state| state.destroyed || (state.occupants.is_empty() && state.id.is_none())) {
        *state = None;
    }
    core.rooms.temporary.note(room, state.as_deref());
}

async fn settle_all(
    core: &Arc<Core>,
    room: &Arc<Room>,
    state: &mut Option<Box<RoomState>>,
    staged: &mut VecDeque<message::Staged>,
) {
    while !staged.is_empty() {
        message::settle(core, room, state, staged).await;
    }
}

async fn happen(core: &Arc<Core>, room: &Arc<Room>, state: &mut Option<Box<RoomState>>, event: Event) {
    match event {
        Event::Presence { client, stanza, hold, done } => {
            enter::presence(core, room, state, &client, *stanza).await;
            drop((hold, done));
        }
        Event::Work(work) => work(room, state).await,
        Event::Left { client, presence } => {
            if let Some(state) = state.as_deref_mut() {
                exit::left(Here { core, room, state }, &client, &presence).await;
            }
        }
        Event::Message(parcel) => match state.as_deref_mut() {
            Some(state) => private::message(Here { core, room, state }, parcel).await,
            None => bounce(core, &parcel, no_room()),
        },
        Event::Iq(parcel) => match state.as_deref_mut() {
            Some(state) => requests::iq(Here { core, room, state }, parcel),
            None => bounce(core, &parcel, rules::unknown_occupant(&parcel.stanza)),
        },
    }
}

/// There is no such room.
pub(super) fn no_room() -> StanzaError {
    StanzaError::new(Condition::ItemNotFound)
}

/// Now, for time stamps.
pub(super) fn now_us() -> i64 {
    clock::now_micros()
}

/// Does something in the turn of a room that exists.
///
/// # Errors
/// `item-not-found` if there is no such room, what `work` says, or as for [`with_room`].
pub(crate) async fn in_room<T: Send + 'static>(
    core: &Arc<Core>,
    jid: &BareJid,
    work: impl for<'a> FnOnce(Here<'a>) -> BoxedIn<'a, Result<T, StanzaError>> + Send + 'static,
) -> Result<T, StanzaError> {
    with_room(core, jid, move |core, room, state| {
        Box::pin(async move {
            match state.as_deref_mut() {
                Some(state) => work(Here { core, room, state }).await,
                None => Err(no_room()),
            }
        })
    })
    .await?
}
