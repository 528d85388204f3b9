//! What a session writes: batches out of its outbox, and what is settled when the socket has taken them.

use super::{InFlight, STALL_AWAITED_SECONDS_MAX, Session, Stall};
use crate::account::noted::note_reached;
use crate::account::replay::HandedOut;
use crate::clock;
use crate::close::CloseReason;
use crate::outbox::{Item, Receipt};
use std::cell::RefCell;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// What a batch of output holds at most.
pub(super) const WRITE_BYTES_MAX: usize = 60 * 1024;

thread_local! {
    static OUT: RefCell<(Vec<u8>, Vec<Item>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// A buffer that grew larger than this is not kept by the worker thread.
const OUT_KEPT_BYTES_MAX: usize = 256 * 1024;

impl Session {
    /// Writes what waits, as far as the socket takes it.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        loop {
            if !self.wire.is_drained() {
                match self.wire.poll_drain(cx) {
                    Poll::Ready(Ok(())) => {
                        self.stall = None;
                        self.settle_in_flight();
                    }
                    Poll::Ready(Err(_)) => return Err(CloseReason::ConnectionLost),
                    Poll::Pending => {
                        self.settle_taken();
                        return self.note_stall(cx);
                    }
                }
            }
            let (items, closed) = OUT.with_borrow_mut(|(out, items)| {
                // Empty, unless a defect interrupted another session here: its items are not for this client.
                items.clear();
                let taken = self.client.resource.outbox.take(items, self.batch_bytes_max(), cx.waker());
                let said = self.has_said();
                if items.is_empty() && !said {
                    return Ok((0, taken.close));
                }
                self.count_written(items);
                let count = items.len() + usize::from(said);
                let written = match self.is_managed() {
                    true => self.write_managed(cx, out, items, !taken.left),
                    false => self.write_items(cx, out, items),
                };
                items.clear();
                written.map(|()| (count, taken.close))
            })?;
            if let Some(reason) = closed {
                return Err(reason);
            }
            if items == 0 {
                if self.batch_bytes_max() == 0 {
                    // It reads, perhaps, but acknowledges nothing: no better than one that does not read.
                    return self.note_stall(cx);
                }
                self.stall = None;
                return Ok(());
            }
        }
    }

    fn count_written(&self, items: &[Item]) {
        let mut counts = [0; 3];
        items.iter().for_each(|item| counts[item.stanza.kind() as usize] += 1);
        for (kind, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            self.core.counters.stanzas_out.add(kind, count);
        }
    }

    /// Prints a batch, writes it, and settles it at once if the socket took it all.
    fn write_items(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
        items: &mut Vec<Item>,
    ) -> Result<(), CloseReason> {
        out.clear();
        self.say_into(out);
        let mut ends = smallvec::SmallVec::<[usize; 32]>::new();
        for item in items.iter() {
            self.wire.framing.item(out, item);
            ends.push(out.len());
        }
        // A stored message must be noted as handed out the moment it is: what is killed in between comes twice. So nothing
        // is left to do then but the note, and a client on this machine, that would be given the processor when the
        // message wakes it, is woken later.
        let last_row = items.iter().rposition(|i| matches!(i.receipt, Receipt::Row(_)));
        if last_row.is_some() {
            self.wire.io.cork(true);
        }
        let result = self.wire.write(cx, out);
        if result.is_err() || !self.wire.is_drained() {
            (self.in_flight_bytes, self.in_flight_from) = (out.len(), 0);
            self.in_flight.extend(items.drain(..).zip(ends).map(|(item, end)| InFlight { end, item }));
            self.settle_taken();
        } else if let Some(at) = last_row {
            items[at].receipt.note();
        }
        note_reached(&self.core.journal, items.iter());
        if last_row.is_some() {
            self.wire.io.cork(false);
        }
        settle(items.drain(..));
        keep_small(out);
        result.map_err(|_| CloseReason::ConnectionLost)
    }

    fn settle_in_flight(&mut self) {
        self.in_flight_bytes = 0;
        let written = std::mem::take(&mut self.in_flight);
        note(written.iter());
        note_reached(&self.core.journal, written.iter().map(|f| &f.item));
        settle(written.into_iter().map(|f| f.item));
        self.note_flushed();
    }

    /// Settles what the socket has taken of what is in flight; `true` if it has not taken a part of the next item. What a
    /// plain socket took has gone to the client. What TLS took may still be in its buffers: rather twice than never.
    pub(super) fn settle_taken(&mut self) -> bool {
        if self.wire.io.is_tls() {
            return self.in_flight.is_empty();
        }
        let taken = self.in_flight_bytes - self.wire.backlog().min(self.in_flight_bytes);
        let count = self.in_flight.partition_point(|f| f.end <= taken);
        let whole = taken == count.checked_sub(1).map_or(self.in_flight_from, |last| self.in_flight[last].end);
        if count > 0 {
            self.in_flight_from = self.in_flight[count - 1].end;
            note(self.in_flight[..count].iter());
            note_reached(&self.core.journal, self.in_flight[..count].iter().map(|f| &f.item));
            settle(self.in_flight.drain(..count).map(|f| f.item));
        }
        whole
    }

    fn note_stall(&mut self, cx: &Context<'_>) -> Result<(), CloseReason> {
        let (now, backlog) = (clock::monotonic_seconds(), self.wire.backlog());
        match &mut self.stall {
            Some(stall) if backlog < stall.backlog => (stall.moved_seconds, stall.backlog) = (now, backlog),
            Some(_) => {}
            None => {
                self.stall = Some(Stall { since_seconds: now, moved_seconds: now, backlog });
                let limit = Duration::from_secs(self.limits.stall_seconds.min(STALL_AWAITED_SECONDS_MAX).into());
                if self.timer.deadline() > Instant::now() + limit {
                    self.timer.as_mut().reset(Instant::now() + limit);
                }
            }
        }
        // The outbox may be told to end although nothing can be written.
        match self.client.resource.outbox.poll_close(cx.waker()) {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    /// Does a sender wait for its acknowledgement because this client does not read?
    pub(super) fn is_awaited(&self) -> bool {
        let awaited = |item: &Item| item.receipt.is_awaited();
        self.in_flight.iter().any(|f| awaited(&f.item))
            || self.is_flush_awaited()
            || self.client.resource.outbox.any(awaited)
    }
}

/// The buffer belongs to the worker thread.
pub(super) fn keep_small(out: &mut Vec<u8>) {
    if out.capacity() > OUT_KEPT_BYTES_MAX {
        *out = Vec::new();
    }
}

/// Stored messages the socket has taken are noted before anything else.
fn note<'a>(written: impl DoubleEndedIterator<Item = &'a InFlight>) {
    if let Some(last) = written.rev().find(|f| matches!(f.item.receipt, Receipt::Row(_))) {
        last.item.receipt.note();
    }
}

/// The client has these, as far as we can know: acknowledgements may go, stored rows were handed out and noted.
fn settle(items: impl Iterator<Item = Item>) {
    let mut rows: Option<HandedOut> = None;
    for item in items {
        match item.receipt {
            Receipt::None | Receipt::Hold(_) | Receipt::Told(_) => {}
            Receipt::Copy(copies) => copies.written(),
            Receipt::Row(row) => row.written(&mut rows),
            Receipt::Unacked(share) => share.acknowledged(),
        }
    }
    if let Some(rows) = rows {
        rows.settle();
    }
}
