//! A connected resource (RFC 6120 §7) and what its account knows of it.

use super::Account;
use crate::hold::Pending;
use crate::outbox::{Item, Outbox};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use xep_support::jid::{FullJid, Jid};
use xep_support::stanza::Stanza;

/// A connected resource: its full JID and the outbox somebody drains.
pub struct Resource {
    /// `localpart@domainpart/resourcepart`.
    pub jid: FullJid,
    /// What waits for its client.
    pub outbox: Outbox,
    /// Where the client is, for operators.
    pub peer: IpAddr,
    /// Is its stream encrypted?
    pub encrypted: bool,
    /// When it was bound, microseconds since 1970.
    pub since_us: i64,
}

/// A resource as its account sees it; protected by the account's lock.
pub struct Bound {
    /// The resource itself.
    pub resource: Arc<Resource>,
    /// Its last available presence, as it came; `None` until then and after it became unavailable.
    pub presence: Option<Arc<Stanza>>,
    /// The priority in that presence (RFC 6121 §4.7.2.3).
    pub priority: i8,
    /// It asked for the roster and gets roster pushes (RFC 6121 §2.2).
    pub interested: bool,
    /// Its connection was lost then (monotonic milliseconds) and it may be resumed (XEP-0198 §5).
    pub detached_ms: Option<u64>,
    /// To whom it sent directed presence (RFC 6121 §4.6.3); they must learn that it left.
    pub directed: BTreeSet<Jid>,
}

impl Bound {
    /// A resource that has just been bound.
    pub fn new(resource: Arc<Resource>) -> Self {
        Self { resource, presence: None, priority: 0, interested: false, detached_ms: None, directed: BTreeSet::new() }
    }

    /// Is it without a connection?
    pub fn is_detached(&self) -> bool {
        self.detached_ms.is_some()
    }
}

/// A bound client as the stanza handlers see it: who it is, where its answers go, what it still owes.
#[derive(Clone)]
pub struct Client {
    /// Its account.
    pub account: Arc<Account>,
    /// Its resource.
    pub resource: Arc<Resource>,
    /// Its stanzas that are not yet safe.
    pub pending: Arc<Pending>,
}

impl Client {
    /// Sends the client something nobody waits for. If the client cannot take it, its session is ending anyway.
    pub fn send(&self, stanza: Stanza) {
        let _ = self.resource.outbox.push(Item::plain(Arc::new(stanza)));
    }

    /// Its full JID.
    pub fn jid(&self) -> &FullJid {
        &self.resource.jid
    }
}
