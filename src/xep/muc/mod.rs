//! Rooms: the service `conference.<domain>` (XEP-0045). What a room is, is in `rooms`; here is what is done there.
//!
//! Whatever comes for a room is put into its inbox ([`task`]), and is done in that order.

mod absent;
pub mod activity;
mod admin;
mod approve;
mod blocks;
pub mod card;
mod configure;
mod disco;
mod enter;
mod exit;
pub mod hats;
mod history;
mod invite;
mod iq;
mod mention;
pub mod mentioning;
mod message;
pub mod moderate;
mod nick;
pub mod operate;
mod owner;
mod private;
mod register;
mod requests;
mod rules;
pub mod search;
mod shapes;
mod shown_again;
mod standing;
mod stored;
pub mod surviving;
pub mod task;
pub mod versions;
mod voice;

pub use blocks::{check as check_blocked, keep_out, let_in};

use crate::account::Parcel;
use crate::account::joined::Joined;
use crate::account::resource::Client;
use crate::config::RoomCreation;
use crate::core::Core;
use crate::extension::registry::Identity;
use crate::extension::{About, BoxFuture, Declare, Extension};
use crate::rooms::Event;
use crate::router::bounce::bounce;
use std::sync::Arc;
use tokio::sync::oneshot;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Facts, Kind, PresenceType, Stanza};

/// What stands in front of the domain in the address of the service.
pub const SERVICE: &str = "conference";

/// The service.
pub struct MultiUserChat;

impl Extension for MultiUserChat {
    fn about(&self) -> About {
        About::new("XEP-0045", "Multi-User Chat", "1.35.5")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let identity = Identity { category: "conference", kind: "text", name: "Rooms" };
        d.service(SERVICE, Some(identity), [ns::MUC, ns::MUC_STABLE_ID])
            .service_if(SERVICE, |config| config.rooms.enabled)
            .service_presence(SERVICE, Box::new(presence))
            .within(SERVICE, Box::new(within))
            .left(Box::new(left));
        disco::declare(d);
        iq::declare(d);
    }
}

/// Occupant ids.
pub struct OccupantIds;

impl Extension for OccupantIds {
    fn about(&self) -> About {
        About::new("XEP-0421", "Occupant identifiers for semi-anonymous MUCs", "1.0.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.service(SERVICE, None, [ns::OCCUPANT_ID]);
    }
}

/// Pings by which a client learns whether it is still in a room.
pub struct SelfPing;

impl Extension for SelfPing {
    fn about(&self) -> About {
        About::new("XEP-0410", "MUC Self-Ping (Schrödinger's Chat)", "1.1.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.service(SERVICE, None, [ns::MUC_SELF_PING]);
    }
}

/// A pause between two messages of an occupant.
pub struct SlowMode;

impl Extension for SlowMode {
    fn about(&self) -> About {
        About::new("XEP-0500", "MUC Slow Mode", "0.1.1")
    }
}

/// Presence for a room. That for the service itself means nothing. Who enters is told much: one room after the other, each
/// when the client has taken most of what it was sent before.
fn presence(core: &Arc<Core>, client: &Client, stanza: Stanza) -> Option<BoxFuture<()>> {
    let Some(room) = stanza.to().filter(|to| to.local().is_some()).map(|to| to.bare()) else {
        if stanza.facts().contains(Facts::MUC_JOIN) && stanza.presence_type() == Ok(PresenceType::Available) {
            // §17.1: a room has a name.
            enter::refuse(client, &stanza, StanzaError::new(Condition::JidMalformed));
        }
        return None;
    };
    if !core.config().rooms.enabled {
        enter::refuse(client, &stanza, StanzaError::new(Condition::ServiceUnavailable));
        return None;
    }
    let (hold, client) = (client.pending.hold(), client.clone());
    if !stanza.facts().contains(Facts::MUC_JOIN) {
        let stanza = Box::new(stanza);
        task::post(core, &room, Event::Presence { client, stanza, hold, done: None });
        return None;
    }
    let core = core.clone();
    Some(Box::pin(async move {
        client.resource.outbox.room().await;
        let (done, is_done) = oneshot::channel();
        let stanza = Box::new(stanza);
        task::post(&core, &room, Event::Presence { client, stanza, hold, done: Some(done) });
        // It is never sent, only dropped.
        let _ = is_done.await;
    }))
}

/// A message for a room or an occupant, or an IQ stanza for an occupant.
fn within(core: &Arc<Core>, parcel: Parcel) {
    let Some(room) = parcel.stanza.to().map(|to| to.bare()) else { return };
    if parcel.stanza.from().is_none() {
        return;
    }
    if !core.config().rooms.enabled {
        return bounce(core, &parcel, StanzaError::new(Condition::ServiceUnavailable));
    }
    let event = if parcel.stanza.kind() == Kind::Iq { Event::Iq(parcel) } else { Event::Message(parcel) };
    task::post(core, &room, event);
}

/// §11.2: the service is offered no more, by order of who operates it. Nobody is in its rooms any more.
pub async fn shut(core: &Arc<Core>) {
    for room in core.rooms.all() {
        let done = task::in_room(core, &room.jid, |mut here| {
            Box::pin(async move {
                exit::end(&mut here, &shapes::Notice::codes([332])).await;
                Ok(())
            })
        });
        // Without a room there is nobody in it.
        drop(done.await);
    }
}

/// Stage Left.
fn left(core: &Arc<Core>, client: &Client, rooms: &Joined, presence: &Arc<Stanza>) {
    for room in &rooms.0 {
        task::post(core, &room.jid.bare(), Event::Left { client: client.clone(), presence: presence.clone() });
    }
}

/// May this client make a room?
fn may_create(core: &Core, client: &Client) -> bool {
    let config = core.config();
    let is_admin = || config.is_admin(client.account.jid.as_str());
    client.account.id.is_some()
        && !client.account.lock().removed
        && match config.rooms.create {
            RoomCreation::Everybody => true,
            RoomCreation::Admins => is_admin(),
            RoomCreation::Nobody => false,
        }
}
