//! Who may enter (XEP-0045 §7.2), and what comes from storage.

use super::task::Here;
use crate::account::resource::Client;
use crate::core::Core;
use crate::rooms::{Affiliated, Affiliation, Role, Room, RoomConfig, RoomState};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};

/// A new room of somebody, which waits for its configuration.
pub(super) fn new_room(core: &Core, owner: &BareJid) -> Box<RoomState> {
    let mut state = RoomState::new(RoomConfig::of_service(&core.config().rooms), super::task::now_us());
    state.affiliate(owner.as_jid().clone(), Some(Affiliated::new(Affiliation::Owner)));
    state.locked = true;
    Box::new(state)
}

/// May this client enter with this password (§7.2.5 to §7.2.10)? Its affiliation comes back.
pub(super) fn may_enter(
    here: &Here<'_>,
    client: &Client,
    password: Option<&str>,
) -> Result<Option<Affiliation>, StanzaError> {
    let state = &here.state;
    let affiliation = state.affiliation(&client.account.jid);
    if state.locked && affiliation != Some(Affiliation::Owner) {
        return Err(StanzaError::new(Condition::ItemNotFound));
    }
    match affiliation {
        Some(Affiliation::Outcast) => return Err(StanzaError::new(Condition::Forbidden)),
        None if state.config.members_only => return Err(StanzaError::new(Condition::RegistrationRequired)),
        _ => {}
    }
    if state.config.password.as_deref().is_some_and(|wanted| password != Some(wanted)) {
        return Err(StanzaError::new(Condition::NotAuthorized));
    }
    Ok(affiliation)
}

/// §7.2.9: is there a place for one more?
pub(super) fn has_place(here: &Here<'_>, affiliation: Option<Affiliation>) -> Result<(), StanzaError> {
    let most = here.core.config().limits.room_occupants_max;
    let most = here.state.config.max_users.map_or(most, |max| most.min(max as usize));
    let reserve = match affiliation {
        Some(Affiliation::Owner | Affiliation::Admin) => (most / 10).max(1),
        _ => 0,
    };
    if here.state.occupants.len() < most + reserve {
        return Ok(());
    }
    Err(StanzaError::new(Condition::ServiceUnavailable).with_type(ErrorType::Wait))
}

/// May somebody have this nickname (§7.2.8)?
pub(super) fn may_have_nick(here: &Here<'_>, bare: &BareJid, nick: &str) -> Result<(), StanzaError> {
    let bytes_max = here.core.config().limits.room_nick_bytes_max;
    if nick.len() > bytes_max || nick.trim().is_empty() {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("not a nickname for a room"));
    }
    let taken = here.state.occupants.of_nick(nick).and_then(|slot| here.state.occupants.at(slot));
    if taken.is_some_and(|occupant| occupant.bare != *bare) || here.state.is_reserved_for_another(nick, bare.as_str()) {
        return Err(StanzaError::new(Condition::Conflict));
    }
    Ok(())
}

/// A nickname to be reserved, as clients will send it: an address has it in this form.
pub(super) fn to_reserve(here: &Here<'_>, nick: &str) -> Result<Box<str>, StanzaError> {
    let bytes_max = here.core.config().limits.room_nick_bytes_max;
    let jid = occupant_jid(here.room, nick);
    let nick = jid.as_ref().and_then(|jid| jid.resource()).filter(|nick| nick.len() <= bytes_max);
    let nick = nick.filter(|nick| !nick.trim().is_empty()).map(Box::from);
    nick.ok_or_else(|| StanzaError::new(Condition::NotAcceptable).with_text("not a nickname for a room"))
}

/// What a request to an occupant of a room is told that there is none of (§6.6, XEP-0410 §3.2).
pub(super) fn unknown_occupant(stanza: &Stanza) -> StanzaError {
    if stanza.has_child("query", ns::DISCO_INFO) || stanza.has_child("query", ns::DISCO_ITEMS) {
        return StanzaError::bad_request();
    }
    StanzaError::new(Condition::NotAcceptable).with_text("You are not in the room.")
}

/// What a message is told whose sender is not in the room (§7.4, §7.5); one that waits for its configuration is none yet
/// (§17.2 number 3).
pub(super) fn not_in_room(state: &RoomState) -> StanzaError {
    if state.locked {
        return super::task::no_room();
    }
    StanzaError::new(Condition::NotAcceptable).with_text("You are not in the room.")
}

/// The role that goes with a new affiliation (§5.1.3): moderators stay what they are unless the affiliation says more or
/// is taken away.
pub(super) fn role_after(old: Role, before: Option<Affiliation>, after: Option<Affiliation>, moderated: bool) -> Role {
    let initial = Role::initial(after, moderated);
    let was_by_office = matches!(before, Some(Affiliation::Owner | Affiliation::Admin));
    if was_by_office { initial } else { initial.max(old) }
}

/// The occupant JID for a nickname; `None` if it is none.
pub(super) fn occupant_jid(room: &Room, nick: &str) -> Option<Jid> {
    room.jid.as_jid().with_resource(nick).ok().map(|full| full.into_jid())
}
