//! XEP-0163 §4.3.4: who comes online, or begins to see somebody's presence, gets the last items of the nodes it wants to
//! know of. Those of all contacts are read at once, by work of its own: a login does not wait for it.

use crate::account::Account;
use crate::account::capabilities::Asked;
use crate::account::resource::{Interest, Resource};
use crate::core::Core;
use crate::extension::{About, Declare, Extension};
use crate::hosts::Place;
use crate::xep::pubsub::send_last_items;
use std::sync::Arc;
use std::time::Duration;
use xep_support::jid::BareJid;

/// Accounts whose items are read at once. With more contacts the next ones are read when the client has taken most of what
/// it got: a roster of thousands must not fill its outbox.
const OWNERS_AT_ONCE: usize = 250;

/// How full an outbox may be before it gets more.
const FILLED_MAX: f64 = 0.25;

/// How often that is looked at, and how often at most; who has not taken it by then does without the rest.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LOOKS_MAX: usize = 300;

/// Events of contacts without subscribing to them (XEP-0163 §4.1, §4.2).
pub struct ImplicitSubscriptions;

impl Extension for ImplicitSubscriptions {
    fn about(&self) -> About {
        About::new("XEP-0163", "Personal Eventing Protocol", "1.2.2")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.registered_feature("http://jabber.org/protocol/pubsub#auto-subscribe")
            .registered_feature("http://jabber.org/protocol/pubsub#filtered-notifications")
            .registered_feature("http://jabber.org/protocol/pubsub#last-published")
            .registered_feature("http://jabber.org/protocol/pubsub#presence-subscribe")
            .shown(Box::new(shown));
    }
}

/// It is known what an available resource is interested in. What it wanted before it has got already.
pub(super) fn interested(core: &Arc<Core>, who: &Asked, before: Option<&Interest>, now: &Interest) {
    let is_new = |node: &&str| !before.is_some_and(|before| before.wants(node));
    let new = Interest::new(now.nodes().filter(is_new));
    if new.nodes().next().is_none() {
        return;
    }
    let (core, who) = (core.clone(), who.clone());
    core.work.clone().spawn(async move {
        let Ok(_place) = core.capabilities.hand_outs.acquire().await else { return };
        let owners = owners(&core, &who.account);
        for some in owners.chunks(OWNERS_AT_ONCE) {
            if !is_ready(&who.resource).await {
                return tracing::debug!(resource = %who.resource.jid, "a client did not take its last items");
            }
            let some: Vec<_> = some.iter().map(|jid| jid.as_str()).collect();
            send_last_items(&core, &who.resource, &some, &new).await;
        }
    });
}

/// The account itself, and those whose presence it sees.
fn owners(core: &Core, account: &Account) -> Vec<BareJid> {
    let mut owners = vec![account.jid.clone()];
    let state = account.lock();
    let seen = state.roster.items.iter().filter(|(_, contact)| contact.subscription.to).map(|(jid, _)| jid);
    // Nothing comes from those it has blocked (XEP-0191); whether they have blocked it is looked up with their items.
    owners.extend(seen.filter(|jid| core.hosts.place(jid) == Place::Account && !state.blocks(jid)).cloned());
    owners
}

async fn is_ready(resource: &Resource) -> bool {
    for _ in 0..LOOKS_MAX {
        if resource.outbox.filled() <= FILLED_MAX {
            return true;
        }
        if resource.outbox.close_reason().is_some() {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    false
}

/// Stage Shown: the contact is a subscriber now (XEP-0163 §4.3.4).
fn shown(core: &Arc<Core>, account: &Account, contact: &BareJid) {
    let Some(theirs) = core.accounts.find(contact.as_str()) else { return };
    let wanting: Vec<(Arc<Resource>, Arc<Interest>)> = {
        let state = theirs.lock();
        if state.blocks(account.jid.as_jid()) {
            return;
        }
        state.available().filter_map(|b| Some((b.resource.clone(), b.interest.clone()?))).collect()
    };
    if wanting.is_empty() {
        return;
    }
    let (core, owner) = (core.clone(), account.jid.clone());
    core.work.clone().spawn(async move {
        let Ok(_place) = core.capabilities.hand_outs.acquire().await else { return };
        for (resource, interest) in wanting {
            send_last_items(&core, &resource, &[owner.as_str()], &interest).await;
        }
    });
}
