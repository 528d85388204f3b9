//! Versions of affiliations (XEP-0463): who enters is told what has changed since the version it knows, and who is there
//! hears of each change with the versions before and after it. For those who may have the lists of owners, admins and
//! members (§5.2.3); bans come with them for those who may have that list, too.

use super::admin;
use super::task::{Here, Pace, give};
use crate::extension::{About, Declare, Extension};
use crate::rooms::{Affiliation, Occupant, Role, RoomState, Seat, Sight, affiliation_name};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;
use xep_support::xml::writer::escape_attr;

/// Versions of affiliations.
pub struct AffiliationVersions;

impl Extension for AffiliationVersions {
    fn about(&self) -> About {
        About::new("XEP-0463", "MUC Affiliations Versioning", "0.2.0")
    }

    /// Rooms say so themselves (§4).
    fn declare(self: Arc<Self>, _: &mut Declare<'_>) {}
}

/// A message of a longer answer ends after so many bytes.
const MESSAGE_BYTES: usize = 32 * 1024;

/// How much of the lists somebody may see; `None`: not enough for this.
pub(super) fn sight(state: &RoomState, affiliation: Option<Affiliation>, role: Role) -> Option<Sight> {
    let may = |list| admin::may_list(state, affiliation, Some(role), list);
    let lists = [Affiliation::Owner, Affiliation::Admin, Affiliation::Member];
    let sight = if may(Affiliation::Outcast) { Sight::All } else { Sight::Members };
    lists.into_iter().all(may).then_some(sight)
}

/// The same for an occupant.
pub(super) fn sight_of(state: &RoomState, occupant: &Occupant) -> Option<Sight> {
    sight(state, occupant.affiliation, occupant.role)
}

/// Before somebody takes a place: there are versions to tell.
pub(super) fn begin(here: &mut Here<'_>) {
    if here.state.heads.is_empty() {
        here.state.renew_heads(&here.core.device_secret, here.room.jid.as_str());
    }
}

fn write_mav(out: &mut String, since: Option<&str>, until: &str) {
    out.push_str("<mav xmlns='");
    out.push_str(ns::MUC_AFFILIATIONS);
    // They are letters, digits and a hyphen.
    if let Some(since) = since {
        out.push_str("' since='");
        out.push_str(since);
    }
    out.push_str("' until='");
    out.push_str(until);
    out.push_str("'/>");
}

fn write_item(out: &mut String, jid: &str, affiliation: Option<Affiliation>) {
    out.push_str("<item jid='");
    escape_attr(out, jid);
    out.push_str("' affiliation='");
    out.push_str(affiliation_name(affiliation));
    out.push_str("'/>");
}

/// §5.2.1: what an occupant's own presence says.
pub(super) fn write_head(out: &mut String, state: &RoomState, sight: Sight) {
    write_mav(out, None, state.heads.of(sight));
}

// Changes (§5.2.2).

/// A change of an affiliation as it is told.
#[derive(Clone, Debug)]
pub(super) struct Change([Option<Told>; 2]);

/// The same for one sight.
#[derive(Clone, Debug)]
struct Told {
    /// `<mav/>`, for presence.
    mav: Box<str>,
    /// For who is not told by presence.
    message: Arc<Stanza>,
}

impl Change {
    /// `<mav/>` for presence; `None`: it is no change for this sight.
    pub(super) fn mav(&self, sight: Sight) -> Option<&str> {
        self.0[sight.place()].as_ref().map(|told| &*told.mav)
    }

    /// What an occupant is told that is not told by presence; `None`: it is no change for it.
    pub(super) fn message(&self, state: &RoomState, viewer: &Occupant) -> Option<&Arc<Stanza>> {
        let sight = sight_of(state, viewer)?;
        self.0[sight.place()].as_ref().map(|told| &told.message)
    }

    /// Tells it.
    pub(super) fn give(&self, state: &RoomState, viewer: &Occupant) {
        if let Some(message) = self.message(state, viewer) {
            viewer.seats.iter().for_each(|seat| give(seat, message));
        }
    }
}

/// An affiliation has changed, which is stored and in the state: how that is told. `None`: nobody was ever told a version.
pub(super) fn changed(
    here: &mut Here<'_>,
    jid: &Jid,
    before: Option<Affiliation>,
    after: Option<Affiliation>,
) -> Option<Arc<Change>> {
    let is_there = !here.state.occupants.of_user(jid).is_empty();
    let old = here.state.heads.clone();
    here.state.renew_heads(&here.core.device_secret, here.room.jid.as_str());
    let told = |sight: Sight| {
        if sight == Sight::Members && sight.of(before).is_none() && sight.of(after).is_none() {
            return None;
        }
        let mut mav = String::with_capacity(128);
        write_mav(&mut mav, Some(old.of(sight)), here.state.heads.of(sight));
        let item = Element::new("item", ns::MUC_USER)
            .attr("affiliation", affiliation_name(sight.of(after)))
            .attr("jid", jid.as_str())
            .attr_opt("role", (!is_there).then_some("none"));
        let x = format!("<x xmlns='{}'>{mav}{}</x>", ns::MUC_USER, item.to_xml(ns::MUC_USER));
        let message = Stanza::message_around(Some(here.room.jid.as_jid()), None, &x);
        Some(Told { mav: mav.into(), message: Arc::new(message) })
    };
    let change = Change(Sight::BOTH.map(told));
    (!old.is_empty()).then(|| Arc::new(change))
}

/// Many changes that are about to be made at once: who is something else by them, and was what. They are told together, and
/// not with the presence of those who are there.
pub(super) struct Many(Vec<(Jid, Option<Affiliation>, Option<Affiliation>)>);

/// The changes of a request, if they are so many.
pub(super) fn of_many(state: &RoomState, changes: &[admin::Change], are_many: bool) -> Option<Many> {
    let row = |change: &admin::Change| match change {
        admin::Change::Affiliation { jid, new } => {
            let before = state.affiliations.get(jid.as_str()).map(|known| known.affiliation);
            Some((jid.clone(), before, new.as_ref().map(|new| new.affiliation)))
        }
        admin::Change::Role { .. } => None,
    };
    are_many.then(|| Many(changes.iter().filter_map(row).collect()))
}

/// They were made.
pub(super) async fn tell_many(here: &mut Here<'_>, many: Option<Many>) {
    let Some(Many(changes)) = many else { return };
    let old = here.state.heads.clone();
    here.state.renew_heads(&here.core.device_secret, here.room.jid.as_str());
    if old.is_empty() {
        return;
    }
    let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
    let messages = Sight::BOTH.map(|sight| {
        let versions = here.state.version - count + 1..;
        let is_seen = |(_, (_, before, after)): &(i64, &(Jid, Option<Affiliation>, Option<Affiliation>))| {
            sight == Sight::All || sight.of(*before).is_some() || sight.of(*after).is_some()
        };
        let row = |(version, (jid, _, after)): (i64, &(Jid, _, _))| (version, jid.to_string(), sight.of(*after));
        let rows: Vec<Row> = versions.zip(&changes).filter(is_seen).map(row).collect();
        let messages = if rows.is_empty() { Vec::new() } else { split(here, sight, Some(old.of(sight)), &rows) };
        let stanza = |x: String| Arc::new(Stanza::message_around(Some(here.room.jid.as_jid()), None, &x));
        messages.into_iter().map(stanza).collect::<Vec<_>>()
    });
    let mut pace = Pace::default();
    for slot in 0..here.state.occupants.slots() {
        let Some(viewer) = here.state.occupants.at(slot) else { continue };
        let Some(sight) = sight_of(here.state, viewer) else { continue };
        for message in &messages[sight.place()] {
            viewer.seats.iter().for_each(|seat| give(seat, message));
            pace.step().await;
        }
    }
}

/// Tells everybody by a message.
pub(super) async fn tell_all(here: &Here<'_>, change: &Change) {
    let mut pace = Pace::default();
    for slot in 0..here.state.occupants.slots() {
        let Some(viewer) = here.state.occupants.at(slot) else { continue };
        change.give(here.state, viewer);
        pace.step().await;
    }
}

// Entering (§5.1, §5.2.1).

/// Somebody enters, and may want to know what has changed. That comes before any presence.
pub(super) async fn answer(here: &Here<'_>, slot: u32, full: &str, entered: &Stanza, join: &Element) {
    let Some(mav) = join.find("mav", ns::MUC_AFFILIATIONS) else { return };
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    let Some(seat) = occupant.seat(full) else { return };
    let Some(sight) = sight_of(here.state, occupant) else {
        return refuse(here, seat, entered, &StanzaError::new(Condition::Forbidden));
    };
    let since = mav.get_attr("since").filter(|since| *since != here.state.heads.of(sight));
    if since.is_none() && mav.get_attr("since").is_some() {
        return;
    }
    let diff = match since {
        Some(since) => diff(here, sight, since).await,
        None => None,
    };
    let messages = match diff {
        Some(rows) => split(here, sight, since, &rows),
        None => split(here, sight, None, &full_list(here.state, sight)),
    };
    if messages.iter().map(String::len).sum::<usize>() > here.core.config().limits.room_list_bytes_max {
        return refuse(here, seat, entered, &StanzaError::new(Condition::ResourceConstraint));
    }
    let mut pace = Pace::default();
    for x in messages {
        give(seat, &Arc::new(Stanza::message_around(Some(here.room.jid.as_jid()), None, &x)));
        pace.step().await;
    }
}

/// §5.2.3.
fn refuse(here: &Here<'_>, seat: &Seat, entered: &Stanza, error: &StanzaError) {
    let room = here.room.jid.as_jid();
    let mut inner = String::with_capacity(160);
    error.write(&mut inner);
    let refusal = match entered.id() {
        Some(id) => Stanza::message_with(MessageType::Error, &id, Some(room), None, &inner),
        None => {
            let error = Element::parse(&inner, ns::CLIENT).into_iter();
            Stanza::message(MessageType::Error, Some(room), None, error)
        }
    };
    give(seat, &Arc::new(refusal));
}

/// An entry of the lists: the version that brought it, whose it is, and what.
type Row = (i64, String, Option<Affiliation>);

/// What has changed for this sight since a version, the oldest first. `None`: that is not known, or it is nothing that could
/// be told, so that everything has to be.
async fn diff(here: &Here<'_>, sight: Sight, since: &str) -> Option<Vec<Row>> {
    let since = here.state.known_version(&here.core.device_secret, here.room.jid.as_str(), sight, since)?;
    let changes = here.core.storage.room_changes(here.state.id?, since, sight == Sight::All).await;
    let changes = changes.unwrap_or_else(|error| {
        tracing::error!(%error, "changes of affiliations could not be read");
        None
    });
    let row = |row: crate::storage::RoomAffiliation| {
        (row.version, row.jid, sight.of(Affiliation::from_number(row.affiliation)))
    };
    let mut rows: Vec<Row> = changes?.into_iter().map(row).collect();
    rows.sort_unstable();
    Some(rows).filter(|rows| !rows.is_empty())
}

fn full_list(state: &RoomState, sight: Sight) -> Vec<Row> {
    let row = |(jid, known): (&Jid, &crate::rooms::Affiliated)| {
        Some((known.version, jid.to_string(), Some(sight.of(Some(known.affiliation))?)))
    };
    let mut rows: Vec<Row> = state.affiliations.iter().filter_map(row).collect();
    rows.sort_unstable();
    rows
}

/// Rows in messages of bounded length, with the versions from which and to which each brings somebody: the one after the
/// last row of a message is its `until`, so that who has lost the rest can ask for it.
fn split(here: &Here<'_>, sight: Sight, since: Option<&str>, rows: &[Row]) -> Vec<String> {
    let mut messages = Vec::new();
    let mut since = since.map(str::to_owned);
    let mut items = String::new();
    let mut close = |items: &mut String, until: &str| {
        let mut x = String::with_capacity(items.len() + 200);
        x.push_str("<x xmlns='");
        x.push_str(ns::MUC_USER);
        x.push_str("'>");
        write_mav(&mut x, since.as_deref(), until);
        x.push_str(items);
        x.push_str("</x>");
        since = Some(until.to_owned());
        items.clear();
        messages.push(x);
    };
    for (at, (version, jid, affiliation)) in rows.iter().enumerate() {
        write_item(&mut items, jid, *affiliation);
        let next = rows.get(at + 1).map(|row| row.0);
        if items.len() >= MESSAGE_BYTES && next.is_some_and(|next| next != *version) {
            let secret = &here.core.device_secret;
            let until = here.state.told_version(secret, here.room.jid.as_str(), sight, *version);
            close(&mut items, &until);
        }
    }
    close(&mut items, here.state.heads.of(sight));
    messages
}
