//! A bound client: one task, one poll function, no allocation while idle.
//!
//! Each wake-up does the same in the same order: finish what the last stanza left to wait for, read and handle what came,
//! write what the outbox holds. A stanza that has to wait stops the reading, never the writing. A client that does not
//! read stops being written to, and is cut off when its outbox exceeds its bounds or nothing moves for too long.

mod managed;
mod output;
mod timer;

use super::framing::{self, Found, Framing};
use super::from_client;
use super::wire::Wire;
use crate::account::ack::Ack;
use crate::account::resource::Client;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::extension::BoxFuture;
use crate::net::shaper::Shaper;
use crate::outbox::Item;
use crate::router::Progress;
use crate::xep::client_state;
use managed::Managed;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{ParseError, TopLevel, parse_top_level};
use xep_support::stream::StreamCondition;
use xep_support::xml::check::StreamContext;

/// A bound client's connection. As a future it ends with the reason; what was never written comes back with it.
pub struct Session {
    core: Arc<Core>,
    client: Client,
    wire: Wire,
    stream: Arc<StreamContext>,
    /// The stream's `xml:lang`, for stanzas without one (RFC 6120 §8.1.5).
    lang: Option<Arc<str>>,
    /// What the last stanza left to do; nothing is read meanwhile.
    wait: Option<BoxFuture<()>>,
    /// Complete stanzas may lie in what was read already.
    unhandled: bool,
    /// Printed, not yet flushed to the socket.
    in_flight: Vec<InFlight>,
    /// Of these bytes; of the first of them nothing is in flight any more.
    in_flight_bytes: usize,
    in_flight_from: usize,
    /// Stream management, if the client wants it (XEP-0198).
    managed: Option<Box<Managed>>,
    timer: Pin<Box<Sleep>>,
    shaper: Option<Shaper>,
    /// What its presence cost beyond its bytes.
    unpaid_bytes: usize,
    /// Reading pauses until then (too many bytes per second).
    paused_until_ms: u64,
    read_seconds: u32,
    stall: Option<Stall>,
    probed: bool,
    probes: u32,
    limits: SessionLimits,
}

/// The limits a session looks at all the time, copied out of the settings when it begins.
#[derive(Clone, Copy)]
struct SessionLimits {
    stanzas_per_wake_max: usize,
    probe_seconds: u32,
    dead_seconds: u32,
    stall_seconds: u32,
    unsettled_stanzas_max: usize,
}

/// A client that takes nothing for so long, while others wait for what they sent it to be safe, is cut off: its messages
/// go to the store and they can go on. Nobody waiting, it has the longer `write_stall_seconds_max`.
const STALL_AWAITED_SECONDS_MAX: u32 = 5;
/// The same for one that takes nothing between two requests (BOSH), and is there.
const REQUEST_AWAITED_SECONDS_MAX: u32 = 15;
/// The same for one that takes something now and then.
const BATCH_AWAITED_SECONDS_MAX: u32 = 30;

/// Presence for one account costs a client as much of its bytes per second as this.
const FANNED_BYTES: usize = 100;

/// Output that the socket has not taken.
#[derive(Clone, Copy)]
struct Stall {
    /// When the batch was begun.
    since_seconds: u32,
    /// When the socket last took something of it.
    moved_seconds: u32,
    /// What is left of it.
    backlog: usize,
}

/// An item in the buffers of the socket, and where its last byte lies in what is not flushed yet.
struct InFlight {
    end: usize,
    item: Item,
}

/// How a session ended.
pub struct Ended {
    /// Why.
    pub reason: CloseReason,
    /// The connection, for the closing tags.
    pub wire: Wire,
    /// Items that left the outbox and did not reach the client.
    pub unwritten: Vec<Item>,
    /// What its last stanza had begun (a change of two rosters, say).
    pub unfinished: Option<BoxFuture<()>>,
    /// The client's stream does not end within a stanza, so that something can still be said.
    pub goodbye: bool,
    /// Stream management, with what the client has not acknowledged.
    pub ack: Option<Box<Ack>>,
}

impl Session {
    /// Takes over a connection on which a resource was bound.
    pub fn new(
        core: Arc<Core>,
        client: Client,
        wire: Wire,
        stream: StreamContext,
        lang: Option<Arc<str>>,
        shaper: Option<Shaper>,
    ) -> Box<Self> {
        let limits = {
            let config = core.config();
            let l = &config.limits;
            let probe = match wire.framing {
                Framing::WebSocket => l.idle_probe_seconds.min(config.http.websocket_ping_seconds),
                Framing::Stream | Framing::Alone => l.idle_probe_seconds,
            };
            let whole = |d: Duration| u32::try_from(d.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
            SessionLimits {
                stanzas_per_wake_max: l.stanzas_per_wake_max.max(1),
                probe_seconds: whole(probe),
                dead_seconds: whole(l.idle_dead_seconds),
                stall_seconds: whole(l.write_stall_seconds_max),
                unsettled_stanzas_max: l.unsettled_stanzas_max.max(1),
            }
        };
        let first = Duration::from_secs(limits.probe_seconds.into());
        // Boxed: a future that a session is moved into has room for it more than once.
        Box::new(Self {
            core,
            client,
            wire,
            stream: super::contexts::shared(stream),
            lang,
            wait: None,
            unhandled: true,
            in_flight: Vec::new(),
            in_flight_bytes: 0,
            in_flight_from: 0,
            managed: None,
            timer: Box::pin(tokio::time::sleep(first)),
            shaper,
            unpaid_bytes: 0,
            paused_until_ms: 0,
            read_seconds: clock::monotonic_seconds(),
            stall: None,
            probes: 0,
            probed: false,
            limits,
        })
    }

    /// Serves the client until its stream ends.
    pub async fn run(mut self: Box<Self>) -> Ended {
        // A defect met while serving one client ends that client's session, in order, and nothing else.
        let guarded = |session: &mut Self, cx: &mut Context<'_>| {
            let poll = std::panic::AssertUnwindSafe(|| session.poll(cx));
            std::panic::catch_unwind(poll).unwrap_or_else(|_| {
                tracing::error!("a defect ended this session");
                session.wait = None;
                Poll::Ready(CloseReason::Internal)
            })
        };
        let reason = std::future::poll_fn(|cx| guarded(&mut self, cx)).await;
        let ack = self.managed.take().and_then(|managed| managed.ack);
        let whole = if ack.is_some() { self.wire.is_drained() } else { self.settle_taken() };
        let unwritten: Vec<Item> = self.in_flight.into_iter().map(|f| f.item).collect();
        let goodbye = whole || unwritten.is_empty() && ack.is_none();
        if !unwritten.is_empty() || !goodbye {
            // They go another way now.
            self.wire.drop_backlog();
        }
        Ended { reason, wire: self.wire, unwritten, unfinished: self.wait, goodbye, ack }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let input = self.poll_input(cx);
        if let Input::Ended(CloseReason::ConnectionLost) = input {
            // What is written now hardly reaches anybody, and would count as delivered.
            return Poll::Ready(CloseReason::ConnectionLost);
        }
        if let Err(reason) = self.poll_output(cx) {
            return Poll::Ready(reason);
        }
        match input {
            Input::Idle => {}
            Input::More => cx.waker().wake_by_ref(),
            Input::Ended(reason) => return Poll::Ready(reason),
        }
        self.poll_timer(cx)
    }

    /// Reads and handles a bounded number of stanzas.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Input {
        let mut budget = self.limits.stanzas_per_wake_max;
        loop {
            if let Some(wait) = &mut self.wait {
                match wait.as_mut().poll(cx) {
                    Poll::Pending => return Input::Idle,
                    Poll::Ready(()) => self.wait = None,
                }
                self.answer_request();
                if self.client.resource.outbox.close_reason().is_some() {
                    // The session is over (its account was removed, say): what was pipelined behind is not looked at.
                    return Input::Idle;
                }
            }
            let step = if self.unhandled {
                let buffered = std::mem::take(&mut self.wire.unread);
                self.handle_buffered(buffered, &mut budget)
            } else if budget == 0 {
                return Input::More;
            } else if self.is_paused() {
                return Input::Idle;
            } else {
                match self.poll_read(cx, &mut budget) {
                    Poll::Pending => return Input::Idle,
                    Poll::Ready(step) => step,
                }
            };
            match step {
                Ok(()) if self.unhandled && self.wait.is_none() => return Input::More,
                Ok(()) => {}
                Err(reason) => return Input::Ended(reason),
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, budget: &mut usize) -> Poll<Result<(), CloseReason>> {
        // The wire is taken out so that the scratch buffer can be handled in place, without a copy.
        let mut read = 0;
        let mut step = Ok(());
        let session = &mut *self;
        let polled = super::wire::with_scratch(|scratch| {
            let got = std::task::ready!(session.wire.poll_read(cx, scratch));
            Poll::Ready(got.map(|n| {
                read = n;
                step = session.handle_read(&mut scratch[..n], budget);
            }))
        });
        match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(CloseReason::ConnectionLost)),
            Poll::Ready(Ok(())) if read == 0 => return Poll::Ready(Err(CloseReason::ConnectionLost)),
            Poll::Ready(Ok(())) => {}
        }
        self.read_seconds = clock::monotonic_seconds();
        if self.probed {
            self.probed = false;
            let next = Duration::from_secs(self.limits.probe_seconds.into());
            self.timer.as_mut().reset(Instant::now() + next);
        }
        let paid = read + std::mem::take(&mut self.unpaid_bytes);
        if let Some(wait_ms) = self.shaper.as_mut().and_then(|s| s.take(paid, clock::monotonic_ms())) {
            self.paused_until_ms = clock::monotonic_ms() + wait_ms;
            self.timer.as_mut().reset(Instant::now() + Duration::from_millis(wait_ms));
        }
        Poll::Ready(step)
    }

    /// Handles what was just read: in place, unless an unfinished stanza came before it.
    fn handle_read(&mut self, bytes: &mut [u8], budget: &mut usize) -> Result<(), CloseReason> {
        if self.wire.unread.is_empty() {
            let handled = self.handle_bytes(bytes, budget);
            let kept = self.drop_handled();
            self.wire.unread.extend_from_slice(&bytes[kept..]);
            return handled;
        }
        let mut buffered = std::mem::take(&mut self.wire.unread);
        buffered.extend_from_slice(bytes);
        self.handle_buffered(buffered, budget)
    }

    fn handle_buffered(&mut self, mut buffered: Vec<u8>, budget: &mut usize) -> Result<(), CloseReason> {
        let handled = self.handle_bytes(&mut buffered, budget);
        let kept = self.drop_handled();
        if kept < buffered.len() {
            buffered.drain(..kept);
            self.wire.unread = buffered;
        }
        handled
    }

    /// What lies before the returned position is done with.
    fn drop_handled(&mut self) -> usize {
        let kept = self.wire.input.keep_from();
        self.wire.input.shift(kept);
        kept
    }

    /// Handles whole stanzas until there is none, one has to be waited for, or it is somebody else's turn.
    fn handle_bytes(&mut self, bytes: &mut [u8], budget: &mut usize) -> Result<(), CloseReason> {
        self.unhandled = false;
        loop {
            if self.wait.is_some() || *budget == 0 {
                self.unhandled = true;
                return Ok(());
            }
            match self.wire.input.next(bytes)? {
                None => return Ok(()),
                Some(Found::Element(range)) => {
                    *budget -= 1;
                    self.handle_element(&bytes[range])?;
                }
                Some(Found::Assembled(element)) => {
                    *budget -= 1;
                    self.handle_element(&element)?;
                }
                Some(Found::Close) => return Err(CloseReason::ClientClosed),
                Some(Found::Header(_)) => {
                    return Err(CloseReason::Refused(StreamCondition::InvalidXml, "a stream header within the stream"));
                }
            }
        }
    }

    fn handle_element(&mut self, frame: &[u8]) -> Result<(), CloseReason> {
        match parse_top_level(frame, &self.stream) {
            Ok(TopLevel::Stanza(mut stanza)) => {
                if let Some(lang) = &self.lang {
                    stanza.set_lang_default(lang);
                }
                self.count_handled();
                self.core.counters.stanzas_in.add(stanza.kind() as usize, 1);
                match from_client::handle(&self.core, &self.client, stanza)? {
                    Progress::Wait(future) => self.wait = Some(future),
                    Progress::Fanned(accounts) => self.unpaid_bytes += accounts * FANNED_BYTES,
                    Progress::Done => {}
                }
                if self.wait.is_none() && self.client.pending.count() >= self.limits.unsettled_stanzas_max {
                    let pending = self.client.pending.clone();
                    self.wait = Some(Box::pin(async move { pending.cleared().await }));
                }
                Ok(())
            }
            Ok(TopLevel::Other(element)) if element.is("error", ns::STREAM) => Err(CloseReason::ClientFailed),
            Ok(TopLevel::Other(element)) if element.ns() == ns::SM => self.manage_stream(&element),
            Ok(TopLevel::Other(element))
                if element.ns() == ns::CSI && client_state::indicate(&self.core, &self.client, &element) =>
            {
                Ok(())
            }
            Ok(TopLevel::Other(element)) if self.wire.framing.is_framed() && element.ns() == ns::FRAMING => {
                Err(framing::is_of_framing(&element).unwrap_or(CloseReason::ClientClosed))
            }
            Ok(TopLevel::Other(_)) => {
                Err(CloseReason::Refused(StreamCondition::UnsupportedStanzaType, "neither message, presence nor iq"))
            }
            Err(ParseError::Stream(condition)) => Err(CloseReason::Refused(condition, "")),
            Err(ParseError::Refused { mut stanza, condition }) => {
                from_client::check_from(&self.client, &stanza)?;
                self.count_handled();
                stanza.set_from(self.client.jid().as_jid().clone());
                self.core.counters.stanzas_in.add(stanza.kind() as usize, 1);
                self.core.refuse(&self.client, &stanza, &StanzaError::new(condition));
                Ok(())
            }
        }
    }
}

enum Input {
    /// Nothing more to read now.
    Idle,
    /// There is more; others come first.
    More,
    Ended(CloseReason),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand idle clients pay for each byte here ten thousand times.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 640, "{} bytes", size_of::<Session>());
        assert!(size_of::<Item>() <= 88, "{} bytes", size_of::<Item>());
        assert!(size_of::<crate::outbox::Outbox>() <= 144, "{} bytes", size_of::<crate::outbox::Outbox>());
    }
}
