//! What the children of a stanza say about it, noted once when it is read: whom it goes to, whether it is archived,
//! stored or pushed is decided from these.

use std::ops::{BitOr, BitOrAssign};

use crate::ns;

/// A set of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts(u32);

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident $bit:literal;)*) => {
        impl Facts {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }
    };
}

facts! {
    /// A `<body/>` (RFC 6121 §5.2.3).
    BODY 0;
    /// A `<subject/>` (RFC 6121 §5.2.4).
    SUBJECT 1;
    /// A chat state (XEP-0085).
    CHAT_STATE 2;
    /// `<no-store/>` (XEP-0334).
    NO_STORE 3;
    /// `<no-permanent-store/>` (XEP-0334).
    NO_PERMANENT_STORE 4;
    /// `<store/>` (XEP-0334).
    STORE 5;
    /// `<no-copy/>` (XEP-0334).
    NO_COPY 6;
    /// A receipt is asked for (XEP-0184).
    RECEIPT_REQUEST 7;
    /// A receipt (XEP-0184).
    RECEIPT 8;
    /// `<markable/>` (XEP-0333).
    MARKABLE 9;
    /// A marker: received, displayed or acknowledged (XEP-0333).
    MARKER 10;
    /// The content is encrypted, or says so (XEP-0380, 0384, 0373, 0027).
    ENCRYPTED 11;
    /// Somebody stamped a delay (XEP-0203).
    DELAY 12;
    /// `<x xmlns='…muc#user'/>` (XEP-0045).
    MUC_USER 13;
    /// `<x xmlns='…muc'/>`: wants to join (XEP-0045).
    MUC_JOIN 14;
    /// A direct invitation (XEP-0249).
    CONFERENCE 15;
    /// A carbon copy: sent or received (XEP-0280).
    CARBON 16;
    /// `<private/>`: no carbon copies (XEP-0280).
    CARBON_PRIVATE 17;
    /// `<stanza-id/>` (XEP-0359).
    STANZA_ID 18;
    /// `<origin-id/>` (XEP-0359).
    ORIGIN_ID 19;
    /// A correction (XEP-0308).
    CORRECTION 20;
    /// A retraction (XEP-0424), moderation included (XEP-0425).
    RETRACTION 21;
    /// Reactions (XEP-0444).
    REACTIONS 22;
    /// A fallback indication (XEP-0428).
    FALLBACK 23;
    /// A notification of publish-subscribe (XEP-0060).
    PUBSUB_EVENT 24;
    /// A call is proposed, taken or ended (XEP-0353).
    JINGLE_MESSAGE 25;
    /// An `<error/>` (RFC 6120 §8.3).
    ERROR 26;
    /// Something that none of these facts stands for.
    OTHER 27;
    /// Somebody is mentioned (XEP-0513).
    MENTION 28;
}

impl Facts {
    /// No facts.
    pub const NONE: Self = Self(0);

    /// Whether all of `facts` hold.
    #[must_use]
    pub const fn contains(self, facts: Self) -> bool {
        self.0 & facts.0 == facts.0
    }

    /// Whether one of `facts` holds.
    #[must_use]
    pub const fn intersects(self, facts: Self) -> bool {
        self.0 & facts.0 != 0
    }

    /// Whether nothing is known: no children.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What a child in the content namespace says.
    pub(super) fn of_content(name: &str) -> Self {
        match name {
            "body" => Self::BODY,
            "subject" => Self::SUBJECT,
            "error" => Self::ERROR,
            _ => Self::OTHER,
        }
    }

    /// What a child in another namespace says.
    pub(super) fn of(name: &str, ns: &str) -> Self {
        match (ns, name) {
            (ns::CHAT_STATES, "active" | "composing" | "paused" | "inactive" | "gone") => Self::CHAT_STATE,
            (ns::HINTS, "no-store") => Self::NO_STORE,
            (ns::HINTS, "no-permanent-store") => Self::NO_PERMANENT_STORE,
            (ns::HINTS, "store") => Self::STORE,
            (ns::HINTS, "no-copy") => Self::NO_COPY,
            (ns::RECEIPTS, "request") => Self::RECEIPT_REQUEST,
            (ns::RECEIPTS, "received") => Self::RECEIPT,
            (ns::CHAT_MARKERS, "markable") => Self::MARKABLE,
            (ns::CHAT_MARKERS, "received" | "displayed" | "acknowledged") => Self::MARKER,
            (ns::EME, "encryption") | (ns::OMEMO | ns::OMEMO_LEGACY, "encrypted") => Self::ENCRYPTED,
            (ns::OPENPGP, "openpgp") | (ns::OPENPGP_LEGACY, "x") => Self::ENCRYPTED,
            (ns::DELAY, "delay") => Self::DELAY,
            (ns::MUC_USER, "x") => Self::MUC_USER,
            (ns::MUC, "x") => Self::MUC_JOIN,
            (ns::CONFERENCE, "x") => Self::CONFERENCE,
            (ns::CARBONS, "sent" | "received") => Self::CARBON,
            (ns::CARBONS, "private") => Self::CARBON_PRIVATE,
            (ns::SID, "stanza-id") => Self::STANZA_ID,
            (ns::SID, "origin-id") => Self::ORIGIN_ID,
            (ns::CORRECT, "replace") => Self::CORRECTION,
            (ns::RETRACT, "retract") | (ns::MODERATE, _) => Self::RETRACTION,
            (ns::REACTIONS, "reactions") => Self::REACTIONS,
            (ns::FALLBACK, "fallback") => Self::FALLBACK,
            (ns::PUBSUB_EVENT, "event") => Self::PUBSUB_EVENT,
            (ns::MENTIONS, "mention") => Self::MENTION,
            (ns::JINGLE_MESSAGE, _) => Self::JINGLE_MESSAGE,
            _ => Self::OTHER,
        }
    }
}

impl BitOr for Facts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Facts {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
