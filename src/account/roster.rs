//! An account's roster in memory (RFC 6121 §2) with the subscription states (§3, Appendix A).

use crate::storage::RosterRow;
use std::collections::BTreeMap;
use std::sync::Arc;
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::xml::element::Element;

/// All contacts of an account and the version of the list (RFC 6121 §2.6).
#[derive(Default)]
pub struct Roster {
    /// By bare JID.
    pub items: BTreeMap<BareJid, Contact>,
    /// Grows with each change.
    pub version: i64,
}

/// One entry: either a roster item, or a mere note that somebody asked for a subscription.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Contact {
    /// Is it shown in the roster? A pending inbound request alone is not (RFC 6121 §3.1.3).
    pub listed: bool,
    /// The handle its user gave it.
    pub name: Option<Box<str>>,
    /// Its groups, in order.
    pub groups: Vec<Box<str>>,
    /// Who sees whose presence.
    pub subscription: Subscription,
    /// The inbound request that waits for an answer, as it came, to be shown again at each login.
    pub request: Option<Arc<str>>,
}

/// The state of RFC 6121 Appendix A.1, with the pre-approval of §3.4.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct Subscription {
    /// The user sees the contact's presence ("to").
    pub to: bool,
    /// The contact sees the user's presence ("from").
    pub from: bool,
    /// The user has asked and awaits an answer ("pending out").
    pub pending_out: bool,
    /// The contact has asked and awaits an answer ("pending in").
    pub pending_in: bool,
    /// The user has approved in advance.
    pub approved: bool,
}

impl Subscription {
    /// The value of the `subscription` attribute.
    pub fn name(self) -> &'static str {
        match (self.to, self.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }
}

impl Contact {
    /// Nothing left worth keeping?
    pub fn is_empty(&self) -> bool {
        !self.listed && !self.subscription.pending_in && !self.subscription.approved
    }

    /// The `<item/>` of a roster result or push (RFC 6121 §2.1.2).
    pub fn to_item(&self, jid: &BareJid) -> Element {
        let mut item =
            Element::new("item", ns::ROSTER).attr("jid", jid.as_str()).attr("subscription", self.subscription.name());
        if let Some(name) = &self.name {
            item = item.attr("name", &**name);
        }
        if self.subscription.pending_out {
            item = item.attr("ask", "subscribe");
        }
        if self.subscription.approved {
            item = item.attr("approved", "true");
        }
        item.children(self.groups.iter().map(|g| Element::new("group", ns::ROSTER).text(&**g)))
    }

    /// As stored.
    pub fn to_row(&self, jid: &BareJid) -> RosterRow {
        let s = self.subscription;
        RosterRow {
            contact: jid.as_str().to_owned(),
            name: self.name.as_deref().map(str::to_owned),
            subscription: u8::from(s.to) | (u8::from(s.from) << 1),
            ask: s.pending_out,
            approved: s.approved,
            pending_in: s.pending_in,
            pending_stanza: self.request.as_deref().map(str::to_owned),
            in_roster: self.listed,
            groups: self.groups.iter().map(|g| g.to_string()).collect(),
            version: 0,
        }
    }

    fn from_row(row: RosterRow) -> Self {
        Self {
            listed: row.in_roster,
            name: row.name.map(Into::into),
            groups: row.groups.into_iter().map(Into::into).collect(),
            subscription: Subscription {
                to: row.subscription & 1 != 0,
                from: row.subscription & 2 != 0,
                pending_out: row.ask,
                pending_in: row.pending_in,
                approved: row.approved,
            },
            request: row.pending_stanza.map(Into::into),
        }
    }
}

impl Roster {
    /// From storage. Rows whose JID does not parse any more are left out and reported to the caller.
    pub fn from_rows(rows: Vec<RosterRow>, version: i64) -> (Self, Vec<String>) {
        let mut roster = Self { items: BTreeMap::new(), version };
        let mut bad = Vec::new();
        for row in rows {
            match BareJid::parse(&row.contact) {
                Ok(jid) => {
                    roster.items.insert(jid, Contact::from_row(row));
                }
                Err(_) => bad.push(row.contact),
            }
        }
        (roster, bad)
    }

    /// The subscription with somebody; nothing for strangers.
    pub fn subscription(&self, bare: &str) -> Subscription {
        self.items.get(bare).map(|c| c.subscription).unwrap_or_default()
    }

    /// The items of the visible roster.
    pub fn listed(&self) -> impl Iterator<Item = (&BareJid, &Contact)> {
        self.items.iter().filter(|(_, c)| c.listed)
    }

    /// Contacts that see the user's presence.
    pub fn subscribers(&self) -> impl Iterator<Item = &BareJid> {
        self.items.iter().filter(|(_, c)| c.subscription.from).map(|(j, _)| j)
    }

    /// Contacts whose presence the user sees.
    pub fn subscribed(&self) -> impl Iterator<Item = &BareJid> {
        self.items.iter().filter(|(_, c)| c.subscription.to).map(|(j, _)| j)
    }
}
