//! The last answers of a session, for a client that did not get them (XEP-0124 §13.3).

use super::keys::Key;
use bytes::Bytes;
use std::collections::VecDeque;
use xep_support::bosh::{Answer, Condition, Kind};

/// How often one rid may come. A client whose line is that bad begins anew.
pub(super) const REPEATS_MAX: u8 = 16;
/// Bytes of answers kept, beyond those the client may still lack.
const KEPT_BYTES_MAX: usize = 512 * 1024;

/// What a request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The status of HTTP.
    pub(super) status: u16,
    /// The `<body/>`.
    pub(super) body: Bytes,
}

impl Reply {
    /// That there is nothing.
    pub(super) fn nothing() -> Self {
        Self { status: 200, body: Bytes::from_static(b"<body xmlns='http://jabber.org/protocol/httpbind'/>") }
    }

    /// That the request is to be sent again (§16.3).
    pub(super) fn again() -> Self {
        let answer = Answer { kind: Kind::Again, ..Answer::default() };
        Self { status: 200, body: answer.to_xml().into() }
    }

    /// That the session is over, or that there is none.
    pub(super) fn end(condition: Option<Condition>, payload: &str, is_legacy: bool) -> Self {
        let answer = Answer { kind: Kind::Terminate(condition), payload, ..Answer::default() };
        let status = condition.filter(|_| is_legacy).map_or(200, Condition::legacy_status);
        Self { status, body: answer.to_xml().into() }
    }
}

struct Answered {
    reply: Reply,
    at_ms: u64,
    repeats: u8,
    key: Option<Key>,
}

/// How many answers are kept.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// At most.
    pub(super) all_max: usize,
    /// Of the last ones so many may not have reached the client, however large they are.
    pub(super) lacked: usize,
}

/// Answers of successive rids.
#[derive(Default)]
pub(super) struct Answers {
    kept: VecDeque<Answered>,
    /// The rid of the last one.
    last: u64,
    bytes: usize,
}

impl Answers {
    /// None yet; the first one will be for this rid.
    pub(super) fn before(rid: u64) -> Self {
        Self { last: rid - 1, ..Self::default() }
    }

    /// The rid of the last one.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    fn first(&self) -> u64 {
        self.last + 1 - self.kept.len() as u64
    }

    /// One more, for the next rid.
    pub(super) fn push(&mut self, now_ms: u64, reply: Reply, repeats: u8, key: Option<Key>, keep: Keep) {
        let bytes = reply.body.len();
        self.last += 1;
        self.bytes += bytes;
        self.kept.push_back(Answered { reply, at_ms: now_ms, repeats, key });
        let is_too_much = |this: &Self| this.kept.len() > keep.lacked.max(1) && this.bytes > KEPT_BYTES_MAX;
        while self.kept.len() > keep.all_max || is_too_much(self) {
            self.forget_first();
        }
    }

    /// Bytes of all that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The client has all up to this rid.
    pub(super) fn forget_to(&mut self, rid: u64) {
        while !self.kept.is_empty() && self.first() <= rid {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.kept.pop_front() {
            self.bytes -= first.reply.body.len();
        }
    }

    /// The first one kept, and how old it is.
    pub(super) fn oldest(&self, now_ms: u64) -> Option<(u64, u64)> {
        self.kept.front().map(|oldest| (self.first(), now_ms.saturating_sub(oldest.at_ms)))
    }

    /// The answer to a request that comes again. Who has not the key of the first time does not get it.
    pub(super) fn repeat(&mut self, rid: u64, key: Option<Key>) -> Result<Reply, Condition> {
        let at = rid.checked_sub(self.first()).and_then(|at| usize::try_from(at).ok());
        let found = at.and_then(|at| self.kept.get_mut(at)).filter(|found| found.key == key);
        let found = found.ok_or(Condition::ItemNotFound)?;
        found.repeats = found.repeats.saturating_add(1);
        if found.repeats > REPEATS_MAX { Err(Condition::PolicyViolation) } else { Ok(found.reply.clone()) }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
