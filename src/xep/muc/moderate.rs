//! What was said is taken back: by a moderator (XEP-0425) or by its author (XEP-0424 §5). A tombstone takes its place, and who
//! enters later does not hear it. A room names its messages by their ids in its archive.

use super::SERVICE;
use super::iq::{self, Asked, Outcome};
use super::message;
use super::task::{self, Here};
use crate::extension::{About, Addressee, Declare, Extension};
use crate::rooms::{Kept, Occupant, Role};
use crate::router::bounce::refused;
use crate::storage::{RoomArchiveRow, Storage};
use crate::xep::mam::rooms as mam;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::formats::date::{self, Precision};
use xep_support::formats::stanza_id;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Facts, IqType, MessageType, Stanza};
use xep_support::xml::Element;
use xep_support::xml::check::StreamContext;

/// Moderators take back what others said.
pub struct Moderation;

impl Extension for Moderation {
    fn about(&self) -> About {
        About::new("XEP-0425", "Moderated Message Retraction", "0.3.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.iq(Addressee::Within(SERVICE), IqType::Set, ("moderate", ns::MODERATE), |call| {
            iq::handle(call, |here, asked| Box::pin(moderate(here, asked)))
        });
    }
}

/// What a room with an archive says in service discovery.
pub(super) const FEATURES: [&str; 3] = [ns::MODERATE, ns::RETRACT, ns::RETRACT_TOMBSTONE];

/// §3.
async fn moderate(mut here: Here<'_>, asked: Asked) -> Outcome {
    let slot = here.state.occupants.of_session(asked.from.as_str());
    let actor = slot.and_then(|slot| here.state.occupants.at(slot)).filter(|actor| actor.role == Role::Moderator);
    let actor =
        actor.ok_or_else(|| StanzaError::new(Condition::Forbidden).with_text("only for moderators in the room"))?;
    if asked.payload.find("retract", ns::RETRACT).is_none() {
        return Err(StanzaError::new(Condition::FeatureNotImplemented).with_text("messages can be retracted only"));
    }
    let told = asked.payload.get_attr("id").ok_or_else(StanzaError::bad_request)?;
    let id = here.core.storage.archive_ids().read(told).ok_or(StanzaError::new(Condition::ItemNotFound))?;
    let reason = asked.payload.find("reason", ns::MODERATE).map(Element::text_content);
    let text_max = here.core.config().limits.room_text_bytes_max;
    let reason = reason.map(|mut reason| {
        reason.truncate(reason.floor_char_boundary(text_max));
        reason
    });
    let by = moderated(actor);
    let stamp = date::format(task::now_us(), Precision::Millis);
    let retracted = Element::new("retracted", ns::RETRACT).attr("stamp", stamp).child(by.clone());
    take_back(&mut here, id, None, retracted.child_opt(reason.as_deref().map(reason_element))).await?;
    here.core.rooms.counters.moderated.fetch_add(1, Relaxed);
    tracing::info!(room = %here.room.jid, by = %asked.bare, id = told, "message moderated");
    let retract = Element::new("retract", ns::RETRACT).attr("id", told).child(by);
    announce(&mut here, &retract.child_opt(reason.as_deref().map(reason_element))).await?;
    Ok(None)
}

fn reason_element(reason: &str) -> Element {
    Element::new("reason", ns::RETRACT).text(reason)
}

/// §3.1, §4: who did it.
fn moderated(actor: &Occupant) -> Element {
    let id = Element::new("occupant-id", ns::OCCUPANT_ID).attr("id", &*actor.id);
    Element::new("moderated", ns::MODERATE).attr("by", actor.jid.as_str()).child(id)
}

/// Puts a tombstone in the place of a message in the archive and in what is kept for who enters; if an author is named,
/// by the real bare JID and the occupant id, only of one of his.
async fn take_back(
    here: &mut Here<'_>,
    id: i64,
    author: Option<(&str, &str)>,
    retracted: Element,
) -> Result<(), StanzaError> {
    let room = mam::archive_of(here.state).ok_or(StanzaError::new(Condition::ItemNotFound))?;
    let storage = &here.core.storage;
    let mark = retracted.clone();
    let replaced = storage.archive_replace(room, id, author.map(|author| author.0), move |stored| {
        let stanza = Stanza::parse(stored.as_bytes(), &StreamContext::stored()).ok()?;
        Some(tombstone(&stanza, &mark)?.to_xml())
    });
    if !replaced.await.map_err(refused("archive"))? {
        return Err(StanzaError::new(Condition::ItemNotFound));
    }
    let (told, room) = (storage.archive_ids().tell(id).to_string(), here.room.jid.as_str());
    here.state.history.replace(|kept| {
        let is_it = told_id(kept, room).is_some_and(|known| known == told);
        if is_it { tombstone(&kept.stanza, &retracted).map(Arc::new) } else { None }
    });
    Ok(())
}

/// The id the room has given a message that is kept: in it if it came just now, beside it if it comes from the archive.
fn told_id(kept: &Kept, room: &str) -> Option<String> {
    let beside = kept.extra.as_deref().and_then(|extra| Element::parse(extra, ns::CLIENT).ok());
    let inside = || kept.stanza.children().filter(|c| c.is("stanza-id", ns::SID)).filter_map(|c| c.parse());
    let is_ours = |id: &Element| id.is("stanza-id", ns::SID) && id.get_attr("by") == Some(room);
    beside.into_iter().chain(inside()).find(is_ours)?.get_attr("id").map(str::to_owned)
}

/// XEP-0424 §4. Its occupant id still says whose it was, its stanza-id which. The subject of a room and what is a tombstone
/// already stay as they are.
fn tombstone(stanza: &Stanza, retracted: &Element) -> Option<Stanza> {
    let is_subject = stanza.facts().contains(Facts::SUBJECT) && !stanza.facts().contains(Facts::BODY);
    if is_subject || stanza.has_child("retracted", ns::RETRACT) || stanza.has_child("retract", ns::RETRACT) {
        return None;
    }
    let mut tombstone = stanza.clone();
    tombstone.retain_children(|child| child.ns() == ns::OCCUPANT_ID || child.is("stanza-id", ns::SID));
    tombstone.push_child(retracted);
    Some(tombstone)
}

/// §3.1: the room says so to everybody. It is in the archive first (XEP-0424 §5).
async fn announce(here: &mut Here<'_>, retract: &Element) -> Result<(), StanzaError> {
    let Some(archive) = mam::archive_of(here.state) else { return Ok(()) };
    let (storage, room) = (&here.core.storage, here.room.jid.as_jid());
    let at_us = task::now_us();
    let id = storage.archive_id(at_us);
    let told = storage.archive_ids().tell(id).to_string();
    let stanza = Stanza::message_with(MessageType::Groupchat, &told, Some(room), None, &retract.to_xml(ns::CLIENT));
    let row = RoomArchiveRow {
        room: archive,
        id,
        sender: room.as_str().into(),
        resource: None,
        mark: Storage::archive_mark(Some(&told)),
        stanza: stanza.to_xml().into(),
        subject: None,
    };
    storage.room_archive(row, None).await.map_err(refused("archive"))?;
    let mut extra = String::with_capacity(128);
    stanza_id::write(&mut extra, room.as_str(), &told);
    let stanza = stanza.rebuilt(|_| true, &extra);
    message::announce(here, stanza).await;
    Ok(())
}

/// A message that was reflected may take back an earlier one of its author, and only of its author.
pub(super) async fn retracted(here: &mut Here<'_>, from: &Jid, stanza: &Stanza) {
    let wish = || {
        let target = stanza.child("retract", ns::RETRACT)?.get_attr("id")?.to_owned();
        let author = stanza.child("occupant-id", ns::OCCUPANT_ID)?.get_attr("id")?.to_owned();
        Some((here.core.storage.archive_ids().read(&target)?, author, stanza.id()?.into_owned()))
    };
    let Some((id, author, retraction)) = wish() else { return };
    let stamp = date::format(task::now_us(), Precision::Millis);
    let retracted = Element::new("retracted", ns::RETRACT).attr("id", retraction).attr("stamp", stamp);
    // That there is no such message, or that it is somebody else's, concerns nobody: clients check it themselves.
    if let Err(error) = take_back(here, id, Some((from.bare_str(), &author)), retracted).await {
        tracing::debug!(room = %here.room.jid, condition = error.condition.as_str(), "nothing was retracted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(inner: &str) -> Stanza {
        let xml = format!("<message from='r@x/a' type='groupchat' id='1'>{inner}</message>");
        Stanza::parse(xml.as_bytes(), &StreamContext::stored()).expect("a stanza")
    }

    #[test]
    fn a_tombstone_says_whose_it_is_and_nothing_else() {
        let retracted = Element::new("retracted", ns::RETRACT).attr("id", "r");
        let id = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o'/>";
        let said = stanza(&format!("<body>x</body>{id}<x xmlns='urn:x'/>"));
        let expected = "<retracted xmlns='urn:xmpp:message-retract:1' id='r'/>";
        let stone = tombstone(&said, &retracted).expect("a tombstone");
        assert_eq!(stone.inner(), format!("{id}{expected}"));
        for not in
            [stone, stanza("<subject>x</subject>"), stanza("<retract xmlns='urn:xmpp:message-retract:1' id='1'/>")]
        {
            assert!(tombstone(&not, &retracted).is_none(), "{}", not.to_xml());
        }
    }
}
