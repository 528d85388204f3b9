//! Nodes and items in service discovery (XEP-0060 §5.2 to §5.5), for those who may see them.

use super::asker::{Asker, affiliation_allows};
use crate::clock;
use crate::extension::DiscoAsk;
use crate::pubsub::{Affiliation, Node, meta_data};
use crate::router::bounce::refused;
use std::sync::Arc;
use xep_support::formats::rsm;
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::Element;

/// The children of the answer; `None`: there is nothing of that name, or nothing the asker may know of.
pub(super) async fn answer(ask: Arc<DiscoAsk>) -> Result<Option<Vec<Element>>, StanzaError> {
    if ask.owner.account().is_none() && !is_ours(&ask) {
        return Ok(None);
    }
    let asker = Asker { core: &ask.core, owner: &ask.owner, from: &ask.asker, internal: false };
    let Some(name) = ask.node.as_deref() else {
        return if ask.items { nodes(asker, &ask.page).await.map(Some) } else { Ok(None) };
    };
    let Some(node) = super::node(asker.core, asker.owner, name).await? else { return Ok(None) };
    if ask.items {
        return items(asker, &node).await;
    }
    Ok(asker.may_subscribe(&node).is_ok().then(|| info(asker, &node)))
}

/// Is the service that is asked the one for publish-subscribe?
fn is_ours(ask: &DiscoAsk) -> bool {
    ask.core.hosts.service(ask.owner.jid().as_str()).is_some_and(|service| service.prefix == super::SERVICE)
}

/// §5.3, §5.4.
fn info(asker: Asker<'_>, node: &Node) -> Vec<Element> {
    let title = Some(node.config.title.as_str()).filter(|title| !title.is_empty());
    let identity = Element::new("identity", ns::DISCO_INFO)
        .attr("category", "pubsub")
        .attr("type", "leaf")
        .attr_opt("name", title);
    let feature = Element::new("feature", ns::DISCO_INFO).attr("var", ns::PUBSUB);
    vec![identity, feature, meta_data(node, asker.owner).to_element()]
}

/// §5.2: the nodes that the asker may subscribe to or retrieve items from (XEP-0163 §6.2), a page of them.
async fn nodes(asker: Asker<'_>, page: &rsm::Request) -> Result<Vec<Element>, StanzaError> {
    let step = asker.core.config().limits.pubsub_page_items_max;
    let most = page.max.and_then(|max| usize::try_from(max).ok()).map_or(step, |max| max.min(step));
    let owner = asker.owner.jid();
    let mut after = page.after.clone().unwrap_or_default();
    let mut seen: Vec<(String, Option<String>)> = Vec::new();
    // However short the page: those nobody may see are passed over many at a time.
    let step = u32::try_from(step.max(1)).unwrap_or(u32::MAX);
    let more = loop {
        let found = asker.core.storage.pubsub_nodes(owner.as_str(), asker.bare(), &after, step).await;
        let found = found.map_err(refused("pubsub"))?;
        let last = (found.len() as u64) < u64::from(step);
        for row in found {
            after.clone_from(&row.name);
            let affiliation = row.affiliation.and_then(Affiliation::from_number);
            if let Some(config) = affiliation_allows(asker, affiliation, &row.config) {
                seen.push((row.name, Some(config.title).filter(|title| !title.is_empty())));
            }
        }
        if last || seen.len() > most {
            break seen.len() > most;
        }
    };
    seen.truncate(most);
    let set = (more || page.max.is_some() || page.after.is_some()).then(|| {
        let ends = seen.first().zip(seen.last()).map(|(first, last)| (first.0.clone(), last.0.clone()));
        rsm::Page { ends, count: None }.to_element()
    });
    let item = |(node, title): (String, Option<String>)| {
        Element::new("item", ns::DISCO_ITEMS).attr("jid", owner.as_str()).attr("node", node).attr_opt("name", title)
    };
    Ok(seen.into_iter().map(item).chain(set).collect())
}

/// §5.5. Who may see the node but not its items sees none.
async fn items(asker: Asker<'_>, node: &Node) -> Result<Option<Vec<Element>>, StanzaError> {
    if asker.may_subscribe(node).is_err() {
        return Ok(None);
    }
    if asker.may_retrieve(node).is_err() || !node.config.persist_items {
        return Ok(Some(Vec::new()));
    }
    let most = u32::try_from(asker.core.config().limits.pubsub_page_items_max).unwrap_or(u32::MAX);
    let ids =
        asker.core.storage.pubsub_item_ids(node.id, clock::now_micros(), most).await.map_err(refused("pubsub"))?;
    let jid = asker.owner.jid().as_str();
    let item = |id: String| Element::new("item", ns::DISCO_ITEMS).attr("jid", jid).attr("name", id);
    Ok(Some(ids.into_iter().rev().map(item).collect()))
}
