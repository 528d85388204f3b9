//! What is true of our nodes, as service discovery says it (XEP-0060 §10).

macro_rules! features {
    ($($name:literal)*) => { [$(concat!("http://jabber.org/protocol/pubsub#", $name)),*] };
}

/// Of services and accounts.
pub(super) const COMMON: [&str; 29] = features!(
    "config-node"
    "config-node-max"
    "create-and-configure"
    "create-nodes"
    "delete-items"
    "delete-nodes"
    "instant-nodes"
    "item-ids"
    "manage-subscriptions"
    "member-affiliation"
    "meta-data"
    "modify-affiliations"
    "multi-items"
    "outcast-affiliation"
    "persistent-items"
    "publish"
    "publish-node-full"
    "publish-only-affiliation"
    "publish-options"
    "publisher-affiliation"
    "purge-nodes"
    "retract-items"
    "retrieve-affiliations"
    "retrieve-default"
    "retrieve-items"
    "retrieve-subscriptions"
    "rsm"
    "subscribe"
    "subscription-notifications"
);

/// Of services alone: the default access model.
pub(super) const SERVICE: [&str; 1] = features!("access-open");

/// Of accounts alone: the default access model, and what makes them services.
pub(super) const ACCOUNT: [&str; 3] = features!("access-presence" "auto-create" "pubsub-on-a-jid");
