//! Who is in a room when the server ends, and what becomes of that when it is there again (XEP-0198 §5). What has to be
//! known is in the session journal: the rooms of each session, the last message of each room it was given, and who was in
//! which room that is stored.
//!
//! A session that can be resumed is in its rooms again before its client is back, and is given what the archive has beyond
//! the last message. Those whose sessions are over are shown to have left. A temporary room is gone: its occupants are told.

use super::shapes::{self, Notice};
use super::task::{self, Here, Pace, give};
use super::{blocks, enter, history, rules};
use crate::account::joined::{Joined, JoinedRoom};
use crate::account::resource::Client;
use crate::core::Core;
use crate::journal::room_mark;
use crate::outbox::{Item, Receipt};
use crate::rooms::{Affiliation, Event, Room, RoomState};
use crate::xep::mam::rooms as mam;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::{PresenceType, Stanza};

/// Messages of a room that a session is given at most when it has come back; whoever missed more asks the archive.
const MISSED_MAX: u32 = 500;
/// Their bytes.
const MISSED_BYTES_MAX: u64 = 1 << 20;

/// Somebody is in a room that is stored, or is no more.
pub(super) fn note(here: &Here<'_>, nick: &str, there: bool) {
    if here.state.id.is_some() && here.core.journal.is_on() {
        here.core.journal.note(|batch| batch.there(here.room.jid.as_str(), nick, there));
    }
}

/// The room has become a stored one.
pub(super) fn note_all(here: &Here<'_>) {
    here.state.occupants.iter().for_each(|occupant| note(here, occupant.nick(), true));
}

/// The room is no stored one any more.
pub(super) fn forget_all(here: &Here<'_>) {
    here.state.occupants.iter().for_each(|occupant| note(here, occupant.nick(), false));
}

/// The rooms of a session, as they were noted, when the server is there again.
pub fn restore(core: &Arc<Core>, client: &Client, noted: &str, told: &[(u32, i64)], presence: Option<&Stanza>) {
    for (jid, since) in Joined::from_noted(noted) {
        let room = jid.bare();
        let mark = room_mark(room.as_str());
        let last = told.iter().filter(|(room, _)| *room == mark).map(|(_, id)| *id).max().unwrap_or(since);
        let back = Back { client: client.clone(), jid, after: last.max(since), presence: presence.cloned() };
        let core_too = core.clone();
        let work = Event::Work(Box::new(move |room, state| {
            Box::pin(async move { come_back(&core_too, room, state, back).await })
        }));
        task::post(core, &room, work);
    }
}

/// After all of them: those who have not come back are shown to have left.
pub fn settle(core: &Arc<Core>) {
    for (room, nicks) in core.journal.take_there() {
        let Ok(room) = BareJid::parse(&room) else { continue };
        let core_too = core.clone();
        let work = Event::Work(Box::new(move |room, state| {
            Box::pin(async move {
                if let Some(state) = state.as_deref_mut() {
                    show_absent(&Here { core: &core_too, room, state }, &nicks).await;
                }
                nicks.iter().for_each(|nick| {
                    let is_there = state.as_ref().is_some_and(|state| state.occupants.of_exact_nick(nick).is_some());
                    core_too.journal.note(|batch| batch.there(room.jid.as_str(), nick, is_there));
                });
            })
        }));
        task::post(core, &room, work);
    }
}

/// §11.2: the service ends. Who will not be in its rooms again when it is back is told; nobody is told of the others, who are
/// in the rooms as long as these are there. A stop costs a stanza for each session and room by that, not for each two sessions.
pub async fn end(core: &Arc<Core>) {
    let mut pace = Pace::default();
    for account in core.accounts.connected() {
        let ending: Vec<_> = {
            let mut state = account.lock();
            let ending = state.resources.iter_mut().filter(|bound| bound.resource.outbox.session() == 0);
            ending.filter_map(|bound| Some((bound.resource.clone(), bound.rooms.take()?))).collect()
        };
        for (resource, rooms) in ending {
            for room in &rooms.0 {
                let item = Item::addressed(Arc::new(farewell(&room.jid, 332)), resource.jid.as_jid().clone());
                let _ = resource.outbox.push(item);
                pace.step().await;
            }
        }
    }
}

/// A session that comes back to a room.
struct Back {
    client: Client,
    jid: Jid,
    /// The last message it was given.
    after: i64,
    presence: Option<Stanza>,
}

async fn come_back(core: &Arc<Core>, room: &Arc<Room>, state: &mut Option<Box<RoomState>>, back: Back) {
    let Some(state) = state.as_deref_mut() else { return put_out(&back, 332) };
    let mut here = Here { core, room, state };
    if blocks::check(core, &room.jid, &back.client.account.jid).await.is_err() {
        return put_out(&back, 307);
    }
    let affiliation = here.state.affiliation(&back.client.account.jid);
    let is_out = affiliation == Some(Affiliation::Outcast) || (affiliation.is_none() && here.state.config.members_only);
    let taken = rules::may_have_nick(&here, &back.client.account.jid, back.jid.resource().unwrap_or_default()).is_err();
    if is_out || taken {
        let code = match affiliation {
            Some(Affiliation::Outcast) => 301,
            _ if is_out => 321,
            _ => 333,
        };
        return put_out(&back, code);
    }
    let joined = JoinedRoom { jid: back.jid.clone(), since: back.after };
    if !enter::note_joined(&here, &back.client, joined).is_ok_and(|there| there) {
        return;
    }
    history::load(&mut here).await;
    let bytes_max = core.config().limits.room_presence_bytes_max;
    let presence = back.presence.filter(|presence| presence.inner().len() <= bytes_max);
    let presence = presence.unwrap_or_else(|| Stanza::presence(PresenceType::Available, None, None));
    enter::take_place(&mut here, &back.client, &presence, &back.jid, affiliation);
    catch_up(&here, &back.client, back.after).await;
}

/// What was said since.
async fn catch_up(here: &Here<'_>, client: &Client, after: i64) {
    let Some(archive) = mam::archive_of(here.state) else { return };
    let found = here.core.storage.room_archive_last(archive, after, MISSED_MAX, MISSED_BYTES_MAX).await;
    let found = match found {
        Ok(found) => found,
        Err(error) => return tracing::error!(%error, "what was missed in a room could not be read"),
    };
    for message in found {
        let id = message.id;
        let Some(kept) = history::kept(here, message) else { continue };
        let extra = history::delayed(here, &kept);
        let to = Some(client.jid().as_jid().clone());
        let item = Item { stanza: kept.stanza, to, extra: Some(extra), receipt: Receipt::Told(id) };
        let _ = client.resource.outbox.push(item);
    }
}

/// It is not in the room any more.
fn put_out(back: &Back, code: u16) {
    let stanza = farewell(&back.jid, code);
    let _ = back.client.resource.outbox.push(Item::addressed(Arc::new(stanza), back.client.jid().as_jid().clone()));
}

fn farewell(from: &Jid, code: u16) -> Stanza {
    let mut x = String::new();
    shapes::write_x(&mut x, None, None, None, &Notice::codes([code]), true);
    Stanza::presence(PresenceType::Unavailable, Some(from), None).rebuilt(|_| true, &x)
}

async fn show_absent(here: &Here<'_>, nicks: &[Box<str>]) {
    let mut pace = Pace::default();
    for nick in nicks.iter().filter(|nick| here.state.occupants.of_exact_nick(nick).is_none()) {
        let Some(jid) = rules::occupant_jid(here.room, nick) else { continue };
        let mut x = String::new();
        shapes::write_x(&mut x, None, None, None, &Notice::codes([333]), false);
        let gone = Arc::new(Stanza::presence(PresenceType::Unavailable, Some(&jid), None).rebuilt(|_| true, &x));
        for occupant in here.state.occupants.iter() {
            for seat in &occupant.seats {
                give(seat, &gone);
                pace.step().await;
            }
        }
    }
}
