//! Subscriptions (XEP-0060 §6.1, §6.2, §5.6) and what owners do with them (§8.8). An address has one subscription to a
//! node: there are no SubIDs and no options.

use super::asker::{Access, Asker, keeps_access};
use super::notify::Notification;
use super::{approval, error, notify};
use crate::clock;
use crate::pubsub::{Affiliation, Node, SendLastPublishedItem, SubscriptionState};
use crate::router::bounce::refused;
use std::collections::BTreeMap;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// `<subscription/>` as subscribers see it.
fn element(node: &str, jid: &str, state: Option<SubscriptionState>) -> Element {
    Element::new("subscription", ns::PUBSUB)
        .attr("node", node)
        .attr("jid", jid)
        .attr("subscription", state.map_or("none", SubscriptionState::name))
}

/// The answer around one of them.
fn answer(node: &str, jid: &Jid, state: Option<SubscriptionState>) -> Element {
    Element::new("pubsub", ns::PUBSUB).child(element(node, jid.as_str(), state))
}

/// The address that is to be subscribed or unsubscribed.
fn address(request: &Element) -> Result<Jid, StanzaError> {
    let jid = request
        .get_attr("jid")
        .ok_or_else(|| StanzaError::new(Condition::BadRequest).with_app("jid-required", ns::PUBSUB_ERRORS))?;
    Jid::parse(jid).map_err(|_| error::invalid_jid())
}

/// What follows when the answer is on its way.
pub(super) type Then = Option<(Arc<Node>, Jid)>;

/// §6.1. With the answer comes who is to get the last item after it.
pub(super) async fn subscribe(asker: Asker<'_>, request: &Element, name: &str) -> Result<(Element, Then), StanzaError> {
    let jid = address(request)?;
    if jid.bare_str() != asker.bare() {
        return Err(error::invalid_jid());
    }
    let node = asker.node(name).await?;
    let access = asker.may_subscribe(&node)?;
    match node.subscriptions.get(&jid) {
        // §6.1.6.
        Some(SubscriptionState::Subscribed) => {
            return Ok((answer(name, &jid, Some(SubscriptionState::Subscribed)), None));
        }
        Some(SubscriptionState::Pending) if access == Access::NeedsApproval => return Err(error::pending()),
        Some(SubscriptionState::Pending) | None => {}
    }
    if !node.config.subscribe {
        return Err(error::unsupported("subscribe"));
    }
    // §6.1.3.6: the address of a temporary account is somebody else's tomorrow.
    if asker.core.accounts.find(asker.bare()).is_some_and(|account| account.id.is_none()) {
        return Err(error::forbidden().with_type(xep_support::stanza::error::ErrorType::Cancel));
    }
    let state = match access {
        Access::Granted => SubscriptionState::Subscribed,
        Access::NeedsApproval => SubscriptionState::Pending,
    };
    add(asker, &node, &jid, state).await?;
    if state == SubscriptionState::Pending {
        approval::ask_owners(asker, &node, &jid);
    }
    let then = (state == SubscriptionState::Subscribed).then(|| (node, jid.clone()));
    Ok((answer(name, &jid, Some(state)), then))
}

/// Stores a subscription, within the limits.
pub(super) async fn add(asker: Asker<'_>, node: &Node, jid: &Jid, state: SubscriptionState) -> Result<(), StanzaError> {
    let (node_max, user_max) = {
        let limits = &asker.core.config().limits;
        (limits.pubsub_subscriptions_per_node_max, limits.pubsub_subscriptions_per_user_max)
    };
    let known = node.subscriptions.contains_key(jid);
    if !known && node.subscriptions.len() >= node_max {
        return Err(error::too_many_subscriptions());
    }
    // What is there already only changes its state.
    let user_max = if known { usize::MAX } else { user_max };
    let names = (jid.as_str(), jid.bare_str());
    let added = asker.core.storage.pubsub_subscribe(node.id, names, state.number(), clock::now_micros(), user_max);
    let added = added.await;
    asker.core.nodes.forget(asker.owner, &node.name);
    if added.map_err(refused("pubsub"))? { Ok(()) } else { Err(error::too_many_subscriptions()) }
}

/// Removes subscriptions.
pub(super) async fn remove(asker: Asker<'_>, node: &Node, jids: &[Jid]) -> Result<(), StanzaError> {
    let names = jids.iter().map(ToString::to_string).collect();
    let removed = asker.core.storage.pubsub_unsubscribe(node.id, names).await;
    asker.core.nodes.forget(asker.owner, &node.name);
    removed.map_err(refused("pubsub"))
}

/// XEP-0163 §7.1: subscriptions end with what they were granted for. Nothing goes there in any case; when something would,
/// they are removed.
pub(super) async fn cancel_lost(asker: Asker<'_>, node: &Node) {
    let lost = |jid: &Jid| !keeps_access(asker.core, asker.owner, node, jid.bare_str());
    let lost: Vec<Jid> = node.subscriptions.keys().filter(|jid| lost(jid)).cloned().collect();
    if lost.is_empty() {
        return;
    }
    if let Err(error) = remove(asker, node, &lost).await {
        return tracing::debug!(%error, "subscriptions without access remain for now");
    }
    for jid in &lost {
        notify::tell_subscriber(asker.core, asker.owner, node, jid, None);
    }
}

/// Sends the last item to a new subscriber, if the node does that (§6.1.7).
pub(super) async fn send_last(asker: Asker<'_>, node: &Node, jid: &Jid) {
    if let Some(last) = last_published(asker, node).await {
        last.send(asker.core, jid);
    }
}

/// What a new subscriber gets.
async fn last_published(asker: Asker<'_>, node: &Node) -> Option<Notification> {
    if node.config.send_last_published_item == SendLastPublishedItem::Never || !node.config.deliver_notifications {
        return None;
    }
    match super::newest(asker.core, node, 1).await.map(|mut items| items.pop()) {
        Ok(item) => item.map(|item| notify::last_published(asker.owner, node, &item)),
        Err(error) => {
            tracing::debug!(%error, "no last item for a new subscriber");
            None
        }
    }
}

/// §6.2.
pub(super) async fn unsubscribe(asker: Asker<'_>, request: &Element, name: &str) -> Result<Element, StanzaError> {
    let jid = address(request)?;
    let node = asker.node(name).await?;
    if jid.bare_str() != asker.bare() && asker.affiliation(&node) != Some(Affiliation::Owner) {
        return Err(error::forbidden());
    }
    if !node.subscriptions.contains_key(&jid) {
        return Err(error::no_such_subscriber());
    }
    remove(asker, &node, std::slice::from_ref(&jid)).await?;
    if jid.bare_str() != asker.bare() {
        notify::tell_subscriber(asker.core, asker.owner, &node, &jid, None);
    }
    Ok(answer(name, &jid, None))
}

/// §5.6: the asker's subscriptions, at one node or all.
pub(super) async fn of_asker(asker: Asker<'_>, name: Option<&str>) -> Result<Element, StanzaError> {
    let owner = asker.owner.jid().as_str();
    let found = asker.core.storage.pubsub_subscriptions_of(owner, asker.bare()).await.map_err(refused("pubsub"))?;
    let rows = found.iter().filter(|row| name.is_none_or(|name| name == row.node));
    let list = Element::new("subscriptions", ns::PUBSUB)
        .attr_opt("node", name)
        .children(rows.map(|row| element(&row.node, &row.jid, SubscriptionState::from_number(row.state))));
    Ok(Element::new("pubsub", ns::PUBSUB).child(list))
}

fn owners_element(jid: &str, state: Option<SubscriptionState>) -> Element {
    Element::new("subscription", ns::PUBSUB_OWNER)
        .attr("jid", jid)
        .attr("subscription", state.map_or("none", SubscriptionState::name))
}

fn owners_list(name: &str, rows: impl IntoIterator<Item = Element>) -> Element {
    let list = Element::new("subscriptions", ns::PUBSUB_OWNER).attr("node", name).children(rows);
    Element::new("pubsub", ns::PUBSUB_OWNER).child(list)
}

/// §8.8.1: everybody's, without those that wait for approval.
pub(super) async fn of_node(asker: Asker<'_>, name: &str) -> Result<Element, StanzaError> {
    let node = asker.own_node(name).await?;
    let subscribed = node.subscriptions.iter().filter(|(_, state)| **state == SubscriptionState::Subscribed);
    Ok(owners_list(name, subscribed.map(|(jid, state)| owners_element(jid.as_str(), Some(*state)))))
}

/// §8.8.2: an owner changes them. What cannot be done comes back as it is.
pub(super) async fn modify(asker: Asker<'_>, request: &Element, name: &str) -> Result<Option<Element>, StanzaError> {
    let node = asker.own_node(name).await?;
    let (mut changes, mut failed) = (BTreeMap::new(), Vec::new());
    for wish in request.child_elements().filter(|child| child.is("subscription", ns::PUBSUB_OWNER)) {
        let jid = address(wish)?;
        let before = node.subscriptions.get(&jid).copied();
        let outcast = node.affiliation(jid.bare_str()) == Some(Affiliation::Outcast);
        let state = match wish.get_attr("subscription") {
            // "the value MUST NOT be changed".
            None => continue,
            Some(name) if name == before.map_or("none", SubscriptionState::name) => continue,
            Some("none") => None,
            Some("subscribed") if !outcast => Some(SubscriptionState::Subscribed),
            Some(_) => {
                failed.push(jid);
                continue;
            }
        };
        if changes.insert(jid, state).is_some() {
            return Err(error::bad("somebody is named twice"));
        }
    }
    failed.extend(change_all(asker, &node, changes).await?);
    let before = |jid: &Jid| owners_element(jid.as_str(), node.subscriptions.get(jid).copied());
    Ok((!failed.is_empty()).then(|| owners_list(name, failed.iter().map(before))))
}

/// Changes the subscriptions of others, all in one step: a node's turn must not last as long as a list. Those concerned are
/// told; those for whom there is no room come back.
pub(super) async fn change_all(
    asker: Asker<'_>,
    node: &Node,
    changes: BTreeMap<Jid, Option<SubscriptionState>>,
) -> Result<Vec<Jid>, StanzaError> {
    let (node_max, user_max) = {
        let limits = &asker.core.config().limits;
        (limits.pubsub_subscriptions_per_node_max, limits.pubsub_subscriptions_per_user_max)
    };
    let is_known = |jid: &Jid| node.subscriptions.contains_key(jid);
    let leaving = changes.iter().filter(|(jid, state)| state.is_none() && is_known(jid)).count();
    let mut room = (node_max + leaving).saturating_sub(node.subscriptions.len());
    let fits = |(jid, state): &(Jid, Option<SubscriptionState>)| {
        let new = state.is_some() && !is_known(jid);
        let fits = !new || room > 0;
        room -= usize::from(new && fits);
        fits
    };
    let (changes, others): (Vec<_>, Vec<_>) = changes.into_iter().partition(fits);
    let mut failed: Vec<Jid> = others.into_iter().map(|(jid, _)| jid).collect();
    if changes.is_empty() {
        return Ok(failed);
    }
    let row = |(jid, state): &(Jid, Option<SubscriptionState>)| {
        // What is there already only changes its state.
        let user_max = if is_known(jid) { usize::MAX } else { user_max };
        (jid.to_string(), jid.bare_str().to_owned(), state.map(SubscriptionState::number), user_max)
    };
    let rows = changes.iter().map(row).collect();
    let done = asker.core.storage.pubsub_change_subscriptions(node.id, rows, clock::now_micros()).await;
    asker.core.nodes.forget(asker.owner, &node.name);
    let last = last_published(asker, node).await;
    for ((jid, state), done) in changes.into_iter().zip(done.map_err(refused("pubsub"))?) {
        if !done {
            failed.push(jid);
            continue;
        }
        notify::tell_subscriber(asker.core, asker.owner, node, &jid, state);
        if let Some(last) = last.as_ref().filter(|_| state.is_some()) {
            last.send(asker.core, &jid);
        }
    }
    Ok(failed)
}
