//! What is archived, as one function: everything a second device needs, nothing that its sender does not want kept.

use xep_support::stanza::{Facts, MessageType};

/// What makes a message worth keeping, the first that holds being the reason (XEP-0313 §6.1.1, XEP-0334 §4.4).
const WORTH: [(Facts, &str); 13] = [
    (Facts::STORE, "a hint"),
    (Facts::BODY, "a body"),
    (Facts::ENCRYPTED, "encrypted"),
    (Facts::RECEIPT, "a receipt"),
    (Facts::MARKER, "a marker"),
    (Facts::REACTIONS, "reactions"),
    (Facts::CORRECTION, "a correction"),
    (Facts::RETRACTION, "a retraction"),
    (Facts::JINGLE_MESSAGE, "a call"),
    (Facts::CONFERENCE, "an invitation"),
    (Facts::MUC_USER, "an invitation"),
    (Facts::FALLBACK, "something with a fallback"),
    (Facts::SUBJECT, "a subject"),
];

/// Why a message is archived, or why not.
pub(super) fn worth(kind: MessageType, facts: Facts) -> Result<&'static str, &'static str> {
    match kind {
        MessageType::Chat | MessageType::Normal => {}
        MessageType::Groupchat => return Err("of a room, which has its own archive"),
        MessageType::Headline => return Err("a headline"),
        // Hints in it are those of the message that failed (XEP-0334 §5).
        MessageType::Error => return Err("an error"),
    }
    if facts.intersects(Facts::NO_STORE | Facts::NO_PERMANENT_STORE) {
        return Err("a hint forbids it");
    }
    WORTH.iter().find(|(fact, _)| facts.intersects(*fact)).map(|(_, why)| *why).ok_or("nothing worth keeping")
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::stanza::Stanza;
    use xep_support::xml::check::StreamContext;

    fn decide(kind: &str, children: &str) -> Result<&'static str, &'static str> {
        let text = format!("<message type='{kind}'>{children}</message>");
        let stanza = Stanza::parse(text.as_bytes(), &StreamContext::client()).expect("a stanza");
        worth(stanza.message_type(), stanza.facts())
    }

    #[test]
    fn row_by_row() {
        let hint = |name: &str| format!("<{name} xmlns='urn:xmpp:hints'/>");
        let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        let rows = [
            ("<body>hi</body>".to_owned(), Ok("a body")),
            (format!("<body>hi</body>{composing}"), Ok("a body")),
            (composing.to_owned(), Err("nothing worth keeping")),
            (composing.to_owned() + &hint("store"), Ok("a hint")),
            (String::new(), Err("nothing worth keeping")),
            ("<body>hi</body>".to_owned() + &hint("no-store"), Err("a hint forbids it")),
            ("<body>hi</body>".to_owned() + &hint("no-permanent-store"), Err("a hint forbids it")),
            (hint("store") + &hint("no-store"), Err("a hint forbids it")),
            ("<body>hi</body>".to_owned() + &hint("no-copy"), Ok("a body")),
            ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>".to_owned(), Ok("encrypted")),
            ("<received xmlns='urn:xmpp:receipts' id='1'/>".to_owned(), Ok("a receipt")),
            ("<request xmlns='urn:xmpp:receipts'/>".to_owned(), Err("nothing worth keeping")),
            ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>".to_owned(), Ok("a marker")),
            ("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>".to_owned(), Ok("reactions")),
            ("<replace xmlns='urn:xmpp:message-correct:0' id='1'/>".to_owned(), Ok("a correction")),
            ("<retract xmlns='urn:xmpp:message-retract:1' id='1'/>".to_owned(), Ok("a retraction")),
            ("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>".to_owned(), Ok("a call")),
            ("<x xmlns='jabber:x:conference' jid='a@b'/>".to_owned(), Ok("an invitation")),
            ("<fallback xmlns='urn:xmpp:fallback:0' for='urn:x'/>".to_owned(), Ok("something with a fallback")),
            ("<subject>hi</subject>".to_owned(), Ok("a subject")),
            ("<event xmlns='http://jabber.org/protocol/pubsub#event'/>".to_owned(), Err("nothing worth keeping")),
            ("<x xmlns='urn:unknown'/>".to_owned(), Err("nothing worth keeping")),
        ];
        for (children, expected) in rows {
            for kind in ["chat", "normal", "no-such-type"] {
                assert_eq!(decide(kind, &children), expected, "{kind} {children}");
            }
            for kind in ["groupchat", "headline", "error"] {
                assert!(decide(kind, &children).is_err(), "{kind} {children}");
            }
        }
    }
}
