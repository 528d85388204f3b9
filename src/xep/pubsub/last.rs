//! The last item of each node for somebody who has come online (XEP-0163 §4.3.4).

use super::asker::is_implied;
use super::notify::{last_item_xml, unique_id};
use crate::account::resource::{Interest, Resource};
use crate::clock;
use crate::core::Core;
use crate::outbox;
use crate::pubsub::{Affiliation, NodeConfig, NotificationType, SendLastPublishedItem, SubscriptionState};
use crate::storage::LastItem;
use std::sync::Arc;
use std::time::Duration;
use xep_support::jid::Jid;
use xep_support::stanza::{MessageType, Stanza};

/// What contacts have published must not overflow an outbox. Who has not made room for more by then does without the rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends the last item of every node that `interest` names and its user may see to a resource, where the node wants that
/// (`send_last_published_item`): of the user's own nodes and of those of `owners`, the bare JIDs of contacts that the user
/// sees; their accounts need not be in memory. As fast as the client takes them; `false`: it does not.
pub async fn send_last_items(core: &Arc<Core>, resource: &Arc<Resource>, owners: &[&str], interest: &Interest) -> bool {
    let (user, full) = (resource.jid.bare_str(), resource.jid.as_str());
    let nodes: Vec<&str> = interest.nodes().collect();
    if nodes.is_empty() || owners.is_empty() {
        return true;
    }
    let found = {
        // For the reading alone: who waits for a client keeps nobody else waiting.
        let Ok(_place) = core.capabilities.hand_outs.acquire().await else { return false };
        core.storage.pubsub_last_items(owners, &nodes, full, clock::now_micros()).await
    };
    let found = found.unwrap_or_else(|error| {
        tracing::error!(%error, user, "last items could not be read");
        Vec::new()
    });
    let blocked = core.accounts.find(user).and_then(|account| account.lock().blocked.clone());
    let is_blocked = |owner: &Jid| blocked.as_ref().is_some_and(|list| list.forbids(owner));
    for mut last in found {
        if let Some(stanza) = message(user, &last).filter(|stanza| !stanza.from().is_some_and(is_blocked)) {
            if !tokio::time::timeout(PATIENCE, resource.outbox.room()).await.unwrap_or(false) {
                tracing::debug!(resource = full, "a client did not take its last items");
                return false;
            }
            let Some(stanza) = whole(core, user, &mut last, stanza).await else { continue };
            let to = resource.jid.as_jid().clone();
            // Who cannot take it is on its way out.
            let _ = resource.outbox.push(outbox::Item::addressed(Arc::new(stanza), to));
        }
    }
    true
}

/// Reads a long payload when its turn has come. `None`: the item is gone.
async fn whole(core: &Core, user: &str, last: &mut LastItem, stanza: Stanza) -> Option<Stanza> {
    let Some(node) = last.left_out else { return Some(stanza) };
    let ids = [last.item.id.clone()];
    let found = core.storage.pubsub_items_by_id(node, clock::now_micros(), &ids, u64::MAX).await;
    last.item =
        found.inspect_err(|error| tracing::error!(%error, user, "a last item could not be read")).ok()?.pop()?;
    message(user, last)
}

fn message(user: &str, last: &LastItem) -> Option<Stanza> {
    let config = NodeConfig::from_stored(&last.config)?;
    let affiliation = last.affiliation.and_then(Affiliation::from_number);
    let is_subscribed =
        last.subscription.and_then(SubscriptionState::from_number) == Some(SubscriptionState::Subscribed);
    let wanted = config.send_last_published_item == SendLastPublishedItem::OnSubAndPresence
        && config.deliver_notifications
        && config.persist_items
        && (last.owner == user || is_implied(&config, affiliation, is_subscribed, &last.groups));
    if !wanted {
        return None;
    }
    let owner = Jid::parse(&last.owner).ok()?;
    let kind = match config.notification_type {
        NotificationType::Headline => MessageType::Headline,
        NotificationType::Normal => MessageType::Normal,
    };
    let inside = last_item_xml(&owner, &last.node, &config, &last.item);
    Some(Stanza::message_with(kind, &unique_id(), Some(&owner), None, &inside))
}
