//! How first-level elements are told apart on a connection, and what they need to be understood: the one thing in which
//! links differ.
//!
//! Over TCP they are parts of one document (RFC 6120 §4). Over WebSocket (RFC 7395 §3.3) and BOSH (XEP-0124 §3) each stands
//! alone: it declares its namespaces itself, `<open/>` is there for the stream header and `<close/>` for the closing tag.

use crate::close::CloseReason;
use crate::net::websocket::{self, Message, Messages, Violation, code};
use crate::outbox::Item;
use std::ops::Range;
use xep_support::ns;
use xep_support::stanza::{Print, Stanza};
use xep_support::stream::{self, ResponseHeader, StreamCondition, StreamError};
use xep_support::xml::{Element, Event, FrameLimits, Framer, StreamContext, XmlError};

/// What surrounds the elements we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The stream.
    Stream,
    /// Nothing: each stands alone, and one follows the other (BOSH).
    Alone,
    /// Each stands alone in a WebSocket message.
    WebSocket,
}

impl Framing {
    /// Does each element stand alone?
    pub fn is_framed(self) -> bool {
        self != Self::Stream
    }

    /// The default namespace a stanza has to declare.
    pub fn xmlns(self) -> Option<&'static str> {
        self.is_framed().then_some(ns::CLIENT)
    }

    /// Appends one element, whatever `write` appends; says where in `out` it is then.
    #[inline]
    pub fn element(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        match self {
            Self::Stream | Self::Alone => {
                let start = out.len();
                write(out);
                start..out.len()
            }
            Self::WebSocket => websocket::write_text(out, write),
        }
    }

    /// Appends a stanza for the client.
    #[inline]
    pub fn item(self, out: &mut Vec<u8>, item: &Item) -> Range<usize> {
        self.element(out, |out| item.print_in(out, self.xmlns()))
    }

    /// Appends a stanza that answers one of a client without a session.
    pub fn stanza(self, out: &mut Vec<u8>, stanza: &Stanza) {
        self.element(out, |out| stanza.write(out, &Print { xmlns: self.xmlns(), ..Print::default() }));
    }

    /// Appends one element that is no stanza. Its namespaces are its own, the prefix `stream` apart.
    pub fn say(self, out: &mut Vec<u8>, xml: &str) {
        let prefixed = xml.strip_prefix("<stream:").filter(|_| self.is_framed());
        self.element(out, |out| match prefixed.and_then(|rest| rest.split_at_checked(rest.find([' ', '/', '>'])?)) {
            None => out.extend_from_slice(xml.as_bytes()),
            // RFC 7395 §3.3.3.
            Some((name, rest)) => {
                let parts = ["<stream:", name, " xmlns:stream='", ns::STREAM, "'", rest];
                parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
            }
        });
    }

    /// Appends the header of a stream of ours, or what stands for it.
    pub fn header(self, out: &mut Vec<u8>, header: &ResponseHeader<'_>) {
        let mut text = String::with_capacity(256);
        match self {
            Self::Stream => header.write(&mut text),
            Self::Alone | Self::WebSocket => header.write_open(&mut text),
        }
        self.element(out, |out| out.extend_from_slice(text.as_bytes()));
    }

    /// Appends a stream error.
    pub fn error(self, out: &mut Vec<u8>, error: &StreamError) {
        let mut text = String::with_capacity(256);
        error.write(&mut text);
        self.say(out, &text);
    }

    /// Appends the closing tag, or what stands for it (RFC 7395 §3.6).
    pub fn close(self, out: &mut Vec<u8>) {
        let text = if self.is_framed() { stream::FRAMED_CLOSE } else { stream::CLOSE };
        self.element(out, |out| out.extend_from_slice(text.as_bytes()));
    }
}

/// What the elements of a framed stream inherit: nothing (RFC 7395 §3.3.3).
pub fn context() -> StreamContext {
    StreamContext::client().with_default_ns("")
}

/// The `<open/>` of a client.
pub fn read_open(bytes: &[u8]) -> Result<stream::StreamHeader, CloseReason> {
    let refused = |condition| CloseReason::Refused(condition, "");
    let text = std::str::from_utf8(bytes).map_err(|_| refused(StreamCondition::UnsupportedEncoding))?;
    let open = Element::parse_in(text, &context()).map_err(|error: XmlError| refused(error.into()))?;
    match is_of_framing(&open) {
        Some(CloseReason::ClientClosed) => Err(CloseReason::ClientClosed),
        _ => stream::StreamHeader::from_open(&open).map_err(refused),
    }
}

/// Within a framed stream: what an element of its frame (`<close/>`, another `<open/>`) does to it.
pub fn is_of_framing(element: &Element) -> Option<CloseReason> {
    match element.name() {
        _ if element.ns() != ns::FRAMING => None,
        "close" => Some(CloseReason::ClientClosed),
        "open" => Some(CloseReason::Refused(StreamCondition::InvalidXml, "a stream header within the stream")),
        _ => Some(CloseReason::Refused(StreamCondition::UnsupportedStanzaType, "")),
    }
}

/// What came; positions are those in the buffer given to that call of [`Input::next`].
#[derive(Debug)]
pub enum Found {
    /// A stream header.
    Header(Range<usize>),
    /// A first-level element.
    Element(Range<usize>),
    /// The same, put together.
    Assembled(Vec<u8>),
    /// The closing tag.
    Close,
}

/// Cuts what comes in into elements. Everything survives a cancelled or pending poll.
#[derive(Debug)]
pub enum Input {
    /// A stream.
    Stream(Framer),
    /// Elements that stand alone, one behind the other.
    Alone(Framer),
    /// Elements in WebSocket messages.
    WebSocket(Box<Incoming>),
}

/// What comes in over WebSocket, and what is to be said about it.
#[derive(Debug)]
pub struct Incoming {
    messages: Messages,
    limits: FrameLimits,
    /// The client is to be asked whether it is there.
    probe: bool,
    /// The code the client closed with, if it has closed.
    closed: Option<Option<u16>>,
    violation: Option<Violation>,
}

impl Input {
    /// Before the first element.
    pub fn new(framing: Framing, limits: FrameLimits) -> Self {
        match framing {
            Framing::Stream => Self::Stream(Framer::new(limits)),
            Framing::Alone => Self::Alone(Framer::elements(limits)),
            Framing::WebSocket => {
                let messages = Messages::new(limits.element_bytes_max);
                Self::WebSocket(Box::new(Incoming { messages, limits, probe: false, closed: None, violation: None }))
            }
        }
    }

    /// The next element in `bytes`: what [`Self::keep_from`] told to keep and whatever has arrived since. `None`: more
    /// bytes are needed. After an error there is nothing more.
    #[inline]
    pub fn next(&mut self, bytes: &mut [u8]) -> Result<Option<Found>, CloseReason> {
        match self {
            Self::Stream(framer) | Self::Alone(framer) => match framer.next(bytes) {
                Ok(None) => Ok(None),
                Ok(Some(Event::Element(range))) => Ok(Some(Found::Element(range))),
                Ok(Some(Event::Header(range))) => Ok(Some(Found::Header(range))),
                Ok(Some(Event::Close)) => Ok(Some(Found::Close)),
                Err(error) => Err(CloseReason::Refused(error.into(), "")),
            },
            Self::WebSocket(incoming) => incoming.next(bytes),
        }
    }

    /// Bytes of the buffer before this position are done with.
    #[inline]
    pub fn keep_from(&self) -> usize {
        match self {
            Self::Stream(framer) | Self::Alone(framer) => framer.keep_from(),
            Self::WebSocket(incoming) => incoming.messages.keep_from(),
        }
    }

    /// The caller dropped this many bytes (at most [`Self::keep_from`]) from the front of its buffer.
    #[inline]
    pub fn shift(&mut self, dropped: usize) {
        match self {
            Self::Stream(framer) | Self::Alone(framer) => framer.shift(dropped),
            Self::WebSocket(incoming) => incoming.messages.shift(dropped),
        }
    }

    /// A new stream begins on the same connection.
    pub fn restart(&mut self) {
        if let Self::Stream(framer) = self {
            framer.restart();
        }
    }

    /// Other limits from now on.
    pub fn set_limits(&mut self, limits: FrameLimits) {
        match self {
            Self::Stream(framer) | Self::Alone(framer) => framer.set_limits(limits),
            Self::WebSocket(incoming) => {
                incoming.limits = limits;
                incoming.messages.set_bytes_max(limits.element_bytes_max);
            }
        }
    }

    /// Asks the client whether it is there, if that can be asked without a stanza (RFC 7395 §3.8).
    pub fn probe(&mut self) -> bool {
        match self {
            Self::Stream(_) | Self::Alone(_) => false,
            Self::WebSocket(incoming) => {
                incoming.probe = true;
                true
            }
        }
    }

    /// Is there something to say that is no element?
    #[inline]
    pub fn has_control(&self) -> bool {
        match self {
            Self::Stream(_) | Self::Alone(_) => false,
            Self::WebSocket(incoming) => incoming.probe || incoming.messages.is_pinged(),
        }
    }

    /// Appends that.
    pub fn write_control(&mut self, out: &mut Vec<u8>) {
        let Self::WebSocket(incoming) = self else { return };
        if std::mem::take(&mut incoming.probe) {
            websocket::write_ping(out);
        }
        if let Some(ping) = incoming.messages.take_ping() {
            websocket::write_pong(out, &ping);
        }
    }
}

/// What a client says whose stream has ended.
#[derive(Debug)]
pub enum LastWord {
    /// It has closed its stream.
    Stream,
    /// It has closed the connection, with this code.
    Connection(Option<u16>),
    /// Something that came too late.
    Other,
    /// Nothing that can be understood.
    Failed,
}

impl Incoming {
    fn next(&mut self, bytes: &mut [u8]) -> Result<Option<Found>, CloseReason> {
        loop {
            let message = self.messages.next(bytes).map_err(|violation| self.fail(violation))?;
            match message {
                None => return Ok(None),
                Some(Message::Whole(range)) => {
                    if let Some(inner) = self.element(&bytes[range.clone()])? {
                        return Ok(Some(Found::Element(range.start + inner.start..range.start + inner.end)));
                    }
                }
                Some(Message::Assembled(mut message)) => {
                    if let Some(inner) = self.element(&message)? {
                        message.truncate(inner.end);
                        message.drain(..inner.start);
                        return Ok(Some(Found::Assembled(message)));
                    }
                }
                Some(Message::Close(code)) => {
                    // RFC 7395 §3.6: without `<close/>` the session is not over, if it can be resumed.
                    self.closed = Some(code);
                    return Err(CloseReason::ConnectionLost);
                }
            }
        }
    }

    fn fail(&mut self, violation: Violation) -> CloseReason {
        self.violation = Some(violation);
        let condition = match violation.code {
            code::TOO_BIG => StreamCondition::PolicyViolation,
            code::NOT_UTF8 => StreamCondition::UnsupportedEncoding,
            _ => StreamCondition::BadFormat,
        };
        CloseReason::Refused(condition, violation.text)
    }

    /// RFC 7395 §3.3.3: a message is one element, and nothing else. `None`: it is nothing at all.
    fn element(&mut self, message: &[u8]) -> Result<Option<Range<usize>>, CloseReason> {
        match one_element(message, self.limits) {
            // RFC 6455 §8.1.
            Err(_) if std::str::from_utf8(message).is_err() => {
                Err(self.fail(Violation { code: code::NOT_UTF8, text: "text that is not UTF-8" }))
            }
            found => found,
        }
    }

    /// What comes when the stream is over on our side, as far as it matters. `None`: more bytes are needed.
    pub fn last_word(&mut self, bytes: &mut [u8]) -> Option<LastWord> {
        Some(match self.messages.next(bytes) {
            Ok(None) => return None,
            Ok(Some(Message::Whole(range))) if bytes[range.clone()].starts_with(b"<close") => LastWord::Stream,
            Ok(Some(Message::Whole(_) | Message::Assembled(_))) => LastWord::Other,
            Ok(Some(Message::Close(code))) => LastWord::Connection(code),
            Err(_) => LastWord::Failed,
        })
    }

    /// The code of our close frame.
    pub fn close_code(&self, reason: CloseReason) -> (u16, &'static str) {
        match (self.violation, reason) {
            (Some(violation), _) => (violation.code, violation.text),
            (None, CloseReason::Refused(StreamCondition::UnsupportedEncoding, _)) => (code::NOT_UTF8, ""),
            (None, CloseReason::Shutdown) => (code::GOING_AWAY, ""),
            (None, CloseReason::Internal) => (code::INTERNAL, ""),
            (None, _) => (code::NORMAL, ""),
        }
    }

    /// RFC 6455 §7.1.7: there is nothing more to be said to this client, or heard from it.
    pub fn has_failed(&self) -> bool {
        self.violation.is_some()
    }

    /// The code the client closed the connection with, if it has closed it.
    pub fn closed(&self) -> Option<Option<u16>> {
        self.closed
    }
}

fn one_element(message: &[u8], limits: FrameLimits) -> Result<Option<Range<usize>>, CloseReason> {
    let refused = |condition, text| Err(CloseReason::Refused(condition, text));
    let is_blank = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    let start = match message {
        // §3.3.3: not recommended, and not forbidden.
        [b'<', b'?', ..] => {
            let text = std::str::from_utf8(message);
            let rest = text.map_err(|_| StreamCondition::UnsupportedEncoding).and_then(stream::skip_declaration);
            message.len() - rest.map_err(|condition| CloseReason::Refused(condition, ""))?.len()
        }
        [b'<', ..] => 0,
        // COMPAT: what keeps a TCP connection alive is sent here, too, by some.
        blank if is_blank(blank) => return Ok(None),
        _ => return refused(StreamCondition::BadFormat, "a message that does not begin with an element"),
    };
    match Framer::elements(limits).next(&message[start..]) {
        Ok(Some(Event::Element(range))) if is_blank(&message[start + range.end..]) => {
            Ok(Some(start + range.start..start + range.end))
        }
        Ok(Some(_)) => refused(StreamCondition::BadFormat, "a message with more than one element"),
        Ok(None) => refused(StreamCondition::NotWellFormed, "a message that is no complete element"),
        Err(error) => refused(error.into(), ""),
    }
}
