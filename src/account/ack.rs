//! XEP-0198: what the client has acknowledged, what it has not, and how a lost stream is taken up again.
//!
//! Inbound, `h` counts a stanza when everything it caused is durable or delivered: the session answers `<r/>` as it
//! answers an IQ, after its holds are gone. Outbound, a stanza stays in `unacked` until the client has acknowledged it;
//! when the session is lost for good, it goes the way of an offline message.

use super::noted::{given, note_reached};
use super::replay::{HandOut, HandedOut};
use crate::hold::Cause;
use crate::journal::{Batch, Journal};
use crate::outbox::{ITEM_OVERHEAD_BYTES, Item, Receipt};
use crate::storage::ArchiveIds;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use xep_support::ns;
use xep_support::stanza::error::Condition;
use xep_support::stanza::{Facts, Stanza};
use xep_support::xml::writer::escape_attr;

/// Stream management of one session; survives its connection.
pub struct Ack {
    /// Stanzas from the client that were handled.
    pub handled: u32,
    /// Stanzas given to the connection.
    sent: u32,
    /// Sent and not acknowledged, oldest first.
    unacked: VecDeque<Sent>,
    unacked_bytes: usize,
    /// How many of the last ones have not been flushed to the socket.
    unflushed: usize,
    /// `sent` when an acknowledgement was last requested, and when that was (monotonic seconds).
    requested: Option<(u32, u32)>,
    /// The last stored message the client has acknowledged; 0 if none.
    had_upto: i64,
    /// How the stream can be resumed, if it can.
    pub resume: Option<Resume>,
    limits: AckLimits,
    log: Log,
}

/// What survives a restart of the server.
pub struct Log {
    /// The journal.
    pub journal: Arc<Journal>,
    /// The session's number there; 0: it is not there, since it cannot be resumed.
    pub session: u32,
    /// Reads the ids of the archive, which are noted as well.
    ids: ArchiveIds,
    /// `handled` as it was noted last.
    safe: u32,
    /// The client has acknowledged something since that was noted.
    had_more: bool,
}

impl Log {
    /// A session that has just been noted.
    pub fn new(journal: Arc<Journal>, session: u32, ids: ArchiveIds) -> Self {
        Self { journal, session, ids, safe: 0, had_more: false }
    }
}

/// A stanza the client may have.
pub struct Sent {
    /// The stanza.
    pub item: Item,
    /// When it was sent: whoever gets it instead is told (XEP-0203).
    pub at_us: i64,
}

/// What a client needs to resume.
pub struct Resume {
    /// The SM-ID.
    pub id: Box<str>,
    /// Where to resume, if not here.
    pub location: Option<Box<str>>,
    /// How long the session is kept without a connection.
    pub max: Duration,
}

/// The bounds of what waits for an acknowledgement.
#[derive(Clone, Copy)]
pub struct AckLimits {
    /// Stanzas.
    pub stanzas_max: usize,
    /// Bytes.
    pub bytes_max: usize,
    /// An acknowledgement is requested at least every so many stanzas.
    pub request_every: u32,
}

/// The client acknowledged more than it was sent (§6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooHigh;

impl Ack {
    /// At `<enable/>`: everything is zero.
    pub fn new(resume: Option<Resume>, limits: AckLimits, log: Log) -> Self {
        Self {
            handled: 0,
            sent: 0,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            unflushed: 0,
            requested: None,
            had_upto: 0,
            resume,
            limits,
            log,
        }
    }

    /// As it was before a restart: `handled` of the client's stanzas were safe, `had` of ours acknowledged, these were not.
    pub fn restored(mut self, handled: u32, had: u32, unacked: VecDeque<Sent>) -> Self {
        (self.handled, self.log.safe) = (handled, handled);
        self.sent = had.wrapping_add(unacked.len() as u32);
        self.unacked_bytes = unacked.iter().map(|sent| sent.item.bytes()).sum();
        self.unacked = unacked;
        self
    }

    /// May more be sent before the client acknowledges something?
    pub fn has_room(&self) -> bool {
        self.unacked.len() < self.limits.stanzas_max && self.unacked_bytes < self.limits.bytes_max
    }

    /// How many bytes of items may be sent before the client acknowledges something. So that not more stanzas than allowed
    /// are among them, each is taken for the smallest there is.
    pub fn room_bytes(&self) -> usize {
        let stanzas = self.limits.stanzas_max.saturating_sub(self.unacked.len());
        let bytes = self.limits.bytes_max.saturating_sub(self.unacked_bytes);
        bytes.min(stanzas.saturating_mul(ITEM_OVERHEAD_BYTES))
    }

    /// Does a sender wait because of what has not been flushed?
    pub fn is_awaited(&self) -> bool {
        self.unacked.iter().rev().take(self.unflushed).any(|sent| sent.item.receipt.is_awaited())
    }

    /// Was an acknowledgement requested before this moment, and not given since?
    pub fn is_overdue(&self, before_seconds: u32) -> bool {
        self.requested.is_some_and(|(_, at)| at < before_seconds)
    }

    /// A stanza was printed, as `text`, and is about to be given to the connection: not before `batch` was written
    /// ([`write`](Self::write)).
    pub fn note_sent(&mut self, item: Item, at_us: i64, text: &[u8], batch: &mut Batch) {
        self.sent = self.sent.wrapping_add(1);
        if self.log.session != 0 {
            batch.out(self.log.session, &given(self.log.ids, &item, self.sent, at_us, text));
        }
        self.unacked_bytes += item.bytes();
        self.unacked.push_back(Sent { item, at_us });
        self.unflushed += 1;
    }

    /// For a client that has no connection: as if it had been sent and had not arrived.
    pub fn note_missed(&mut self, item: Item, at_us: i64) {
        let mut text = Vec::new();
        item.print(&mut text);
        let mut batch = Batch::default();
        self.note_sent(item, at_us, &text, &mut batch);
        self.write(&mut batch);
        self.note_flushed();
    }

    /// Writes what was noted into the journal, with what the client has acknowledged: it cannot know that we know before it
    /// gets more.
    pub fn write(&mut self, batch: &mut Batch) {
        if self.log.session != 0 {
            if std::mem::take(&mut self.log.had_more) {
                batch.had(self.log.session, self.sent.wrapping_sub(self.unacked.len() as u32));
            }
            self.log.journal.write(batch);
        }
    }

    /// All that the client's stanzas up to this one cause is safe. To be noted before the client is told.
    pub fn note_safe(&mut self, h: u32, batch: &mut Batch) {
        if self.log.session != 0 && self.log.safe != h {
            self.log.safe = h;
            batch.safe(self.log.session, h);
        }
    }

    /// The same at once.
    pub fn make_safe(&mut self, h: u32) {
        let mut batch = Batch::default();
        self.note_safe(h, &mut batch);
        if !batch.is_empty() {
            self.write(&mut batch);
        }
    }

    /// How many of the client's stanzas it does not know yet to be handled, if the server were killed now.
    pub fn unsafe_count(&self) -> u32 {
        if self.log.session == 0 { 0 } else { self.handled.wrapping_sub(self.log.safe) }
    }

    /// The connection is gone since then, or, with 0, there again.
    pub fn note_away(&mut self, since_us: i64) {
        if self.log.session != 0 {
            let mut batch = Batch::default();
            batch.away(self.log.session, since_us);
            self.write(&mut batch);
        }
    }

    /// Everything printed so far was given to the socket: for its senders it is delivered.
    pub fn note_flushed(&mut self) {
        let from = self.unacked.len() - self.unflushed.min(self.unacked.len());
        if self.log.session == 0 {
            note_reached(&self.log.journal, self.unacked.range(from..).map(|sent| &sent.item));
        }
        for sent in self.unacked.range_mut(from..) {
            sent.item.receipt.flushed();
        }
        self.unflushed = 0;
    }

    /// Is it time for an `<r/>`? Call when a batch ends; `idle` when nothing more waits to be sent.
    pub fn take_request(&mut self, idle: bool, now_seconds: u32) -> bool {
        if self.unacked.is_empty() {
            return false;
        }
        let since = self.requested.map_or(self.unacked.len() as u32, |(at, _)| self.sent.wrapping_sub(at));
        let due = since >= self.limits.request_every || !self.has_room() || idle && self.requested.is_none();
        if due {
            // A client that answers none of several requests is as late as the first of them.
            let since = self.requested.map_or(now_seconds, |(_, seconds)| seconds);
            self.requested = Some((self.sent, since));
        }
        due
    }

    /// `<a h=…/>` (§4): these have arrived.
    pub fn acknowledge(&mut self, h: u32) -> Result<(), TooHigh> {
        let oldest = self.sent.wrapping_sub(self.unacked.len() as u32);
        let count = h.wrapping_sub(oldest) as usize;
        if count > self.unacked.len() {
            // An old count again is harmless; one from the future is not.
            return if oldest.wrapping_sub(h) < 1 << 31 { Ok(()) } else { Err(TooHigh) };
        }
        let mut rows: Option<HandedOut> = None;
        let row = |sent: &Sent| if let Receipt::Row(row) = &sent.item.receipt { Some(row.row()) } else { None };
        self.log.had_more |= count > 0;
        if let Some(at) = self.unacked.range(..count).rposition(|sent| row(sent).is_some()) {
            self.had_upto = row(&self.unacked[at]).unwrap_or(self.had_upto);
            self.unacked[at].item.receipt.note();
        }
        for Sent { item, .. } in self.unacked.drain(..count) {
            self.unacked_bytes -= item.bytes();
            match item.receipt {
                Receipt::Row(row) => row.written(&mut rows),
                Receipt::Copy(copies) => copies.written(),
                Receipt::Unacked(share) => share.acknowledged(),
                Receipt::None | Receipt::Hold(_) | Receipt::Told(_) => {}
            }
        }
        if let Some(rows) = rows {
            rows.settle();
        }
        self.unflushed = self.unflushed.min(self.unacked.len());
        if self.requested.is_some_and(|(at, _)| h.wrapping_sub(at) < 1 << 31) {
            self.requested = None;
        }
        if self.unacked.is_empty() {
            self.unacked = VecDeque::new();
        }
        Ok(())
    }

    /// Stanzas sent so far, for the error of §6.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// The last stored message the client has acknowledged; 0 if none.
    pub fn had_upto(&self) -> i64 {
        self.had_upto
    }

    /// The page of stored messages that waits for this client.
    pub fn page(&self) -> Option<&Arc<HandOut>> {
        let rows =
            self.unacked.iter().filter_map(|s| if let Receipt::Row(row) = &s.item.receipt { Some(row) } else { None });
        rows.filter(|row| !row.is_revoked()).find_map(|row| row.page())
    }

    /// Stored messages that are for others now, and what went another way before a restart, are forgotten as if they had never
    /// been sent.
    pub fn drop_revoked(&mut self) {
        let before = self.unacked.len();
        self.unacked.retain(|sent| match &sent.item.receipt {
            Receipt::Row(row) => !row.is_revoked(),
            Receipt::Unacked(share) => !share.fate().is_moved(),
            _ => true,
        });
        if self.unacked.len() < before {
            self.sent = self.sent.wrapping_sub((before - self.unacked.len()) as u32);
            self.note_anew();
        }
        self.unacked_bytes = self.unacked.iter().map(|sent| sent.item.bytes()).sum();
    }

    /// The numbers have changed.
    fn note_anew(&mut self) {
        if self.log.session == 0 {
            return;
        }
        let mut batch = Batch::default();
        let mut seq = self.sent.wrapping_sub(self.unacked.len() as u32);
        batch.had(self.log.session, seq);
        batch.requeued(self.log.session);
        for sent in &self.unacked {
            seq = seq.wrapping_add(1);
            let mut text = Vec::new();
            sent.item.print(&mut text);
            batch.out(self.log.session, &given(self.log.ids, &sent.item, seq, sent.at_us, &text));
        }
        self.log.journal.write(&mut batch);
    }

    /// Is there a copy of this message (XEP-0280) that was sent before a restart, and the message comes from a session of that
    /// time as well? A copy that no other one depends on does not tell in the journal where it comes from.
    pub fn had_copy(&self, message: &Stanza, cause: Cause) -> bool {
        let journal = &self.log.journal;
        let Some(id) = message.id() else { return false };
        let is_it = |known: Stanza| {
            known.id().as_ref() == Some(&id) && known.from() == message.from() && known.to() == message.to()
        };
        let is_copy = |sent: &Sent| {
            let stanza = &sent.item.stanza;
            stanza.facts().contains(Facts::CARBON)
                && memchr::memmem::find(stanza.inner().as_bytes(), id.as_bytes()).is_some()
                && stanza.forwarded().is_some_and(is_it)
        };
        let both = journal.is_restored(self.log.session) && journal.is_restored(cause.session);
        both && self.unacked.iter().any(is_copy)
    }

    /// What was not acknowledged, to be sent again on a resumed stream; the counters stay.
    pub fn unacked(&self) -> impl Iterator<Item = &Item> {
        self.unacked.iter().map(|sent| &sent.item)
    }

    /// The connection is new: nothing has been flushed to it, nothing requested on it.
    pub fn reconnected(&mut self) {
        self.unflushed = self.unacked.len();
        self.requested = None;
    }

    /// The session is lost for good: what was not acknowledged, with its numbers.
    pub fn into_unacked(mut self) -> impl Iterator<Item = (u32, Sent)> {
        if self.log.session != 0 {
            let mut batch = Batch::default();
            batch.leaving(self.log.session);
            self.write(&mut batch);
        }
        let first = self.sent.wrapping_sub(self.unacked.len() as u32);
        (0..).zip(self.unacked).map(move |(index, sent)| (first.wrapping_add(1 + index), sent))
    }
}

/// `<a/>`.
pub fn write_ack(out: &mut Vec<u8>, h: u32) {
    out.extend_from_slice(format!("<a xmlns='{}' h='{h}'/>", ns::SM).as_bytes());
}

/// `<r/>`.
pub fn write_request(out: &mut Vec<u8>) {
    out.extend_from_slice(format!("<r xmlns='{}'/>", ns::SM).as_bytes());
}

/// `<enabled/>` (§3, §5).
pub fn write_enabled(out: &mut Vec<u8>, resume: Option<&Resume>) {
    let text = match resume {
        Some(r) => {
            let mut location = String::new();
            if let Some(place) = &r.location {
                location.push_str("' location='");
                escape_attr(&mut location, place);
            }
            format!("<enabled xmlns='{}' id='{}{location}' resume='true' max='{}'/>", ns::SM, r.id, r.max.as_secs())
        }
        None => format!("<enabled xmlns='{}'/>", ns::SM),
    };
    out.extend_from_slice(text.as_bytes());
}

/// `<failed/>` (§6).
pub fn failed(condition: Condition, h: Option<u32>) -> String {
    let h = h.map(|h| format!(" h='{h}'")).unwrap_or_default();
    format!("<failed xmlns='{}'{h}><{} xmlns='{}'/></failed>", ns::SM, condition.as_str(), ns::STANZA_ERRORS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::stanza::MessageType;

    const FEW: AckLimits = AckLimits { stanzas_max: 3, bytes_max: 100_000, request_every: 2 };

    fn item() -> Item {
        Item::plain(Arc::new(Stanza::message(MessageType::Chat, None, None, [])))
    }

    fn sent(n: usize, start: u32) -> Ack {
        let mut ack = Ack::new(None, FEW, Log::new(Arc::new(Journal::off()), 0, ArchiveIds::new([0; 16])));
        ack.sent = start;
        (0..n).for_each(|_| ack.note_sent(item(), 0, b"", &mut Batch::default()));
        ack
    }

    #[test]
    fn acknowledged_stanzas_are_forgotten() {
        let mut ack = sent(3, 0);
        assert!(!ack.has_room());
        assert_eq!(ack.acknowledge(2), Ok(()));
        assert_eq!((ack.unacked.len(), ack.has_room()), (1, true));
        assert_eq!(ack.acknowledge(3), Ok(()));
        assert_eq!((ack.unacked.len(), ack.unacked_bytes), (0, 0));
    }

    #[test]
    fn an_old_count_is_harmless_and_a_future_one_is_not() {
        let mut ack = sent(2, 5);
        assert_eq!(ack.acknowledge(4), Ok(()));
        assert_eq!(ack.acknowledge(5), Ok(()));
        assert_eq!(ack.unacked.len(), 2);
        assert_eq!(ack.acknowledge(8), Err(TooHigh));
        assert_eq!(ack.acknowledge(u32::MAX / 2), Err(TooHigh));
    }

    /// §4: the count wraps at 2^32.
    #[test]
    fn the_count_wraps() {
        let mut ack = sent(3, u32::MAX - 1);
        assert_eq!(ack.sent, 1);
        assert_eq!(ack.acknowledge(u32::MAX), Ok(()));
        assert_eq!(ack.unacked.len(), 2);
        assert_eq!(ack.acknowledge(1), Ok(()));
        assert_eq!(ack.unacked.len(), 0);
        assert_eq!(ack.acknowledge(2), Err(TooHigh));
    }

    #[test]
    fn a_request_is_made_when_enough_was_sent_or_nothing_more_comes() {
        let mut ack = sent(1, 0);
        assert!(!ack.take_request(false, 7));
        assert!(ack.take_request(true, 7));
        assert!(!ack.take_request(true, 7), "one request at a time");
        ack.note_sent(item(), 0, b"", &mut Batch::default());
        ack.note_sent(item(), 0, b"", &mut Batch::default());
        assert!(ack.take_request(false, 9));
        assert!(ack.is_overdue(8), "the first request counts");
        assert_eq!(ack.acknowledge(3), Ok(()));
        assert!(!ack.take_request(true, 9), "nothing to ask for");
    }
}
