//! Private messages from one occupant to another (XEP-0045 §7.5), other messages to the room, and errors, by which it learns
//! who is not there any more (§18.1.2).

use super::task::Here;
use super::{approve, blocks, exit, invite, message as all, rules, voice};
use crate::account::Parcel;
use crate::core::Core;
use crate::outbox::Item;
use crate::rooms::{AllowPm, Occupant, Request, Role, Room, RoomState, Seat};
use crate::router::bounce::bounce;
use smallvec::SmallVec;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// A message that is not for all.
pub(super) async fn message(mut here: Here<'_>, parcel: Parcel) {
    if parcel.stanza.is_error() {
        return error(here, &parcel.stanza).await;
    }
    let refused = match parcel.stanza.to().and_then(|to| to.resource()) {
        Some(nick) => private(&mut here, &parcel, nick).err(),
        None => to_room(here.core, here.room, here.state, &parcel).await.err(),
    };
    if let Some(error) = refused {
        bounce(here.core, &parcel, error);
    }
}

/// §7.8.2, §7.13, §8.6, and anything else (§17.2).
async fn to_room(
    core: &Arc<Core>,
    room: &Arc<Room>,
    state: &mut RoomState,
    parcel: &Parcel,
) -> Result<(), StanzaError> {
    let stanza = &parcel.stanza;
    let mut here = Here { core, room, state };
    if let Some(from) = stanza.from() {
        blocks::check(core, &room.jid, &from.bare()).await?;
    }
    if let Some(x) = stanza.child("x", ns::MUC_USER)
        && invite::is_one(&x)
    {
        return invite::handle(&mut here, parcel, &x).await;
    }
    if let Some(x) = stanza.child("x", ns::DATA_FORM)
        && approve::is_one(&x)
    {
        return approve::handle(&mut here, stanza, &x).await;
    }
    if here.state.occupants.of_session(stanza.from().map_or("", Jid::as_str)).is_none() {
        return Err(rules::not_in_room(here.state));
    }
    if let Some(x) = stanza.child("x", ns::DATA_FORM) {
        return voice::handle(&mut here, stanza, &x).await;
    }
    Err(StanzaError::bad_request().with_text("Messages to a room are of type groupchat."))
}

pub(super) fn not_in_room() -> StanzaError {
    StanzaError::new(Condition::NotAcceptable).with_text("You are not in the room.")
}

/// The occupant that sent a stanza.
pub(super) fn sender<'a>(here: &'a Here<'_>, stanza: &Stanza) -> Option<(&'a Occupant, &'a Seat)> {
    let from = stanza.from()?.as_str();
    let occupant = here.state.occupants.at(here.state.occupants.of_session(from)?)?;
    Some((occupant, occupant.seat(from)?))
}

/// §7.5: to every session of the nickname.
fn private(here: &mut Here<'_>, parcel: &Parcel, nick: &str) -> Result<(), StanzaError> {
    let stanza = &parcel.stanza;
    if stanza.message_type() == MessageType::Groupchat {
        return Err(StanzaError::bad_request());
    }
    let (from, seat) = sender(here, stanza).ok_or_else(|| rules::not_in_room(here.state))?;
    if stanza.inner().len() > here.core.config().limits.room_message_bytes_max {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("too large for a room"));
    }
    let slot = here.state.occupants.of_exact_nick(nick).ok_or(StanzaError::new(Condition::ItemNotFound))?;
    let to = here.state.occupants.at(slot).ok_or(StanzaError::new(Condition::ItemNotFound))?;
    // Whom the room does not let speak to others may still answer a moderator.
    let to_moderator = to.role == Role::Moderator && from.role != to.role;
    let pm = here.state.config.allow_pm;
    if !(pm.allows(from.role) || to_moderator && pm == AllowPm::Moderators) {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    let mut tail = String::with_capacity(160);
    all::write_occupant_id(&mut tail, &from.id);
    tail.push_str("<x xmlns='");
    tail.push_str(ns::MUC_USER);
    tail.push_str("'/>");
    let mut private = stanza.rebuilt(|child| !all::is_ours(child, here.room.jid.as_str()), &tail);
    private.set_from(from.jid.clone());
    let (author, occupant) = (seat.resource().clone(), to.jid.clone());
    let (mut reached, mut refusal) = (SmallVec::<[u32; 2]>::new(), Condition::RecipientUnavailable);
    for seat in &to.seats {
        match give(seat, &from.jid, &private, parcel) {
            Ok(()) => reached.push(seat.number),
            Err(Condition::ServiceUnavailable) => refusal = Condition::ServiceUnavailable,
            Err(_) => {}
        }
    }
    if reached.is_empty() {
        return Err(StanzaError::new(refusal));
    }
    let id = stanza.id().unwrap_or_default();
    for number in reached {
        let message = Request { asker: author.clone(), occupant: occupant.clone(), id: (&*id).into() };
        here.state.requests.told(number, message);
    }
    Ok(())
}

/// To one session of an occupant, if it takes it.
fn give(seat: &Seat, from: &Jid, private: &Stanza, parcel: &Parcel) -> Result<(), Condition> {
    let mut account = seat.client.account.lock();
    // XEP-0191 §3.3.
    if account.blocks(from) {
        return Err(Condition::ServiceUnavailable);
    }
    let bound = account.bound(&seat.client.resource).ok_or(Condition::RecipientUnavailable)?;
    let mut one = private.clone();
    one.set_to(Some(seat.resource().jid.as_jid().clone()));
    if bound.is_detached() {
        // It gets it when it comes back; nobody waits for that.
        bound.misses(Item::plain(Arc::new(one)));
        return Ok(());
    }
    let item = Item::held(Arc::new(one), parcel.hold.as_ref());
    seat.resource().outbox.push(item).map_err(|_| Condition::RecipientUnavailable)
}

/// §18.1.2: an error that says that somebody is not there.
async fn error(mut here: Here<'_>, stanza: &Stanza) {
    const GONE: [Condition; 6] = [
        Condition::Gone,
        Condition::ItemNotFound,
        Condition::RecipientUnavailable,
        Condition::Redirect,
        Condition::RemoteServerNotFound,
        Condition::RemoteServerTimeout,
    ];
    let error = stanza.child("error", ns::CLIENT);
    let named = |e: &Element| e.child_elements().find_map(|c| Condition::from_name(c.name()));
    let Some((from, condition)) = stanza.from().zip(error.as_ref().and_then(named)) else { return };
    pass_on(&mut here, stanza, condition);
    if GONE.contains(&condition) {
        let from = from.as_str().to_owned();
        exit::lost(here, &from).await;
    }
}

/// Whoever has sent a private message learns that it was refused. Nothing else comes this way: neither what the message was,
/// which may name addresses, nor words, which might need voice.
fn pass_on(here: &mut Here<'_>, stanza: &Stanza, condition: Condition) {
    let Some((number, id)) = sender(here, stanza).map(|(_, seat)| seat.number).zip(stanza.id()) else { return };
    let Some(message) = here.state.requests.refused(number, &id) else { return };
    let author = message.asker.jid.as_jid();
    let mut original = Stanza::message(MessageType::Chat, Some(author), Some(&message.occupant), None);
    original.set_id(&id);
    if let Some(error) = original.error_reply(&StanzaError::new(condition)) {
        let _ = message.asker.outbox.push(Item::plain(Arc::new(error)));
    }
}
