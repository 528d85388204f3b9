//! Requests to become a member of a members-only room, and what its admins say (XEP-0045 §9.9).
//!
//! The form they are sent says who asks for which nickname, and comes back with their answer: nothing is kept meanwhile that
//! could be lost. Whoever may answer could make that member without being asked.

use super::admin::{self, Change};
use super::shapes::Notice;
use super::task::Here;
use super::{rules, stored};
use crate::account::Parcel;
use crate::rooms::{self, Affiliated, Affiliation};
use crate::router;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// Who decides: the owners and admins of a room, and of many these.
const ASKED_MAX: usize = 50;

const ALLOW: &str = "muc#register_allow";
/// Who asks. No field is registered for that (XEP-0068 §3.4).
const WHO: &str = "x-muc#register_jid";

/// Somebody asks to become a member. Asking again does not make the others hear it again.
pub(super) fn ask(here: &Here<'_>, who: &BareJid, nick: &str) -> Result<(), StanzaError> {
    let nick = &*rules::to_reserve(here, nick)?;
    rules::may_have_nick(here, who, nick)?;
    if !here.core.rooms.applied.add(&here.room.jid, here.state.created_us, who) {
        return Ok(());
    }
    let (room, form) = (here.room.jid.as_jid(), form(who, nick).to_element());
    let body = format!("{who} asks to become a member of {room}, with the nickname {nick}.");
    let content = [Element::new("body", ns::CLIENT).text(body), form];
    let deciders = [Affiliation::Owner, Affiliation::Admin].into_iter();
    let deciders = deciders.flat_map(|affiliation| here.state.affiliated(affiliation)).map(|(jid, _)| jid);
    for jid in deciders.take(ASKED_MAX) {
        let stanza = Stanza::message(MessageType::Normal, Some(room), Some(jid), content.clone());
        router::route(here.core, Parcel::new(Arc::new(stanza), None));
    }
    Ok(())
}

fn form(who: &BareJid, nick: &str) -> DataForm {
    DataForm::new(FormType::Form)
        .title("Registration request")
        .instructions(
            "To approve this registration request, select \"Allow this person to register with the room?\" and submit \
             the form.",
        )
        .with_form_type(ns::MUC_REGISTER)
        .field(Field::new(WHO, FieldType::JidSingle).label("Address").value(who.as_str()))
        .field(Field::new(rooms::REGISTER_NICK, FieldType::TextSingle).label("Desired Nickname").value(nick))
        .field(Field::new(ALLOW, FieldType::Boolean).label("Allow this person to register with the room?").value("0"))
}

/// Is this form an answer?
pub(super) fn is_one(x: &Element) -> bool {
    DataForm::from_element(x).is_ok_and(|form| form.form_type() == Some(ns::MUC_REGISTER))
}

/// An admin has decided. Who is refused is not told, and cannot go on asking.
pub(super) async fn handle(here: &mut Here<'_>, stanza: &Stanza, x: &Element) -> Result<(), StanzaError> {
    let form = DataForm::from_element(x).map_err(|_| StanzaError::bad_request())?;
    let by = stanza.from().ok_or_else(StanzaError::bad_request)?.bare();
    if here.state.affiliation(&by) < Some(Affiliation::Admin) {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    if form.kind == FormType::Cancel {
        return Ok(());
    }
    let nick = rooms::registered_nick(&form).ok_or_else(StanzaError::bad_request)?;
    let who = form.get(WHO).and_then(|who| Jid::parse(who.trim()).ok()).filter(|who| who.local().is_some());
    let who = who.ok_or(StanzaError::new(Condition::JidMalformed))?.bare();
    match form.get_bool(ALLOW) {
        Some(true) => admit(here, &by, &who, nick).await,
        Some(false) => Ok(()),
        None => Err(StanzaError::bad_request()),
    }
}

async fn admit(here: &mut Here<'_>, by: &BareJid, who: &BareJid, nick: &str) -> Result<(), StanzaError> {
    match here.state.affiliation(who) {
        Some(Affiliation::Outcast) => return Err(StanzaError::new(Condition::NotAllowed)),
        // Another admin was faster.
        Some(_) => return Ok(()),
        None => {}
    }
    let nick = &*rules::to_reserve(here, nick)?;
    rules::may_have_nick(here, who, nick)?;
    if here.state.affiliations.len() >= here.core.config().limits.room_affiliations_max {
        return Err(StanzaError::new(Condition::ResourceConstraint));
    }
    let new = Some(Affiliated { nick: Some(nick.into()), ..Affiliated::new(Affiliation::Member) });
    let jid = who.as_jid().clone();
    stored::affiliations(here, &[Change::Affiliation { jid: jid.clone(), new: new.clone() }]).await?;
    admin::set_affiliation(here, by, jid, new, Notice::default()).await;
    Ok(())
}
