//! Publishing, retracting, purging (XEP-0060 §7, §8.5). All of it in the node's turn.

use super::asker::Asker;
use super::notify::{self, Notification};
use super::{Publish, error, nodes, subscribe};
use crate::clock;
use crate::core::Core;
use crate::pubsub::{Change, Fault, Item, Node, NodeConfig, NodeEvent, PublishNodeFull};
use crate::router::bounce::refused;
use crate::storage::{Error, Room, Stored};
use std::sync::Arc;
use xep_support::formats::form::{DataForm, FormType};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;

/// §7.1. Gives the ItemID.
pub(super) async fn publish(asker: Asker<'_>, wish: Publish) -> Result<String, StanzaError> {
    nodes::check_name(asker.core, &wish.node)?;
    if let Some(id) = &wish.id {
        nodes::check_name(asker.core, id)?;
    }
    let (node, own_only) = match super::node(asker.core, asker.owner, &wish.node).await? {
        Some(node) => {
            let own_only = asker.may_publish(&node)?;
            check_options(asker.core, &node.config, wish.options.as_ref())?;
            check_wish(asker.core, &node.config, &wish)?;
            (node, own_only)
        }
        None => (auto_create(asker, &wish).await?, false),
    };
    let item = Item {
        id: match wish.id {
            Some(id) => id,
            None => super::random_id()?,
        },
        publisher: publisher(asker).to_owned(),
        published_us: clock::now_micros(),
        payload: wish.payload.unwrap_or_default(),
    };
    subscribe::cancel_lost(asker, &node).await;
    let removed = if node.config.persist_items { store(asker, &node, &item, own_only).await? } else { Vec::new() };
    announce(asker, &node, &item, wish.without_item, &removed);
    Ok(item.id)
}

/// The bare JID that stands for who publishes.
fn publisher<'a>(asker: Asker<'a>) -> &'a str {
    if asker.internal { asker.owner.jid().bare_str() } else { asker.from.bare_str() }
}

/// §7.1.4: on accounts, by their owners. The node is not made for something that would be refused.
async fn auto_create(asker: Asker<'_>, wish: &Publish) -> Result<Arc<Node>, StanzaError> {
    if !asker.owner.is_account() || !asker.may_create() {
        return Err(error::no_such_node());
    }
    let mut config = NodeConfig::for_node(&wish.node);
    if let Some(form) = &wish.options {
        options(&mut config, form)?;
    }
    nodes::check_config(asker, &config)?;
    check_wish(asker.core, &config, wish)?;
    nodes::make(asker, &wish.node, config).await
}

/// §7.1.5: each field is a precondition. What would change nothing is met.
fn check_options(core: &Core, config: &NodeConfig, form: Option<&DataForm>) -> Result<(), StanzaError> {
    let Some(form) = form else { return Ok(()) };
    let mut wanted = config.clone();
    options(&mut wanted, form)?;
    let items_max = core.config().limits.pubsub_items_per_node_max;
    if wanted.is_like(config, items_max) { Ok(()) } else { Err(error::precondition_not_met()) }
}

/// Applies options; "it MUST reject the publication upon encountering unknown fields".
fn options(config: &mut NodeConfig, form: &DataForm) -> Result<(), StanzaError> {
    if form.kind != FormType::Submit || form.form_type() != Some(ns::PUBSUB_PUBLISH_OPTIONS) {
        return Err(error::bad("publish-options need a submitted form of that type"));
    }
    config.apply(form, true).map_err(|fault| match fault {
        Fault::AccessModel => error::of_form(Fault::AccessModel),
        Fault::Value(_) | Fault::Unknown(_) => error::precondition_not_met(),
    })
}

/// §7.1.3.5, §7.1.3.7: does what is published match the node?
fn check_wish(core: &Core, config: &NodeConfig, wish: &Publish) -> Result<(), StanzaError> {
    let bytes_max = config.max_payload_size.within(core.config().limits.pubsub_item_bytes_max);
    if wish.payload.as_ref().is_some_and(|payload| payload.len() > bytes_max) {
        return Err(error::payload_too_big());
    }
    match (config.persist_items, config.deliver_payloads) {
        (false, false) if !wish.without_item => Err(error::item_forbidden()),
        (false, false) => Ok(()),
        _ if wish.without_item => Err(error::item_required()),
        (_, true) if wish.payload.is_none() => Err(error::payload_required()),
        _ => Ok(()),
    }
}

/// Gives the ids of those that had to give way.
async fn store(asker: Asker<'_>, node: &Node, item: &Item, own_only: bool) -> Result<Vec<String>, StanzaError> {
    let room = {
        let limits = &asker.core.config().limits;
        let id = asker.owner.account().and_then(|account| account.id);
        Room {
            items_max: node.config.max_items.within(limits.pubsub_items_per_node_max),
            bytes_max: limits.pubsub_bytes_per_node_max,
            account: id.map(|id| (id, limits.pubsub_bytes_per_account_max)),
            reject: node.config.publish_node_full == PublishNodeFull::Reject,
            own_only,
        }
    };
    let expires_us = node.config.expire_us().map(|us| item.published_us.saturating_add(us));
    match asker.core.storage.pubsub_store(node.id, item.clone(), expires_us, room).await {
        Ok(Stored::Done { removed }) => Ok(removed),
        Ok(Stored::Full) => Err(error::full()),
        Ok(Stored::TooMuch) => Err(error::no_room("there is no room for so much")),
        Ok(Stored::NotYours) => Err(error::forbidden()),
        Err(Error::NotFound) => Err(error::no_such_node()),
        Err(error) => Err(refused("pubsub")(error)),
    }
}

/// Tells everybody (§7.1.2). An item that gives way in a node for one thing is not mourned: the new one says it all.
fn announce(asker: Asker<'_>, node: &Arc<Node>, item: &Item, without_item: bool, removed: &[String]) {
    let Asker { core, owner, .. } = asker;
    let config = &node.config;
    let inside = notify::items_xml(&node.name, config, (!without_item).then_some(item));
    Notification::event(owner, config, &inside).broadcast(core, owner, node);
    let told = config.notify_retract && config.publish_node_full == PublishNodeFull::RetractOldest;
    if told && !removed.is_empty() && config.max_items.within(2) > 1 {
        let inside = notify::retract_xml(&node.name, removed);
        Notification::event(owner, config, &inside).broadcast(core, owner, node);
    }
    happened(asker, node, Change::Published(item));
    for id in removed {
        happened(asker, node, Change::Retracted(id));
    }
}

/// Tells other extensions.
pub(super) fn happened(asker: Asker<'_>, node: &Arc<Node>, change: Change<'_>) {
    let Asker { core, owner, from, internal } = asker;
    core.registry.run_node_event(core, &NodeEvent { owner, node, from, change, internal });
}

/// §7.2. Owners remove anything, others what they have published.
pub(super) async fn retract(asker: Asker<'_>, name: &str, id: &str, notify: bool) -> Result<(), StanzaError> {
    let node = asker.node(name).await?;
    let own_only = asker.may_publish(&node)?;
    if !node.config.persist_items {
        return Err(error::unsupported("persistent-items"));
    }
    let trouble = refused("pubsub");
    let (storage, ids) = (&asker.core.storage, [id.to_owned()]);
    let found = storage.pubsub_items_by_id(node.id, clock::now_micros(), &ids, u64::MAX).await.map_err(&trouble)?;
    match found.first() {
        None => return Err(error::no_such_node()),
        Some(item) if own_only && item.publisher != asker.bare() => return Err(error::forbidden()),
        Some(_) => {}
    }
    if !storage.pubsub_retract(node.id, id).await.map_err(&trouble)? {
        return Err(error::no_such_node());
    }
    if notify || node.config.notify_retract {
        let inside = notify::retract_xml(name, &ids);
        Notification::event(asker.owner, &node.config, &inside).broadcast(asker.core, asker.owner, &node);
    }
    happened(asker, &node, Change::Retracted(id));
    Ok(())
}

/// §8.5.
pub(super) async fn purge(asker: Asker<'_>, name: &str) -> Result<(), StanzaError> {
    let node = asker.own_node(name).await?;
    if !node.config.persist_items {
        return Err(error::unsupported("persistent-items"));
    }
    nodes::trim(asker.core, &node, 0).await?;
    if node.config.notify_retract {
        let inside = notify::empty_xml("purge", name);
        Notification::event(asker.owner, &node.config, &inside).broadcast(asker.core, asker.owner, &node);
    }
    happened(asker, &node, Change::Purged);
    Ok(())
}
