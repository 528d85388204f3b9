//! Presence of a client for a room: it enters (XEP-0045 §7.2), is there already (§7.7, §7.6), or leaves (§7.14).

use super::shapes::{self, Notice};
use super::task::{self, Here, Pace};
use super::{blocks, exit, history, may_create, nick, rules, stored, surviving, versions};
use crate::account::joined::JoinedRoom;
use crate::account::resource::Client;
use crate::core::Core;
use crate::outbox::Item;
use crate::rooms::{Affiliation, Occupant, Room, RoomState};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{PresenceType, Stanza};
use xep_support::xml::Element;

/// Whatever a client says to the room by presence.
pub(super) async fn presence(
    core: &Arc<Core>,
    room: &Arc<Room>,
    state: &mut Option<Box<RoomState>>,
    client: &Client,
    stanza: Stanza,
) {
    let Some(to) = stanza.to().cloned() else { return };
    let is_large = stanza.inner().len() > core.config().limits.room_presence_bytes_max;
    if is_large && stanza.presence_type() != Ok(PresenceType::Unavailable) {
        return refuse(client, &stanza, StanzaError::new(Condition::PolicyViolation).with_text("too large for a room"));
    }
    if stanza.presence_type() == Ok(PresenceType::Unavailable) {
        if let Some(state) = state.as_deref_mut() {
            exit::leave(Here { core, room, state }, client, &stanza).await;
        }
        return;
    }
    let join = stanza.child("x", ns::MUC);
    let Some(nick) = to.resource() else {
        return refuse(client, &stanza, StanzaError::new(Condition::JidMalformed));
    };
    let full = client.jid().as_str();
    if let Some(state) = state.as_deref_mut()
        && let Some(seat) = state.occupants.of_session(full).and_then(|slot| state.occupants.at(slot)?.seat(full))
        && !Arc::ptr_eq(seat.resource(), &client.resource)
    {
        exit::gone(Here { core, room, state }, full).await;
    }
    let slot = state.as_ref().and_then(|state| state.occupants.of_session(full));
    match (state.as_deref_mut(), slot, &join) {
        (Some(state), Some(slot), None) => {
            let mut here = Here { core, room, state };
            if here.state.occupants.at(slot).is_some_and(|occupant| occupant.nick() == nick) {
                change(&mut here, slot, client, &stanza).await;
            } else {
                nick::change(&mut here, client, &stanza, &to).await;
            }
        }
        (Some(state), Some(slot), Some(join)) => {
            again(&mut Here { core, room, state }, slot, client, &stanza, &to, join).await;
        }
        (_, _, None) => not_in_room(client, &to),
        (Some(_), None, Some(join)) => match blocks::check(core, &room.jid, &client.account.jid).await {
            Ok(()) => enter(core, room, state, client, &stanza, join).await,
            Err(error) => refuse(client, &stanza, error),
        },
        (None, _, Some(join)) => {
            let kept_out = blocks::check(core, &room.jid, &client.account.jid).await;
            if let Err(error) = match kept_out {
                Ok(()) => stored::check_gone(core, room).await,
                refused => refused,
            } {
                return refuse(client, &stanza, error);
            }
            if !may_create(core, client) {
                return refuse(client, &stanza, StanzaError::new(Condition::NotAllowed));
            }
            let most = core.config().limits.rooms_per_owner_max;
            let Some(counted) = core.rooms.created.count(&client.account.jid, most) else {
                let error = StanzaError::new(Condition::ResourceConstraint).with_text("You have too many rooms.");
                return refuse(client, &stanza, error);
            };
            let mut new = rules::new_room(core, &client.account.jid);
            new.counted = Some(counted);
            *state = Some(new);
            enter(core, room, state, client, &stanza, join).await;
        }
    }
}

pub(super) fn refuse(client: &Client, stanza: &Stanza, error: StanzaError) {
    tracing::debug!(who = %client.jid(), reason = error.condition.as_str(), "presence refused");
    // As in all examples of §7.2: by this a client knows that it is about a room.
    if let Some(reply) = stanza.error_reply_with(Element::new("x", ns::MUC), &error) {
        client.send(reply);
    }
}

/// §7.2.18: somebody who believes to be in the room is told that this is not so.
fn not_in_room(client: &Client, to: &Jid) {
    let reason = Some("You are not in the room.".to_owned());
    let notice = Notice { reason, ..Notice::codes([307, 333]) };
    let mut x = String::new();
    shapes::write_x(&mut x, None, None, None, &notice, true);
    let stanza = Stanza::presence(PresenceType::Unavailable, Some(to), None).rebuilt(|_| true, &x);
    let _ = client.resource.outbox.push(Item::addressed(Arc::new(stanza), client.jid().as_jid().clone()));
}

/// §7.2: from the first check to the subject.
async fn enter(
    core: &Arc<Core>,
    room: &Arc<Room>,
    state: &mut Option<Box<RoomState>>,
    client: &Client,
    stanza: &Stanza,
    join: &Element,
) {
    let Some(state) = state.as_deref_mut() else { return };
    let mut here = Here { core, room, state };
    let admitted = match admit(&here, client, stanza, join) {
        Ok(admitted) => admitted,
        Err(error) => return refuse(client, stanza, error),
    };
    let since = core.storage.archive_id(task::now_us());
    let joined = JoinedRoom { jid: admitted.jid.clone(), since };
    match note_joined(&here, client, joined) {
        Ok(true) => {}
        // Its session has ended meanwhile.
        Ok(false) => return,
        Err(error) => return refuse(client, stanza, error),
    }
    history::load(&mut here).await;
    let slot = take_place(&mut here, client, stanza, &admitted.jid, admitted.affiliation);
    let full = client.jid().as_str().to_owned();
    versions::answer(&here, slot, &full, stanza, join).await;
    show_others(&mut here, slot, client).await;
    shapes::show_others_only(&mut here, slot, &full).await;
    let mut own_codes = entry_codes(&here);
    own_codes.extend(admitted.renamed.then_some(210));
    shapes::show_to_self(&here, slot, &full, &Notice { own_codes, ..Notice::default() });
    let wanted = history::wanted(here.state, Some(join));
    history::send(&mut here, &full, wanted).await;
}

/// What somebody is told who enters, beside 110 (§7.2.3, §7.2.12, §10.1.1).
fn entry_codes(here: &Here<'_>) -> Vec<u16> {
    let state = &here.state;
    let rows = [(state.config.is_non_anonymous(), 100), (state.config.public_logging, 170), (state.locked, 201)];
    rows.into_iter().filter(|(on, _)| *on).map(|(_, code)| code).collect()
}

/// Somebody who may enter.
struct Admitted {
    affiliation: Option<Affiliation>,
    jid: Jid,
    /// Not the nickname that was asked for.
    renamed: bool,
}

fn admit(here: &Here<'_>, client: &Client, stanza: &Stanza, join: &Element) -> Result<Admitted, StanzaError> {
    let password = join.find("password", ns::MUC).map(Element::text_content);
    let affiliation = rules::may_enter(here, client, password.as_deref())?;
    let bare = &client.account.jid;
    let asked = stanza.to().ok_or(StanzaError::new(Condition::JidMalformed))?;
    let nick = asked.resource().ok_or(StanzaError::new(Condition::JidMalformed))?;
    // §7.2.2: nicknames may be locked down.
    let reserved = here.state.reserved_nick(bare.as_str()).filter(|_| here.state.config.reserved_nicks_only);
    let renamed = reserved.filter(|reserved| *reserved != nick);
    let jid = match renamed {
        Some(reserved) => rules::occupant_jid(here.room, reserved).unwrap_or_else(|| asked.clone()),
        None => asked.clone(),
    };
    rules::may_have_nick(here, bare, jid.resource().unwrap_or_default())?;
    if here.state.occupants.of_nick(jid.resource().unwrap_or_default()).is_none() {
        rules::has_place(here, affiliation)?;
    }
    Ok(Admitted { affiliation, jid, renamed: renamed.is_some() })
}

/// The session's list of rooms has this one. `false`: the session is over.
pub(super) fn note_joined(here: &Here<'_>, client: &Client, joined: JoinedRoom) -> Result<bool, StanzaError> {
    let rooms_max = here.core.config().limits.rooms_per_session_max;
    let mut state = client.account.lock();
    let Some(bound) = state.bound(&client.resource) else { return Ok(false) };
    let rooms = bound.rooms.get_or_insert_default();
    if rooms.0.len() >= rooms_max {
        return Err(StanzaError::new(Condition::ResourceConstraint).with_text("You are in too many rooms."));
    }
    rooms.add(joined);
    bound.note_rooms(&here.core.journal);
    Ok(true)
}

/// A session sits down, as a new occupant or with the one its user is already.
pub(super) fn take_place(
    here: &mut Here<'_>,
    client: &Client,
    stanza: &Stanza,
    jid: &Jid,
    affiliation: Option<Affiliation>,
) -> u32 {
    versions::begin(here);
    let bare = client.account.jid.clone();
    let nick = jid.resource().unwrap_or_default();
    let slot = here.state.occupants.of_nick(nick).unwrap_or_else(|| {
        let id = here.core.device_secret.occupant_id(here.room.jid.as_str(), bare.as_str());
        let all_max = here.core.config().rooms.presence_occupants_max;
        let role = here.state.role_of(&bare, affiliation);
        let hats = here.state.hats.printed(&bare);
        let occupant = Occupant {
            jid: jid.clone(),
            bare,
            affiliation,
            role,
            id: id.into(),
            hats,
            seats: Default::default(),
            shown: Arc::new(Stanza::presence(PresenceType::Available, None, None)),
            shown_fully: None,
            shown_to_all: here.state.occupants.len() < all_max,
        };
        surviving::note(here, nick, true);
        here.state.occupants.add(occupant)
    });
    shapes::remember(here.state, slot);
    here.state.occupants.seat(slot, client.clone());
    if let Some(occupant) = here.state.occupants.at_mut(slot) {
        shapes::refresh(occupant, Some(stanza));
    }
    slot
}

/// §7.2.2: the others, for who has just entered.
async fn show_others(here: &mut Here<'_>, slot: u32, client: &Client) {
    let Some(role) = here.state.occupants.at(slot).map(|occupant| occupant.role) else { return };
    let fully = here.state.sees_addresses(role);
    let to = client.jid().as_jid();
    let mut pace = Pace::default();
    for other in (0..here.state.occupants.slots()).filter(|other| *other != slot) {
        let visible = here.state.occupants.at(other).is_some_and(|occupant| shapes::sees(here.state, role, occupant));
        if !visible {
            continue;
        }
        if let Some(stanza) = shapes::seen(here.state, other, fully) {
            let _ = client.resource.outbox.push(Item::addressed(stanza, to.clone()));
        }
        pace.step().await;
    }
}

/// §7.2.1: a client that is in the room enters again, since it has lost track: it is told everything as if it had just come.
async fn again(here: &mut Here<'_>, slot: u32, client: &Client, stanza: &Stanza, to: &Jid, join: &Element) {
    let same = here.state.occupants.at(slot).is_some_and(|occupant| occupant.jid == *to);
    if !same && !nick::change(here, client, stanza, to).await {
        return;
    }
    let full = client.jid().as_str().to_owned();
    let Some(slot) = here.state.occupants.of_session(&full) else { return };
    versions::answer(here, slot, &full, stanza, join).await;
    show_others(here, slot, client).await;
    shapes::says(here.state, slot, &full, stanza);
    shapes::show_others_only(here, slot, &full).await;
    let own_codes = entry_codes(here);
    shapes::show_to_self(here, slot, &full, &Notice { own_codes, ..Notice::default() });
    let wanted = history::wanted(here.state, Some(join));
    history::send(here, &full, wanted).await;
}

/// §7.7: another availability.
async fn change(here: &mut Here<'_>, slot: u32, client: &Client, stanza: &Stanza) {
    shapes::says(here.state, slot, client.jid().as_str(), stanza);
    shapes::show(here, slot, &Notice::default()).await;
}
