//! The errors of XEP-0060, each with its application condition, as the tables of §6 to §8 have them.

use crate::pubsub::Fault;
use xep_support::ns;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};
use xep_support::xml::Element;

fn with(condition: Condition, app: &'static str) -> StanzaError {
    StanzaError::new(condition).with_app(app, ns::PUBSUB_ERRORS)
}

/// The service or the node does not do that.
pub(super) fn unsupported(feature: &'static str) -> StanzaError {
    let detail = Element::new("unsupported", ns::PUBSUB_ERRORS).attr("feature", feature);
    StanzaError::new(Condition::FeatureNotImplemented).with_detail(detail)
}

/// §6.1.3.12, §7.1.3.3 …
pub(super) fn no_such_node() -> StanzaError {
    StanzaError::new(Condition::ItemNotFound)
}

/// §8.2.3.2 …
pub(super) fn forbidden() -> StanzaError {
    StanzaError::new(Condition::Forbidden)
}

/// A request that is not one.
pub(super) fn bad(text: &'static str) -> StanzaError {
    StanzaError::bad_request().with_text(text)
}

/// §7.2.3.3, §8.2.3.3.
pub(super) fn node_required() -> StanzaError {
    with(Condition::BadRequest, "nodeid-required")
}

/// §6.1.3.1.
pub(super) fn invalid_jid() -> StanzaError {
    with(Condition::BadRequest, "invalid-jid")
}

/// §6.1.3.2, §6.5.9.6.
pub(super) fn presence_required() -> StanzaError {
    with(Condition::NotAuthorized, "presence-subscription-required")
}

/// §6.1.3.3, §6.5.9.7.
pub(super) fn not_in_group() -> StanzaError {
    with(Condition::NotAuthorized, "not-in-roster-group")
}

/// §6.1.3.4, §6.5.9.8.
pub(super) fn closed() -> StanzaError {
    with(Condition::NotAllowed, "closed-node")
}

/// §6.1.3.7.
pub(super) fn pending() -> StanzaError {
    with(Condition::NotAuthorized, "pending-subscription")
}

/// §6.1.3.9.
pub(super) fn too_many_subscriptions() -> StanzaError {
    with(Condition::PolicyViolation, "too-many-subscriptions").with_type(ErrorType::Wait)
}

/// §6.2.3.2.
pub(super) fn no_such_subscriber() -> StanzaError {
    with(Condition::UnexpectedRequest, "not-subscribed").with_type(ErrorType::Cancel)
}

/// §6.5.9.3.
pub(super) fn not_subscribed() -> StanzaError {
    with(Condition::NotAuthorized, "not-subscribed")
}

/// §7.1.3.4.
pub(super) fn full() -> StanzaError {
    with(Condition::Conflict, "node-full")
}

/// §7.1.3.5.
pub(super) fn payload_too_big() -> StanzaError {
    with(Condition::NotAcceptable, "payload-too-big")
}

/// §7.1.3.6.
pub(super) fn invalid_payload() -> StanzaError {
    with(Condition::BadRequest, "invalid-payload")
}

/// §7.1.3.7, §7.2.3.4.
pub(super) fn item_required() -> StanzaError {
    with(Condition::BadRequest, "item-required")
}

/// §7.1.3.7.
pub(super) fn payload_required() -> StanzaError {
    with(Condition::BadRequest, "payload-required")
}

/// §7.1.3.7.
pub(super) fn item_forbidden() -> StanzaError {
    with(Condition::BadRequest, "item-forbidden")
}

/// §7.1.5.
pub(super) fn precondition_not_met() -> StanzaError {
    with(Condition::Conflict, "precondition-not-met")
}

/// There are as many nodes as there may be (§19, no section of its own).
pub(super) fn too_many_nodes() -> StanzaError {
    with(Condition::PolicyViolation, "max-nodes-exceeded").with_type(ErrorType::Wait)
}

/// There is no room for more.
pub(super) fn no_room(text: &'static str) -> StanzaError {
    StanzaError::new(Condition::ResourceConstraint).with_text(text)
}

/// A form that cannot be taken (§8.1.2, §8.2.5.2).
pub(super) fn of_form(fault: Fault) -> StanzaError {
    match fault {
        Fault::AccessModel => with(Condition::NotAcceptable, "unsupported-access-model"),
        Fault::Value(var) => StanzaError::new(Condition::NotAcceptable).with_text(format!("{var}: not this value")),
        Fault::Unknown(_) => StanzaError::new(Condition::NotAcceptable).with_text("there is no such field"),
    }
}
