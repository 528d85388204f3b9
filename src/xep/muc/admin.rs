//! Roles and affiliations (XEP-0045 §8.2 to §8.5, §9, §10.3 to §10.8): lists of them, and changes.

use super::iq::{Asked, Outcome};
use super::shapes::{self, Notice};
use super::task::Here;
use super::{exit, invite, rules, standing, stored, versions};
use crate::rooms::{Affiliated, Affiliation, Occupant, Role, RoomState, fold};
use std::collections::{HashMap, HashSet};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

fn error(condition: Condition) -> StanzaError {
    StanzaError::new(condition)
}

/// Who asks, as the room knows them.
struct Actor {
    bare: BareJid,
    nick: Option<String>,
    affiliation: Option<Affiliation>,
    role: Option<Role>,
}

impl Actor {
    fn of(state: &RoomState, asked: &Asked) -> Self {
        let occupant = state.occupants.of_session(asked.from.as_str()).and_then(|slot| state.occupants.at(slot));
        Self {
            bare: asked.bare.clone(),
            nick: occupant.map(|o| o.nick().to_owned()),
            affiliation: state.affiliation(&asked.bare),
            role: occupant.map(|o| o.role),
        }
    }

    fn is_admin(&self) -> bool {
        self.affiliation >= Some(Affiliation::Admin)
    }

    fn is_owner(&self) -> bool {
        self.affiliation == Some(Affiliation::Owner)
    }

    fn is_moderator(&self) -> bool {
        self.role == Some(Role::Moderator) || self.is_admin()
    }
}

/// `muc#admin`.
pub(super) async fn handle(mut here: Here<'_>, asked: Asked) -> Outcome {
    let actor = Actor::of(here.state, &asked);
    if here.state.locked && !actor.is_owner() {
        return Err(error(Condition::ItemNotFound));
    }
    let items: Vec<&Element> = asked.payload.child_elements().filter(|c| c.is("item", ns::MUC_ADMIN)).collect();
    let Some(first) = items.first() else { return Err(StanzaError::bad_request()) };
    if asked.kind == IqType::Get {
        let bytes_max = here.core.config().limits.room_list_bytes_max;
        return list(here.state, &actor, first, bytes_max).map(Some);
    }
    let (mut changes, mut named) = (Vec::with_capacity(items.len()), HashSet::new());
    for item in items {
        let change = change(&here, &actor, item).inspect_err(|_| asked.refused(item))?;
        // What is so is no change, but for an address that another item changes before.
        let is_again = matches!(&change, Change::Affiliation { jid, .. } if named.contains(jid.as_str()));
        if is_again || !is_so(here.state, &change) {
            if let Change::Affiliation { jid, .. } = &change {
                named.insert(jid.as_str().to_owned());
            }
            changes.push(change);
        }
    }
    check_owners(here.state, &changes)?;
    check_nicks(&changes)?;
    apply(&mut here, &actor, changes).await?;
    Ok(None)
}

/// A list of those who have an affiliation or a role. It is one stanza.
fn list(state: &RoomState, actor: &Actor, item: &Element, bytes_max: usize) -> Result<Element, StanzaError> {
    let query = Element::new("query", ns::MUC_ADMIN);
    match (item.get_attr("affiliation"), item.get_attr("role")) {
        (Some(name), None) => {
            let affiliation = Affiliation::from_name(name).flatten().ok_or_else(StanzaError::bad_request)?;
            if !may_list(state, actor.affiliation, actor.role, affiliation) {
                return Err(error(Condition::Forbidden));
            }
            let here: HashMap<&str, &Occupant> = state.occupants.iter().map(|o| (o.bare.as_str(), o)).collect();
            let items = state.affiliated(affiliation).map(|(jid, known)| listed(&here, jid, known));
            Ok(query.children(within(items, bytes_max)?))
        }
        (None, Some(name)) => {
            let role = Role::from_name(name).flatten().ok_or_else(StanzaError::bad_request)?;
            let may = if role == Role::Moderator { actor.is_admin() } else { actor.is_moderator() };
            if !may {
                return Err(error(Condition::Forbidden));
            }
            let item = |o: &Occupant| {
                Element::new("item", ns::MUC_ADMIN)
                    .attr("affiliation", crate::rooms::affiliation_name(o.affiliation))
                    .attr_opt("jid", shapes::address(o).map(|jid| jid.as_str().to_owned()))
                    .attr("nick", o.nick())
                    .attr("role", o.role.name())
            };
            Ok(query.children(within(state.occupants.iter().filter(|o| o.role == role).map(item), bytes_max)?))
        }
        _ => Err(StanzaError::bad_request()),
    }
}

/// An entry of the list of an affiliation.
fn listed(here: &HashMap<&str, &Occupant>, jid: &Jid, known: &Affiliated) -> Element {
    let occupant = || here.get(jid.as_str()).map(|occupant| occupant.nick());
    let nick = known.nick.as_deref().or_else(occupant).filter(|_| known.affiliation != Affiliation::Outcast);
    let reason = known.reason.as_deref().map(|text| Element::new("reason", ns::MUC_ADMIN).text(text));
    Element::new("item", ns::MUC_ADMIN)
        .attr("affiliation", known.affiliation.name())
        .attr("jid", jid.as_str())
        .attr_opt("nick", nick)
        .child_opt(reason)
}

/// A list that can be sent to somebody in one piece.
fn within(items: impl Iterator<Item = Element>, bytes_max: usize) -> Result<Vec<Element>, StanzaError> {
    let mut bytes = 0;
    let fits = |item: Element| {
        bytes += item.to_xml(ns::MUC_ADMIN).len();
        if bytes <= bytes_max { Ok(item) } else { Err(error(Condition::ResourceConstraint)) }
    };
    items.map(fits).collect()
}

/// §9.2, §9.5, §10.5, §10.8: who gets which list. In a non-anonymous room, members get all but the bans.
pub(super) fn may_list(state: &RoomState, is: Option<Affiliation>, role: Option<Role>, list: Affiliation) -> bool {
    // A member who is not there gets what it would get there.
    let absent = is.filter(|is| *is >= Affiliation::Member);
    let role = role.or(absent.map(|is| Role::initial(Some(is), state.config.moderated)));
    let as_member =
        state.config.is_non_anonymous() && role.is_some_and(|role| state.config.get_member_list.contains(&role));
    match list {
        Affiliation::Owner | Affiliation::Admin => is == Some(Affiliation::Owner) || as_member,
        Affiliation::Member => is >= Some(Affiliation::Admin) || as_member,
        Affiliation::Outcast => is >= Some(Affiliation::Admin),
    }
}

/// Something that may be changed.
pub(super) enum Change {
    /// The role of an occupant; `None`: it is kicked.
    Role { slot: u32, role: Option<Role>, reason: Option<String> },
    /// What somebody is to the room.
    Affiliation { jid: Jid, new: Option<Affiliated> },
}

fn change(here: &Here<'_>, actor: &Actor, item: &Element) -> Result<Change, StanzaError> {
    let text_max = here.core.config().limits.room_text_bytes_max;
    let reason = item.find("reason", ns::MUC_ADMIN).map(Element::text_content).filter(|text| !text.is_empty());
    let reason = reason.map(|text| text[..text.floor_char_boundary(text_max)].to_owned());
    match (item.get_attr("affiliation"), item.get_attr("role")) {
        (None, Some(role)) => {
            let role = Role::from_name(role).ok_or_else(StanzaError::bad_request)?;
            let nick = item.get_attr("nick").ok_or_else(StanzaError::bad_request)?;
            role_change(here.state, actor, nick, role, reason)
        }
        (Some(affiliation), None) => {
            let affiliation = Affiliation::from_name(affiliation).ok_or_else(StanzaError::bad_request)?;
            affiliation_change(here, actor, item, affiliation, reason)
        }
        // §17.4 number 4.
        _ => Err(StanzaError::bad_request()),
    }
}

/// Is it as it is to be already? Then it is no change, and no version.
pub(super) fn is_so(state: &RoomState, change: &Change) -> bool {
    let Change::Affiliation { jid, new } = change else { return false };
    match (state.affiliations.get(jid.as_str()), new) {
        (Some(known), Some(new)) => Affiliated { version: new.version, ..known.clone() } == *new,
        (None, None) => true,
        _ => false,
    }
}

/// §8.2 to §8.4, §9.6, §9.7.
fn role_change(
    state: &RoomState,
    actor: &Actor,
    nick: &str,
    role: Option<Role>,
    reason: Option<String>,
) -> Result<Change, StanzaError> {
    if !actor.is_moderator() {
        return Err(error(Condition::Forbidden));
    }
    let slot = state.occupants.of_exact_nick(nick).ok_or(error(Condition::ItemNotFound))?;
    let Some(target) = state.occupants.at(slot) else { return Err(error(Condition::ItemNotFound)) };
    let grants = role == Some(Role::Moderator);
    if grants && !actor.is_admin() {
        return Err(error(Condition::Forbidden));
    }
    let loses = role < Some(target.role);
    let own = target.bare == actor.bare;
    if loses && !own && target.affiliation > actor.affiliation {
        return Err(error(Condition::NotAllowed));
    }
    // An admin or owner is a moderator by office, and keeps voice.
    if loses && role.is_some() && target.affiliation >= Some(Affiliation::Admin) {
        return Err(error(Condition::NotAllowed));
    }
    // §8.4: nor from somebody of one's own affiliation.
    let equal = target.affiliation.is_some() && target.affiliation >= actor.affiliation;
    if loses && role == Some(Role::Visitor) && equal && !own {
        return Err(error(Condition::NotAllowed));
    }
    // §5.1.3: only an admin takes a moderator's role.
    if loses && !own && target.role == Role::Moderator && !actor.is_admin() {
        return Err(error(if role.is_none() { Condition::NotAllowed } else { Condition::Forbidden }));
    }
    Ok(Change::Role { slot, role, reason })
}

/// §9.1 to §9.5, §10.3 to §10.8. §5.2.2 is the table.
fn affiliation_change(
    here: &Here<'_>,
    actor: &Actor,
    item: &Element,
    affiliation: Option<Affiliation>,
    reason: Option<String>,
) -> Result<Change, StanzaError> {
    let state = &here.state;
    let jid = whom(state, item)?;
    if !actor.is_admin() {
        return Err(error(Condition::Forbidden));
    }
    let own = jid.as_str() == actor.bare.as_str() || (jid.is_domain() && jid.domain() == actor.bare.domain());
    if affiliation == Some(Affiliation::Outcast) && own {
        return Err(error(Condition::Conflict));
    }
    if jid.is_domain() && !matches!(affiliation, Some(Affiliation::Outcast) | None) {
        return Err(StanzaError::bad_request().with_text("Only bans are for whole domains."));
    }
    let before = state.affiliations.get(jid.as_str()).map(|known| known.affiliation);
    if !actor.is_owner() {
        if before >= Some(Affiliation::Admin) && before != affiliation {
            let is_ban = affiliation == Some(Affiliation::Outcast);
            return Err(error(if is_ban { Condition::NotAllowed } else { Condition::Forbidden }));
        }
        if affiliation >= Some(Affiliation::Admin) {
            return Err(error(Condition::Forbidden));
        }
    }
    let limits = here.core.config();
    let entries_max = limits.limits.room_affiliations_max;
    if before.is_none() && affiliation.is_some() && state.affiliations.len() >= entries_max {
        return Err(error(Condition::ResourceConstraint));
    }
    let given = item.get_attr("nick").filter(|_| item.get_attr("jid").is_some());
    let nick = match given {
        Some("") => None,
        Some(nick) => Some(rules::to_reserve(here, nick)?),
        None => state.reserved_nick(jid.as_str()).map(Box::from),
    };
    if nick.as_deref().is_some_and(|nick| state.is_reserved_for_another(nick, jid.as_str())) {
        return Err(error(Condition::Conflict));
    }
    let nick = nick.filter(|_| affiliation != Some(Affiliation::Outcast));
    let follows = state.affiliations.get(jid.as_str()).and_then(|known| known.follows);
    let reason = reason.map(Into::into);
    let new = affiliation.map(|affiliation| Affiliated { affiliation, nick, reason, follows, version: 0 });
    Ok(Change::Affiliation { jid, new })
}

/// Who is meant: a bare JID (of a full one that), a domain, or, COMPAT, who has a nickname.
fn whom(state: &RoomState, item: &Element) -> Result<Jid, StanzaError> {
    match item.get_attr("jid") {
        Some(text) => {
            let jid = Jid::parse(text).map_err(|_| error(Condition::JidMalformed))?;
            Ok(if jid.is_domain() { jid } else { jid.bare().into_jid() })
        }
        None => {
            let nick = item.get_attr("nick").ok_or_else(StanzaError::bad_request)?;
            let occupant = state.occupants.of_exact_nick(nick).and_then(|slot| state.occupants.at(slot));
            occupant.map(|o| o.bare.as_jid().clone()).ok_or(error(Condition::ItemNotFound))
        }
    }
}

/// §10.5: somebody must be left who owns the room.
pub(super) fn check_owners(state: &RoomState, changes: &[Change]) -> Result<(), StanzaError> {
    let mut owners: Vec<&Jid> = state.affiliated(Affiliation::Owner).map(|(jid, _)| jid).collect();
    // One whose last owner's account is gone has none, and is moderated all the same.
    let had_some = !owners.is_empty();
    for change in changes {
        let Change::Affiliation { jid, new } = change else { continue };
        owners.retain(|owner| *owner != jid);
        if new.as_ref().is_some_and(|new| new.affiliation == Affiliation::Owner) {
            owners.push(jid);
        }
    }
    if had_some && owners.is_empty() { Err(error(Condition::Conflict)) } else { Ok(()) }
}

/// A nickname is for one.
fn check_nicks(changes: &[Change]) -> Result<(), StanzaError> {
    let mut holders = HashMap::new();
    for change in changes {
        if let Change::Affiliation { jid, new: Some(new) } = change
            && let Some(nick) = &new.nick
            && holders.insert(fold(nick), jid).is_some_and(|other| other != jid)
        {
            return Err(error(Condition::Conflict));
        }
    }
    Ok(())
}

/// All of them: on disk first, then in the room, one after the other.
async fn apply(here: &mut Here<'_>, actor: &Actor, changes: Vec<Change>) -> Result<(), StanzaError> {
    stored::affiliations(here, &changes).await?;
    let quiet = changes.len() > standing::TOLD_MAX;
    let many = versions::of_many(here.state, &changes, quiet);
    for change in changes {
        match change {
            Change::Role { slot, role, reason } => set_role(here, slot, role, by(actor, reason)).await,
            Change::Affiliation { jid, new } => {
                let reason = new.as_ref().and_then(|new| new.reason.as_deref()).map(str::to_owned);
                let notice = Notice { quiet, ..by(actor, reason) };
                set_affiliation(here, &actor.bare, jid, new, notice).await;
            }
        }
    }
    versions::tell_many(here, many).await;
    Ok(())
}

fn by(actor: &Actor, reason: Option<String>) -> Notice {
    Notice { actor: actor.nick.clone(), reason, ..Notice::default() }
}

async fn set_role(here: &mut Here<'_>, slot: u32, role: Option<Role>, mut notice: Notice) {
    let Some(role) = role else {
        log(here, "kick", here.state.occupants.at(slot).map_or("", Occupant::nick), &notice);
        notice.codes = vec![307];
        return exit::remove(here, slot, &notice).await;
    };
    let Some(occupant) = here.state.occupants.at_mut(slot) else { return };
    let before = std::mem::replace(&mut occupant.role, role);
    here.state.voices.set(&occupant.bare, role);
    shapes::changed_role(here, slot, before, &notice).await;
}

/// Somebody has another affiliation from now on; it is stored already.
pub(super) async fn set_affiliation(
    here: &mut Here<'_>,
    by: &BareJid,
    jid: Jid,
    new: Option<Affiliated>,
    mut notice: Notice,
) {
    let before = here.state.affiliations.get(jid.as_str()).map(|known| known.affiliation);
    let after = new.as_ref().map(|new| new.affiliation);
    here.state.affiliate(jid.clone(), new);
    // Presence of one occupant says it; where there is none that has changed, a message does. Of many changes one does.
    let mut untold = if notice.quiet { None } else { versions::changed(here, &jid, before, after) };
    here.state.voices.forget(&jid.bare());
    here.core.rooms.applied.remove(&here.room.jid, &jid.bare());
    log(here, crate::rooms::affiliation_name(after), jid.as_str(), &notice);
    let slots = here.state.occupants.of_user(&jid);
    if slots.is_empty() && before != after && !notice.quiet {
        standing::tell(here, &jid, before, after, untold.take().as_deref()).await;
    }
    if slots.is_empty() && by.as_jid() != &jid && !jid.is_domain() && before != after {
        tell_absent(here, by, &jid.bare(), before, after);
    }
    for slot in slots {
        let Some(occupant) = here.state.occupants.at(slot) else { continue };
        let now = here.state.affiliation(&occupant.bare);
        let (was, role) = (occupant.affiliation, occupant.role);
        // A domain is no occupant.
        notice.change = if was != now && !jid.is_domain() { untold.take() } else { None };
        if now == Some(Affiliation::Outcast) || (now.is_none() && here.state.config.members_only) {
            notice.codes = vec![if now.is_some() { 301 } else { 321 }];
            if let Some(occupant) = here.state.occupants.at_mut(slot) {
                occupant.affiliation = now;
            }
            exit::remove(here, slot, &notice).await;
            continue;
        }
        let moderated = here.state.config.moderated;
        let Some(occupant) = here.state.occupants.at_mut(slot) else { continue };
        occupant.affiliation = now;
        occupant.role = rules::role_after(role, was, now, moderated);
        if was != now {
            shapes::changed_role(here, slot, role, &notice).await;
        }
    }
    if let Some(change) = untold {
        versions::tell_all(here, &change).await;
    }
}

/// Somebody who is not there is something else to the room.
fn tell_absent(here: &Here<'_>, by: &BareJid, who: &BareJid, before: Option<Affiliation>, after: Option<Affiliation>) {
    match (before, after) {
        // Who was nothing to the room and is banned from it is not bothered.
        (None, Some(Affiliation::Outcast)) => {}
        (None, Some(_)) if here.state.config.members_only => invite::tell_member(here, by, who),
        _ => invite::tell_change(here, who, after),
    }
}

/// What moderators do is in the log.
fn log(here: &Here<'_>, what: &str, whom: &str, notice: &Notice) {
    tracing::info!(room = %here.room.jid, what, whom, by = notice.actor.as_deref(), "moderation");
}

/// An invitation to a members-only room makes a member.
pub(super) async fn make_member(here: &mut Here<'_>, bare: &BareJid) -> Result<(), StanzaError> {
    if here.state.affiliations.len() >= here.core.config().limits.room_affiliations_max {
        return Err(error(Condition::ResourceConstraint));
    }
    let new = Affiliated::new(Affiliation::Member);
    let change = Change::Affiliation { jid: bare.as_jid().clone(), new: Some(new.clone()) };
    stored::affiliations(here, &[change]).await?;
    here.state.affiliate(bare.as_jid().clone(), Some(new));
    let change = versions::changed(here, bare.as_jid(), None, Some(Affiliation::Member));
    standing::tell(here, bare.as_jid(), None, Some(Affiliation::Member), change.as_deref()).await;
    Ok(())
}
