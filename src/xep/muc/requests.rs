//! Requests of one occupant to another (XEP-0045 §17.4 number 3) and their answers. The room knows which are under way: each
//! is answered once, if need be by the room.

use super::private::{not_in_room, sender};
use super::task::Here;
use crate::account::Parcel;
use crate::core::Core;
use crate::outbox::Item;
use crate::rooms::{ID_BYTES_MAX, Occupant, Request, RoomState, Seat};
use crate::router;
use crate::router::bounce::{bounce, refused};
use crate::xep::vcard::restore;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// A request to an occupant, or the answer to one.
pub(super) fn iq(mut here: Here<'_>, parcel: Parcel) {
    let Some(to) = parcel.stanza.to().cloned() else { return };
    match parcel.stanza.iq_type() {
        Some(IqType::Get | IqType::Set) => {
            if let Err(error) = request(&mut here, &parcel, &to) {
                bounce(here.core, &parcel, error);
            }
        }
        _ => drop(answer(&mut here, &parcel)),
    }
}

fn request(here: &mut Here<'_>, parcel: &Parcel, to: &Jid) -> Result<(), StanzaError> {
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
    let missing = || StanzaError::new(Condition::ItemNotFound);
    let slot = here.state.occupants.of_exact_nick(nick).ok_or_else(missing)?;
    let target = here.state.occupants.at(slot).ok_or_else(missing)?;
    if target.seats.iter().any(|seat| seat.client.account.lock().blocks(&from.jid)) {
        // XEP-0191 §3.3.
        return Err(StanzaError::new(Condition::ServiceUnavailable));
    }
    if asks("vCard", ns::VCARD) && stanza.iq_type() == Some(IqType::Get) {
        vcard(here, parcel, target, here.state.sees_addresses(from.role));
        return Ok(());
    }
    let id = stanza.id().unwrap_or_default();
    if id.len() > ID_BYTES_MAX {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("the id is too long"));
    }
    let asked = connected(target).ok_or(StanzaError::new(Condition::RecipientUnavailable))?;
    let mut passed = (**stanza).clone();
    passed.set_from(from.jid.clone());
    passed.set_to(Some(asked.resource().jid.as_jid().clone()));
    passed.set_id(&format!("{:x}", here.state.requests.next()));
    if asked.resource().outbox.push(Item::held(Arc::new(passed), parcel.hold.as_ref())).is_err() {
        // Its session has just ended, and the room will hear of it.
        return Err(StanzaError::new(Condition::RecipientUnavailable));
    }
    let request = Request { asker: seat.resource().clone(), occupant: target.jid.clone(), id: id.into() };
    let number = asked.number;
    if let Some(oldest) = here.state.requests.add(number, request) {
        fail(&oldest, Condition::RemoteServerTimeout);
    }
    Ok(())
}

/// The session of an occupant that is asked: the latest that has a connection.
fn connected(target: &Occupant) -> Option<&Seat> {
    target.seats.iter().rev().find(|seat| {
        let mut account = seat.client.account.lock();
        account.bound(&seat.client.resource).is_some_and(|bound| !bound.is_detached())
    })
}

/// Whoever was asked answers: the number in the id says what.
fn answer(here: &mut Here<'_>, parcel: &Parcel) -> Option<()> {
    let stanza = &parcel.stanza;
    let asked = sender(here, stanza)?.1.number;
    let number = u64::from_str_radix(&stanza.id()?, 16).ok()?;
    let request = here.state.requests.answered(asked, number)?;
    let mut passed = (**stanza).clone();
    passed.set_from(request.occupant);
    passed.set_to(Some(request.asker.jid.as_jid().clone()));
    passed.set_id(&request.id);
    request.asker.outbox.push(Item::plain(Arc::new(passed))).ok()
}

/// A session is in the room no more: whoever has asked it waits for nothing.
pub(super) fn unanswered(state: &mut RoomState, seat: &Seat) {
    state.requests.give_up(seat.number).for_each(|request| fail(&request, Condition::RecipientUnavailable));
}

/// There will be no answer.
fn fail(request: &Request, condition: Condition) {
    let asker = request.asker.jid.as_jid();
    let nothing = Element::new("query", ns::CLIENT);
    let asked = Stanza::iq_get(Some(asker), Some(&request.occupant), &request.id, nothing);
    if let Some(error) = asked.error_reply(&StanzaError::new(condition)) {
        // Whoever has gone meanwhile does not wait either.
        let _ = request.asker.outbox.push(Item::plain(Arc::new(error)));
    }
}

/// XEP-0054: a card is the user's, not that of a session; it is read as if the bare JID had been asked.
fn vcard(here: &Here<'_>, parcel: &Parcel, target: &Occupant, with_address: bool) {
    let (core, bare) = (here.core.clone(), target.bare.clone());
    let (request, hold) = (parcel.stanza.clone(), parcel.hold.clone());
    here.core.work.spawn(async move {
        let reply = match card(&core, &bare).await {
            Ok(card) => Some(Stanza::iq_result(&request, Some(shown(card, with_address)))),
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

/// §17.4 number 3: the real address is not told to who does not see it otherwise.
fn shown(card: Element, with_address: bool) -> Element {
    if with_address {
        return card;
    }
    let kept = card.child_elements().filter(|el| !el.is("JABBERID", ns::VCARD));
    Element::new("vCard", ns::VCARD).children(kept.cloned())
}
