//! Who asks for something at whose nodes, and what they may do there: affiliations (XEP-0060 §4.1), access models (§4.5),
//! publish models.

use super::error;
use crate::account::roster::Contact;
use crate::core::Core;
use crate::pubsub::{AccessModel, Affiliation, Node, NodeConfig, Owner, PublishModel};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::stanza::error::StanzaError;

/// Somebody who asks.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) core: &'a Arc<Core>,
    /// Whose nodes.
    pub(super) owner: &'a Owner,
    /// Who.
    pub(super) from: &'a Jid,
    /// An extension of ours, on behalf of the owner.
    pub(super) internal: bool,
}

/// What an access model says to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// They may.
    Granted,
    /// An owner has to approve it.
    NeedsApproval,
}

impl Asker<'_> {
    /// Their bare JID.
    pub(super) fn bare(&self) -> &str {
        self.from.bare_str()
    }

    /// A node that must exist.
    pub(super) async fn node(&self, name: &str) -> Result<Arc<Node>, StanzaError> {
        super::node(self.core, self.owner, name).await?.ok_or_else(error::no_such_node)
    }

    /// A node that must be theirs.
    pub(super) async fn own_node(&self, name: &str) -> Result<Arc<Node>, StanzaError> {
        let node = self.node(name).await?;
        match self.affiliation(&node) {
            Some(Affiliation::Owner) => Ok(node),
            _ => Err(error::forbidden()),
        }
    }

    /// Their affiliation.
    pub(super) fn affiliation(&self, node: &Node) -> Option<Affiliation> {
        if self.internal { Some(Affiliation::Owner) } else { affiliation(self.core, self.owner, node, self.bare()) }
    }

    /// May they make nodes?
    pub(super) fn may_create(&self) -> bool {
        match self.owner {
            Owner::Account(account) => self.internal || self.bare() == account.jid.as_str(),
            Owner::Service(_) => {
                use crate::config::NodeCreation;
                self.core.config().pubsub.create == NodeCreation::Everybody || is_admin(self.core, self.bare())
            }
        }
    }

    /// May they publish? Then: may they touch only what is their own?
    pub(super) fn may_publish(&self, node: &Node) -> Result<bool, StanzaError> {
        let allowed = match self.affiliation(node) {
            Some(Affiliation::Owner) => return Ok(false),
            Some(Affiliation::Publisher | Affiliation::PublishOnly) => true,
            Some(Affiliation::Outcast) => false,
            Some(Affiliation::Member) | None => match node.config.publish_model {
                PublishModel::Publishers => false,
                // A subscription that has lost what it was granted for is one in name only (XEP-0163 §7.1).
                PublishModel::Subscribers => {
                    node.is_subscribed(self.bare()) && keeps_access(self.core, self.owner, node, self.bare())
                }
                PublishModel::Open => true,
            },
        };
        if allowed { Ok(true) } else { Err(error::forbidden()) }
    }

    /// May they subscribe (§6.1.3)?
    pub(super) fn may_subscribe(&self, node: &Node) -> Result<Access, StanzaError> {
        if self.internal { Ok(Access::Granted) } else { access(self.core, self.owner, node, self.bare()) }
    }

    /// May they retrieve items (§6.5.1)?
    pub(super) fn may_retrieve(&self, node: &Node) -> Result<(), StanzaError> {
        match self.may_subscribe(node)? {
            Access::Granted => Ok(()),
            Access::NeedsApproval if node.is_subscribed(self.bare()) => Ok(()),
            Access::NeedsApproval => Err(error::not_subscribed()),
        }
    }
}

/// The administrators own all nodes of a service, an account all of its own.
pub(super) fn affiliation(core: &Core, owner: &Owner, node: &Node, bare: &str) -> Option<Affiliation> {
    if owns_all(core, owner, bare) { Some(Affiliation::Owner) } else { node.affiliation(bare) }
}

fn owns_all(core: &Core, owner: &Owner, bare: &str) -> bool {
    match owner {
        Owner::Account(account) => account.jid.as_str() == bare,
        Owner::Service(_) => is_admin(core, bare),
    }
}

fn is_admin(core: &Core, bare: &str) -> bool {
    core.config().admins.iter().any(|admin| Jid::parse(admin).is_ok_and(|admin| admin.as_str() == bare))
}

/// What the access model says to a bare JID.
pub(super) fn access(core: &Core, owner: &Owner, node: &Node, bare: &str) -> Result<Access, StanzaError> {
    access_with(owner, &node.config, affiliation(core, owner, node, bare), bare)
}

/// The configuration of a node as it is stored, if somebody with this explicit affiliation may see the node.
pub(super) fn affiliation_allows(
    asker: Asker<'_>,
    affiliation: Option<Affiliation>,
    stored: &str,
) -> Option<NodeConfig> {
    let config = NodeConfig::from_stored(stored)?;
    let affiliation =
        if owns_all(asker.core, asker.owner, asker.bare()) { Some(Affiliation::Owner) } else { affiliation };
    access_with(asker.owner, &config, affiliation, asker.bare()).is_ok().then_some(config)
}

/// An affiliation goes before the access model.
fn access_with(
    owner: &Owner,
    config: &NodeConfig,
    affiliation: Option<Affiliation>,
    bare: &str,
) -> Result<Access, StanzaError> {
    match affiliation {
        Some(Affiliation::Owner | Affiliation::Publisher | Affiliation::Member) => return Ok(Access::Granted),
        Some(Affiliation::PublishOnly | Affiliation::Outcast) => return Err(error::forbidden()),
        None => {}
    }
    let contact = |check: &dyn Fn(&Contact) -> bool| {
        let account = owner.account();
        account.is_some_and(|account| account.lock().roster.items.get(bare).is_some_and(check))
    };
    match config.access_model {
        AccessModel::Open => Ok(Access::Granted),
        AccessModel::Authorize => Ok(Access::NeedsApproval),
        AccessModel::Whitelist => Err(error::closed()),
        AccessModel::Presence if contact(&|c| c.subscription.from) => Ok(Access::Granted),
        AccessModel::Presence => Err(error::presence_required()),
        AccessModel::Roster if contact(&|c| c.subscription.from && in_groups(config, &c.groups)) => Ok(Access::Granted),
        AccessModel::Roster => Err(error::not_in_group()),
    }
}

/// May somebody who has subscribed still have what they subscribed to? Cheap for nodes with many subscribers.
pub(super) fn keeps_access(core: &Core, owner: &Owner, node: &Node, bare: &str) -> bool {
    match (node.affiliation(bare), node.config.access_model) {
        (Some(Affiliation::Owner | Affiliation::Publisher | Affiliation::Member), _) => true,
        (None, AccessModel::Open | AccessModel::Authorize) => true,
        _ => access(core, owner, node, bare).is_ok(),
    }
}

/// Is one of these groups allowed?
pub(super) fn in_groups(config: &NodeConfig, groups: &[impl AsRef<str>]) -> bool {
    groups.iter().any(|group| config.roster_groups_allowed.contains(group.as_ref()))
}

/// What §9.1.2 says to somebody who sees the owner's presence: are they subscribed without having asked for it?
pub(super) fn is_implied(
    config: &NodeConfig,
    affiliation: Option<Affiliation>,
    is_subscribed: bool,
    groups: &[impl AsRef<str>],
) -> bool {
    match affiliation {
        Some(Affiliation::Owner | Affiliation::Publisher | Affiliation::Member) => true,
        Some(Affiliation::PublishOnly | Affiliation::Outcast) => false,
        None => match config.access_model {
            AccessModel::Open | AccessModel::Presence => true,
            AccessModel::Roster => in_groups(config, groups),
            AccessModel::Authorize => is_subscribed,
            AccessModel::Whitelist => false,
        },
    }
}
