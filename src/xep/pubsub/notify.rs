//! Notifications: who gets them (XEP-0060 §9, XEP-0163 §4), what they look like, and how they get there. The message is
//! printed once; each recipient gets it under another address.

use super::Recipient;
use super::asker::{is_implied, keeps_access};
use crate::account::blocking::BlockList;
use crate::account::roster::Roster;
use crate::account::{Account, Parcel};
use crate::clock;
use crate::core::Core;
use crate::hosts::Place;
use crate::outbox;
use crate::pubsub::{Item, ItemReply, Node, NodeConfig, NotificationType, Owner, SubscriptionState};
use crate::router;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use xep_support::formats::delay;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::writer::push_attr;

/// Who gets a notification of this node, each once: the resources of the owner and of the contacts that may see it, if
/// they want it, and whoever has subscribed. Nobody whom the owner has blocked (XEP-0163 §4.3.3).
pub fn recipients(core: &Arc<Core>, owner: &Owner, node: &Node) -> Vec<Recipient> {
    let mut all = Vec::new();
    if let Owner::Account(account) = owner {
        implied(core, account, node, &mut all);
    }
    if node.subscriptions.is_empty() {
        return all;
    }
    let blocked = owner.account().and_then(|account| account.lock().blocked.clone());
    let covered: BTreeSet<String> = all.iter().flat_map(Recipient::names).collect();
    for (jid, state) in &node.subscriptions {
        // A bare JID of which resources have said what they want is covered by these (XEP-0163 §4.3.2).
        let goes = *state == SubscriptionState::Subscribed
            && !covered.contains(jid.as_str())
            && !is_blocked(blocked.as_deref(), jid)
            && keeps_access(core, owner, node, jid.bare_str());
        if goes {
            all.push(Recipient::Address(jid.clone()));
        }
    }
    all
}

impl Recipient {
    /// Which subscribed addresses it stands for.
    fn names(&self) -> Vec<String> {
        match self {
            Self::Resource(resource) => vec![resource.jid.to_string(), resource.jid.bare_str().to_owned()],
            Self::Address(jid) => vec![jid.to_string()],
        }
    }
}

/// XEP-0163 §4.3.3: whom the owner has blocked is not notified.
fn is_blocked(list: Option<&BlockList>, jid: &Jid) -> bool {
    list.is_some_and(|list| list.forbids(jid))
}

/// §9.1: those who are subscribed because they see the presence of the owner, the owner included. Both rosters have to
/// agree, and neither may have blocked the other.
fn implied(core: &Core, account: &Account, node: &Node, all: &mut Vec<Recipient>) {
    let (contacts, blocked) = {
        let state = account.lock();
        let wanting = state.available().filter(|bound| bound.wants(&node.name));
        all.extend(wanting.map(|bound| Recipient::Resource(bound.resource.clone())));
        (audience(&state.roster, node), state.blocked.clone())
    };
    let free = |jid: &Jid| !is_blocked(blocked.as_deref(), jid);
    for contact in contacts {
        let Some(theirs) = core.accounts.find(contact.as_str()) else { continue };
        let state = theirs.lock();
        if state.roster.subscription(account.jid.as_str()).to && !state.blocks(account.jid.as_jid()) {
            let wanting = state.available().filter(|bound| bound.wants(&node.name) && free(&bound.resource.jid));
            all.extend(wanting.map(|bound| Recipient::Resource(bound.resource.clone())));
        }
    }
}

/// The contacts that see the presence of the owner and may see the node.
fn audience(roster: &Roster, node: &Node) -> Vec<BareJid> {
    let may = |jid: &BareJid, groups: &[Box<str>]| {
        let subscribed = || node.is_subscribed(jid.as_str());
        is_implied(&node.config, node.affiliation(jid.as_str()), subscribed(), groups)
    };
    let seeing = roster.items.iter().filter(|(jid, contact)| contact.subscription.from && may(jid, &contact.groups));
    seeing.map(|(jid, _)| jid.clone()).collect()
}

/// A message of a node, for many.
pub(super) struct Notification {
    stanza: Arc<Stanza>,
    kind: NotificationType,
}

impl Notification {
    /// Around this content of `<event/>`.
    pub(super) fn event(owner: &Owner, config: &NodeConfig, inside: &str) -> Self {
        Self::around(owner, config, &format!("<event xmlns='{}'>{inside}</event>", ns::PUBSUB_EVENT))
    }

    /// Around this content of the message.
    pub(super) fn around(owner: &Owner, config: &NodeConfig, inside: &str) -> Self {
        let kind = match config.notification_type {
            NotificationType::Headline => MessageType::Headline,
            NotificationType::Normal => MessageType::Normal,
        };
        let stanza = Stanza::message_with(kind, &unique_id(), Some(owner.jid()), None, inside);
        Self { stanza: Arc::new(stanza), kind: config.notification_type }
    }

    /// To everybody who is to be notified of the node.
    pub(super) fn broadcast(&self, core: &Arc<Core>, owner: &Owner, node: &Node) {
        if !node.config.deliver_notifications {
            return;
        }
        for recipient in recipients(core, owner, node) {
            match recipient {
                Recipient::Resource(resource) => {
                    let to = resource.jid.as_jid().clone();
                    // Who cannot take it is on its way out.
                    let _ = resource.outbox.push(outbox::Item::addressed(self.stanza.clone(), to));
                }
                Recipient::Address(jid) => self.send(core, &jid),
            }
        }
    }

    /// To one address. Headlines for local users are shared; everything else goes the way of all messages.
    pub(super) fn send(&self, core: &Arc<Core>, to: &Jid) {
        if self.kind == NotificationType::Normal || core.hosts.place(to) != Place::Account {
            let mut stanza = (*self.stanza).clone();
            stanza.set_to(Some(to.clone()));
            return router::route(core, Parcel::new(Arc::new(stanza), None));
        }
        // RFC 6121 §8.5.2.1.1, §8.5.3: to those who are there, or nobody.
        let Some(account) = core.accounts.find(to.bare_str()) else { return };
        let state = account.lock();
        if self.stanza.from().is_some_and(|from| state.blocks(from)) {
            return;
        }
        let push = |bound: &crate::account::resource::Bound| {
            let _ = bound.resource.outbox.push(outbox::Item::addressed(self.stanza.clone(), to.clone()));
        };
        match to.resource() {
            Some(part) => state.resource(part).into_iter().for_each(push),
            None => state.available().filter(|bound| bound.priority >= 0).for_each(push),
        }
    }
}

/// `<items/>` with an item, as subscribers see it (§7.1.2).
pub(super) fn items_xml(node: &str, config: &NodeConfig, item: Option<&Item>) -> String {
    let mut out = String::with_capacity(128 + node.len() + item.map_or(0, |item| item.payload.len()));
    out.push_str("<items");
    push_attr(&mut out, "node", node);
    let Some(item) = item else {
        out.push_str("/>");
        return out;
    };
    out.push('>');
    write_item(&mut out, config, item, config.deliver_payloads);
    out.push_str("</items>");
    out
}

/// `<item/>`.
pub(super) fn write_item(out: &mut String, config: &NodeConfig, item: &Item, with_payload: bool) {
    out.push_str("<item");
    push_attr(out, "id", &item.id);
    if config.itemreply == ItemReply::Publisher {
        push_attr(out, "publisher", &item.publisher);
    }
    if with_payload && !item.payload.is_empty() {
        out.push('>');
        out.push_str(&item.payload);
        out.push_str("</item>");
    } else {
        out.push_str("/>");
    }
}

/// The last item for somebody who did not get it when it was published (§6.1.7).
pub(super) fn last_published(owner: &Owner, node: &Node, item: &Item) -> Notification {
    let stanza = last_item_xml(owner.jid(), &node.name, &node.config, item);
    Notification::around(owner, &node.config, &stanza)
}

/// The content of the same, with the delay stamp (XEP-0203).
pub(super) fn last_item_xml(owner: &Jid, node: &str, config: &NodeConfig, item: &Item) -> String {
    let mut out = format!("<event xmlns='{}'>", ns::PUBSUB_EVENT);
    out.push_str(&items_xml(node, config, Some(item)));
    out.push_str("</event>");
    delay::write(&mut out, Some(owner.as_str()), item.published_us);
    out
}

/// An element of an event with nothing but the name of the node (§8.4.2, §8.5.2).
pub(super) fn empty_xml(name: &str, node: &str) -> String {
    let mut out = format!("<{name}");
    push_attr(&mut out, "node", node);
    out.push_str("/>");
    out
}

/// `<retract/>` (§7.2.2.1).
pub(super) fn retract_xml(node: &str, ids: &[String]) -> String {
    let mut out = String::from("<items");
    push_attr(&mut out, "node", node);
    out.push('>');
    for id in ids {
        out.push_str("<retract");
        push_attr(&mut out, "id", id);
        out.push_str("/>");
    }
    out.push_str("</items>");
    out
}

/// Tells somebody what became of their subscription (§12.14).
pub(super) fn tell_subscriber(
    core: &Arc<Core>,
    owner: &Owner,
    node: &Node,
    jid: &Jid,
    state: Option<SubscriptionState>,
) {
    let mut inside = String::from("<subscription");
    push_attr(&mut inside, "node", &node.name);
    push_attr(&mut inside, "jid", jid.as_str());
    push_attr(&mut inside, "subscription", state.map_or("none", SubscriptionState::name));
    inside.push_str("/>");
    Notification::event(owner, &node.config, &inside).send(core, jid);
}

/// §12.4: an id of its own for each notification. The time, made unique, so that it is none of an earlier process.
pub(super) fn unique_id() -> String {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = clock::now_micros();
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1))).unwrap_or(0);
    format!("{:x}", now.max(last + 1))
}
