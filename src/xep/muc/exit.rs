//! Leaving a room (XEP-0045 §7.14), being removed from it (§8.2, §9.1, §9.4), and its end (§10.9).

use super::shapes::{self, Notice};
use super::task::{Here, Pace, give};
use super::{requests, surviving};
use crate::account::resource::Client;
use crate::rooms::{Occupant, Seat};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{PresenceType, Stanza};

/// A client leaves.
pub(super) async fn leave(mut here: Here<'_>, client: &Client, stanza: &Stanza) {
    forget_room(&here, client);
    go(&mut here, client.jid().as_str(), Some(stanza), &Notice::default()).await;
}

/// A session has become unavailable to all, or is over.
pub(super) async fn left(mut here: Here<'_>, client: &Client, presence: &Stanza) {
    let full = client.jid().as_str();
    // A newer session of the same name may be there already.
    let is_it = |seat: &Seat| Arc::ptr_eq(seat.resource(), &client.resource);
    let slot = here.state.occupants.of_session(full);
    if slot.and_then(|slot| here.state.occupants.at(slot)?.seat(full)).is_some_and(is_it) {
        go(&mut here, full, Some(presence), &Notice::default()).await;
    }
}

/// A session that is over and has not been taken out yet, while a newer one of its name is here.
pub(super) async fn gone(mut here: Here<'_>, full: &str) {
    go(&mut here, full, None, &Notice::default()).await;
}

/// A session that does not take what it is sent is removed (§18.1.2, §11.1).
pub(super) async fn lost(mut here: Here<'_>, full: &str) {
    let Some(slot) = here.state.occupants.of_session(full) else { return };
    if let Some(seat) = here.state.occupants.at(slot).and_then(|occupant| occupant.seat(full)) {
        forget_room(&here, &seat.client);
    }
    go(&mut here, full, None, &Notice::codes([333])).await;
}

/// One session goes; with the last one of a nickname its occupant.
async fn go(here: &mut Here<'_>, full: &str, presence: Option<&Stanza>, notice: &Notice) {
    let bytes_max = here.core.config().limits.room_presence_bytes_max;
    let presence = presence.filter(|presence| presence.inner().len() <= bytes_max);
    let was_seen = is_seen(here, full);
    let Some((slot, seat)) = here.state.occupants.unseat(full) else { return };
    forget_seat(here, &seat);
    if let Some(occupant) = here.state.occupants.at(slot).filter(|occupant| !occupant.seats.is_empty()) {
        shapes::hide_from_self(here, occupant, &seat, presence, notice);
        if was_seen {
            show_rest(here, slot).await;
        }
        return;
    }
    let Some(occupant) = here.state.occupants.remove(slot) else { return };
    surviving::note(here, occupant.nick(), false);
    let mut notice = notice.clone();
    if here.state.locked && here.state.occupants.is_empty() {
        // §10.1.3: a room that nobody has configured ends with its owner's visit.
        notice.destroy = Some(format!("<destroy xmlns='{}'/>", ns::MUC_USER));
    }
    shapes::hide(here, &occupant, &[seat], presence, &notice).await;
}

/// Is this session the one of its nickname that is seen?
fn is_seen(here: &Here<'_>, full: &str) -> bool {
    let occupant = here.state.occupants.of_session(full).and_then(|slot| here.state.occupants.at(slot));
    let last = occupant.and_then(|occupant| occupant.seats.last());
    last.is_some_and(|seat| seat.resource().jid.as_str() == full)
}

/// The session that was seen has gone, others of the nickname stay: from now on it is seen as the latest of them.
pub(super) async fn show_rest(here: &mut Here<'_>, slot: u32) {
    let number = here.state.occupants.at(slot).and_then(|occupant| occupant.seats.last()).map(|seat| seat.number);
    let before = number.and_then(|number| here.state.seen_before.remove(&number));
    let Some(occupant) = here.state.occupants.at_mut(slot) else { return };
    let shown = occupant.shown.clone();
    shapes::refresh(occupant, before.as_deref());
    if occupant.shown.inner() == shown.inner() {
        return shapes::show_address(here, slot).await;
    }
    shapes::show(here, slot, &Notice::default()).await;
}

/// Nothing is left of a session.
fn forget_seat(here: &mut Here<'_>, seat: &Seat) {
    here.state.seen_before.remove(&seat.number);
    requests::unanswered(here.state, seat);
}

/// Removes an occupant with all its sessions, and tells everybody why.
pub(super) async fn remove(here: &mut Here<'_>, slot: u32, notice: &Notice) {
    let Some(mut occupant) = here.state.occupants.remove(slot) else { return };
    surviving::note(here, occupant.nick(), false);
    let seats: Vec<Seat> = std::mem::take(&mut occupant.seats).into_iter().collect();
    for seat in &seats {
        forget_room(here, &seat.client);
        forget_seat(here, seat);
    }
    shapes::hide(here, &occupant, &seats, None, notice).await;
}

/// §10.9: everybody is told once, and nobody of the others. The room is no more.
pub(super) async fn destroy(here: &mut Here<'_>, destroy: String) {
    here.state.destroyed = true;
    end(here, &Notice { destroy: Some(destroy), ..Notice::default() }).await;
}

/// Everybody is out.
pub(super) async fn end(here: &mut Here<'_>, notice: &Notice) {
    remove_quietly(here, 0..here.state.occupants.slots(), notice).await;
}

/// These are out, and told so. The others are not told of so many.
pub(super) async fn remove_quietly(here: &mut Here<'_>, slots: impl IntoIterator<Item = u32>, notice: &Notice) {
    let mut pace = Pace::default();
    for slot in slots {
        let Some(occupant) = here.state.occupants.remove(slot) else { continue };
        surviving::note(here, occupant.nick(), false);
        let stanza = Arc::new(farewell(&occupant, notice));
        for seat in &occupant.seats {
            forget_room(here, &seat.client);
            forget_seat(here, seat);
            give(seat, &stanza);
            pace.step().await;
        }
    }
}

fn farewell(occupant: &Occupant, notice: &Notice) -> Stanza {
    let mut x = String::new();
    shapes::write_x(&mut x, None, None, None, notice, true);
    let from: &Jid = &occupant.jid;
    Stanza::presence(PresenceType::Unavailable, Some(from), None).rebuilt(|_| true, &x)
}

/// The session's list of rooms has this one no more.
fn forget_room(here: &Here<'_>, client: &Client) {
    let mut state = client.account.lock();
    let Some(bound) = state.bound(&client.resource) else { return };
    if bound.rooms.as_mut().is_some_and(|rooms| rooms.remove(&here.room.jid)) {
        bound.rooms = None;
    }
    bound.note_rooms(&here.core.journal);
}
