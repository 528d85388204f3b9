//! Another configuration (XEP-0045 §10.2): stored, then in force, then told to those whom it concerns (§10.2.1).

use super::admin::{self, Change};
use super::shapes::{self, Notice};
use super::task::Here;
use super::{exit, message, stored};
use crate::rooms::form::Wish;
use crate::rooms::{Affiliated, Affiliation, Role, RoomConfig, RoomState};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// Does it.
pub(super) async fn apply(here: &mut Here<'_>, by: &BareJid, wish: Wish) -> Result<(), StanzaError> {
    let changes = changes(here.state, &wish);
    admin::check_owners(here.state, &changes)?;
    stored::configuration(here, &wish.config, by).await?;
    stored::affiliations(here, &changes).await?;
    let before = std::mem::replace(&mut here.state.config, wish.config);
    let was_locked = std::mem::replace(&mut here.state.locked, false);
    for change in changes {
        if let Change::Affiliation { jid, new } = change {
            admin::set_affiliation(here, by, jid, new, Notice::default()).await;
        }
    }
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

/// What follows from full lists of owners and admins: who is on none of them any more stays a member where that matters.
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
            let stays =
                wish.config.members_only.then(|| Affiliated { affiliation: Affiliation::Member, ..known.clone() });
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
    for slot in 0..here.state.occupants.slots() {
        if here.state.occupants.at(slot).is_some_and(|occupant| occupant.affiliation.is_none()) {
            exit::remove(here, slot, &Notice::codes([322])).await;
        }
    }
}

/// Nobody needs to be given voice any more.
async fn give_voice(here: &mut Here<'_>) {
    for slot in 0..here.state.occupants.slots() {
        if let Some(occupant) = here.state.occupants.at_mut(slot).filter(|occupant| occupant.role == Role::Visitor) {
            occupant.role = Role::Participant;
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
    let same = RoomConfig { public_logging: now.public_logging, whois: now.whois, ..before.clone() };
    if same != *now {
        codes.push("104");
    }
    announce(here, &codes).await;
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
