//! Another configuration (XEP-0045 §10.2): stored, then in force, then told to those whom it concerns (§10.2.1).

use super::admin::{self, Change};
use super::shapes::{self, Notice};
use super::task::{self, Here, Pace};
use super::{exit, mentioning, message, shown_again, standing, stored, versions};
use crate::rooms::form::Wish;
use crate::rooms::{Affiliated, Affiliation, Occupant, Role, RoomConfig, RoomState, Voices};
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// Does it.
pub(super) async fn apply(here: &mut Here<'_>, by: &BareJid, mut wish: Wish) -> Result<(), StanzaError> {
    // Later than all that was said before.
    wish.config = wish.config.after(&here.state.config, here.core.storage.archive_id(task::now_us()));
    let changes = changes(here.state, &wish);
    admin::check_owners(here.state, &changes)?;
    stored::check_total(here, &changes)?;
    stored::configuration(here, &wish.config, &changes, by).await?;
    let before = std::mem::replace(&mut here.state.config, Arc::new(wish.config));
    let was_locked = std::mem::replace(&mut here.state.locked, false);
    shown_again::show(here, &before).await;
    let quiet = changes.len() > standing::TOLD_MAX;
    let many = versions::of_many(here.state, &changes, quiet);
    for change in changes {
        if let Change::Affiliation { jid, new } = change {
            admin::set_affiliation(here, by, jid, new, Notice { quiet, ..Notice::default() }).await;
        }
    }
    versions::tell_many(here, many).await;
    if here.state.config.members_only && !before.members_only {
        remove_others(here).await;
    }
    if before.moderated && !here.state.config.moderated {
        give_voice(here).await;
    }
    if !was_locked && before != here.state.config {
        tell(here, &before).await;
    }
    Ok(())
}

/// What follows from full lists of owners and admins. Who owned the room is an admin then (§10.2), unless the list of those
/// says otherwise; who is on none of them any more stays a member where that matters.
fn changes(state: &RoomState, wish: &Wish) -> Vec<Change> {
    let mut changes = Vec::new();
    let lists = [(Affiliation::Owner, &wish.owners), (Affiliation::Admin, &wish.admins)];
    let listed = |jid: &Jid| {
        let on = |list: &&(Affiliation, &Option<Vec<BareJid>>)| {
            list.1.as_ref().is_some_and(|jids| jids.iter().any(|listed| listed.as_jid() == jid))
        };
        lists.iter().find(on).map(|list| list.0)
    };
    for (affiliation, list) in lists {
        let Some(list) = list else { continue };
        for (jid, known) in state.affiliated(affiliation).filter(|(jid, _)| listed(jid).is_none()) {
            let stays = match affiliation {
                Affiliation::Owner if wish.admins.is_none() => Some(Affiliation::Admin),
                _ => wish.config.members_only.then_some(Affiliation::Member),
            };
            let stays = stays.map(|affiliation| Affiliated { affiliation, ..known.clone() });
            changes.push(Change::Affiliation { jid: jid.clone(), new: stays });
        }
        for jid in list.iter().filter(|jid| listed(jid.as_jid()) == Some(affiliation)) {
            let known = state.affiliations.get(jid.as_str());
            if known.is_none_or(|known| known.affiliation != affiliation) {
                let new =
                    known.cloned().map_or(Affiliated::new(affiliation), |known| Affiliated { affiliation, ..known });
                changes.push(Change::Affiliation { jid: jid.as_jid().clone(), new: Some(new) });
            }
        }
    }
    changes
}

/// §10.2: the room is for members only from now on.
async fn remove_others(here: &mut Here<'_>) {
    let slots = places(here.state, |occupant| occupant.affiliation.is_none());
    if shapes::is_too_much(here, slots.len()) {
        return exit::remove_quietly(here, slots, &Notice::codes([322])).await;
    }
    for slot in slots {
        exit::remove(here, slot, &Notice::codes([322])).await;
    }
}

fn places(state: &RoomState, like: impl Fn(&Occupant) -> bool) -> Vec<u32> {
    state.occupants.places().filter(|(_, occupant)| like(occupant)).map(|(slot, _)| slot).collect()
}

/// Nobody needs to be given voice any more.
async fn give_voice(here: &mut Here<'_>) {
    here.state.voices = Voices::default();
    let slots = places(here.state, |occupant| occupant.role == Role::Visitor);
    let is_too_much = shapes::is_too_much(here, slots.len());
    let mut pace = Pace::default();
    for slot in slots {
        let Some(occupant) = here.state.occupants.at_mut(slot) else { continue };
        occupant.role = Role::Participant;
        if is_too_much {
            shapes::refresh(occupant, None);
            shapes::show_to_all_of(here, slot);
            pace.step().await;
        } else {
            shapes::changed_role(here, slot, Role::Visitor, &Notice::default()).await;
        }
    }
}

/// §10.2.1: what concerns privacy by its own code, the rest by one for all.
async fn tell(here: &mut Here<'_>, before: &RoomConfig) {
    let now = &here.state.config;
    let mut codes = Vec::new();
    if before.public_logging != now.public_logging {
        codes.push(if now.public_logging { "170" } else { "171" });
    }
    if before.whois != now.whois {
        codes.push(if now.is_non_anonymous() { "172" } else { "173" });
    }
    let same = RoomConfig {
        public_logging: now.public_logging,
        whois: now.whois,
        non_anonymous_since_us: now.non_anonymous_since_us,
        ..RoomConfig::clone(before)
    };
    if same != **now {
        codes.push("104");
    }
    announce(here, &codes).await;
    mentioning::announce(here, before).await;
}

/// Something that is no setting has changed, and clients ask what (XEP-0486 §3.2).
pub(super) async fn announce_change(here: &mut Here<'_>) {
    announce(here, &["104"]).await;
}

async fn announce(here: &mut Here<'_>, codes: &[&str]) {
    let status = |code: &&str| Element::new("status", ns::MUC_USER).attr("code", *code);
    let x = Element::new("x", ns::MUC_USER).children(codes.iter().map(status));
    let stanza = Stanza::message(MessageType::Groupchat, Some(here.room.jid.as_jid()), None, [x]);
    message::announce(here, stanza).await;
}
