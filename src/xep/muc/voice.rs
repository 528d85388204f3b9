//! Requests for voice (XEP-0045 §7.13) and their approval (§8.6).

use super::shapes::{self, Notice};
use super::task::{Here, give};
use crate::clock;
use crate::rooms::Role;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// A form from an occupant to the room.
pub(super) async fn handle(here: &mut Here<'_>, stanza: &Stanza, x: &Element) -> Result<(), StanzaError> {
    let form = DataForm::from_element(x).map_err(|_| StanzaError::bad_request())?;
    if form.form_type() != Some(ns::MUC_REQUEST) {
        return Err(StanzaError::bad_request());
    }
    if form.kind == FormType::Cancel {
        return Ok(());
    }
    let from = stanza.from().map_or("", Jid::as_str);
    let Some(slot) = here.state.occupants.of_session(from) else {
        return Err(StanzaError::new(Condition::NotAcceptable));
    };
    let is_moderator = here.state.occupants.at(slot).is_some_and(|occupant| occupant.role == Role::Moderator);
    match form.get_bool("muc#request_allow") {
        Some(allow) if is_moderator => approve(here, &form, allow).await,
        Some(_) => Err(StanzaError::new(Condition::Forbidden)),
        // §7.13: it is about nothing else.
        None if form.get("muc#role").is_some_and(|role| role != Role::Participant.name()) => {
            Err(StanzaError::bad_request())
        }
        None => request(here, slot),
    }
}

/// Between two requests of the same one.
const PAUSE_MS: u64 = 60_000;

/// A visitor asks; all moderators are told.
fn request(here: &mut Here<'_>, slot: u32) -> Result<(), StanzaError> {
    let Some(occupant) = here.state.occupants.at(slot) else { return Err(StanzaError::new(Condition::NotAcceptable)) };
    if !here.state.config.allow_voice_requests {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    if occupant.role != Role::Visitor {
        return Err(StanzaError::bad_request().with_text("You have voice."));
    }
    if !here.state.asked_for_voice.may_speak(&occupant.bare, clock::monotonic_ms(), PAUSE_MS) {
        let text = "You have asked a moment ago.";
        return Err(StanzaError::new(Condition::PolicyViolation).with_type(ErrorType::Wait).with_text(text));
    }
    let jid = shapes::address(occupant);
    let form = DataForm::new(FormType::Form)
        .title("Voice request")
        .instructions("To let this person speak, select \"Grant voice to this person?\" and submit the form.")
        .with_form_type(ns::MUC_REQUEST)
        .field(Field::new("muc#role", FieldType::ListSingle).label("Requested role").value("participant"))
        .field(Field::new("muc#jid", FieldType::JidSingle).label("User ID").value(jid.as_ref().map_or("", Jid::as_str)))
        .field(Field::new("muc#roomnick", FieldType::TextSingle).label("Room nickname").value(occupant.nick()))
        .field(Field::new("muc#request_allow", FieldType::Boolean).label("Grant voice to this person?").value("false"));
    let room = here.room.jid.as_jid();
    let stanza = Arc::new(Stanza::message(MessageType::Normal, Some(room), None, [form.to_element()]));
    for moderator in here.state.occupants.iter().filter(|o| o.role == Role::Moderator) {
        moderator.seats.iter().for_each(|seat| give(seat, &stanza));
    }
    Ok(())
}

async fn approve(here: &mut Here<'_>, form: &DataForm, allow: bool) -> Result<(), StanzaError> {
    let wanted = form.get("muc#role").is_none_or(|role| role == Role::Participant.name());
    if !allow || !wanted {
        return Ok(());
    }
    // Whoever has the nickname by now need not be who has asked.
    let slot = match form.get("muc#jid").filter(|jid| !jid.is_empty()) {
        Some(jid) => here.state.occupants.of_session(jid),
        None => here.state.occupants.of_exact_nick(form.get("muc#roomnick").unwrap_or_default()),
    };
    let slot = slot.ok_or(StanzaError::new(Condition::ItemNotFound))?;
    let Some(occupant) = here.state.occupants.at_mut(slot).filter(|o| o.role == Role::Visitor) else { return Ok(()) };
    let before = occupant.role;
    occupant.role = Role::Participant;
    here.state.voices.set(&occupant.bare, Role::Participant);
    shapes::changed_role(here, slot, before, &Notice::default()).await;
    Ok(())
}
