//! Connections of clients that there are, by what they are and how far they have come.

use crate::net::budget::Slot;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// By what a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A stream that begins in the clear, and goes on with STARTTLS.
    Tcp,
    /// A stream that begins with TLS (XEP-0368).
    Tls,
    /// RFC 7395.
    WebSocket,
    /// XEP-0206. There is no connection, but a session all the same.
    Bosh,
}

impl LinkKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Tls, Self::WebSocket, Self::Bosh];

    /// A word for figures and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "websocket",
            Self::Bosh => "bosh",
        }
    }
}

/// What there is of each kind.
#[derive(Debug, Default)]
pub struct Links {
    negotiating: [AtomicUsize; LinkKind::ALL.len()],
    bound: [AtomicUsize; LinkKind::ALL.len()],
    accepted: [AtomicU64; LinkKind::ALL.len()],
}

impl Links {
    /// Those on their way to a session, those that have one, and how many there were since the start.
    pub fn of(&self, kind: LinkKind) -> (usize, usize, u64) {
        let at = kind as usize;
        (self.negotiating[at].load(Relaxed), self.bound[at].load(Relaxed), self.accepted[at].load(Relaxed))
    }

    /// How many there were since the start.
    pub fn accepted(&self) -> u64 {
        LinkKind::ALL.iter().map(|kind| self.of(*kind).2).sum()
    }

    fn now(&self, kind: LinkKind, is_bound: bool) -> &AtomicUsize {
        &(if is_bound { &self.bound } else { &self.negotiating })[kind as usize]
    }
}

/// The place of a client's connection, in the budget and in the figures; given back when dropped.
pub struct Place {
    links: Arc<Links>,
    _slot: Slot,
    kind: LinkKind,
    is_bound: bool,
}

impl Place {
    /// For a connection that begins.
    pub fn new(links: &Arc<Links>, slot: Slot, kind: LinkKind) -> Self {
        links.accepted[kind as usize].fetch_add(1, Relaxed);
        links.now(kind, false).fetch_add(1, Relaxed);
        Self { links: links.clone(), _slot: slot, kind, is_bound: false }
    }

    /// There is a session.
    #[must_use]
    pub fn bound(mut self) -> Self {
        self.links.now(self.kind, self.is_bound).fetch_sub(1, Relaxed);
        self.is_bound = true;
        self.links.now(self.kind, self.is_bound).fetch_add(1, Relaxed);
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.links.now(self.kind, self.is_bound).fetch_sub(1, Relaxed);
    }
}
