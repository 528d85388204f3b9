//! How a node is configured (XEP-0060 §16.4.4): a value, its defaults, and how it is stored.

use crate::settings::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

words! {
    /// Who may subscribe and retrieve items (§4.5).
    AccessModel {
        /// Anyone may subscribe and retrieve items
        Open = "open",
        /// Anyone who sees the presence of the owner may subscribe and retrieve items
        Presence = "presence",
        /// Anyone in the specified roster groups may subscribe and retrieve items
        Roster = "roster",
        /// An owner must approve subscriptions, and only subscribers may retrieve items
        Authorize = "authorize",
        /// Only those on a whitelist may subscribe and retrieve items
        Whitelist = "whitelist",
    }
}

words! {
    /// Who may publish, beside owners.
    PublishModel {
        /// Only publishers may publish
        Publishers = "publishers",
        /// Subscribers may publish
        Subscribers = "subscribers",
        /// Anyone may publish
        Open = "open",
    }
}

words! {
    /// When the last item is sent to somebody.
    SendLastPublishedItem {
        /// Never
        Never = "never",
        /// When a new subscription is processed
        OnSub = "on_sub",
        /// When a new subscription is processed and whenever a subscriber comes online
        OnSubAndPresence = "on_sub_and_presence",
    }
}

words! {
    /// The type of the messages that notify.
    NotificationType {
        /// Messages of type normal
        Normal = "normal",
        /// Messages of type headline
        Headline = "headline",
    }
}

words! {
    /// Whether items say who published them (§12.17).
    ItemReply {
        /// Items name the node owner, which is their sender
        Owner = "owner",
        /// Items name their publisher
        Publisher = "publisher",
        /// Items name nobody
        None = "none",
    }
}

words! {
    /// What happens when an item is published at a node that is full (§7.1.2.5).
    PublishNodeFull {
        /// The oldest item is retracted
        RetractOldest = "retract-oldest",
        /// The oldest item is discarded, and nobody is told
        DiscardOldest = "discard-oldest",
        /// The new item is refused
        Reject = "reject",
    }
}

/// A number, or as many as the server allows (§12.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Most {
    /// So many.
    Number(u64),
    /// As many as the server allows, whatever it allows one day.
    Max,
}

impl Most {
    /// The number, with what the server allows.
    pub fn within(self, most: usize) -> usize {
        match self {
            Self::Number(number) => usize::try_from(number).map_or(most, |number| number.min(most)),
            Self::Max => most,
        }
    }
}

/// The configuration of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeConfig {
    /// A name for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// What its items mean; usually the namespace of their payloads.
    pub kind: String,
    /// Who may subscribe and retrieve items.
    pub access_model: AccessModel,
    /// The groups access model "roster" means.
    pub roster_groups_allowed: BTreeSet<String>,
    /// Who may publish.
    pub publish_model: PublishModel,
    /// May anybody subscribe?
    pub subscribe: bool,
    /// Are items kept?
    pub persist_items: bool,
    /// How many.
    pub max_items: Most,
    /// For how many seconds.
    pub item_expire: Most,
    /// What happens when there are too many.
    pub publish_node_full: PublishNodeFull,
    /// Bytes of a payload.
    pub max_payload_size: Most,
    /// Is anybody notified?
    pub deliver_notifications: bool,
    /// With the payload?
    pub deliver_payloads: bool,
    /// When an item is removed?
    pub notify_retract: bool,
    /// When the node is removed?
    pub notify_delete: bool,
    /// When this here changes?
    pub notify_config: bool,
    /// By which messages.
    pub notification_type: NotificationType,
    /// When the last item is sent.
    pub send_last_published_item: SendLastPublishedItem,
    /// Whether items say who published them.
    pub itemreply: ItemReply,
}

impl NodeConfig {
    /// What a node of an account begins with (XEP-0163 §5): a place for one current thing, for contacts.
    pub fn for_account() -> Self {
        Self {
            access_model: AccessModel::Presence,
            max_items: Most::Number(1),
            send_last_published_item: SendLastPublishedItem::OnSubAndPresence,
            itemreply: ItemReply::None,
            ..Self::for_service()
        }
    }

    /// What a node of a service begins with: a place for many things of many people, for everybody (XEP-0060 §4.5).
    pub fn for_service() -> Self {
        Self {
            title: String::new(),
            description: String::new(),
            kind: String::new(),
            access_model: AccessModel::Open,
            roster_groups_allowed: BTreeSet::new(),
            publish_model: PublishModel::Publishers,
            subscribe: true,
            persist_items: true,
            max_items: Most::Max,
            item_expire: Most::Max,
            publish_node_full: PublishNodeFull::RetractOldest,
            max_payload_size: Most::Max,
            deliver_notifications: true,
            deliver_payloads: true,
            notify_retract: true,
            notify_delete: true,
            notify_config: false,
            notification_type: NotificationType::Headline,
            send_last_published_item: SendLastPublishedItem::OnSub,
            itemreply: ItemReply::Publisher,
        }
    }

    /// From storage.
    pub fn from_stored(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }

    /// As it is stored: all of it, so that other defaults in another version change no node.
    pub fn to_stored(&self) -> String {
        serde_json::to_string(self).expect("plain values become JSON")
    }

    /// How long items live, in microseconds; `None`: until somebody removes them.
    pub fn expire_us(&self) -> Option<i64> {
        match self.item_expire {
            Most::Number(seconds) => Some(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000)),
            Most::Max => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_storage() {
        for mut config in [NodeConfig::for_account(), NodeConfig::for_service()] {
            config.title = "a 'title'".to_owned();
            config.item_expire = Most::Number(60);
            config.roster_groups_allowed.insert("Friends".to_owned());
            assert_eq!(NodeConfig::from_stored(&config.to_stored()), Some(config.clone()));
            assert_eq!(config.expire_us(), Some(60_000_000));
        }
        assert_eq!(NodeConfig::from_stored("{}"), None);
    }

    #[test]
    fn most_is_bounded_by_what_the_server_allows() {
        assert_eq!([Most::Number(1), Most::Number(50), Most::Max].map(|most| most.within(10)), [1, 10, 10]);
    }
}
