//! Error replies (RFC 6120 §8.3). An error is never answered with an error.

use super::route;
use crate::account::Parcel;
use crate::core::Core;
use crate::delivery::carbons::{self, Way};
use crate::storage;
use std::sync::Arc;
use xep_support::stanza::Kind;
use xep_support::stanza::error::{Condition, StanzaError};

/// Tells the sender that its stanza was not delivered. Presence other than a subscription request needs no answer.
pub fn bounce(core: &Arc<Core>, parcel: &Parcel, error: StanzaError) {
    let stanza = &parcel.stanza;
    if super::unanswerable(stanza) {
        return;
    }
    tracing::debug!(
        stanza = stanza.kind().name(),
        to = stanza.to().map(tracing::field::display),
        reason = error.condition.as_str(),
        "bounced"
    );
    core.counters.stanza_error(error.condition);
    if let Some(reply) = stanza.error_reply(&error) {
        deliver_reply(core, parcel, reply);
    }
}

fn deliver_reply(core: &Arc<Core>, parcel: &Parcel, reply: xep_support::stanza::Stanza) {
    // The sender's own acknowledgement waits until the error has reached it.
    let mut reply = Parcel::new(Arc::new(reply), parcel.hold.clone());
    reply.ours = true;
    // XEP-0280 §6.1: who has no copy of the message gets none of the error.
    reply.uncopied = parcel.uncopied || !carbons::is_eligible(&parcel.stanza, Way::Sent);
    if reply.stanza.kind() == Kind::Presence {
        return crate::delivery::presence::deliver(core, reply);
    }
    route(core, reply);
}

/// What a peer sees of trouble in storage: nothing of the inside, but whether trying later makes sense.
pub fn storage_error(error: &storage::Error) -> StanzaError {
    match error {
        storage::Error::Busy | storage::Error::Full => StanzaError::new(Condition::ResourceConstraint),
        _ => StanzaError::new(Condition::InternalServerError),
    }
}

/// The same for an IQ handler, with the log line: `storage.write().await.map_err(refused("vcard"))`.
pub fn refused(what: &'static str) -> impl Fn(storage::Error) -> StanzaError {
    move |error| {
        tracing::error!(what, %error, "storage refused an operation");
        storage_error(&error)
    }
}
