//! What goes from one occupant to another: private messages (XEP-0045 §7.5) and requests (§17.4); and errors, by which the
//! room learns who is not there any more (§18.1.2).

use super::task::Here;
use super::{exit, invite, message as all, voice};
use crate::account::Parcel;
use crate::core::Core;
use crate::outbox::Item;
use crate::rooms::{AllowPm, Occupant, Role, Room, RoomState, Seat};
use crate::router;
use crate::router::bounce::{bounce, refused};
use crate::xep::vcard::restore;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Child, IqType, MessageType, Stanza};
use xep_support::xml::Element;

/// A message that is not for all.
pub(super) async fn message(here: Here<'_>, parcel: Parcel) {
    if parcel.stanza.is_error() {
        return error(here, &parcel.stanza).await;
    }
    let refused = match parcel.stanza.to().and_then(|to| to.resource()) {
        Some(nick) => private(&here, &parcel, nick).err(),
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
    if let Some(x) = stanza.child("x", ns::MUC_USER)
        && invite::is_one(&x)
    {
        return invite::handle(&mut here, parcel, &x).await;
    }
    if here.state.occupants.of_session(stanza.from().map_or("", Jid::as_str)).is_none() {
        return Err(not_in_room());
    }
    if let Some(x) = stanza.child("x", ns::DATA_FORM) {
        return voice::handle(&mut here, stanza, &x).await;
    }
    Err(StanzaError::bad_request().with_text("Messages to a room are of type groupchat."))
}

fn not_in_room() -> StanzaError {
    StanzaError::new(Condition::NotAcceptable).with_text("You are not in the room.")
}

/// The occupant that sent a stanza.
fn sender<'a>(here: &'a Here<'_>, stanza: &Stanza) -> Option<(&'a Occupant, &'a Seat)> {
    let from = stanza.from()?.as_str();
    let occupant = here.state.occupants.at(here.state.occupants.of_session(from)?)?;
    Some((occupant, occupant.seat(from)?))
}

/// §7.5: to every session of the nickname.
fn private(here: &Here<'_>, parcel: &Parcel, nick: &str) -> Result<(), StanzaError> {
    let stanza = &parcel.stanza;
    if stanza.message_type() == MessageType::Groupchat {
        return Err(StanzaError::bad_request());
    }
    let (from, _) = sender(here, stanza).ok_or_else(not_in_room)?;
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
    let mut private = stanza.rebuilt(|child| !is_ours(child), &tail);
    private.set_from(from.jid.clone());
    let mut is_reached = false;
    for seat in &to.seats {
        let mut account = seat.client.account.lock();
        // XEP-0191 §3.3.
        if account.blocks(&from.jid) {
            continue;
        }
        let Some(bound) = account.bound(&seat.client.resource) else { continue };
        let mut one = private.clone();
        one.set_to(Some(seat.resource().jid.as_jid().clone()));
        if bound.is_detached() {
            // It gets it when it comes back; nobody waits for that.
            bound.misses(Item::plain(Arc::new(one)));
            is_reached = true;
        } else {
            is_reached |= seat.resource().outbox.push(Item::held(Arc::new(one), parcel.hold.as_ref())).is_ok();
        }
    }
    if is_reached { Ok(()) } else { Err(StanzaError::new(Condition::ServiceUnavailable)) }
}

/// The session of an occupant that is asked: the latest that has a connection. None if this one is blocked (XEP-0191).
fn asked<'a>(target: &'a Occupant, from: &Jid) -> Result<&'a Seat, StanzaError> {
    if target.seats.iter().any(|seat| seat.client.account.lock().blocks(from)) {
        return Err(StanzaError::new(Condition::ServiceUnavailable));
    }
    let is_connected = |seat: &&Seat| {
        let mut account = seat.client.account.lock();
        account.bound(&seat.client.resource).is_some_and(|bound| !bound.is_detached())
    };
    target.seats.iter().rev().find(is_connected).ok_or(StanzaError::new(Condition::RecipientUnavailable))
}

fn is_ours(child: &Child<'_>) -> bool {
    matches!(child.ns(), ns::MUC | ns::MUC_USER | ns::OCCUPANT_ID)
}

/// §18.1.2: an error that says that somebody is not there.
async fn error(here: Here<'_>, stanza: &Stanza) {
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
    if let (Some(from), Some(condition)) = (stanza.from(), error.as_ref().and_then(named))
        && GONE.contains(&condition)
    {
        let from = from.as_str().to_owned();
        exit::lost(here, &from).await;
    }
}

/// A request to an occupant, or the answer to one.
pub(super) fn iq(here: Here<'_>, parcel: Parcel) {
    let Some(to) = parcel.stanza.to().cloned() else { return };
    match parcel.stanza.iq_type() {
        Some(IqType::Get | IqType::Set) => {
            if let Err(error) = request(&here, &parcel, &to) {
                bounce(here.core, &parcel, error);
            }
        }
        _ => drop(answer(&here, &parcel, &to)),
    }
}

fn request(here: &Here<'_>, parcel: &Parcel, to: &Jid) -> Result<(), StanzaError> {
    let stanza = &parcel.stanza;
    let asks = |name, ns| stanza.has_child(name, ns);
    let (from, seat) = match sender(here, stanza) {
        Some(sender) => sender,
        // §6.6.
        None if asks("query", ns::DISCO_INFO) || asks("query", ns::DISCO_ITEMS) => {
            return Err(StanzaError::bad_request());
        }
        // XEP-0410 §3.2.
        None => return Err(not_in_room()),
    };
    let nick = to.resource().unwrap_or_default();
    if asks("ping", ns::PING) && from.nick() == nick {
        let result = Item::held(Arc::new(Stanza::iq_result(stanza, None)), parcel.hold.as_ref());
        let _ = seat.resource().outbox.push(result);
        return Ok(());
    }
    let slot = here.state.occupants.of_exact_nick(nick).ok_or(StanzaError::new(Condition::ItemNotFound))?;
    let target = here.state.occupants.at(slot).ok_or(StanzaError::new(Condition::ItemNotFound))?;
    let last = asked(target, &from.jid);
    if asks("vCard", ns::VCARD) && stanza.iq_type() == Some(IqType::Get) {
        if last.as_ref().is_err_and(|error| error.condition == Condition::ServiceUnavailable) {
            return last.map(drop);
        }
        vcard(here, parcel, target);
        return Ok(());
    }
    let last = last?;
    let mut passed = (**stanza).clone();
    passed.set_from(from.jid.clone());
    passed.set_to(Some(last.resource().jid.as_jid().clone()));
    passed.set_id(&format!("{}-{}", seat.number, stanza.id().unwrap_or_default()));
    let _ = last.resource().outbox.push(Item::held(Arc::new(passed), parcel.hold.as_ref()));
    Ok(())
}

/// Whoever was asked answers to the occupant JID; the number in the id says which session had asked.
fn answer(here: &Here<'_>, parcel: &Parcel, to: &Jid) -> Option<()> {
    let stanza = &parcel.stanza;
    let (from, _) = sender(here, stanza)?;
    let id = stanza.id()?;
    let (number, id) = id.split_once('-')?;
    let slot = here.state.occupants.of_exact_nick(to.resource()?)?;
    let seat = here.state.occupants.numbered(slot, number.parse().ok()?)?;
    let mut passed = (**stanza).clone();
    passed.set_from(from.jid.clone());
    passed.set_to(Some(seat.resource().jid.as_jid().clone()));
    passed.set_id(id);
    seat.resource().outbox.push(Item::plain(Arc::new(passed))).ok()
}

/// XEP-0054: a card is the user's, not that of a session; it is read as if the bare JID had been asked.
fn vcard(here: &Here<'_>, parcel: &Parcel, target: &Occupant) {
    let (core, bare) = (here.core.clone(), target.bare.clone());
    let (request, hold) = (parcel.stanza.clone(), parcel.hold.clone());
    here.core.work.spawn(async move {
        let reply = match card(&core, &bare).await {
            Ok(card) => Some(Stanza::iq_result(&request, Some(card))),
            Err(error) => request.error_reply(&error),
        };
        if let Some(reply) = reply {
            router::route(&core, Parcel::new(Arc::new(reply), hold));
        }
    });
}

async fn card(core: &Arc<Core>, bare: &BareJid) -> Result<Element, StanzaError> {
    let account = router::load(core, bare).await.map_err(refused("vcard"))?;
    let missing = || StanzaError::new(Condition::ServiceUnavailable);
    let id = account.and_then(|account| account.id).ok_or_else(missing)?;
    let kept = core.storage.vcard_get(id).await.map_err(refused("vcard"))?;
    restore(&kept.ok_or_else(missing)?)
}
