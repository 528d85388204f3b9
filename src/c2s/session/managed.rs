//! XEP-0198 within a session: requests and answers, and output that is kept until it is acknowledged.

use super::Session;
use super::output::WRITE_BYTES_MAX;
use crate::account::ack::{Ack, TooHigh, failed, write_ack, write_enabled, write_request};
use crate::c2s::stream_management;
use crate::clock;
use crate::close::CloseReason;
use crate::journal::Batch;
use crate::outbox::Item;
use std::cell::RefCell;
use std::task::Context;
use xep_support::stanza::error::Condition;
use xep_support::stream::StreamCondition;
use xep_support::xml::Element;

thread_local! {
    static BATCH: RefCell<Batch> = RefCell::default();
}

/// Of stanzas that were handled and not noted as safe.
const UNSURE_STANZAS_MAX: u32 = 64;

/// What a session has more if its client speaks of stream management.
#[derive(Default)]
pub(super) struct Managed {
    /// Once it is enabled.
    pub(super) ack: Option<Box<Ack>>,
    /// The count for an acknowledgement that was requested and has to wait until everything so far is safe.
    answer: Option<u32>,
    /// Elements that are no stanzas, to be written next.
    say: Vec<u8>,
}

impl Session {
    /// Begins with stream management: that of a session that was resumed, or one that was enabled with binding.
    pub fn managed_by(mut self: Box<Self>, ack: Box<Ack>) -> Box<Self> {
        self.managed = Some(Box::new(Managed { ack: Some(ack), ..Managed::default() }));
        self
    }

    fn ack(&self) -> Option<&Ack> {
        self.managed.as_ref().and_then(|managed| managed.ack.as_deref())
    }

    fn ack_mut(&mut self) -> Option<&mut Ack> {
        self.managed.as_mut().and_then(|managed| managed.ack.as_deref_mut())
    }

    /// §3, §4.
    pub(super) fn manage_stream(&mut self, element: &Element) -> Result<(), CloseReason> {
        let framing = self.wire.framing;
        let Managed { ack, answer, say } = &mut **self.managed.get_or_insert_default();
        match (element.name(), ack) {
            ("enable", ack @ None) => {
                let new = stream_management::enable(&self.core, &self.client, element);
                framing.element(say, |out| write_enabled(out, new.resume.as_ref()));
                *ack = Some(Box::new(new));
            }
            ("r", Some(ack)) if self.client.pending.is_clear() => {
                ack.make_safe(ack.handled);
                framing.element(say, |out| write_ack(out, ack.handled));
            }
            ("r", Some(ack)) => {
                // The count must not contain what is not safe yet.
                *answer = Some(ack.handled);
                let pending = self.client.pending.clone();
                self.wait = Some(Box::pin(async move { pending.cleared().await }));
            }
            ("a", Some(ack)) => {
                let Some(h) = element.get_attr("h").and_then(|h| h.parse().ok()) else {
                    return Err(CloseReason::Refused(StreamCondition::BadFormat, "an ack without a count"));
                };
                let had_room = ack.has_room();
                ack.acknowledge(h).map_err(|TooHigh| CloseReason::AckTooHigh { h, sent: ack.sent() })?;
                if !had_room && ack.has_room() && self.wire.is_drained() {
                    self.stall = None;
                }
                // It was asked before the last of them were sent, and perhaps nothing follows that asks again.
                if ack.take_request(true, clock::monotonic_seconds()) {
                    framing.element(say, write_request);
                }
            }
            // §3: once, and only on a bound stream; a session cannot be resumed from within another.
            _ => framing.say(say, &failed(Condition::UnexpectedRequest, None)),
        }
        Ok(())
    }

    /// A stanza of the client's is about to be handled.
    pub(super) fn count_handled(&mut self) {
        let client = &self.client;
        if let Some(ack) = self.managed.as_mut().and_then(|managed| managed.ack.as_deref_mut()) {
            ack.handled = ack.handled.wrapping_add(1);
            let (handled, unsure) = (ack.handled, ack.unsafe_count());
            // What it has caused so far is remembered until it is known to be safe, whether its client asks or not.
            if unsure > UNSURE_STANZAS_MAX && client.pending.is_clear() {
                ack.make_safe(handled.wrapping_sub(1));
            }
            client.pending.begin(handled);
        }
    }

    /// What the last stanza left to wait for is over: now the acknowledgement can be given.
    pub(super) fn answer_request(&mut self) {
        if let Some(managed) = &mut self.managed
            && let Some(h) = managed.answer.take()
        {
            if let Some(ack) = &mut managed.ack {
                ack.make_safe(h);
            }
            self.wire.framing.element(&mut managed.say, |out| write_ack(out, h));
        }
    }

    /// Nothing more is sent to a client that has too much to acknowledge.
    pub(super) fn batch_bytes_max(&self) -> usize {
        self.ack().map_or(WRITE_BYTES_MAX, |ack| ack.room_bytes().min(WRITE_BYTES_MAX))
    }

    /// Is there something to write that is no stanza?
    pub(super) fn has_said(&self) -> bool {
        self.managed.as_ref().is_some_and(|managed| !managed.say.is_empty()) || self.wire.input.has_control()
    }

    /// Moves that to the output.
    pub(super) fn say_into(&mut self, out: &mut Vec<u8>) {
        self.wire.input.write_control(out);
        if let Some(managed) = &mut self.managed {
            out.extend_from_slice(&std::mem::take(&mut managed.say));
        }
    }

    /// Is output kept until it is acknowledged?
    pub(super) fn is_managed(&self) -> bool {
        self.ack().is_some()
    }

    /// Everything printed was given to the socket.
    pub(super) fn note_flushed(&mut self) {
        if let Some(ack) = self.ack_mut() {
            ack.note_flushed();
        }
    }

    /// Does a sender wait until the socket takes what is kept for an acknowledgement?
    pub(super) fn is_flush_awaited(&self) -> bool {
        self.ack().is_some_and(Ack::is_awaited)
    }

    /// Has the client left a request unanswered for so long?
    pub(super) fn is_ack_overdue(&self, now_seconds: u32, limit_seconds: u32) -> bool {
        self.ack().is_some_and(|ack| ack.is_overdue(now_seconds.saturating_sub(limit_seconds)))
    }

    /// Writes what is to be said, then the batch, which is kept until the client has acknowledged it.
    pub(super) fn write_managed(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
        items: &mut Vec<Item>,
        idle: bool,
    ) -> Result<(), CloseReason> {
        out.clear();
        self.say_into(out);
        // All that was read so far is handled: an answer among these goes into the journal together with that.
        let safe = self.wait.is_none() && self.client.pending.is_clear();
        let framing = self.wire.framing;
        let Some(ack) = self.ack_mut() else { return Ok(()) };
        BATCH.with_borrow_mut(|batch| {
            let now_us = clock::now_micros();
            for item in items.drain(..) {
                let printed = framing.item(out, &item);
                ack.note_sent(item, now_us, &out[printed], batch);
            }
            if safe {
                ack.note_safe(ack.handled, batch);
            }
            if !batch.is_empty() {
                ack.write(batch);
            }
        });
        if ack.take_request(idle, clock::monotonic_seconds()) {
            framing.element(out, write_request);
        }
        let result = self.wire.write(cx, out);
        if result.is_ok() && self.wire.is_drained() {
            self.note_flushed();
        }
        super::output::keep_small(out);
        result.map_err(|_| CloseReason::ConnectionLost)
    }
}
