//! Invitations by the room (XEP-0045 §7.8.2) and their refusals. Direct ones (XEP-0249) are messages like others.

use super::task::Here;
use super::{admin, blocks};
use crate::account::Parcel;
use crate::hosts::Place;
use crate::rooms::{Affiliation, RoomState, affiliation_name};
use crate::router;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// Invitations in one message.
const INVITED_MAX: usize = 50;

/// Invitations that can be refused: the latest of a room.
const REMEMBERED_MAX: usize = 100;

/// Is it an invitation or a refusal?
pub(super) fn is_one(x: &Element) -> bool {
    ["invite", "decline"].iter().any(|name| x.find(name, ns::MUC_USER).is_some())
}

/// Passes it on.
pub(super) async fn handle(here: &mut Here<'_>, parcel: &Parcel, x: &Element) -> Result<(), StanzaError> {
    if let Some(decline) = x.find("decline", ns::MUC_USER) {
        return refused(here, parcel, decline);
    }
    let from = parcel.stanza.from().map_or("", Jid::as_str);
    let slot = here.state.occupants.of_session(from);
    let inviter = slot.and_then(|slot| here.state.occupants.at(slot));
    let not_in = || StanzaError::new(Condition::NotAcceptable).with_text("You are not in the room.");
    let (inviter, affiliation) = inviter.map(|o| (o.bare.clone(), o.affiliation)).ok_or_else(not_in)?;
    let is_admin = affiliation >= Some(Affiliation::Admin);
    // §9.5: others only if the owner wants it.
    if here.state.config.members_only && !is_admin && !here.state.config.allow_invites {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    let invites: Vec<&Element> = x.child_elements().filter(|c| c.is("invite", ns::MUC_USER)).collect();
    if invites.len() > INVITED_MAX {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("too many invitations at once"));
    }
    let mut invited = Vec::with_capacity(invites.len());
    for invite in invites {
        let to = invite.get_attr("to").and_then(|to| Jid::parse(to).ok()).filter(|to| !to.is_domain());
        let to = to.ok_or(StanzaError::new(Condition::JidMalformed))?;
        exists(here, &to).await?;
        let is_kept_out = blocks::check(here.core, &here.room.jid, &to.bare()).await.is_err();
        if is_kept_out || here.state.affiliation(&to.bare()) == Some(Affiliation::Outcast) {
            if !is_admin {
                // Who is banned is not for everybody to know.
                continue;
            }
            return Err(StanzaError::new(Condition::NotAllowed).with_text("banned from this room"));
        }
        invited.push((to, invite));
    }
    if here.state.config.members_only {
        for (to, _) in &invited {
            if here.state.affiliation(&to.bare()).is_none() {
                admin::make_member(here, &to.bare()).await?;
            }
        }
    }
    for (to, invite) in &invited {
        if here.state.invited.len() >= REMEMBERED_MAX {
            here.state.invited.pop_front();
        }
        here.state.invited.push_back((inviter.clone(), to.bare()));
        send(here, parcel, to, &invitation(&inviter, invite));
    }
    Ok(())
}

/// §7.8.2: somebody who does not exist is not invited. Whoever could ask can find that out by a message as well.
async fn exists(here: &Here<'_>, to: &Jid) -> Result<(), StanzaError> {
    let missing = || StanzaError::new(Condition::ItemNotFound);
    match here.core.hosts.place(to) {
        Place::Account => match router::load(here.core, &to.bare()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(missing()),
            Err(error) => Err(router::bounce::storage_error(&error)),
        },
        _ => Err(missing()),
    }
}

/// `<invite/>` as the one who is invited sees it.
fn invitation(inviter: &BareJid, invite: &Element) -> Element {
    let kept = invite.child_elements().filter(|c| c.is("reason", ns::MUC_USER) || c.is("continue", ns::MUC_USER));
    Element::new("invite", ns::MUC_USER).attr("from", inviter.as_str()).children(kept.cloned())
}

fn with_password(state: &RoomState, x: Element) -> Element {
    let password = state.config.password.as_deref();
    x.child_opt(password.map(|password| Element::new("password", ns::MUC_USER).text(password)))
}

fn send(here: &Here<'_>, parcel: &Parcel, to: &Jid, invite: &Element) {
    let x = with_password(here.state, Element::new("x", ns::MUC_USER).child(invite.clone()));
    let mut stanza = Stanza::message(MessageType::Normal, Some(here.room.jid.as_jid()), Some(to), [x]);
    if let Some(id) = parcel.stanza.id() {
        stanza.set_id(&id);
    }
    router::route(here.core, Parcel::new(Arc::new(stanza), parcel.hold.clone()));
}

/// §9.5: somebody has become a member of a members-only room.
pub(super) fn tell_member(here: &Here<'_>, by: &BareJid, to: &BareJid) {
    let invite = Element::new("invite", ns::MUC_USER).attr("from", by.as_str());
    let x = with_password(here.state, Element::new("x", ns::MUC_USER).child(invite));
    let stanza = Stanza::message(MessageType::Normal, Some(here.room.jid.as_jid()), Some(to.as_jid()), [x]);
    router::route(here.core, Parcel::new(Arc::new(stanza), None));
}

/// §18.1 number 2: somebody who is not in the room is something else to it now. That is told who is there to hear it.
pub(super) fn tell_change(here: &Here<'_>, to: &BareJid, now: Option<Affiliation>) {
    let item = Element::new("item", ns::MUC_USER)
        .attr("affiliation", affiliation_name(now))
        .attr("jid", to.as_str())
        .attr("role", "none");
    let status = Element::new("status", ns::MUC_USER).attr("code", "101");
    let content = [Element::new("x", ns::MUC_USER).child(item).child(status), Element::new("no-store", ns::HINTS)];
    let stanza = Stanza::message(MessageType::Normal, Some(here.room.jid.as_jid()), Some(to.as_jid()), content);
    router::route(here.core, Parcel::new(Arc::new(stanza), None));
}

/// The one who was invited says no; who invited is told.
fn refused(here: &Here<'_>, parcel: &Parcel, decline: &Element) -> Result<(), StanzaError> {
    let from = parcel.stanza.from().ok_or(StanzaError::bad_request())?;
    if here.state.affiliation(&from.bare()) == Some(Affiliation::Outcast) {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    let to =
        decline.get_attr("to").and_then(|to| Jid::parse(to).ok()).ok_or(StanzaError::new(Condition::JidMalformed))?;
    // Only to who has invited: it is no way to write to others in the room's name, nor to find out who is there.
    let pair = (to.bare(), from.bare());
    if !here.state.invited.contains(&pair) {
        return Ok(());
    }
    let text_max = here.core.config().limits.room_text_bytes_max;
    let reason = decline.find("reason", ns::MUC_USER).map(|reason| {
        let text = reason.text_content();
        Element::new("reason", ns::MUC_USER).text(&text[..text.floor_char_boundary(text_max)])
    });
    let decline = Element::new("decline", ns::MUC_USER).attr("from", from.bare_str()).child_opt(reason);
    let x = Element::new("x", ns::MUC_USER).child(decline);
    let mut stanza = Stanza::message(MessageType::Normal, Some(here.room.jid.as_jid()), Some(&to), [x]);
    if let Some(id) = parcel.stanza.id() {
        stanza.set_id(&id);
    }
    router::route(here.core, Parcel::new(Arc::new(stanza), parcel.hold.clone()));
    Ok(())
}
