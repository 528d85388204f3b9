//! Another nickname (XEP-0045 §7.6).

use super::enter::refuse;
use super::shapes::{self, Notice};
use super::task::Here;
use super::{exit, rules, surviving};
use crate::account::resource::Client;
use crate::rooms::{Occupant, Seat};
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::Stanza;
use xep_support::stanza::error::{Condition, StanzaError};

/// A session wants this nickname; `false` if it may not have it, and was told.
pub(super) async fn change(here: &mut Here<'_>, client: &Client, stanza: &Stanza, to: &Jid) -> bool {
    let full = client.jid().as_str();
    let Some(slot) = here.state.occupants.of_session(full) else { return false };
    let nick = to.resource().unwrap_or_default();
    let bare = &client.account.jid;
    let reserved = here.state.reserved_nick(bare.as_str()).filter(|_| here.state.config.reserved_nicks_only);
    let allowed = match reserved {
        Some(reserved) if reserved != nick => Err(StanzaError::new(Condition::NotAcceptable)),
        _ => rules::may_have_nick(here, bare, nick),
    };
    if let Err(error) = allowed {
        refuse(client, stanza, error);
        return false;
    }
    let target = here.state.occupants.of_nick(nick).filter(|target| *target != slot);
    let alone = here.state.occupants.at(slot).is_some_and(|occupant| occupant.seats.len() == 1);
    if !alone && here.state.occupants.of_nick(nick) == Some(slot) {
        // The others keep it as it was, and it cannot be two.
        refuse(client, stanza, StanzaError::new(Condition::Conflict));
        return false;
    }
    // One session of several becomes an occupant of its own.
    if !alone
        && here.state.occupants.of_nick(nick).is_none()
        && let Err(error) = rules::has_place(here, here.state.affiliation(bare))
    {
        refuse(client, stanza, error);
        return false;
    }
    note(here, client, to);
    match (alone, target) {
        (true, None) => rename(here, slot, Some(stanza), to, &Notice::default()).await,
        (_, target) => move_over(here, slot, client, stanza, to, target).await,
    }
    true
}

/// The session's list of rooms has the new one.
fn note(here: &Here<'_>, client: &Client, to: &Jid) {
    let mut state = client.account.lock();
    let Some(bound) = state.bound(&client.resource) else { return };
    if let Some(rooms) = &mut bound.rooms {
        rooms.rename(&here.room.jid, to);
        bound.note_rooms(&here.core.journal);
    }
}

fn is_of(seat: &Seat, full: &str) -> bool {
    seat.resource().jid.as_str() == full
}

fn renamed(to: &Jid) -> Notice {
    Notice { nick: to.resource().map(str::to_owned), ..Notice::codes([303]) }
}

/// The usual case: one session, and a nickname that nobody has.
async fn rename(here: &mut Here<'_>, slot: u32, stanza: Option<&Stanza>, to: &Jid, notice: &Notice) {
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    shapes::hide_renamed(here, occupant, &renamed(to)).await;
    surviving::note(here, occupant.nick(), false);
    here.state.occupants.rename(slot, to.clone());
    surviving::note(here, to.resource().unwrap_or_default(), true);
    if let Some(occupant) = here.state.occupants.at_mut(slot) {
        shapes::refresh(occupant, stanza);
    }
    shapes::show(here, slot, notice).await;
}

/// §7.10: where nicknames are locked down, who has registered one has it at once. One that has it already with another
/// session stays what it is till it enters the next time.
pub(super) async fn assign(here: &mut Here<'_>, bare: &BareJid, nick: &str) {
    let Some(to) = rules::occupant_jid(here.room, nick).filter(|_| here.state.config.reserved_nicks_only) else {
        return;
    };
    for slot in here.state.occupants.of_user(bare.as_jid()) {
        let Some(occupant) = here.state.occupants.at(slot).filter(|occupant| occupant.jid != to) else { continue };
        if here.state.occupants.of_nick(nick).is_some_and(|target| target != slot) {
            continue;
        }
        occupant.seats.iter().for_each(|seat| note(here, &seat.client, &to));
        rename(here, slot, None, &to, &Notice::codes([210])).await;
    }
}

/// One session of several takes another nickname, or joins the one its user has with another session (§7.2.8).
async fn move_over(here: &mut Here<'_>, slot: u32, client: &Client, stanza: &Stanza, to: &Jid, target: Option<u32>) {
    let full = client.jid().as_str();
    let was_seen = here.state.occupants.at(slot).and_then(|o| o.seats.last()).is_some_and(|seat| is_of(seat, full));
    let Some((_, seat)) = here.state.occupants.unseat(full) else { return };
    let number = seat.number;
    here.state.seen_before.remove(&number);
    let Some(occupant) = here.state.occupants.at_mut(slot) else { return };
    occupant.shown_fully = None;
    let template = Occupant {
        jid: to.clone(),
        bare: occupant.bare.clone(),
        affiliation: occupant.affiliation,
        role: occupant.role,
        id: occupant.id.clone(),
        hats: occupant.hats.clone(),
        seats: Default::default(),
        shown: Arc::new(stanza.clone()),
        shown_fully: None,
        shown_to_all: occupant.shown_to_all,
    };
    let notice = renamed(to);
    if occupant.seats.is_empty() {
        let Some(occupant) = here.state.occupants.remove(slot) else { return };
        surviving::note(here, occupant.nick(), false);
        shapes::hide(here, &occupant, &[seat], None, &notice).await;
    } else if let Some(occupant) = here.state.occupants.at(slot) {
        shapes::hide_from_self(here, occupant, &seat, None, &notice);
        if was_seen {
            exit::show_rest(here, slot).await;
        }
    }
    let slot = target.unwrap_or_else(|| here.state.occupants.add(template));
    surviving::note(here, to.resource().unwrap_or_default(), true);
    shapes::remember(here.state, slot);
    here.state.occupants.seat(slot, client.clone());
    if let Some(now) = here.state.occupants.at(slot).and_then(|occupant| occupant.seat(client.jid().as_str())) {
        here.state.requests.moved(number, now.number);
    }
    if let Some(occupant) = here.state.occupants.at_mut(slot) {
        shapes::refresh(occupant, Some(stanza));
    }
    shapes::show(here, slot, &Notice::default()).await;
}
