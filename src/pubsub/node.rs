//! A node with everything but its items: its configuration, affiliations (XEP-0060 §4.1) and subscriptions (§4.2).

use super::NodeConfig;
use crate::settings::{or_none, words};
use crate::storage::NodeRow;
use std::collections::BTreeMap;
use std::ops::Bound;
use xep_support::jid::{BareJid, Jid};

words! {
    /// What somebody may do at a node (§4.1). "None" is the absence of one.
    Affiliation {
        /// Everything.
        Owner = "owner",
        /// Subscribe, retrieve, publish.
        Publisher = "publisher",
        /// Publish, nothing else.
        PublishOnly = "publish-only",
        /// Subscribe and retrieve, whatever the access model.
        Member = "member",
        /// Nothing.
        Outcast = "outcast",
    }
}

impl Affiliation {
    /// The one of this name; the inner `None` is "none".
    pub fn from_name(name: &str) -> Option<Option<Self>> {
        or_none(name, Self::named)
    }
}

words! {
    /// The state of a subscription (§4.2). There are no options to configure, and "none" is the absence of one.
    SubscriptionState {
        /// An owner has to approve it.
        Pending = "pending",
        /// Notifications go there.
        Subscribed = "subscribed",
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its key in storage.
    pub id: i64,
    /// The NodeID.
    pub name: Box<str>,
    /// The bare JID of who made it.
    pub creator: Box<str>,
    /// When it was made, microseconds since 1970.
    pub created_us: i64,
    /// How it is configured.
    pub config: NodeConfig,
    /// Who may do more or less than others. The owner of an account is not among them.
    pub affiliations: BTreeMap<BareJid, Affiliation>,
    /// Explicit subscriptions by the subscribed JID.
    pub subscriptions: BTreeMap<Jid, SubscriptionState>,
}

impl Node {
    /// From storage; `None` if its configuration is damaged. What else does not parse is left out.
    pub fn from_row(row: NodeRow) -> Option<Self> {
        let affiliation =
            |(jid, number): (String, u8)| Some((BareJid::parse(&jid).ok()?, Affiliation::from_number(number)?));
        let subscription =
            |(jid, number): (String, u8)| Some((Jid::parse(&jid).ok()?, SubscriptionState::from_number(number)?));
        Some(Self {
            id: row.id,
            name: row.name.into(),
            creator: row.creator.into(),
            created_us: row.created_us,
            config: NodeConfig::from_stored(&row.config)?,
            affiliations: row.affiliations.into_iter().filter_map(affiliation).collect(),
            subscriptions: row.subscriptions.into_iter().filter_map(subscription).collect(),
        })
    }

    /// The affiliation given to a bare JID.
    pub fn affiliation(&self, bare: &str) -> Option<Affiliation> {
        self.affiliations.get(bare).copied()
    }

    /// Those who have this affiliation.
    pub fn affiliated(&self, affiliation: Affiliation) -> impl Iterator<Item = &BareJid> {
        self.affiliations.iter().filter(move |(_, a)| **a == affiliation).map(|(jid, _)| jid)
    }

    /// The subscriptions of all JIDs that share this bare one.
    pub fn subscriptions_of<'a>(&'a self, bare: &'a str) -> impl Iterator<Item = (&'a Jid, SubscriptionState)> {
        // The bare JID itself comes first, then what continues with a slash; between them may be longer domains.
        let from = self.subscriptions.range::<str, _>((Bound::Included(bare), Bound::Unbounded));
        from.take_while(move |(jid, _)| jid.as_str().starts_with(bare))
            .filter(move |(jid, _)| jid.bare_str() == bare)
            .map(|(jid, state)| (jid, *state))
    }

    /// Is a JID with this bare one subscribed?
    pub fn is_subscribed(&self, bare: &str) -> bool {
        self.subscriptions_of(bare).any(|(_, state)| state == SubscriptionState::Subscribed)
    }

    /// What it counts in the cache: itself and everybody it knows.
    pub(super) fn weight(&self) -> usize {
        1 + self.affiliations.len() + self.subscriptions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They are in databases.
    #[test]
    fn numbers_stay() {
        assert_eq!(
            Affiliation::ALL.map(|a| (a.name(), a.number())),
            [("owner", 1), ("publisher", 2), ("publish-only", 3), ("member", 4), ("outcast", 5)]
        );
        assert_eq!(SubscriptionState::ALL.map(|s| (s.name(), s.number())), [("pending", 1), ("subscribed", 2)]);
    }

    #[test]
    fn subscriptions_are_found_by_their_bare_jid() {
        let row = NodeRow {
            config: NodeConfig::for_service().to_stored(),
            subscriptions: ["a@b", "a@b.c", "a@b.c/x", "a@b/x", "a@b/y", "a@bb", "aa@b"]
                .iter()
                .map(|jid| ((*jid).to_owned(), 2))
                .collect(),
            ..NodeRow::default()
        };
        let node = Node::from_row(row).expect("a node");
        let found: Vec<_> = node.subscriptions_of("a@b").map(|(jid, _)| jid.as_str()).collect();
        assert_eq!(found, ["a@b", "a@b/x", "a@b/y"]);
        assert!(node.is_subscribed("a@b.c") && !node.is_subscribed("a@c"));
    }
}
