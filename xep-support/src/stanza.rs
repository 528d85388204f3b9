//! Stanzas (RFC 6120 §8): an envelope that can be read and printed with other addresses, an index of the direct
//! children, and the content as it came, which nobody builds a tree of to pass it on.
//!
//! Whatever stream a stanza came from, it is kept in terms of one content namespace, and reads as `jabber:client`. Its
//! text stands alone: prefixes are bound within the child that uses them.

mod build;
pub mod error;
mod facts;
mod index;
mod kind;
mod parse;
mod print;

use std::borrow::Cow;
use std::sync::Arc;

use self::error::StanzaError;
pub use self::facts::Facts;
use self::index::{ChildNs, ChildSpans, Index, Span};
pub use self::kind::{IqType, Kind, MessageType, PresenceType};
pub use self::parse::{ParseError, TopLevel, parse_top_level};
pub use self::print::Print;
use crate::jid::Jid;
use crate::ns;
use crate::xml::check::StreamContext;
use crate::xml::element::Element;
use crate::xml::writer::unescape_attr;

/// A message, presence or iq. See the module's documentation.
#[derive(Clone, Debug)]
pub struct Stanza {
    text: Box<str>,
    index: Index,
    kind: Kind,
    from: Option<Jid>,
    to: Option<Jid>,
    lang_default: Option<Arc<str>>,
}

impl Stanza {
    fn assemble(kind: Kind, text: Box<str>, index: Index) -> Self {
        Self { text, index, kind, from: None, to: None, lang_default: None }
    }

    /// Which stanza it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who sent it.
    #[must_use]
    pub fn from(&self) -> Option<&Jid> {
        self.from.as_ref()
    }

    /// Stamps the sender.
    pub fn set_from(&mut self, from: Jid) {
        self.from = Some(from);
    }

    /// Whom it is for.
    #[must_use]
    pub fn to(&self) -> Option<&Jid> {
        self.to.as_ref()
    }

    /// Addresses it anew.
    pub fn set_to(&mut self, to: Option<Jid>) {
        self.to = to;
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.value(self.index.id)
    }

    /// Its language, or the one it inherits.
    #[must_use]
    pub fn lang(&self) -> Option<Cow<'_, str>> {
        self.value(self.index.lang).or_else(|| self.lang_default.as_deref().map(Cow::Borrowed))
    }

    /// The language it inherits from its stream (RFC 6120 §8.1.5), printed if it has none of its own.
    pub fn set_lang_default(&mut self, lang: &Arc<str>) {
        self.lang_default = Some(Arc::clone(lang));
    }

    /// The attribute `type`.
    #[must_use]
    pub fn type_attr(&self) -> Option<Cow<'_, str>> {
        self.value(self.index.kind)
    }

    /// The type of a message.
    #[must_use]
    pub fn message_type(&self) -> MessageType {
        MessageType::from_attr(self.type_attr().as_deref())
    }

    /// The type of a presence stanza; one that does not exist is a bad request.
    pub fn presence_type(&self) -> Result<PresenceType, StanzaError> {
        PresenceType::from_attr(self.type_attr().as_deref()).ok_or_else(StanzaError::bad_request)
    }

    /// The type of an iq; `None`, absent or one that does not exist, is a bad request.
    #[must_use]
    pub fn iq_type(&self) -> Option<IqType> {
        match self.kind {
            Kind::Iq => IqType::from_attr(self.type_attr().as_deref()),
            _ => None,
        }
    }

    /// Whether its type is `error`.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.type_attr().as_deref() == Some("error")
    }

    /// Its direct children.
    pub fn children(&self) -> impl ExactSizeIterator<Item = Child<'_>> + Clone {
        self.index.children.iter().map(|spans| Child { text: &self.text, spans })
    }

    /// Whether it has this direct child.
    #[must_use]
    pub fn has_child(&self, name: &str, ns: &str) -> bool {
        self.children().any(|child| child.is(name, ns))
    }

    /// The first direct child of this name, as a tree.
    #[must_use]
    pub fn child(&self, name: &str, ns: &str) -> Option<Element> {
        self.children().find(|child| child.is(name, ns))?.parse()
    }

    /// The first direct child, as a tree: what an iq asks for.
    #[must_use]
    pub fn payload(&self) -> Option<Element> {
        self.children().next()?.parse()
    }

    /// What its children say about it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.index.facts
    }

    /// The content between its tags, as written.
    #[must_use]
    pub fn inner(&self) -> &str {
        self.index.inner.of(&self.text)
    }

    /// Bytes it holds beside its fixed part, for bounds on queues: text, addresses, and the index, which can be several
    /// times the text of small children.
    #[must_use]
    pub fn size(&self) -> usize {
        let address = |jid: &Option<Jid>| jid.as_ref().map_or(0, |jid| jid.as_str().len());
        self.text.len()
            + address(&self.from)
            + address(&self.to)
            + self.index.children.len() * size_of::<ChildSpans>()
            + self.index.attrs.len() * size_of::<Span>()
    }

    fn value(&self, span: Span) -> Option<Cow<'_, str>> {
        span.some().map(|span| unescape_attr(span.of(&self.text)))
    }
}

/// A direct child of a stanza.
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    text: &'a str,
    spans: &'a ChildSpans,
}

impl<'a> Child<'a> {
    /// Its local name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.spans.name.of(self.text)
    }

    /// Its namespace; the content namespace of whatever stream reads as `jabber:client`. One with characters that must
    /// be escaped reads escaped.
    #[must_use]
    pub fn ns(&self) -> &'a str {
        match self.spans.ns {
            ChildNs::Content => ns::CLIENT,
            ChildNs::None => "",
            ChildNs::Xml => ns::XML,
            ChildNs::Written(span) => span.of(self.text),
        }
    }

    /// Whether it is this element.
    #[must_use]
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// As written; it stands alone where the content namespace is inherited.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.spans.raw.of(self.text)
    }

    /// As a tree.
    #[must_use]
    pub fn parse(&self) -> Option<Element> {
        Element::parse_in(self.raw(), &StreamContext::trusted(ns::CLIENT)).ok()
    }
}

#[cfg(test)]
mod tests;
