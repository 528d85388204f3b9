//! A connected resource (RFC 6120 §7) and what its account knows of it.

use super::Account;
use super::joined::Joined;
use super::resumable::Resumable;
use crate::close::CloseReason;
use crate::counters::LinkKind;
use crate::hold::{Cause, Pending};
use crate::journal::{Flags, Journal};
use crate::outbox::{Item, Outbox};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
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
    /// What its client said about itself, if it logged in by SASL2.
    pub agent: OnceLock<Box<Agent>>,
}

/// A client as it presents itself (XEP-0388 §2.3). Nobody but its owner and the operator sees that.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// The name of the installation within its account, if it identified itself.
    pub device: Option<Box<str>>,
    /// The software.
    pub software: Option<Box<str>>,
    /// What it runs on.
    pub name: Option<Box<str>>,
    /// It came with a token, not with the password (XEP-0484).
    pub by_token: bool,
}

impl Resource {
    /// The device its client is, if it said so.
    pub fn device(&self) -> Option<&str> {
        self.agent.get()?.device.as_deref()
    }
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
    /// It asked for the block list and gets its changes (XEP-0191 §3.3).
    pub blocklist: bool,
    /// It gets copies of what its user's other resources send and receive (XEP-0280).
    pub carbons: bool,
    /// Its connection was lost then (monotonic milliseconds) and it may be resumed (XEP-0198 §5).
    pub detached_ms: Option<u64>,
    /// Its stream management meanwhile: what it misses is noted there.
    pub away: Option<Arc<Resumable>>,
    /// Where it was resumed from last, and whether that stream is encrypted.
    pub moved_to: Option<Box<(IpAddr, bool)>>,
    /// By what it is connected, or was last; `None`: it has not been since the server started.
    pub link: Option<LinkKind>,
    /// It says that its user has no photograph (XEP-0153 §4.1); nobody contradicts.
    pub hides_photo: bool,
    /// To whom it sent directed presence (RFC 6121 §4.6.3); they must learn that it left.
    pub directed: BTreeSet<Jid>,
    /// The rooms it is in (XEP-0045), if it is in any; they must learn as well.
    pub rooms: Option<Box<Joined>>,
    /// Of which nodes it wants notifications (XEP-0060 §9.2), as its entity capabilities say. Resources that run the same
    /// client share it.
    pub interest: Option<Arc<Interest>>,
}

/// The nodes a client wants notifications of: those it names as features with `+notify` (XEP-0060 §9.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Sorted.
    nodes: Box<[Box<str>]>,
}

impl Interest {
    /// From the names of the nodes.
    pub fn new(nodes: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        let nodes: BTreeSet<Box<str>> = nodes.into_iter().map(Into::into).collect();
        Self { nodes: nodes.into_iter().collect() }
    }

    /// Does it want notifications of this node?
    pub fn wants(&self, node: &str) -> bool {
        self.nodes.binary_search_by(|name| (**name).cmp(node)).is_ok()
    }

    /// The names of the nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|name| &**name)
    }
}

impl Bound {
    /// A resource that has just been bound.
    pub fn new(resource: Arc<Resource>) -> Self {
        Self {
            resource,
            presence: None,
            priority: 0,
            interested: false,
            blocklist: false,
            carbons: false,
            detached_ms: None,
            away: None,
            moved_to: None,
            link: None,
            hides_photo: false,
            directed: BTreeSet::new(),
            rooms: None,
            interest: None,
        }
    }

    /// Does it want messages (RFC 6121 §8.5.2.1)? They reach it only while it is connected.
    pub fn takes_messages(&self) -> bool {
        self.presence.is_some() && self.priority >= 0
    }

    /// Does it want notifications of this node?
    pub fn wants(&self, node: &str) -> bool {
        self.interest.as_ref().is_some_and(|interest| interest.wants(node))
    }

    /// Notes its presence and what it asked for in the session journal: the client will not say it again when it resumes. To be
    /// called under the account's lock whenever any of it has changed.
    pub fn note(&self, journal: &Journal) {
        let session = self.resource.outbox.session();
        if session != 0 {
            let flag = |on, flag| if on { flag } else { 0 };
            let lists = flag(self.interested, Flags::INTERESTED) | flag(self.blocklist, Flags::BLOCKLIST);
            let flags = Flags(lists | flag(self.carbons, Flags::CARBONS));
            let presence = self.presence.as_ref().map(|presence| presence.to_xml()).unwrap_or_default();
            journal.note(|batch| batch.state(session, flags, self.priority, &presence));
        }
    }

    /// The same with the rooms it is in, whenever these have changed.
    pub fn note_rooms(&self, journal: &Journal) {
        let session = self.resource.outbox.session();
        if session != 0 {
            let rooms = self.rooms.as_deref().map(Joined::to_noted).unwrap_or_default();
            journal.note(|batch| batch.rooms(session, &rooms));
        }
    }

    /// Is it without a connection?
    pub fn is_detached(&self) -> bool {
        self.detached_ms.is_some()
    }

    /// It has no connection, and others are given this message: see [`Taker::misses`].
    pub fn misses(&self, item: Item) {
        Taker::of(self).misses(item);
    }
}

/// A resource that is about to be given something, without its account.
pub struct Taker {
    /// The resource itself.
    pub resource: Arc<Resource>,
    /// It has no connection.
    pub detached: bool,
    away: Option<Arc<Resumable>>,
}

impl Taker {
    /// This one.
    pub fn of(bound: &Bound) -> Self {
        Self { resource: bound.resource.clone(), detached: bound.is_detached(), away: bound.away.clone() }
    }

    /// It has no connection, and others are given this message: it gets it when it comes back, since it will not ask the
    /// archive then. One that misses too much cannot be resumed; it asks the archive.
    pub fn misses(&self, item: Item) {
        let left = match &self.away {
            Some(session) => session.note_missed(item),
            None => Err(item),
        };
        match left {
            Ok(true) => {}
            Ok(false) => self.resource.outbox.close(CloseReason::SlowReader),
            // Its connection is being lost or taken up again just now.
            Err(item) => drop(self.resource.outbox.push(item)),
        }
    }

    /// Was it sent a copy of this message before a restart (XEP-0280), and its sender does not know and sends it again?
    pub fn had_copy(&self, message: &Stanza, cause: Cause) -> bool {
        self.away.as_ref().is_some_and(|session| session.had_copy(message, cause))
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
