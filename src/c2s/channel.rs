//! The wire as the negotiation uses it: one element at a time, whole answers, a header before any error.

use super::framing::{self, Found};
use super::wire::{self, Wire};
use crate::close::CloseReason;
use std::task::Poll;
use xep_support::ns;
use xep_support::stanza::{ParseError, Stanza, TopLevel, parse_top_level};
use xep_support::stream::{ResponseHeader, StreamCondition, StreamHeader};
use xep_support::xml::check::StreamContext;

/// What a client sends while it negotiates.
pub enum Inbound {
    /// A stanza or another first-level element.
    Element(TopLevel),
    /// A stanza that cannot be handled; this reply goes back.
    Malformed(Stanza),
}

/// What a client says, cut out of what it sends.
enum Said {
    Header(Vec<u8>),
    Element(Vec<u8>),
    Close,
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

    /// The next stream header (RFC 6120 §4.7), or what stands for it (RFC 7395 §3.4).
    pub async fn header(&mut self) -> Result<StreamHeader, CloseReason> {
        let bytes = match self.next_said().await? {
            Said::Header(bytes) => bytes,
            Said::Element(bytes) if self.wire.framing.is_framed() => {
                let header = framing::read_open(&bytes)?;
                self.context = framing::context().with_limits(self.limits.0, self.limits.1);
                return Ok(header);
            }
            Said::Element(_) | Said::Close => return Err(refused(StreamCondition::InvalidXml)),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| refused(StreamCondition::UnsupportedEncoding))?;
        let header = StreamHeader::parse(text).map_err(refused)?;
        self.context = header.context(ns::CLIENT).map_err(refused)?.with_limits(self.limits.0, self.limits.1);
        Ok(header)
    }

    /// The next element within the stream.
    pub async fn element(&mut self) -> Result<Inbound, CloseReason> {
        let bytes = match self.next_said().await? {
            Said::Element(bytes) => bytes,
            Said::Close => return Err(CloseReason::ClientClosed),
            Said::Header(_) => return Err(refused(StreamCondition::InvalidXml)),
        };
        match parse_top_level(&bytes, &self.context) {
            Ok(TopLevel::Other(element)) if self.wire.framing.is_framed() => match framing::is_of_framing(&element) {
                Some(reason) => Err(reason),
                None => Ok(Inbound::Element(TopLevel::Other(element))),
            },
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

    async fn next_said(&mut self) -> Result<Said, CloseReason> {
        loop {
            let wire = &mut self.wire;
            let found = wire.input.next(&mut wire.unread)?.map(|found| match found {
                Found::Header(range) => Said::Header(wire.unread[range].to_vec()),
                Found::Element(range) => Said::Element(wire.unread[range].to_vec()),
                Found::Assembled(bytes) => Said::Element(bytes),
                Found::Close => Said::Close,
            });
            wire.queue_control();
            self.drop_consumed();
            if let Some(said) = found {
                return Ok(said);
            }
            if !self.wire.is_drained() {
                // Whoever sends everything at once is answered at once.
                self.flush().await?;
            }
            self.read_more().await?;
        }
    }

    fn drop_consumed(&mut self) {
        let consumed = self.wire.input.keep_from();
        if consumed >= self.wire.unread.len() {
            self.wire.unread = Vec::new();
        } else {
            self.wire.unread.drain(..consumed);
        }
        self.wire.input.shift(consumed);
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
        let header = ResponseHeader { content_ns: ns::CLIENT, id, from, to, lang: Some("en") };
        self.wire.queue(|framing, out| framing.header(out, &header));
        self.opened = true;
    }

    /// Queues one element that is no stanza. It is written when there is nothing more to read.
    pub fn say(&mut self, xml: &str) {
        self.wire.queue(|framing, out| framing.say(out, xml));
    }

    /// Queues one element that is no stanza, and writes everything queued.
    pub async fn send(&mut self, xml: &str) -> Result<(), CloseReason> {
        self.say(xml);
        self.flush().await
    }

    /// Queues a stanza and writes everything queued.
    pub async fn send_stanza(&mut self, stanza: &Stanza) -> Result<(), CloseReason> {
        self.wire.queue(|framing, out| framing.stanza(out, stanza));
        self.flush().await
    }

    /// Writes everything queued.
    pub async fn flush(&mut self) -> Result<(), CloseReason> {
        let wire = &mut self.wire;
        std::future::poll_fn(|cx| wire.poll_drain(cx)).await.map_err(|_| CloseReason::ConnectionLost)
    }

    /// A new stream begins on the same connection (after STARTTLS or SASL).
    pub fn restart(&mut self) {
        self.wire.input.restart();
        self.opened = false;
    }
}

/// A stream error without a text.
pub fn refused(condition: StreamCondition) -> CloseReason {
    CloseReason::Refused(condition, "")
}
