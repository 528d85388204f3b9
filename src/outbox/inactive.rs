//! What waits while a user does not look at the client (XEP-0352): a radio that need not wake up saves a battery.
//!
//! | stanza | while the client is inactive |
//! |---|---|
//! | available and unavailable presence | waits; a later one of the same full JID takes its place |
//! | a chat state and nothing else (XEP-0085), copies of such (XEP-0280) | dropped |
//! | receipts and markers (XEP-0184, 0333) that the archive has, if the session is not one that survives the server | wait |
//! | notifications of nodes (XEP-0060) without a body | wait; a later one of the same item takes its place |
//! | everything else | goes out at once, and what waits goes before it |
//!
//! To everything else belong messages with a body or something encrypted or unknown, errors, calls, invitations, requests
//! and answers, subscriptions, stored messages, and that one has entered a room. So presence comes before the message that
//! follows it, and whatever else wakes the client, a ping of its own or of ours included, brings the rest along. What waits
//! goes out as well when the client becomes active, when it is more than the limits allow, and when its stream is resumed.
//! None of it was sent: it is not counted by XEP-0198. No sender waits for it either.

use super::{Item, Receipt};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use xep_support::ns;
use xep_support::stanza::{Facts, Kind, MessageType, PresenceType, Stanza};
use xep_support::xml::Element;

/// The bounds of what waits for one client.
#[derive(Clone, Copy, Debug)]
pub struct HeldLimits {
    /// Stanzas.
    pub stanzas_max: usize,
    /// Bytes.
    pub bytes_max: usize,
}

/// What waits.
pub(super) struct Held {
    items: VecDeque<(Option<u64>, Item)>,
    bytes: usize,
    limits: HeldLimits,
    /// What an item can be replaced by is found by a number that nobody outside can guess.
    numbers: RandomState,
}

/// What became of an item.
pub(super) enum Added {
    /// It waits, or nobody will miss it.
    Kept,
    /// It waits, and that is too much: everything has to go.
    Full,
    /// It must not wait.
    Important(Item),
}

/// What an item is worth to somebody who does not look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Worth {
    Now,
    /// Later, or a newer one with the same number instead.
    Later(Option<u64>),
    Never,
}

impl Held {
    pub(super) fn new(limits: HeldLimits) -> Self {
        Self { items: VecDeque::new(), bytes: 0, limits, numbers: RandomState::new() }
    }

    /// `journaled`: the session is to survive the server (XEP-0198), and with it what its client was sent.
    pub(super) fn add(&mut self, mut item: Item, journaled: bool) -> Added {
        let key = match self.worth(&item, journaled) {
            Worth::Now => return Added::Important(item),
            Worth::Never => {
                drop_settled(item);
                return Added::Kept;
            }
            Worth::Later(key) => key,
        };
        // As if it were written.
        item.receipt.flushed();
        if key.is_some()
            && let Some(at) = self.items.iter().position(|(other, _)| *other == key)
            && let Some((_, old)) = self.items.remove(at)
        {
            self.bytes -= old.bytes();
            drop_settled(old);
        }
        self.bytes += item.bytes();
        self.items.push_back((key, item));
        let full = self.items.len() > self.limits.stanzas_max || self.bytes > self.limits.bytes_max;
        if full { Added::Full } else { Added::Kept }
    }

    /// Everything, in order, and its bytes.
    pub(super) fn take(&mut self) -> (impl Iterator<Item = Item> + use<>, usize) {
        let items = std::mem::take(&mut self.items);
        (items.into_iter().map(|(_, item)| item), std::mem::take(&mut self.bytes))
    }

    pub(super) fn depth(&self) -> (usize, usize) {
        (self.bytes, self.items.len())
    }

    fn worth(&self, item: &Item, journaled: bool) -> Worth {
        let stanza = &*item.stanza;
        match stanza.kind() {
            Kind::Iq => Worth::Now,
            Kind::Presence => match stanza.presence_type() {
                Ok(PresenceType::Available | PresenceType::Unavailable) if !enters_room(stanza) => {
                    let from = stanza.from().map(|from| from.as_str());
                    Worth::Later(Some(self.numbers.hash_one((Kind::Presence, from))))
                }
                _ => Worth::Now,
            },
            Kind::Message => {
                // Whose sender waits for it must not be kept in memory alone. A copy is not the only one.
                let kept = item.extra.is_some() || stanza.facts().contains(Facts::CARBON);
                let may_wait = matches!(item.receipt, Receipt::None) || kept && !journaled;
                self.worth_of_message(stanza, &item.receipt, may_wait)
            }
        }
    }

    fn worth_of_message(&self, stanza: &Stanza, receipt: &Receipt, may_wait: bool) -> Worth {
        let facts = stanza.facts();
        let important = Facts::BODY
            | Facts::SUBJECT
            | Facts::ENCRYPTED
            | Facts::MUC_USER
            | Facts::MUC_JOIN
            | Facts::CONFERENCE
            | Facts::CORRECTION
            | Facts::RETRACTION
            | Facts::REACTIONS
            | Facts::FALLBACK
            | Facts::JINGLE_MESSAGE
            | Facts::RECEIPT_REQUEST
            | Facts::MARKABLE
            | Facts::ERROR;
        let waits = facts.intersects(Facts::CHAT_STATE | Facts::RECEIPT | Facts::MARKER | Facts::PUBSUB_EVENT);
        let unknown = facts.contains(Facts::OTHER) && !others_are_threads(stanza);
        let is_row = matches!(receipt, Receipt::Row(_));
        if !waits || unknown || is_row || facts.intersects(important) || stanza.message_type() == MessageType::Error {
            return Worth::Now;
        }
        if !facts.intersects(Facts::RECEIPT | Facts::MARKER | Facts::PUBSUB_EVENT) {
            return Worth::Never;
        }
        match may_wait {
            true => Worth::Later(self.item_of_node(stanza)),
            false => Worth::Now,
        }
    }

    /// The one item that a notification is about, if it is no more than that.
    fn item_of_node(&self, stanza: &Stanza) -> Option<u64> {
        let event = stanza.child("event", ns::PUBSUB_EVENT)?;
        let only = |parent: &Element| {
            let mut children = parent.child_elements();
            children.next().filter(|_| children.next().is_none()).cloned()
        };
        let items = only(&event).filter(|items| items.is("items", ns::PUBSUB_EVENT))?;
        let item = only(&items).filter(|item| item.is("item", ns::PUBSUB_EVENT))?;
        let (from, node, id) = (stanza.from()?.as_str(), items.get_attr("node")?, item.get_attr("id")?);
        Some(self.numbers.hash_one((Kind::Message, from, node, id)))
    }
}

/// The client itself has entered a room or left it (XEP-0045 §7.1, status 110): it waits for that.
fn enters_room(stanza: &Stanza) -> bool {
    let own =
        |x: &Element| x.child_elements().any(|c| c.is("status", ns::MUC_USER) && c.get_attr("code") == Some("110"));
    stanza.facts().contains(Facts::MUC_USER) && stanza.child("x", ns::MUC_USER).is_some_and(|x| own(&x))
}

/// A thread says nothing by itself (RFC 6121 §5.2.5).
fn others_are_threads(stanza: &Stanza) -> bool {
    let known = [ns::CHAT_STATES, ns::RECEIPTS, ns::CHAT_MARKERS, ns::PUBSUB_EVENT, ns::HINTS, ns::SID, ns::DELAY];
    let mut children = stanza.children();
    children.len() > 0 && children.all(|child| child.is("thread", ns::CLIENT) || known.contains(&child.ns()))
}

/// Nobody gets it, and that is as good as if somebody had.
fn drop_settled(item: Item) {
    match item.receipt {
        Receipt::Copy(copies) => copies.written(),
        Receipt::Unacked(share) => share.acknowledged(),
        Receipt::None | Receipt::Hold(_) | Receipt::Row(_) | Receipt::Told(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use xep_support::jid::Jid;
    use xep_support::xml::check::StreamContext;

    const MANY: HeldLimits = HeldLimits { stanzas_max: 100, bytes_max: 100_000 };

    fn item(xml: &str) -> Item {
        Item::plain(Arc::new(Stanza::parse(xml.as_bytes(), &StreamContext::client()).expect(xml)))
    }

    fn worth(xml: &str) -> &'static str {
        match Held::new(MANY).worth(&item(xml), false) {
            Worth::Now => "now",
            Worth::Later(Some(_)) => "latest",
            Worth::Later(None) => "later",
            Worth::Never => "never",
        }
    }

    #[test]
    fn what_waits_and_what_does_not() {
        let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        let receipt = "<received xmlns='urn:xmpp:receipts' id='1'/>";
        let marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>";
        let muc = |inside: &str| format!("<x xmlns='http://jabber.org/protocol/muc#user'>{inside}</x>");
        let event = |inside: &str| format!("<event xmlns='http://jabber.org/protocol/pubsub#event'>{inside}</event>");
        let message = |inside: &str| format!("<message from='a@b/c' type='chat'>{inside}</message>");
        let presence = |attrs: &str, inside: &str| format!("<presence from='a@b/c' {attrs}>{inside}</presence>");
        let item = |id: &str| format!("<items node='n'><item{id}/></items>");
        let rows = [
            ("<iq from='a@b/c' type='get' id='1'><x xmlns='urn:x'/></iq>".to_owned(), "now"),
            (presence("", "<show>away</show>"), "latest"),
            (presence("type='unavailable'", ""), "latest"),
            (presence("type='subscribe'", ""), "now"),
            (presence("type='unsubscribed'", ""), "now"),
            (presence("type='error'", "<error type='cancel'/>"), "now"),
            (presence("", &muc("<item role='participant'/>")), "latest"),
            (presence("", &muc("<item/><status code='110'/>")), "now"),
            (message("<body>hi</body>"), "now"),
            (message(""), "now"),
            (message(&format!("{state}<body>hi</body>")), "now"),
            (message(state), "never"),
            (message(&format!("<thread>1</thread>{state}<no-store xmlns='urn:xmpp:hints'/>")), "never"),
            (message(&format!("{state}<x xmlns='urn:x'/>")), "now"),
            (message(receipt), "later"),
            (message(marker), "later"),
            (message(&format!("{state}{marker}")), "later"),
            (message(&format!("{receipt}<encrypted xmlns='eu.siacs.conversations.axolotl'/>")), "now"),
            (message("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>"), "now"),
            (message("<x xmlns='jabber:x:conference' jid='r@m'/>"), "now"),
            (message(&muc("<invite from='a@b'/>")), "now"),
            (message("<subject>hi</subject>"), "now"),
            (message("<x xmlns='urn:x'/>"), "now"),
            (message(&event(&item(" id='1'"))), "latest"),
            (message(&event(&item(""))), "later"),
            (message(&event("<items node='n'><item id='1'/><item id='2'/></items>")), "later"),
            (message(&event("<items node='n'><retract id='1'/></items>")), "later"),
            (message(&event("<purge node='n'/>")), "later"),
            (message(&format!("{}<body>hi</body>", event(&item(" id='1'")))), "now"),
            ("<message from='a@b/c' type='error'><error type='cancel'/></message>".to_owned(), "now"),
        ];
        for (xml, expected) in rows {
            assert_eq!(worth(&xml), expected, "{xml}");
        }
    }

    #[test]
    fn copies_are_worth_what_they_carry() {
        let bare = Jid::parse("c@d").expect("a JID");
        let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        for (inside, expected) in [
            ("<body>hi</body>", Worth::Now),
            (composing, Worth::Never),
            ("<received xmlns='urn:xmpp:receipts' id='1'/>", Worth::Later(None)),
        ] {
            let original = item(&format!("<message from='a@b/c' type='chat'>{inside}</message>")).stanza;
            let carbon = Stanza::forwarding(&original, &bare, ("received", ns::CARBONS), "");
            assert_eq!(Held::new(MANY).worth(&Item::plain(Arc::new(carbon)), false), expected, "{inside}");
        }
        // A page of the archive was asked for.
        let page = Stanza::message_around(Some(&bare), None, "<result xmlns='urn:xmpp:mam:2'/>");
        assert_eq!(Held::new(MANY).worth(&Item::plain(Arc::new(page)), false), Worth::Now);
    }

    #[test]
    fn the_latest_takes_the_place_of_those_before() {
        let mut held = Held::new(MANY);
        for (from, show) in [("a@b/1", "away"), ("a@b/2", "away"), ("a@b/1", "dnd"), ("a@b/1", "xa")] {
            let xml = format!("<presence from='{from}'><show>{show}</show></presence>");
            assert!(matches!(held.add(item(&xml), false), Added::Kept));
        }
        let (items, bytes) = held.take();
        let items: Vec<Item> = items.collect();
        assert_eq!(bytes, items.iter().map(Item::bytes).sum::<usize>());
        let seen: Vec<_> = items.iter().map(|i| i.stanza.to_xml()).collect();
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen[0].contains("a@b/2") && seen[1].contains("<show>xa</show>"), "{seen:?}");
        assert_eq!(held.depth(), (0, 0));
    }

    #[test]
    fn there_is_a_limit() {
        let presence = |n: usize| item(&format!("<presence from='a@b/{n}'/>"));
        let mut held = Held::new(HeldLimits { stanzas_max: 2, ..MANY });
        assert!(matches!(held.add(presence(0), false), Added::Kept));
        assert!(matches!(held.add(presence(1), false), Added::Kept));
        assert!(matches!(held.add(presence(1), false), Added::Kept));
        assert!(matches!(held.add(presence(2), false), Added::Full));
        let mut held = Held::new(HeldLimits { bytes_max: 100, ..MANY });
        assert!(matches!(held.add(presence(0), false), Added::Full));
    }
}
