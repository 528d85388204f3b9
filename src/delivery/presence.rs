//! Presence to local accounts: directed presence and errors as RFC 6121 §8.5 says, and notifications to subscribers.

use crate::account::blocking::BlockList;
use crate::account::resource::Bound;
use crate::account::{AccountState, Parcel};
use crate::core::Core;
use crate::outbox::Item;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::Stanza;

/// Delivers presence that is not about subscriptions. For a full JID: to that resource or nobody (§8.5.3); for a bare
/// JID: to every available resource (§8.5.2.1.2). Presence for nobody is dropped: an unavailable account answers nothing.
pub fn deliver(core: &Arc<Core>, parcel: Parcel) {
    let Some(to) = parcel.stanza.to() else { return };
    let Some(account) = core.accounts.find(to.bare_str()) else { return };
    let state = account.lock();
    if !parcel.ours && is_blocked(&state, &parcel.stanza) {
        return;
    }
    match to.resource() {
        Some(part) => {
            if let Some(bound) = state.resource(part) {
                let _ = bound.resource.outbox.push(Item::held(parcel.stanza, parcel.hold.as_ref()));
            }
        }
        None => {
            for bound in state.available() {
                let _ = bound.resource.outbox.push(Item::plain(parcel.stanza.clone()));
            }
        }
    }
}

/// XEP-0191 §3.3: presence of somebody blocked is dropped.
fn is_blocked(state: &AccountState, presence: &Stanza) -> bool {
    presence.from().is_some_and(|from| state.blocks(from))
}

/// The same for presence that goes to several entities: shared among them, addressed to each.
pub fn deliver_to(core: &Core, presence: &Arc<Stanza>, to: &Jid) {
    let Some(account) = core.accounts.find(to.bare_str()) else { return };
    let state = account.lock();
    if is_blocked(&state, presence) {
        return;
    }
    let wanted = |b: &&Bound| to.resource().map_or(b.presence.is_some(), |part| b.resource.jid.resource() == part);
    for bound in state.resources.iter().filter(wanted) {
        let _ = bound.resource.outbox.push(Item::addressed(presence.clone(), to.clone()));
    }
}

/// What one visit to a contact's account does, so that a login costs one look-up per contact and not two.
#[derive(Clone, Copy)]
pub struct Visit {
    /// Tell the contact's resources (they must be subscribed to the user).
    pub notify: bool,
    /// Learn the contact's presence (the contact must have let the user subscribe).
    pub probe: bool,
}

/// Carries a user's presence to a contact (RFC 6121 §4.2.3, §4.4.3, §4.5.3) and the contact's back (§4.3.2). Both rosters
/// have to agree: a one-sided subscription tells nobody anything. Nor does anything pass between those of whom one has
/// blocked the other (XEP-0191): `blocked` is the user's list, `asker` the resource it is about.
pub fn visit(
    core: &Core,
    contact: &BareJid,
    blocked: Option<&BlockList>,
    presence: &Arc<Stanza>,
    visit: Visit,
    mut answer: impl FnMut(Item),
    asker: &Jid,
) {
    let Some(account) = core.accounts.find(contact.as_str()) else { return };
    let state = account.lock();
    if state.resources.is_empty() || state.blocks(asker) {
        return;
    }
    let subscription = state.roster.subscription(asker.bare_str());
    let free = |b: &&Bound| blocked.is_none_or(|list| !list.forbids(b.resource.jid.as_jid()));
    if visit.notify && subscription.to {
        for bound in state.available().filter(free) {
            let _ = bound.resource.outbox.push(Item::addressed(presence.clone(), contact.as_jid().clone()));
        }
    }
    if visit.probe && subscription.from {
        for theirs in state.available().filter(free).filter_map(|b| b.presence.as_ref()) {
            answer(Item::addressed(theirs.clone(), asker.clone()));
        }
    }
}
