//! Stanzas the server makes itself.

use super::error::StanzaError;
use super::{Facts, Index, IqType, Kind, MessageType, PresenceType, Print, Span, Stanza};
use crate::jid::Jid;
use crate::ns;
use crate::xml::element::Element;
use crate::xml::writer::push_attr;

impl Stanza {
    /// The answer to a request (RFC 6120 §8.2.3), addressed to who asked.
    #[must_use]
    pub fn iq_result(request: &Self, payload: Option<Element>) -> Self {
        let id = request.id();
        let inner = inner(payload);
        build(Kind::Iq, Some(IqType::Result.as_str()), id.as_deref(), request.to(), request.from(), &inner)
    }

    /// The same with content that our own code printed.
    #[must_use]
    pub fn iq_result_around(request: &Self, inner: &str) -> Self {
        let id = request.id();
        build(Kind::Iq, Some(IqType::Result.as_str()), id.as_deref(), request.to(), request.from(), inner)
    }

    /// A request for something.
    #[must_use]
    pub fn iq_get(from: Option<&Jid>, to: Option<&Jid>, id: &str, payload: Element) -> Self {
        build(Kind::Iq, Some(IqType::Get.as_str()), Some(id), from, to, &inner([payload]))
    }

    /// A request to change something, or a push.
    #[must_use]
    pub fn iq_set(from: Option<&Jid>, to: Option<&Jid>, id: &str, payload: Element) -> Self {
        build(Kind::Iq, Some(IqType::Set.as_str()), Some(id), from, to, &inner([payload]))
    }

    /// A message without an id.
    pub fn message(
        kind: MessageType,
        from: Option<&Jid>,
        to: Option<&Jid>,
        children: impl IntoIterator<Item = Element>,
    ) -> Self {
        let kind = (kind != MessageType::Normal).then_some(kind.as_str());
        build(Kind::Message, kind, None, from, to, &inner(children))
    }

    /// A message with an id and content that our own code printed.
    #[must_use]
    pub fn message_with(kind: MessageType, id: &str, from: Option<&Jid>, to: Option<&Jid>, inner: &str) -> Self {
        let kind = (kind != MessageType::Normal).then_some(kind.as_str());
        build(Kind::Message, kind, Some(id), from, to, inner)
    }

    /// A message around XML that our own code printed, which is not walked again: it has no children for who looks.
    #[must_use]
    pub fn message_around(from: Option<&Jid>, to: Option<&Jid>, inner: &str) -> Self {
        let name = Kind::Message.name();
        let text = format!("<{name}>{inner}</{name}>").into_boxed_str();
        let start = name.len() + 2;
        let mut stanza = Self::assemble(Kind::Message, text, Index::around(start, start + inner.len()));
        (stanza.from, stanza.to) = (from.cloned(), to.cloned());
        stanza
    }

    /// A message of the same type around another one (XEP-0297), within an element that says why. `extra` is checked XML
    /// that goes behind the children of the one forwarded. It has no children for who looks, but the facts of what it
    /// carries.
    #[must_use]
    pub fn forwarding(original: &Self, from: &Jid, (name, ns): (&str, &str), extra: &str) -> Self {
        let kind = original.message_type();
        let mut text = String::with_capacity(original.size() + extra.len() + 320);
        text.push_str("<message");
        let mut index = Index::around(0, 0);
        if kind != MessageType::Normal {
            let start = text.len() + 1;
            push_attr(&mut text, "type", kind.as_str());
            index.kind = Span::new(text.len() - 1 - kind.as_str().len(), text.len() - 1);
            index.attrs.push(Span::new(start, text.len()));
        }
        text.push('>');
        let start = text.len();
        push_start(&mut text, name, ns);
        push_start(&mut text, "forwarded", ns::FORWARD);
        let mut forwarded = text.into_bytes();
        // XEP-0297 §3.2 rule 3.
        original.write(&mut forwarded, &Print { to: None, xmlns: Some(ns::CLIENT), extra: extra.as_bytes() });
        let mut text = String::from_utf8(forwarded).expect("made of strings");
        text.push_str("</forwarded></");
        text.push_str(name);
        text.push('>');
        index.inner = Span::new(start, text.len());
        index.facts = original.facts() | Facts::of(name, ns);
        text.push_str("</message>");
        let mut stanza = Self::assemble(Kind::Message, text.into_boxed_str(), index);
        stanza.from = Some(from.clone());
        stanza
    }

    /// The message that such a one was made around.
    #[must_use]
    pub fn forwarded(&self) -> Option<Self> {
        let element = self.to_element();
        let forwarded = element.child_elements().find_map(|why| why.find("forwarded", ns::FORWARD))?;
        Self::from_element(forwarded.find("message", ns::CLIENT)?).ok()
    }

    /// Presence without children.
    #[must_use]
    pub fn presence(kind: PresenceType, from: Option<&Jid>, to: Option<&Jid>) -> Self {
        Self::presence_with(kind, from, to, None)
    }

    /// Presence.
    pub fn presence_with(
        kind: PresenceType,
        from: Option<&Jid>,
        to: Option<&Jid>,
        children: impl IntoIterator<Item = Element>,
    ) -> Self {
        build(Kind::Presence, kind.as_str(), None, from, to, &inner(children))
    }

    /// The same with something before the error: what exactly went wrong.
    #[must_use]
    pub fn error_reply_with(&self, payload: Element, error: &StanzaError) -> Option<Self> {
        if self.is_error() || self.iq_type() == Some(IqType::Result) {
            return None;
        }
        let mut inner = inner([payload]);
        error.write(&mut inner);
        Some(build(self.kind, Some("error"), self.id().as_deref(), self.to(), self.from(), &inner))
    }

    /// The reply that carries an error (RFC 6120 §8.3.1), without what the stanza contained. `None`: it is an error
    /// itself, or the result of a request, and must not be answered.
    #[must_use]
    pub fn error_reply(&self, error: &StanzaError) -> Option<Self> {
        if self.is_error() || self.iq_type() == Some(IqType::Result) {
            return None;
        }
        let mut inner = String::new();
        error.write(&mut inner);
        Some(build(self.kind, Some("error"), self.id().as_deref(), self.to(), self.from(), &inner))
    }
}

fn push_start(out: &mut String, name: &str, ns: &str) {
    out.push('<');
    out.push_str(name);
    push_attr(out, "xmlns", ns);
    out.push('>');
}

fn inner(children: impl IntoIterator<Item = Element>) -> String {
    let mut out = String::new();
    for child in children {
        child.write(&mut out, ns::CLIENT);
    }
    out
}

fn build(
    kind: Kind,
    type_attr: Option<&str>,
    id: Option<&str>,
    from: Option<&Jid>,
    to: Option<&Jid>,
    inner: &str,
) -> Stanza {
    let name = kind.name();
    let mut text = String::with_capacity(inner.len() + 64);
    text.push('<');
    text.push_str(name);
    for (key, value) in [("type", type_attr), ("id", id)] {
        if let Some(value) = value {
            push_attr(&mut text, key, value);
        }
    }
    text.push('>');
    text.push_str(inner);
    text.push_str("</");
    text.push_str(name);
    text.push('>');
    let mut stanza = Stanza::trusted(text, ns::CLIENT).expect("elements print as well-formed XML");
    (stanza.from, stanza.to) = (from.cloned(), to.cloned());
    stanza
}
