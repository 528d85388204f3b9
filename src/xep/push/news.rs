//! Which messages are important enough to wake a device, and which devices have to be woken for them.

use super::notify;
use crate::account::push::News;
use crate::account::resource::Bound;
use crate::account::{Account, AccountState};
use crate::config::Config;
use crate::core::Core;
use crate::delivery::carbons;
use crate::extension::Arrival;
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::{Facts, MessageType, Stanza};

/// Bytes of a text that is told.
const BODY_BYTES_MAX: usize = 1_024;

/// How a message has to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weight {
    /// Its recipient should see it soon.
    Important,
    /// Somebody calls: now or never.
    Urgent,
}

/// What is worth waking a device for. XEP-0357 leaves it open; these are the rules that clients have come to expect.
fn weigh(own: &str, message: &Stanza) -> Option<Weight> {
    let facts = message.facts();
    let fit = match message.message_type() {
        MessageType::Chat | MessageType::Normal => true,
        // A new subject is no message.
        MessageType::Groupchat => !facts.contains(Facts::SUBJECT),
        MessageType::Headline | MessageType::Error => false,
    };
    // One knows what one wrote oneself; what nobody keeps will not be there when the device is awake.
    let written_by_self = message.from().is_none_or(|from| from.bare_str() == own);
    if !fit || written_by_self || facts.intersects(Facts::NO_STORE | Facts::CARBON) {
        return None;
    }
    if facts.contains(Facts::JINGLE_MESSAGE) {
        return message.has_child("propose", ns::JINGLE_MESSAGE).then_some(Weight::Urgent);
    }
    // What encrypted content says nobody knows, so that it counts.
    let says_something = facts.contains(Facts::ENCRYPTED) || facts.contains(Facts::BODY) && body(message).is_some();
    let invites = facts.intersects(Facts::CONFERENCE)
        || facts.contains(Facts::MUC_USER) && message.message_type() != MessageType::Groupchat;
    (says_something || invites).then_some(Weight::Important)
}

fn body(message: &Stanza) -> Option<String> {
    let mut text = message.child("body", ns::CLIENT)?.text_content();
    if text.len() > BODY_BYTES_MAX {
        let end = (0..=BODY_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    Some(text).filter(|text| !text.is_empty())
}

/// Does the client take messages, so that its user sees everything anyway? One that is inactive (XEP-0352) is given them, too,
/// but may be stopped by its system before it has told anybody.
pub(super) fn is_awake(config: &Config, bound: &Bound) -> bool {
    let is_asleep = || config.push.inactive_is_away && bound.resource.outbox.is_inactive();
    bound.takes_messages() && !bound.is_detached() && !is_asleep()
}

/// Is the device's client there?
pub(super) fn is_here(config: &Config, resources: &[Bound], resourcepart: &str) -> bool {
    resources.iter().any(|b| b.resource.jid.resource() == resourcepart && is_awake(config, b))
}

/// Stage Arrived: devices whose clients are away are told.
pub(super) fn arrived(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    message: &Stanza,
    arrival: Arrival<'_>,
) {
    // A copy is worth what was copied (XEP-0280); whoever else claims to send one is not believed (§11).
    let is_ours = message.from().is_some_and(|from| from == account.jid.as_jid());
    let original = is_ours.then(|| carbons::original(message)).flatten();
    let message = original.as_ref().unwrap_or(message);
    let Some(weight) = weigh(account.jid.as_str(), message) else { return };
    let config = core.config();
    let AccountState { push: Some(devices), resources, .. } = state else { return };
    if !config.push.enabled {
        return;
    }
    let archived = config.archive.enabled;
    for device in &mut devices.0 {
        let resourcepart = &device.registration.row.resource;
        if is_here(&config, resources, resourcepart) {
            continue;
        }
        // Would the device find it when it comes?
        let concerned = match arrival {
            Arrival::Kept => true,
            Arrival::Waits(name) => name == resourcepart,
            Arrival::Delivered => archived || resources.iter().any(|b| b.resource.jid.resource() == resourcepart),
        };
        if concerned {
            device.missed = device.missed.saturating_add(1);
            let urgent = weight == Weight::Urgent || device.news.as_ref().is_some_and(|news| news.urgent);
            device.news = Some(news(&config, message, urgent));
            notify::see_to(core, account, device, urgent);
        }
    }
}

/// §9: how much is told is the operator's decision.
fn news(config: &Config, message: &Stanza, urgent: bool) -> News {
    if !config.push.include_content {
        return News { urgent, sender: None, body: None };
    }
    // The text beside encrypted content says that the content is encrypted.
    let body = if message.facts().contains(Facts::ENCRYPTED) { None } else { body(message) };
    News { urgent, sender: message.from().map(|from| from.as_str().into()), body: body.map(Into::into) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::xml::check::StreamContext;

    fn weight(attrs: &str, children: &str) -> Option<Weight> {
        let text = format!("<message from='romeo@im.example/orchard' {attrs}>{children}</message>");
        let stanza = Stanza::parse(text.as_bytes(), &StreamContext::client()).expect("a message");
        weigh("juliet@im.example", &stanza)
    }

    #[test]
    fn row_by_row() {
        let rows = [
            ("<body>hi</body>", Some(Weight::Important)),
            ("<body/>", None),
            ("<subject>hi</subject>", None),
            ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>", Some(Weight::Important)),
            (
                "<encrypted xmlns='urn:xmpp:omemo:2'/><body>I sent you something encrypted</body>",
                Some(Weight::Important),
            ),
            ("<propose xmlns='urn:xmpp:jingle-message:0' id='a'/>", Some(Weight::Urgent)),
            (
                "<propose xmlns='urn:xmpp:jingle-message:0' id='a'/><store xmlns='urn:xmpp:hints'/>",
                Some(Weight::Urgent),
            ),
            ("<retract xmlns='urn:xmpp:jingle-message:0' id='a'/><store xmlns='urn:xmpp:hints'/>", None),
            ("<proceed xmlns='urn:xmpp:jingle-message:0' id='a'/>", None),
            ("<x xmlns='jabber:x:conference' jid='room@muc.example'/>", Some(Weight::Important)),
            ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", None),
            ("<received xmlns='urn:xmpp:receipts' id='1'/>", None),
            ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", None),
            ("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", None),
            ("<body>hi</body><no-store xmlns='urn:xmpp:hints'/>", None),
            ("<sent xmlns='urn:xmpp:carbons:2'/>", None),
        ];
        for (children, expected) in rows {
            for kind in ["", "type='chat'", "type='normal'"] {
                assert_eq!(weight(kind, children), expected, "{kind} {children}");
            }
            for kind in ["type='headline'", "type='error'", "from='juliet@im.example/balcony'"] {
                let text = format!("<message {kind}>{children}</message>");
                let stanza = Stanza::parse(text.as_bytes(), &StreamContext::client()).expect("a message");
                assert_eq!(weigh("juliet@im.example", &stanza), None, "{kind} {children}");
            }
        }
        assert_eq!(weight("type='groupchat'", "<body>hi</body>"), Some(Weight::Important));
        assert_eq!(weight("type='groupchat'", "<subject>hi</subject><body>hi</body>"), None);
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let text = format!("<message><body>{}</body></message>", "x".repeat(1_023) + "äöü");
        let stanza = Stanza::parse(text.as_bytes(), &StreamContext::client()).expect("a message");
        assert_eq!(body(&stanza).expect("a body"), "x".repeat(1_023) + "…");
    }
}
