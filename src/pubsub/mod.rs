//! Nodes of publish-subscribe (XEP-0060) as they are known in memory: of accounts (XEP-0163) and of services. What is
//! done with them is in `xep::pubsub`.

mod config;
mod defaults;
mod fields;
mod node;
mod nodes;

use crate::account::Account;
use std::sync::Arc;
use xep_support::jid::Jid;

pub use crate::storage::Item;
pub use config::{
    AccessModel, ItemReply, Most, NodeConfig, NotificationType, PublishModel, PublishNodeFull, SendLastPublishedItem,
};
pub use fields::{Fault, default_form, filled_form, meta_data};
pub use node::{Affiliation, Node, SubscriptionState};
pub use nodes::{Nodes, Turn};

/// Whose nodes.
#[derive(Clone)]
pub enum Owner {
    /// An account's (XEP-0163). One without an id has none, and there are none of one that does not exist.
    Account(Arc<Account>),
    /// Those of a service, by its address.
    Service(Jid),
}

impl Owner {
    /// The address at which the nodes are.
    pub fn jid(&self) -> &Jid {
        match self {
            Self::Account(account) => account.jid.as_jid(),
            Self::Service(jid) => jid,
        }
    }

    /// The account whose nodes they are.
    pub fn account(&self) -> Option<&Arc<Account>> {
        match self {
            Self::Account(account) => Some(account),
            Self::Service(_) => None,
        }
    }

    /// Does the account own them, rather than a service?
    pub fn is_account(&self) -> bool {
        matches!(self, Self::Account(_))
    }
}

/// What has happened at a node; it is durable, and its subscribers have been notified.
pub struct NodeEvent<'a> {
    /// Whose node.
    pub owner: &'a Owner,
    /// The node as it is now, or was last.
    pub node: &'a Arc<Node>,
    /// Who did it.
    pub from: &'a Jid,
    /// What.
    pub change: Change<'a>,
    /// An extension of ours did it, not a client: what follows from it is known to that extension.
    pub internal: bool,
}

/// What happens at a node.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// An item was published, with a payload or without.
    Published(&'a Item),
    /// An item was retracted, by its id.
    Retracted(&'a str),
    /// All items were removed.
    Purged,
    /// It is configured in another way.
    Configured,
    /// The node is gone.
    Deleted,
}
