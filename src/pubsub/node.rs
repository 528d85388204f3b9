//! A node with everything but its items: its configuration, affiliations (XEP-0060 §4.1) and subscriptions (§4.2).

use super::NodeConfig;
use crate::storage::NodeRow;
use std::collections::BTreeMap;
use std::ops::Bound;
use xep_support::jid::{BareJid, Jid};

/// What somebody may do at a node (§4.1). "None" is the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affiliation {
    /// Everything.
    Owner,
    /// Subscribe, retrieve, publish.
    Publisher,
    /// Publish, nothing else.
    PublishOnly,
    /// Subscribe and retrieve, whatever the access model.
    Member,
    /// Nothing.
    Outcast,
}

impl Affiliation {
    const ALL: [(Self, &'static str, u8); 5] = [
        (Self::Owner, "owner", 1),
        (Self::Publisher, "publisher", 2),
        (Self::PublishOnly, "publish-only", 3),
        (Self::Member, "member", 4),
        (Self::Outcast, "outcast", 5),
    ];

    /// As the protocol calls it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("none", |row| row.1)
    }

    /// The one of this name; the inner `None` is "none".
    pub fn from_name(name: &str) -> Option<Option<Self>> {
        if name == "none" {
            return Some(None);
        }
        Self::ALL.iter().find(|row| row.1 == name).map(|row| Some(row.0))
    }

    /// As it is stored.
    pub fn number(self) -> u8 {
        Self::ALL.iter().find(|row| row.0 == self).map_or(0, |row| row.2)
    }

    /// From storage.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().find(|row| row.2 == number).map(|row| row.0)
    }
}

/// The state of a subscription (§4.2). There are no options to configure, and "none" is the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// An owner has to approve it.
    Pending,
    /// Notifications go there.
    Subscribed,
}

impl SubscriptionState {
    /// As the protocol calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Subscribed => "subscribed",
        }
    }

    /// As it is stored.
    pub fn number(self) -> u8 {
        match self {
            Self::Pending => 1,
            Self::Subscribed => 2,
        }
    }

    /// From storage.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Pending, Self::Subscribed].into_iter().find(|state| state.number() == number)
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

    #[test]
    fn names_and_numbers_are_read_again() {
        for (affiliation, name, number) in Affiliation::ALL {
            assert_eq!(Affiliation::from_name(name), Some(Some(affiliation)));
            assert_eq!((affiliation.name(), affiliation.number()), (name, number));
            assert_eq!(Affiliation::from_number(number), Some(affiliation));
        }
        assert_eq!((Affiliation::from_name("none"), Affiliation::from_name("king")), (Some(None), None));
        for state in [SubscriptionState::Pending, SubscriptionState::Subscribed] {
            assert_eq!(SubscriptionState::from_number(state.number()), Some(state));
        }
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
