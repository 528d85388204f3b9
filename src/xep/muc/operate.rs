//! What who operates the server does to rooms. All of it goes through the room's inbox, is durable when it is answered, and
//! occupants are told as if an owner had done it.

use super::admin::{self, Change};
use super::shapes::Notice;
use super::task::{self, Here, in_room, with_room};
use super::{configure, exit, stored};
use crate::core::Core;
use crate::rooms::form::Wish;
use crate::rooms::{Affiliated, Affiliation, Role, Room, RoomConfig, RoomState};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// An occupant as operators see it.
pub struct Seen {
    /// The nickname.
    pub nick: String,
    /// What it may do.
    pub role: Role,
    /// The addresses of its sessions.
    pub sessions: Vec<String>,
}

/// A room as operators see it.
pub struct Shown {
    /// When it was made.
    pub created_us: i64,
    /// How it is configured.
    pub config: RoomConfig,
    /// It waits for its first configuration.
    pub locked: bool,
    /// The text of its subject.
    pub subject: Option<String>,
    /// Who is what to it.
    pub affiliations: Vec<(String, Affiliated)>,
    /// Who is in it.
    pub occupants: Vec<Seen>,
}

/// A room.
///
/// # Errors
/// `item-not-found` if there is none.
pub async fn show(core: &Arc<Core>, room: &BareJid) -> Result<Shown, StanzaError> {
    in_room(core, room, |here| {
        let shown = shown(here.state);
        Box::pin(async move { Ok(shown) })
    })
    .await
}

fn shown(state: &RoomState) -> Shown {
    let subject = state.subject.as_ref().and_then(|subject| subject.stanza.child("subject", ns::CLIENT));
    let seen = |o: &crate::rooms::Occupant| Seen {
        nick: o.nick().to_owned(),
        role: o.role,
        sessions: o.seats.iter().map(|seat| seat.resource().jid.to_string()).collect(),
    };
    Shown {
        created_us: state.created_us,
        config: state.config.clone(),
        locked: state.locked,
        subject: subject.map(|subject| subject.text_content()).filter(|text| !text.is_empty()),
        affiliations: state.affiliations.iter().map(|(jid, known)| (jid.to_string(), known.clone())).collect(),
        occupants: state.occupants.iter().map(seen).collect(),
    }
}

/// A room in use.
pub struct InUse {
    /// Its address.
    pub jid: BareJid,
    /// How it is configured.
    pub config: RoomConfig,
    /// It waits for its first configuration.
    pub locked: bool,
    /// How many are in it.
    pub occupants: usize,
}

/// The rooms in use at a service, for lists.
pub async fn in_use(core: &Arc<Core>, service: &str) -> Vec<InUse> {
    look_at(core, service, |_| true).await
}

/// Those of them that are in no list of storage.
pub async fn temporary(core: &Arc<Core>, service: &str) -> Vec<InUse> {
    look_at(core, service, |room| !room.stored.load(Relaxed)).await
}

/// Each in its turn.
async fn look_at(core: &Arc<Core>, service: &str, which: impl Fn(&Room) -> bool) -> Vec<InUse> {
    let mut rooms = Vec::new();
    let wanted: Vec<_> =
        core.rooms.all().into_iter().filter(|room| room.jid.domain() == service && which(room)).collect();
    for room in wanted {
        let seen = in_room(core, &room.jid, |here| {
            let (config, locked) = (here.state.config.clone(), here.state.locked);
            let seen = InUse { jid: here.room.jid.clone(), config, locked, occupants: here.state.occupants.len() };
            Box::pin(async move { Ok(seen) })
        });
        rooms.extend(seen.await);
    }
    rooms
}

/// Makes a persistent room of this owner, whatever the settings say about who may.
///
/// # Errors
/// `conflict` if there is one, or was one not long ago; what storage says.
pub async fn create(core: &Arc<Core>, room: &BareJid, owner: BareJid, config: RoomConfig) -> Result<(), StanzaError> {
    with_room(core, room, move |core, room, state| {
        Box::pin(async move {
            if state.is_some() {
                return Err(StanzaError::new(Condition::Conflict));
            }
            let mut new = Box::new(RoomState::new(config, task::now_us()));
            new.affiliate(owner.as_jid().clone(), Some(Affiliated::new(Affiliation::Owner)));
            let config = RoomConfig { persistent: true, ..new.config.clone() };
            stored::configuration(&mut Here { core, room, state: &mut new }, &config, &owner).await?;
            new.config = config;
            tracing::info!(room = %room.jid, %owner, "room created by an operator");
            *state = Some(new);
            Ok(())
        })
    })
    .await?
}

/// §10.9.
///
/// # Errors
/// `item-not-found` if there is no such room; what storage says.
pub async fn destroy(
    core: &Arc<Core>,
    room: &BareJid,
    alternate: Option<Jid>,
    reason: Option<String>,
) -> Result<(), StanzaError> {
    in_room(core, room, move |mut here| {
        Box::pin(async move {
            let venue = alternate.as_ref().map(Jid::to_string);
            stored::destruction(&mut here, venue, reason.clone()).await?;
            tracing::info!(room = %here.room.jid, "room destroyed by an operator");
            let element = Element::new("destroy", ns::MUC_USER)
                .attr_opt("jid", alternate.as_ref().map(Jid::as_str))
                .child_opt(reason.map(|reason| Element::new("reason", ns::MUC_USER).text(reason)));
            exit::destroy(&mut here, element.to_xml(ns::MUC_USER)).await;
            Ok(())
        })
    })
    .await
}

/// Another configuration: what `change` makes of the present one, or its refusal.
///
/// # Errors
/// The refusal; `item-not-found` if there is no such room; what storage says.
pub async fn configure<E: Send + 'static>(
    core: &Arc<Core>,
    room: &BareJid,
    change: impl FnOnce(&mut RoomConfig) -> Result<(), E> + Send + 'static,
) -> Result<Result<(), E>, StanzaError> {
    in_room(core, room, move |mut here| {
        Box::pin(async move {
            let mut config = here.state.config.clone();
            if let Err(refusal) = change(&mut config) {
                return Ok(Err(refusal));
            }
            let by = here.room.jid.clone();
            tracing::info!(room = %by, "room configured by an operator");
            configure::apply(&mut here, &by, Wish { config, owners: None, admins: None }).await.map(Ok)
        })
    })
    .await
}

/// Somebody is something else to a room from now on; nothing, without an affiliation. A whole domain can be banned.
///
/// # Errors
/// `conflict` if nobody would own the room any more; `item-not-found` if there is no such room; what storage says.
pub async fn affiliate(
    core: &Arc<Core>,
    room: &BareJid,
    who: Jid,
    affiliation: Option<Affiliation>,
    reason: Option<String>,
) -> Result<(), StanzaError> {
    in_room(core, room, move |mut here| {
        Box::pin(async move {
            let known = here.state.affiliations.get(who.as_str());
            let keeps_nick = affiliation.is_some_and(|affiliation| affiliation != Affiliation::Outcast);
            let new = affiliation.map(|affiliation| Affiliated {
                affiliation,
                nick: known.and_then(|known| known.nick.clone()).filter(|_| keeps_nick),
                reason: reason.clone().map(Into::into),
                follows: known.and_then(|known| known.follows),
            });
            let change = [Change::Affiliation { jid: who.clone(), new: new.clone() }];
            admin::check_owners(here.state, &change)?;
            stored::affiliations(&mut here, &change).await?;
            let by = here.room.jid.clone();
            admin::set_affiliation(&mut here, &by, who, new, Notice { reason, ..Notice::default() }).await;
            Ok(())
        })
    })
    .await
}

/// §8.2: whoever he is.
///
/// # Errors
/// `item-not-found` if there is no such room, or nobody of this nickname in it.
pub async fn kick(core: &Arc<Core>, room: &BareJid, nick: String, reason: Option<String>) -> Result<(), StanzaError> {
    in_room(core, room, move |mut here| {
        Box::pin(async move {
            let slot = here.state.occupants.of_exact_nick(&nick).ok_or(StanzaError::new(Condition::ItemNotFound))?;
            tracing::info!(room = %here.room.jid, nick, "occupant kicked by an operator");
            exit::remove(&mut here, slot, &Notice { reason, ..Notice::codes([307]) }).await;
            Ok(())
        })
    })
    .await
}

/// An account is gone: whoever takes its name next is nothing to the rooms in use. In those that are not, storage has seen
/// to it. Bans stay.
pub async fn forget_account(core: &Arc<Core>, account: &BareJid) {
    for room in core.rooms.all() {
        let account = account.clone();
        let done = in_room(core, &room.jid, move |here| {
            let known = here.state.affiliations.get(account.as_str()).map(|known| known.affiliation);
            if known.is_some_and(|affiliation| affiliation != Affiliation::Outcast) {
                here.state.affiliate(account.into_jid(), None);
                here.state.version += i64::from(here.state.id.is_some());
            }
            Box::pin(async { Ok(()) })
        });
        // A room that has gone meanwhile knows nobody.
        drop(done.await);
    }
}
