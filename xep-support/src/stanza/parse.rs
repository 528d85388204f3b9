//! From a frame to a stanza, and what a frame that is none means.

use std::borrow::Cow;

use super::error::Condition;
use super::index::{Span, index, is_content};
use super::{Kind, Stanza};
use crate::jid::Jid;
use crate::stream::StreamCondition;
use crate::xml::check::{StreamContext, XmlError};
use crate::xml::element::Element;
use crate::xml::writer::unescape_attr;

/// Why a frame is not a stanza that can be processed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ParseError {
    /// The stream must be closed with this condition.
    #[error("stream error {0:?}")]
    Stream(StreamCondition),
    /// It is a stanza, but its sender gets an error. The address that was malformed is missing from it.
    #[error("stanza error {condition}")]
    Refused {
        /// For [`Stanza::error_reply`].
        stanza: Box<Stanza>,
        /// jid-malformed (RFC 6120 §8.3.3.8).
        condition: Condition,
    },
}

impl From<XmlError> for ParseError {
    fn from(error: XmlError) -> Self {
        Self::Stream(error.into())
    }
}

/// A first-level element of a stream.
#[derive(Clone, Debug)]
pub enum TopLevel {
    /// A message, presence or iq in the content namespace.
    Stanza(Stanza),
    /// Anything else: STARTTLS, SASL, stream management.
    Other(Element),
}

/// Reads one first-level element. A message, presence or iq in a namespace that is not this stream's content namespace
/// is an invalid-namespace stream error.
pub fn parse_top_level(frame: &[u8], cx: &StreamContext) -> Result<TopLevel, ParseError> {
    let text = text(frame)?;
    let (root, found) = index(text, cx)?;
    let kind = Kind::from_name(root.name);
    match kind {
        Some(kind) if root.in_content => {
            let stanza = if root.leans { rewritten(text, cx)? } else { Stanza::assemble(kind, text.into(), found) };
            addressed(stanza).map(TopLevel::Stanza)
        }
        Some(_) => Err(ParseError::Stream(StreamCondition::InvalidNamespace)),
        None => Ok(TopLevel::Other(Element::parse_in(text, cx)?)),
    }
}

impl Stanza {
    /// Reads one first-level element that must be a stanza; another one is an unsupported-stanza-type stream error
    /// (RFC 6120 §4.9.3.24).
    pub fn parse(frame: &[u8], cx: &StreamContext) -> Result<Self, ParseError> {
        match parse_top_level(frame, cx)? {
            TopLevel::Stanza(stanza) => Ok(stanza),
            TopLevel::Other(_) => Err(ParseError::Stream(StreamCondition::UnsupportedStanzaType)),
        }
    }

    /// A stanza of an element that is a message, presence or iq in `jabber:client`.
    pub fn from_element(element: &Element) -> Result<Self, ParseError> {
        let text = element.to_xml(crate::ns::CLIENT);
        if Kind::from_name(element.name()).is_none() || element.ns() != crate::ns::CLIENT {
            return Err(ParseError::Stream(StreamCondition::UnsupportedStanzaType));
        }
        addressed(Self::trusted(text, crate::ns::CLIENT)?)
    }

    /// Indexes text that our own writer made.
    pub(super) fn trusted(text: String, content_ns: &str) -> Result<Self, XmlError> {
        Self::indexed(text, &StreamContext::trusted(content_ns.to_owned()))
    }

    fn indexed(text: String, cx: &StreamContext) -> Result<Self, XmlError> {
        let (root, found) = index(&text, cx)?;
        let kind = Kind::from_name(root.name).ok_or(XmlError::NotWellFormed)?;
        Ok(Self::assemble(kind, text.into_boxed_str(), found))
    }
}

fn text(frame: &[u8]) -> Result<&str, ParseError> {
    if u32::try_from(frame.len()).is_err() {
        return Err(ParseError::Stream(StreamCondition::PolicyViolation));
    }
    // RFC 6120 §11.6, §4.9.3.22.
    std::str::from_utf8(frame).map_err(|_| ParseError::Stream(StreamCondition::UnsupportedEncoding))
}

/// The slow path: prints the stanza anew, so that nothing in it leans on its stream header or on its root. The result
/// must keep the limits of its stream, as somebody else's will have much the same.
fn rewritten(text: &str, cx: &StreamContext) -> Result<Stanza, ParseError> {
    let mut element = Element::parse_in(text, cx)?;
    element.adopt_children(is_content);
    let printed = element.to_xml(cx.content_ns());
    if printed.len() > cx.printed_bytes_max(text.len()) || u32::try_from(printed.len()).is_err() {
        return Err(ParseError::Stream(StreamCondition::PolicyViolation));
    }
    Ok(Stanza::indexed(printed, &cx.standing_alone())?)
}

/// Reads the addresses.
fn addressed(mut stanza: Stanza) -> Result<Stanza, ParseError> {
    let read = |span: Span| match span.some().map(|span| unescape_attr(span.of(&stanza.text))) {
        None => Ok(None),
        Some(Cow::Borrowed(text)) => Jid::parse(text).map(Some),
        Some(Cow::Owned(text)) => Jid::parse(&text).map(Some),
    };
    let (from, to) = (read(stanza.index.from), read(stanza.index.to));
    // RFC 6120 §4.9.3.9: what is no address is nobody's, and whoever sends it may not say so.
    stanza.from = from.map_err(|_| ParseError::Stream(StreamCondition::InvalidFrom))?;
    let malformed = to.is_err();
    stanza.to = to.unwrap_or_default();
    if malformed {
        return Err(ParseError::Refused { stanza: Box::new(stanza), condition: Condition::JidMalformed });
    }
    Ok(stanza)
}
