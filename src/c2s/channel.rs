//! The wire as the negotiation uses it: one element at a time, whole answers, a header before any error.

use super::wire::{self, Wire};
use crate::close::CloseReason;
use std::fmt::Write;
use std::task::Poll;
use xep_support::ns;
use xep_support::stanza::{ParseError, TopLevel, parse_top_level};
use xep_support::stream::{self, ResponseHeader, StreamCondition, StreamError, StreamHeader};
use xep_support::xml::check::StreamContext;
use xep_support::xml::framer::Event;

/// What a client sends while it negotiates.
pub enum Inbound {
    /// A stanza or another first-level element.
    Element(TopLevel),
    /// A stanza that cannot be handled; this reply goes back.
    Malformed(xep_support::stanza::Stanza),
}

/// A stream under negotiation.
pub struct Channel {
    /// The connection.
    pub wire: Wire,
    /// What the client's stream header declared.
    pub context: StreamContext,
    /// A header of ours was sent on the current stream.
    pub opened: bool,
    limits: (usize, usize),
}

impl Channel {
    /// Before the first stream header.
    pub fn new(wire: Wire, depth_max: usize, attributes_max: usize) -> Self {
        Self { wire, context: StreamContext::client(), opened: false, limits: (depth_max, attributes_max) }
    }

    /// The next stream header (RFC 6120 §4.7).
    pub async fn header(&mut self) -> Result<StreamHeader, CloseReason> {
        let (event, bytes) = self.next_event().await?;
        if !matches!(event, Event::Header(_)) {
            return Err(refused(StreamCondition::InvalidXml));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| refused(StreamCondition::UnsupportedEncoding))?;
        let header = StreamHeader::parse(text).map_err(refused)?;
        self.context = header.context(ns::CLIENT).map_err(refused)?.with_limits(self.limits.0, self.limits.1);
        Ok(header)
    }

    /// The next element within the stream.
    pub async fn element(&mut self) -> Result<Inbound, CloseReason> {
        let (event, bytes) = self.next_event().await?;
        match event {
            Event::Element(_) => {}
            Event::Close => return Err(CloseReason::ClientClosed),
            Event::Header(_) => return Err(refused(StreamCondition::InvalidXml)),
        }
        match parse_top_level(&bytes, &self.context) {
            Ok(element) => Ok(Inbound::Element(element)),
            Err(ParseError::Stream(condition)) => Err(refused(condition)),
            Err(ParseError::Refused { stanza, condition }) => {
                match stanza.error_reply(&xep_support::stanza::error::StanzaError::new(condition)) {
                    Some(reply) => Ok(Inbound::Malformed(reply)),
                    None => Err(refused(StreamCondition::BadFormat)),
                }
            }
        }
    }

    async fn next_event(&mut self) -> Result<(Event, Vec<u8>), CloseReason> {
        loop {
            let wire = &mut self.wire;
            match wire.framer.next(&wire.unread) {
                Err(error) => return Err(refused(error.into())),
                Ok(Some(event)) => {
                    let bytes = match &event {
                        Event::Header(range) | Event::Element(range) => wire.unread[range.clone()].to_vec(),
                        Event::Close => Vec::new(),
                    };
                    self.drop_consumed();
                    return Ok((event, bytes));
                }
                Ok(None) => self.drop_consumed(),
            }
            if !self.wire.is_drained() {
                // Whoever sends everything at once is answered at once.
                self.flush().await?;
            }
            self.read_more().await?;
        }
    }

    fn drop_consumed(&mut self) {
        let consumed = self.wire.framer.keep_from();
        if consumed >= self.wire.unread.len() {
            self.wire.unread = Vec::new();
        } else {
            self.wire.unread.drain(..consumed);
        }
        self.wire.framer.shift(consumed);
    }

    async fn read_more(&mut self) -> Result<(), CloseReason> {
        let wire = &mut self.wire;
        let read = std::future::poll_fn(|cx| {
            wire::with_scratch(|scratch| {
                // Little at a time: what comes before authentication is small.
                let end = scratch.len().min(4096);
                let n = match wire.poll_read(cx, &mut scratch[..end]) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(result) => result?,
                };
                wire.unread.extend_from_slice(&scratch[..n]);
                Poll::Ready(std::io::Result::Ok(n))
            })
        })
        .await;
        match read {
            Ok(0) | Err(_) => Err(CloseReason::ConnectionLost),
            Ok(_) => Ok(()),
        }
    }

    /// The response header (RFC 6120 §4.7) goes out with whatever follows it.
    pub fn open(&mut self, id: &str, from: Option<&str>, to: Option<&str>) {
        let mut out = String::with_capacity(256);
        ResponseHeader { content_ns: ns::CLIENT, id, from, to, lang: Some("en") }.write(&mut out);
        self.wire.queue(out.as_bytes());
        self.opened = true;
    }

    /// Queues XML. It is written when there is nothing more to read.
    pub fn say(&mut self, xml: &str) {
        self.wire.queue(xml.as_bytes());
    }

    /// Queues XML and writes everything queued.
    pub async fn send(&mut self, xml: &str) -> Result<(), CloseReason> {
        self.wire.queue(xml.as_bytes());
        self.flush().await
    }

    /// Writes everything queued.
    pub async fn flush(&mut self) -> Result<(), CloseReason> {
        let wire = &mut self.wire;
        std::future::poll_fn(|cx| wire.poll_drain(cx)).await.map_err(|_| CloseReason::ConnectionLost)
    }

    /// A new stream begins on the same connection (after STARTTLS or SASL).
    pub fn restart(&mut self) {
        self.wire.framer.restart();
        self.opened = false;
    }
}

/// A stream error without a text.
pub fn refused(condition: StreamCondition) -> CloseReason {
    CloseReason::Refused(condition, "")
}

/// Says goodbye and closes (RFC 6120 §4.4, §4.9): the error if there is one, the closing tag, an orderly end of the
/// connection. The caller limits the time.
///
/// `farewell` takes the place of the reason's own text.
pub async fn say_goodbye(
    mut wire: Wire,
    reason: CloseReason,
    opened: bool,
    from: Option<&str>,
    farewell: Option<Box<str>>,
) {
    if reason == CloseReason::ConnectionLost {
        return;
    }
    let mut out = String::new();
    if !opened {
        // RFC 6120 §4.9.1.2: an error comes within a stream, so the header has to be sent first.
        let id = super::random_id();
        ResponseHeader { content_ns: ns::CLIENT, id: &id, from, to: None, lang: Some("en") }.write(&mut out);
    }
    if let CloseReason::AckTooHigh { h, sent } = reason {
        // XEP-0198 §6: with an application condition that says how much.
        let _ = write!(
            out,
            "<stream:error><undefined-condition xmlns='{}'/><handled-count-too-high xmlns='{}' h='{h}' \
             send-count='{sent}'/></stream:error>",
            ns::STREAM_ERRORS,
            ns::SM
        );
    } else if let Some((condition, text)) = reason.stream_error() {
        let error = StreamError::new(condition);
        let text = farewell.map_or_else(|| text.to_owned(), String::from);
        if text.is_empty() { error.write(&mut out) } else { error.with_text(text).write(&mut out) }
    }
    out.push_str(stream::CLOSE);
    wire.queue(out.as_bytes());
    if std::future::poll_fn(|cx| wire.poll_drain(cx)).await.is_err() {
        return;
    }
    let _ = std::future::poll_fn(|cx| wire.io.poll_shutdown(cx)).await;
    if reason == CloseReason::ClientClosed {
        return;
    }
    // Unread input would turn our closing into a reset, and the client might never see the error.
    let mut scratch = [0; 1024];
    let mut last = Vec::new();
    for _ in 0..GOODBYE_READS_MAX {
        let n = match std::future::poll_fn(|cx| wire.poll_read(cx, &mut scratch)).await {
            Ok(n) if n > 0 => n,
            _ => return,
        };
        last.extend_from_slice(&scratch[..n]);
        if memchr::memmem::find(&last, stream::CLOSE.as_bytes()).is_some() {
            return;
        }
        let keep = last.len().saturating_sub(stream::CLOSE.len());
        last.drain(..keep);
    }
}

/// What a client over a limit of connections reads.
pub fn refusal(from: &str) -> String {
    let mut out = String::with_capacity(512);
    let id = super::random_id();
    ResponseHeader { content_ns: ns::CLIENT, id: &id, from: Some(from), to: None, lang: Some("en") }.write(&mut out);
    StreamError::new(StreamCondition::PolicyViolation).with_text("too many connections").write(&mut out);
    out.push_str(stream::CLOSE);
    out
}

/// How often what still comes is thrown away before the connection is dropped.
const GOODBYE_READS_MAX: usize = 1024;
