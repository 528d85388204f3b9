//! What who operates the server does to rooms. All of it goes through the room's inbox, is durable when it is answered, and
//! occupants are told as if an owner had done it.

use super::admin::{self, Change};
use super::shapes::Notice;
use super::task::{self, Here, in_room, with_room};
use super::{configure, exit, stored};
use crate::core::Core;
use crate::rooms::form::Wish;
use crate::rooms::{Affiliated, Affiliation, Hats, Role, RoomConfig, RoomState};
use std::sync::Arc;
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
    /// Its hats, and who wears them.
    pub hats: Hats,
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
        config: RoomConfig::clone(&state.config),
        locked: state.locked,
        subject: subject.map(|subject| subject.text_content()).filter(|text| !text.is_empty()),
        affiliations: state.affiliations.iter().map(|(jid, known)| (jid.to_string(), known.clone())).collect(),
        occupants: state.occupants.iter().map(seen).collect(),
        hats: state.hats.clone(),
    }
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
            let config = RoomConfig { persistent: true, ..RoomConfig::clone(&new.config) };
            stored::configuration(&mut Here { core, room, state: &mut new }, &config, &[], &owner).await?;
            new.config = Arc::new(config);
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
            let mut config = RoomConfig::clone(&here.state.config);
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
                version: 0,
            });
            let change = [Change::Affiliation { jid: who.clone(), new: new.clone() }];
            if admin::is_so(here.state, &change[0]) {
                return Ok(());
            }
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
        let done = in_room(core, &room.jid, move |mut here| {
            let known = here.state.affiliations.get(account.as_str()).map(|known| known.affiliation);
            here.state.hats.forget(&account);
            Box::pin(async move {
                if known.is_some_and(|affiliation| affiliation != Affiliation::Outcast) {
                    forget(&mut here, account).await;
                }
                Ok(())
            })
        });
        // A room that has gone meanwhile knows nobody.
        drop(done.await);
    }
}

/// Storage has taken the affiliation away already; that it is done once more is the version by which everybody learns it.
async fn forget(here: &mut Here<'_>, account: BareJid) {
    let change = [Change::Affiliation { jid: account.as_jid().clone(), new: None }];
    if let Err(error) = stored::affiliations(here, &change).await {
        tracing::error!(room = %here.room.jid, condition = error.condition.as_str(), "a removed account is not told of");
    }
    admin::set_affiliation(here, &account.clone(), account.into_jid(), None, Notice::default()).await;
}
