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
use xep_support::jid::BareJid;

/// Accounts whose items are read at once. With more contacts the next ones are read when the client has taken what it got.
const OWNERS_AT_ONCE: usize = 250;

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
    let Some(first) = core.capabilities.hand_out(who, new) else { return };
    let mut hand_out = HandOut { core: core.clone(), who: who.clone(), over: false };
    core.work.spawn(async move {
        let (core, who) = (hand_out.core.clone(), hand_out.who.clone());
        let mut next = Some(first);
        while let Some(new) = next {
            let owners = owners(&core, &who.account);
            for some in owners.chunks(OWNERS_AT_ONCE) {
                let some: Vec<_> = some.iter().map(|jid| jid.as_str()).collect();
                if !send_last_items(&core, &who.resource, &some, &new).await {
                    return;
                }
            }
            next = hand_out.next();
        }
    });
}

/// A client gets its last items. What it wants meanwhile it gets after them: who changes its mind all the time makes
/// work for one, not more and more.
struct HandOut {
    core: Arc<Core>,
    who: Asked,
    /// Whoever comes next begins anew.
    over: bool,
}

impl HandOut {
    fn next(&mut self) -> Option<Interest> {
        let next = self.core.capabilities.hand_out_next(&self.who);
        self.over = next.is_none();
        next
    }
}

impl Drop for HandOut {
    /// However it ended.
    fn drop(&mut self) {
        if !self.over {
            self.core.capabilities.hand_out_ended(&self.who);
        }
    }
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
        for (resource, interest) in wanting {
            send_last_items(&core, &resource, &[owner.as_str()], &interest).await;
        }
    });
}
