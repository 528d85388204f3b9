//! Affiliations: one's own (XEP-0060 §5.7), and those an owner gives and takes (§8.9).

use super::asker::Asker;
use super::notify::Notification;
use super::{error, subscribe};
use crate::pubsub::{Affiliation, Node, Owner, SubscriptionState};
use crate::router::bounce::refused;
use std::collections::BTreeMap;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

fn name_of(affiliation: Option<Affiliation>) -> &'static str {
    affiliation.map_or("none", Affiliation::name)
}

/// §5.7: the asker's affiliations, at one node or all.
pub(super) async fn of_asker(asker: Asker<'_>, name: Option<&str>) -> Result<Element, StanzaError> {
    let (core, owner, bare) = (asker.core, asker.owner.jid().as_str(), asker.bare());
    let rows: Vec<(String, &'static str)> = if owner == bare {
        // Of one's own nodes one is the owner, of all of them.
        let most = core.config().limits.pubsub_nodes_per_account_max;
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let nodes = core.storage.pubsub_nodes(owner, bare, "", most).await.map_err(refused("pubsub"))?;
        nodes.into_iter().map(|node| (node.name, Affiliation::Owner.name())).collect()
    } else {
        let found = core.storage.pubsub_affiliations_of(owner, bare).await.map_err(refused("pubsub"))?;
        found.into_iter().map(|(node, number)| (node, name_of(Affiliation::from_number(number)))).collect()
    };
    let rows = rows.iter().filter(|(node, _)| name.is_none_or(|name| name == node));
    let row = |(node, affiliation): &(String, &'static str)| {
        Element::new("affiliation", ns::PUBSUB).attr("node", node).attr("affiliation", *affiliation)
    };
    Ok(Element::new("pubsub", ns::PUBSUB).child(Element::new("affiliations", ns::PUBSUB).children(rows.map(row))))
}

fn element(jid: &str, affiliation: Option<Affiliation>) -> Element {
    Element::new("affiliation", ns::PUBSUB_OWNER).attr("jid", jid).attr("affiliation", name_of(affiliation))
}

fn list(name: &str, rows: impl IntoIterator<Item = Element>) -> Element {
    let list = Element::new("affiliations", ns::PUBSUB_OWNER).attr("node", name).children(rows);
    Element::new("pubsub", ns::PUBSUB_OWNER).child(list)
}

/// §8.9.1.
pub(super) async fn of_node(asker: Asker<'_>, name: &str) -> Result<Element, StanzaError> {
    let node = asker.own_node(name).await?;
    let own = asker.owner.account().map(|account| element(account.jid.as_str(), Some(Affiliation::Owner)));
    let others = node.affiliations.iter().map(|(jid, affiliation)| element(jid.as_str(), Some(*affiliation)));
    Ok(list(name, own.into_iter().chain(others)))
}

/// What an owner wants for somebody; the inner `None` takes the affiliation away, the outer one is nothing we know.
type Wishes = BTreeMap<BareJid, Option<Option<Affiliation>>>;

/// §8.9.2.
fn wishes(request: &Element) -> Result<Wishes, StanzaError> {
    let mut wishes = Wishes::new();
    for wish in request.child_elements().filter(|child| child.is("affiliation", ns::PUBSUB_OWNER)) {
        let jid = wish.get_attr("jid").and_then(|jid| Jid::parse(jid).ok()).ok_or_else(error::invalid_jid)?;
        // "the value MUST NOT be changed".
        let Some(name) = wish.get_attr("affiliation") else { continue };
        if wishes.insert(jid.bare(), Affiliation::from_name(name)).is_some() {
            return Err(error::bad("somebody is named twice"));
        }
    }
    Ok(wishes)
}

/// Which wishes can be fulfilled. There is always an owner; that of an account is nobody else.
fn possible(owner: &Owner, node: &Node, wishes: Wishes) -> (Vec<(BareJid, Option<Affiliation>)>, Vec<BareJid>) {
    let mut owners: usize = node.affiliated(Affiliation::Owner).count();
    let is_owner = |jid: &BareJid| node.affiliation(jid.as_str()) == Some(Affiliation::Owner);
    owners += wishes.iter().filter(|(jid, wish)| **wish == Some(Some(Affiliation::Owner)) && !is_owner(jid)).count();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (jid, wish) in wishes {
        let resigns = is_owner(&jid) && wish != Some(Some(Affiliation::Owner));
        let last = !owner.is_account() && resigns && owners <= 1;
        match wish {
            Some(wish) if !last && owner.jid().as_str() != jid.as_str() => {
                owners -= usize::from(resigns);
                good.push((jid, wish));
            }
            _ => bad.push(jid),
        }
    }
    (good, bad)
}

/// §8.9.2. What cannot be done comes back as it is.
pub(super) async fn modify(asker: Asker<'_>, request: &Element, name: &str) -> Result<Option<Element>, StanzaError> {
    let node = asker.own_node(name).await?;
    let (good, bad) = possible(asker.owner, &node, wishes(request)?);
    let new = good.iter().filter(|(jid, wish)| wish.is_some() && node.affiliation(jid.as_str()).is_none()).count();
    if node.affiliations.len() + new > asker.core.config().limits.pubsub_affiliations_per_node_max {
        return Err(StanzaError::new(Condition::ResourceConstraint).with_text("too many affiliations"));
    }
    let good: Vec<_> = good.into_iter().filter(|(jid, wish)| node.affiliation(jid.as_str()) != *wish).collect();
    let rows = good.iter().map(|(jid, wish)| (jid.to_string(), wish.map(Affiliation::number))).collect();
    let set = asker.core.storage.pubsub_affiliate(node.id, rows).await;
    asker.core.nodes.forget(asker.owner, name);
    set.map_err(refused("pubsub"))?;
    for (jid, affiliation) in &good {
        tell(asker, &node, jid, *affiliation);
    }
    adjust_subscriptions(asker, &node, &good).await?;
    let before = |jid: &BareJid| match asker.owner.jid().as_str() == jid.as_str() {
        true => Some(Affiliation::Owner),
        false => node.affiliation(jid.as_str()),
    };
    let failed: Vec<_> = bad.iter().map(|jid| element(jid.as_str(), before(jid))).collect();
    Ok((!failed.is_empty()).then(|| list(name, failed)))
}

/// §8.9.4.
fn tell(asker: Asker<'_>, node: &Node, jid: &BareJid, affiliation: Option<Affiliation>) {
    let row =
        Element::new("affiliation", ns::PUBSUB).attr("jid", jid.as_str()).attr("affiliation", name_of(affiliation));
    let list = Element::new("affiliations", ns::PUBSUB).attr("node", &*node.name).child(row);
    let inside = Element::new("pubsub", ns::PUBSUB).child(list).to_xml(ns::CLIENT);
    Notification::around(asker.owner, &node.config, &inside).send(asker.core, jid.as_jid());
}

/// §8.7: who may subscribe now need not wait for it, and who may not any more is not subscribed.
async fn adjust_subscriptions(
    asker: Asker<'_>,
    node: &Node,
    changed: &[(BareJid, Option<Affiliation>)],
) -> Result<(), StanzaError> {
    let mut changes = BTreeMap::new();
    for (bare, affiliation) in changed {
        for (jid, state) in node.subscriptions_of(bare.as_str()) {
            let after = match (affiliation, state) {
                (Some(Affiliation::Outcast | Affiliation::PublishOnly), _) => None,
                (Some(_), SubscriptionState::Pending) => Some(SubscriptionState::Subscribed),
                _ => continue,
            };
            changes.insert(jid.clone(), after);
        }
    }
    subscribe::change_all(asker, node, changes).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pubsub::NodeConfig;
    use crate::storage::NodeRow;

    fn node(affiliations: &[(&str, Affiliation)]) -> Node {
        let row = NodeRow {
            config: NodeConfig::for_service().to_stored(),
            affiliations: affiliations.iter().map(|(jid, a)| ((*jid).to_owned(), a.number())).collect(),
            ..NodeRow::default()
        };
        Node::from_row(row).expect("a node")
    }

    fn parts(node: &Node, rows: &str) -> (Vec<String>, Vec<String>) {
        let owner = Owner::Service(Jid::parse("pubsub.x").expect("a JID"));
        let xml = format!("<affiliations xmlns='{}' node='n'>{rows}</affiliations>", ns::PUBSUB_OWNER);
        let wishes = wishes(&Element::parse(&xml, ns::CLIENT).expect("XML")).expect("wishes");
        let (good, bad) = possible(&owner, node, wishes);
        (good.iter().map(|(jid, _)| jid.to_string()).collect(), bad.iter().map(ToString::to_string).collect())
    }

    /// §8.9.2.4.
    #[test]
    fn there_is_always_an_owner() {
        let one = node(&[("a@x", Affiliation::Owner), ("b@x", Affiliation::Member)]);
        let leave = "<affiliation jid='a@x' affiliation='none'/>";
        assert_eq!(parts(&one, leave), (vec![], vec!["a@x".to_owned()]));
        let hand_over = format!("{leave}<affiliation jid='b@x' affiliation='owner'/>");
        assert_eq!(parts(&one, &hand_over), (vec!["a@x".to_owned(), "b@x".to_owned()], vec![]));
        let two = node(&[("a@x", Affiliation::Owner), ("b@x", Affiliation::Owner)]);
        let both = format!("{leave}<affiliation jid='b@x' affiliation='outcast'/>");
        assert_eq!(parts(&two, &both), (vec!["a@x".to_owned()], vec!["b@x".to_owned()]));
        let unknown = "<affiliation jid='c@x' affiliation='king'/><affiliation jid='b@x'/>";
        assert_eq!(parts(&two, unknown), (vec![], vec!["c@x".to_owned()]));
    }
}
