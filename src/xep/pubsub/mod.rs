//! Publish-subscribe: nodes of accounts (XEP-0163) and of the service `pubsub.<domain>` (XEP-0060), one engine for both.

use crate::account::resource::{Interest, Resource};
use crate::core::Core;
use crate::pubsub::{Item, Node, Owner};
use std::sync::Arc;
use xep_support::formats::form::DataForm;
use xep_support::jid::Jid;
use xep_support::stanza::error::{Condition, StanzaError};

/// Something to publish.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    /// The NodeID.
    pub node: String,
    /// The ItemID; one is made if there is none.
    pub id: Option<String>,
    /// One element as XML that stands alone (see [`standalone`]); `None`: an empty item.
    pub payload: Option<String>,
    /// What the node has to be like, or becomes if it has to be made (§7.1.5).
    pub options: Option<DataForm>,
    /// An extension of ours publishes, not a client: it may whatever the owner may, and `NodeEvent::internal` is set.
    pub internal: bool,
}

/// Who gets a notification.
pub enum Recipient {
    /// A resource.
    Resource(Arc<Resource>),
    /// An address, local or not.
    Address(Jid),
}

/// An element as text that can stand anywhere: as the payload of an item is stored.
pub fn standalone(element: &xep_support::xml::Element) -> String {
    // No namespace has this name: every element declares its own.
    element.to_xml("\u{1}")
}

/// Publishes, as `from`; the ItemID, once it is durable and everybody is notified.
pub async fn publish(core: &Arc<Core>, owner: &Owner, from: &Jid, publish: Publish) -> Result<String, StanzaError> {
    let _ = (core, owner, from, publish);
    Err(StanzaError::new(Condition::FeatureNotImplemented))
}

/// Removes an item, as `from`; `item-not-found` if there is none. Subscribers are told if `notify` or the node say so.
pub async fn retract(
    core: &Arc<Core>,
    owner: &Owner,
    from: &Jid,
    (node, id): (&str, &str),
    notify: bool,
    internal: bool,
) -> Result<(), StanzaError> {
    let _ = (core, owner, from, node, id, notify, internal);
    Err(StanzaError::new(Condition::FeatureNotImplemented))
}

/// A node, if there is one.
pub async fn node(core: &Arc<Core>, owner: &Owner, name: &str) -> Result<Option<Arc<Node>>, StanzaError> {
    let weight_max = core.config().limits.pubsub_cached_max;
    core.nodes.get(&core.storage, owner, name, weight_max).await.map_err(crate::router::bounce::refused("pubsub"))
}

/// The newest item of a node, whoever asks.
pub async fn last_item(core: &Arc<Core>, owner: &Owner, name: &str) -> Result<Option<Item>, StanzaError> {
    let _ = (core, owner, name);
    Ok(None)
}

/// All items of a node, the oldest first, whoever asks; at most `items_max`, the newest of them.
pub async fn all_items(core: &Arc<Core>, owner: &Owner, name: &str, items_max: u32) -> Result<Vec<Item>, StanzaError> {
    let _ = (core, owner, name, items_max);
    Ok(Vec::new())
}

/// Who gets a notification of this node: the audience, without repetition.
pub fn recipients(core: &Arc<Core>, owner: &Owner, node: &Node) -> Vec<Recipient> {
    let _ = (core, owner, node);
    Vec::new()
}

/// Sends the last item of every node that `interest` names and `asker` may see to its resource, where the node wants that
/// (`send_last_published_item`): those of its own account and of the contacts in `owners`, accounts not in memory
/// included.
pub async fn send_last_items(core: &Arc<Core>, resource: &Arc<Resource>, owners: &[&str], interest: &Interest) {
    let _ = (core, resource, owners, interest);
}
