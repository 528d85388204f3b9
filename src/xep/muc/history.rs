//! What was said, for those who enter (XEP-0045 §7.2.13, §7.2.14), and for the archive.

use super::task::{Here, Pace};
use crate::account::Parcel;
use crate::clock;
use crate::hold::Hold;
use crate::journal::{Effect, EffectKind};
use crate::outbox::Item;
use crate::rooms::{Kept, RoomState, Wanted};
use crate::storage::{ArchivedMessage, Commit, RoomArchiveRow, Storage};
use crate::xep::mam::rooms as mam;
use std::sync::Arc;
use xep_support::formats::{date, delay, stanza_id};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{Facts, MessageType, Stanza};
use xep_support::xml::Element;
use xep_support::xml::check::StreamContext;

/// Has the archive been given a message?
pub(super) enum Archived {
    /// No: the room has none, or it is not worth it.
    Not(Stanza),
    /// It may be reflected after this; with its id, if it is archived.
    Queued(Stanza, Commit<()>, Option<i64>),
}

/// Hands a message to the archive, if the room has one: as it is reflected, but for the id it gets there (XEP-0359). A
/// subject is stored with it.
pub(super) fn archive(
    here: &Here<'_>,
    parcel: &Parcel,
    stanza: Stanza,
    at_us: i64,
    [is_kept, is_subject]: [bool; 2],
) -> Archived {
    let storage = &here.core.storage;
    let Some(room) = mam::archive_of(here.state).filter(|_| is_kept) else {
        let Some(room) = here.state.id.filter(|_| is_subject) else { return Archived::Not(stanza) };
        let commit = storage.room_set_subject(room, Some((stanza.to_xml(), at_us)));
        return Archived::Queued(stanza, commit, None);
    };
    let from = parcel.stanza.from();
    let id = storage.archive_id(at_us);
    let reflected = stanza.rebuilt(|_| true, &stanza_id(here, id));
    let row = RoomArchiveRow {
        room,
        id,
        sender: from.map_or("", Jid::bare_str).into(),
        resource: from.and_then(Jid::resource).map(Box::from),
        mark: Storage::archive_mark(stanza.id().as_deref()),
        stanza: stanza.to_xml().into(),
        subject: is_subject.then(|| (reflected.to_xml(), at_us)),
    };
    let cause = parcel.hold.as_ref().and_then(Hold::cause);
    let effect = cause.map(|cause| Effect { cause, kind: EffectKind::Received, value: id });
    let commit = storage.room_archive(row, effect);
    Archived::Queued(reflected, commit, Some(id))
}

fn stanza_id(here: &Here<'_>, id: i64) -> String {
    let mut out = String::with_capacity(128);
    stanza_id::write(&mut out, here.room.jid.as_str(), here.core.storage.archive_ids().tell(id));
    out
}

/// Before anybody enters: what the archive has comes first.
pub(super) async fn load(here: &mut Here<'_>) {
    let (stanzas_max, bytes_max, bytes_of_all_max) = {
        let limits = &here.core.config().limits;
        (limits.room_history_stanzas_max, limits.room_history_bytes_max, limits.rooms_history_bytes_max)
    };
    here.state.history.among(&here.core.rooms.history, bytes_of_all_max);
    if here.state.history.loaded {
        return;
    }
    let Some(room) = mam::archive_of(here.state) else {
        here.state.history.loaded = true;
        return;
    };
    let rows = u32::try_from(stanzas_max).unwrap_or(u32::MAX);
    let found = match here.core.storage.room_archive_last(room, i64::MIN, rows, bytes_max as u64).await {
        Ok(found) => found,
        Err(error) => return tracing::error!(%error, "the history of a room could not be read"),
    };
    here.state.history.loaded = true;
    // If it could not be read before: it has that, too.
    here.state.history.clear();
    for message in found {
        let Some(kept) = kept(here, message) else { continue };
        let facts = kept.stanza.facts();
        if facts.contains(Facts::BODY) || !facts.contains(Facts::SUBJECT) {
            here.state.history.add(kept, stanzas_max, bytes_max);
        }
    }
}

/// A message of the archive as it was reflected.
pub(super) fn kept(here: &Here<'_>, message: ArchivedMessage) -> Option<Kept> {
    match Stanza::parse(message.stanza.as_bytes(), &StreamContext::stored()) {
        Ok(stanza) => {
            let extra = Some(stanza_id(here, message.id).into());
            Some(Kept { at_us: message.id, stanza: Arc::new(stanza), extra })
        }
        Err(_) => {
            tracing::error!("an archived message is damaged, skipped");
            None
        }
    }
}

/// What is behind the children of one that is sent later (XEP-0203).
pub(super) fn delayed(here: &Here<'_>, kept: &Kept) -> Arc<str> {
    let mut extra = kept.extra.as_deref().unwrap_or_default().to_owned();
    delay::write(&mut extra, Some(here.room.jid.as_str()), kept.at_us);
    extra.into()
}

/// What a client wants of the history, within what the room gives. Values that make no sense do not count.
pub(super) fn wanted(state: &RoomState, join: Option<&Element>) -> Wanted {
    let most = state.config.history_max as usize;
    let asked = join.and_then(|x| x.find("history", ns::MUC));
    let number = |name: &str| asked.and_then(|h| h.get_attr(name)).and_then(|n| n.trim().parse::<u64>().ok());
    let fit = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let seconds = number("seconds").map(|s| {
        let us = i64::try_from(s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        clock::now_micros().saturating_sub(us)
    });
    let since = asked.and_then(|h| h.get_attr("since")).and_then(|text| date::parse(text).ok());
    Wanted {
        stanzas_max: number("maxstanzas").map_or(most, |n| fit(n).min(most)),
        chars_max: number("maxchars").map_or(usize::MAX, fit),
        since_us: seconds.into_iter().chain(since).max().unwrap_or(i64::MIN),
    }
}

/// §7.2.13, §7.2.15: what was said, then the subject.
pub(super) async fn send(here: &mut Here<'_>, full: &str, wanted: Wanted) {
    let Some(slot) = here.state.occupants.of_session(full) else { return };
    let Some(seat) = here.state.occupants.at(slot).and_then(|occupant| occupant.seat(full)) else { return };
    let resource = seat.resource().clone();
    let mut pace = Pace::default();
    let item = |kept: &Kept| {
        let item = Item::addressed(kept.stanza.clone(), resource.jid.as_jid().clone());
        Item { extra: Some(delayed(here, kept)), ..item }
    };
    for kept in here.state.history.wanted(wanted, |kept| chars(&item(kept))) {
        let _ = resource.outbox.push(item(kept));
        pace.step().await;
    }
    let _ = resource.outbox.push(subject(here.room.jid.as_jid(), here.state, resource.jid.as_jid()));
}

/// §7.2.14: the characters of the complete stanza.
fn chars(item: &Item) -> usize {
    let mut printed = Vec::new();
    item.print(&mut printed);
    // Each has one byte that continues none.
    printed.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// The subject for who has just entered; an empty one if there never was any.
fn subject(room: &Jid, state: &RoomState, to: &Jid) -> Item {
    match &state.subject {
        Some(subject) => {
            let mut stamp = String::with_capacity(128);
            delay::write(&mut stamp, Some(room.as_str()), subject.at_us);
            Item { extra: Some(stamp.into()), ..Item::addressed(subject.stanza.clone(), to.clone()) }
        }
        None => {
            let empty = Element::new("subject", ns::CLIENT);
            Item::plain(Arc::new(Stanza::message(MessageType::Groupchat, Some(room), Some(to), [empty])))
        }
    }
}
