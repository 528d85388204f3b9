//! What is stored of a room, and when: a change is durable before anybody hears of it. A temporary room is not stored.

use super::admin::Change;
use super::surviving;
use super::task::Here;
use crate::core::Core;
use crate::rooms::{Affiliated, Affiliation, Hats, Room, RoomConfig, RoomState, Subject};
use crate::router::bounce::refused;
use crate::storage::{self, NewRoom, RoomAffiliation, RoomCreated, RoomFound, RoomGone, RoomRow};
use std::collections::BTreeMap;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::Stanza;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::check::StreamContext;

/// Reads a room; `None` if there is none.
pub(super) async fn load(core: &Arc<Core>, room: &Arc<Room>) -> Result<Option<Box<RoomState>>, storage::Error> {
    match core.storage.room_load(room.jid.as_str()).await? {
        RoomFound::Room(row) => state(*row).map(Some),
        RoomFound::Gone(_) | RoomFound::None => Ok(None),
    }
}

fn state(row: RoomRow) -> Result<Box<RoomState>, storage::Error> {
    let config = RoomConfig::from_stored(&row.config);
    let config = config.ok_or_else(|| storage::Error::Invalid("the configuration of a room".into()))?;
    let mut state = RoomState::new(config, row.created_us);
    (state.id, state.version, state.photos) = (Some(row.id), row.version, row.photos);
    state.shown_version = row.shown_version;
    state.hats = Hats::from_stored(row.hats);
    for known in row.affiliations {
        let (jid, affiliation) = (Jid::parse(&known.jid), Affiliation::from_number(known.affiliation));
        let (Ok(jid), Some(affiliation)) = (jid, affiliation) else {
            tracing::error!(room = row.jid, jid = known.jid, "a malformed affiliation is left out");
            continue;
        };
        let (nick, reason) = (known.nick.map(Into::into), known.reason.map(Into::into));
        let (follows, version) = (known.follows, known.version);
        let known = Affiliated { affiliation, nick, reason, follows, version };
        state.place(jid, Some(known));
    }
    let subject = row.subject.and_then(|text| Stanza::parse(text.as_bytes(), &StreamContext::stored()).ok());
    state.subject = subject.map(|stanza| Subject { stanza: Arc::new(stanza), at_us: row.subject_us.unwrap_or(0) });
    Ok(Box::new(state))
}

fn row(jid: &Jid, known: Option<&Affiliated>) -> RoomAffiliation {
    RoomAffiliation {
        jid: jid.as_str().to_owned(),
        affiliation: known.map_or(0, |known| known.affiliation.number()),
        nick: known.and_then(|known| known.nick.as_deref()).map(str::to_owned),
        reason: known.and_then(|known| known.reason.as_deref()).map(str::to_owned),
        follows: known.and_then(|known| known.follows),
        version: known.map_or(0, |known| known.version),
    }
}

/// Are there no more entries than a room may have after these changes? Whoever leaves one list may be left on another.
pub(super) fn check_total(here: &Here<'_>, changes: &[Change]) -> Result<(), StanzaError> {
    let known = &here.state.affiliations;
    let mut after = BTreeMap::new();
    for change in changes {
        if let Change::Affiliation { jid, new } = change {
            after.insert(jid, new.is_some());
        }
    }
    let added = after.iter().filter(|(jid, stays)| **stays && !known.contains_key(**jid)).count();
    let removed = after.iter().filter(|(jid, stays)| !**stays && known.contains_key(**jid)).count();
    if added > removed && known.len() + added - removed > here.core.config().limits.room_affiliations_max {
        return Err(
            StanzaError::new(Condition::ResourceConstraint).with_text("too many entries in the lists of a room")
        );
    }
    Ok(())
}

fn rows(changes: &[Change]) -> Vec<RoomAffiliation> {
    let row = |change: &Change| match change {
        Change::Affiliation { jid, new } => Some(row(jid, new.as_ref())),
        Change::Role { .. } => None,
    };
    changes.iter().filter_map(row).collect()
}

/// Changes of affiliations, each of which is a version. They are to be made to the state now, in this order.
pub(super) async fn affiliations(here: &mut Here<'_>, changes: &[Change]) -> Result<(), StanzaError> {
    check_total(here, changes)?;
    let rows = rows(changes);
    let Some(id) = here.state.id.filter(|_| !rows.is_empty()) else { return Ok(()) };
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let version = here.core.storage.room_set_affiliations(id, rows).await.map_err(refused("room"))?;
    // That the account of somebody was removed may have been one in between.
    here.state.version = version - count;
    Ok(())
}

/// The room has another configuration and other affiliations; it becomes a stored one, or is one no more, as that says.
pub(super) async fn configuration(
    here: &mut Here<'_>,
    config: &RoomConfig,
    changes: &[Change],
    by: &BareJid,
) -> Result<(), StanzaError> {
    let storage = &here.core.storage;
    match (here.state.id, config.persistent) {
        (Some(id), true) => {
            let rows = rows(changes);
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let done = storage.room_configure(id, config.to_stored(), config.listed(), rows);
            if let Some(version) = done.await.map_err(refused("room"))? {
                here.state.version = version - count;
            }
            Ok(())
        }
        (Some(id), false) => {
            storage.room_destroy(id, None).await.map_err(refused("room"))?;
            surviving::forget_all(here);
            here.state.id = None;
            here.state.photos.clear();
            here.state.counted = here.core.rooms.created.count(by, usize::MAX);
            Ok(())
        }
        (None, true) => create(here, config, changes, by).await,
        (None, false) => Ok(()),
    }
}

async fn create(here: &mut Here<'_>, config: &RoomConfig, changes: &[Change], by: &BareJid) -> Result<(), StanzaError> {
    let known = here.state.affiliations.iter().map(|(jid, known)| (jid.as_str().to_owned(), row(jid, Some(known))));
    let mut affiliations: BTreeMap<String, RoomAffiliation> = known.collect();
    let mut version = here.state.version;
    for change in rows(changes) {
        // Each is a version, as it will be here.
        version += 1;
        match change.affiliation {
            0 => drop(affiliations.remove(&change.jid)),
            _ => drop(affiliations.insert(change.jid.clone(), RoomAffiliation { version, ..change })),
        }
    }
    let room = NewRoom {
        jid: here.room.jid.as_str().to_owned(),
        config: config.to_stored(),
        listed: config.listed(),
        creator: by.as_str().to_owned(),
        created_us: here.state.created_us,
        affiliations: affiliations.into_values().collect(),
        subject: here.state.subject.as_ref().map(|subject| (subject.stanza.to_xml(), subject.at_us)),
        hats: here.state.hats.to_stored(),
        version,
    };
    let (service_max, owner_max) = {
        let limits = &here.core.config().limits;
        (limits.rooms_per_service_max, limits.rooms_per_owner_max)
    };
    match here.core.storage.room_create(room, service_max, owner_max).await.map_err(refused("room"))? {
        RoomCreated::Made(id) => {
            here.state.id = Some(id);
            here.state.counted = None;
            surviving::note_all(here);
            Ok(())
        }
        RoomCreated::TooMany => Err(StanzaError::new(Condition::ResourceConstraint).with_text("too many rooms")),
        RoomCreated::Gone => Err(StanzaError::new(Condition::Conflict).with_text("This room was destroyed.")),
    }
}

/// Was there a room that has been destroyed? Who comes back to it is told where to go instead, if that was said (RFC 6120
/// §8.3.3.5), and does not make a new one by that.
pub(super) async fn check_gone(core: &Core, room: &Room) -> Result<(), StanzaError> {
    let gone = core.storage.room_gone(room.jid.as_str()).await.map_err(refused("room"))?;
    let Some(gone) = gone.filter(|gone| gone.until_us > super::task::now_us()) else { return Ok(()) };
    let error =
        StanzaError::new(Condition::Gone).with_text(gone.reason.unwrap_or("This room was destroyed.".to_owned()));
    Err(match gone.alternate {
        Some(alternate) => error.with_address(format!("xmpp:{alternate}?join")),
        None => error,
    })
}

/// The room is to be no more. Its name is kept for a while, if the settings say so.
pub(super) async fn destruction(
    here: &mut Here<'_>,
    alternate: Option<String>,
    reason: Option<String>,
) -> Result<(), StanzaError> {
    if let Some(id) = here.state.id {
        let gone_us = super::task::now_us();
        let days = here.core.config().rooms.destroyed_days;
        let until_us = gone_us.saturating_add(i64::from(days) * MICROS_PER_DAY);
        let gone = (days > 0).then_some(RoomGone { gone_us, until_us, alternate, reason });
        here.core.storage.room_destroy(id, gone).await.map_err(refused("room"))?;
        surviving::forget_all(here);
        here.state.id = None;
    }
    Ok(())
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
