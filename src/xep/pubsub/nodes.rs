//! Nodes: made, configured, deleted (XEP-0060 §8.1 to §8.4). What changes one is done in its turn.

use super::asker::Asker;
use super::error;
use super::notify::{self, Notification};
use super::publish::happened;
use crate::clock;
use crate::core::Core;
use crate::ops;
use crate::pubsub::{Affiliation, Change, Node, NodeConfig, Owner, default_form, filled_form};
use crate::router::bounce::refused;
use crate::storage::{Error, NewNode};
use std::collections::BTreeSet;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, FormType};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;
use xep_support::xml::writer::push_attr;

/// Names of nodes and items.
pub(super) fn check_name(core: &Core, name: &str) -> Result<(), StanzaError> {
    if name.is_empty() || name.len() > core.config().limits.pubsub_name_bytes_max {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("an empty name, or one that is too long"));
    }
    Ok(())
}

/// Can a node be like this?
pub(super) fn check_config(asker: Asker<'_>, config: &NodeConfig) -> Result<(), StanzaError> {
    let items_max = asker.core.config().limits.pubsub_items_per_node_max;
    config.check(asker.owner, items_max).map_err(error::of_form)
}

/// What a node of this owner and name begins with.
fn defaults(owner: &Owner, name: &str) -> NodeConfig {
    if owner.is_account() { NodeConfig::for_node(name) } else { NodeConfig::for_service() }
}

/// §8.1.
pub(super) async fn create(asker: Asker<'_>, name: &str, form: Option<&DataForm>) -> Result<(), StanzaError> {
    if !asker.may_create() {
        return Err(error::forbidden());
    }
    check_name(asker.core, name)?;
    if super::node(asker.core, asker.owner, name).await?.is_some() {
        return Err(StanzaError::new(Condition::Conflict));
    }
    let mut config = defaults(asker.owner, name);
    if let Some(form) = form {
        config.apply(form, false).map_err(error::of_form)?;
    }
    check_config(asker, &config)?;
    make(asker, name, config).await.map(drop)
}

/// Makes a node for somebody who may have it.
pub(super) async fn make(asker: Asker<'_>, name: &str, config: NodeConfig) -> Result<Arc<Node>, StanzaError> {
    let account = asker.owner.account().map(|account| ops::registered(account)).transpose()?;
    let nodes_max = {
        let limits = &asker.core.config().limits;
        if account.is_some() { limits.pubsub_nodes_per_account_max } else { limits.pubsub_nodes_per_service_max }
    };
    let creator = if asker.internal { asker.owner.jid().bare_str() } else { asker.bare() };
    // The owner of an account owns its nodes anyway.
    let affiliations = match account {
        Some(_) => Vec::new(),
        None => vec![(creator.to_owned(), Affiliation::Owner.number())],
    };
    let new = NewNode {
        account,
        owner: asker.owner.jid().as_str().to_owned(),
        name: name.to_owned(),
        creator: creator.to_owned(),
        created_us: clock::now_micros(),
        config: config.to_stored(),
        affiliations,
    };
    match asker.core.storage.pubsub_create(new, nodes_max).await {
        Ok(Some(_)) => {}
        Ok(None) => return Err(error::too_many_nodes()),
        Err(Error::Conflict) => return Err(StanzaError::new(Condition::Conflict)),
        Err(Error::NotFound) => return Err(error::no_such_node()),
        Err(error) => return Err(refused("pubsub")(error)),
    }
    tracing::debug!(owner = %asker.owner.jid(), node = name, by = creator, "node created");
    asker.node(name).await
}

/// §8.2.1.
pub(super) async fn configuration(asker: Asker<'_>, name: &str) -> Result<Element, StanzaError> {
    let node = asker.own_node(name).await?;
    let form = default_form(&node.config, asker.owner, &groups(asker.owner));
    let configure = Element::new("configure", ns::PUBSUB_OWNER).attr("node", name).child(form.to_element());
    Ok(Element::new("pubsub", ns::PUBSUB_OWNER).child(configure))
}

/// The groups of the owner's roster, which a node may be open to.
fn groups(owner: &Owner) -> Vec<String> {
    let Some(account) = owner.account() else { return Vec::new() };
    let state = account.lock();
    let all: BTreeSet<&str> =
        state.roster.listed().flat_map(|(_, contact)| contact.groups.iter().map(|group| &**group)).collect();
    all.into_iter().map(str::to_owned).collect()
}

/// §8.3. The defaults of an account are its owner's business.
pub(super) fn default_configuration(asker: Asker<'_>) -> Result<Element, StanzaError> {
    if asker.owner.is_account() && !asker.may_create() {
        return Err(error::forbidden());
    }
    let form = default_form(&defaults(asker.owner, ""), asker.owner, &groups(asker.owner));
    let default = Element::new("default", ns::PUBSUB_OWNER).child(form.to_element());
    Ok(Element::new("pubsub", ns::PUBSUB_OWNER).child(default))
}

/// §8.2.4.
pub(super) async fn configure(asker: Asker<'_>, name: &str, form: &DataForm) -> Result<(), StanzaError> {
    let node = asker.own_node(name).await?;
    if form.kind == FormType::Cancel {
        return Ok(());
    }
    let mut config = node.config.clone();
    config.apply(form, false).map_err(error::of_form)?;
    check_config(asker, &config)?;
    if config == node.config {
        return Ok(());
    }
    let set = set_config(asker.core, &node, &config).await;
    // Even if it failed: perhaps only half of it did.
    asker.core.nodes.forget(asker.owner, name);
    set?;
    let node = asker.node(name).await?;
    if config.notify_config {
        let mut inside = String::from("<configuration");
        push_attr(&mut inside, "node", name);
        inside.push('>');
        if config.deliver_payloads {
            filled_form(&config, asker.owner).to_element().write(&mut inside, ns::PUBSUB_EVENT);
        }
        inside.push_str("</configuration>");
        Notification::event(asker.owner, &config, &inside).broadcast(asker.core, asker.owner, &node);
    }
    happened(asker, &node, Change::Configured);
    Ok(())
}

/// What is kept follows from how it is to be kept.
async fn set_config(core: &Core, node: &Node, config: &NodeConfig) -> Result<(), StanzaError> {
    let expiry = (config.item_expire != node.config.item_expire).then(|| config.expire_us());
    core.storage.pubsub_configure(node.id, config.to_stored(), expiry).await.map_err(refused("pubsub"))?;
    let items_max = core.config().limits.pubsub_items_per_node_max;
    let kept = |config: &NodeConfig| if config.persist_items { config.max_items.within(items_max) } else { 0 };
    if kept(config) < kept(&node.config) { trim(core, node, kept(config)).await } else { Ok(()) }
}

/// Removes all items but so many newest ones.
pub(super) async fn trim(core: &Core, node: &Node, kept: usize) -> Result<(), StanzaError> {
    core.storage.pubsub_trim(node.id, kept).await.map_err(refused("pubsub")).map(drop)
}

/// §8.4. `redirect`: where it is now.
pub(super) async fn delete(asker: Asker<'_>, name: &str, redirect: Option<&str>) -> Result<(), StanzaError> {
    let node = asker.own_node(name).await?;
    remove(asker, &node, redirect).await
}

/// Deletes a node, whoever wants that.
pub(super) async fn remove(asker: Asker<'_>, node: &Arc<Node>, redirect: Option<&str>) -> Result<(), StanzaError> {
    let Asker { core, owner, .. } = asker;
    let deleted = core.storage.pubsub_delete(node.id).await;
    core.nodes.forget(owner, &node.name);
    if !deleted.map_err(refused("pubsub"))? {
        return Err(error::no_such_node());
    }
    tracing::debug!(owner = %owner.jid(), node = &*node.name, "node deleted");
    if node.config.notify_delete {
        let inside = match redirect {
            None => notify::empty_xml("delete", &node.name),
            Some(uri) => {
                let redirect = Element::new("redirect", ns::PUBSUB_EVENT).attr("uri", uri);
                let delete = Element::new("delete", ns::PUBSUB_EVENT).attr("node", &*node.name).child(redirect);
                delete.to_xml(ns::PUBSUB_EVENT)
            }
        };
        Notification::event(owner, &node.config, &inside).broadcast(core, owner, node);
        // "which SHOULD include pending … subscriptions".
        let pending = node.subscriptions.iter().filter(|(_, s)| **s == crate::pubsub::SubscriptionState::Pending);
        for (jid, _) in pending {
            Notification::event(owner, &node.config, &inside).send(core, jid);
        }
    }
    happened(asker, node, Change::Deleted);
    Ok(())
}
