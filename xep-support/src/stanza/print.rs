//! From a stanza to bytes: the envelope is printed anew, what is inside is copied.

use super::{Child, Index, Stanza};
use crate::jid::Jid;
use crate::ns;
use crate::xml::check::StreamContext;
use crate::xml::element::Element;
use crate::xml::writer::escape_attr;

/// How to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Print<'a> {
    /// Another addressee than the stanza's.
    pub to: Option<&'a Jid>,
    /// A default namespace to declare, where the stream around it does not: WebSocket, `<forwarded/>`.
    pub xmlns: Option<&'a str>,
    /// Checked XML to add before the end tag.
    pub extra: &'a [u8],
}

impl Stanza {
    /// Appends the stanza. Whoever inherits (or is told by `p.xmlns`) a content namespace reads it in that one.
    pub fn write(&self, out: &mut Vec<u8>, p: &Print<'_>) {
        let name = self.kind.name().as_bytes();
        let inner = self.inner();
        out.reserve(self.text.len() + p.extra.len() + 160);
        out.push(b'<');
        out.extend_from_slice(name);
        if let Some(xmlns) = p.xmlns {
            push_attr(out, b" xmlns='", xmlns);
        }
        if let Some(from) = &self.from {
            push_attr(out, b" from='", from.as_str());
        }
        if let Some(to) = p.to.or(self.to.as_ref()) {
            push_attr(out, b" to='", to.as_str());
        }
        for attr in &self.index.attrs {
            out.push(b' ');
            out.extend_from_slice(attr.of(&self.text).as_bytes());
        }
        if let (None, Some(lang)) = (self.index.lang.some(), &self.lang_default) {
            push_attr(out, b" xml:lang='", lang);
        }
        if inner.is_empty() && p.extra.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        out.extend_from_slice(inner.as_bytes());
        out.extend_from_slice(p.extra);
        out.extend_from_slice(b"</");
        out.extend_from_slice(name);
        out.push(b'>');
    }

    /// The stanza as text, without a namespace declaration.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out, &Print::default());
        String::from_utf8(out).expect("made of strings")
    }

    /// The stanza as a tree, in `jabber:client`.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let element = Element::parse_in(&self.to_xml(), &StreamContext::trusted(ns::CLIENT));
        element.expect("a printed stanza is an element")
    }

    /// Removes the children that are not to be kept. Nothing is copied if all are.
    pub fn retain_children(&mut self, mut keep: impl FnMut(&Child<'_>) -> bool) {
        let mut inner = String::new();
        let mut copied = 0;
        let base = self.inner().as_ptr() as usize;
        for child in self.children() {
            if !keep(&child) {
                let start = child.raw().as_ptr() as usize - base;
                inner.push_str(&self.inner()[copied..start]);
                copied = start + child.raw().len();
            }
        }
        if copied > 0 {
            inner.push_str(&self.inner()[copied..]);
            self.replace_inner(&inner);
        }
    }

    /// The same stanza with those of its children that are to be kept, and checked XML behind them. Not addressed to anybody.
    #[must_use]
    pub fn rebuilt(&self, mut keep: impl FnMut(&Child<'_>) -> bool, append: &str) -> Self {
        let mut inner = String::with_capacity(self.inner().len() + append.len());
        let mut copied = 0;
        let base = self.inner().as_ptr() as usize;
        for child in self.children() {
            if !keep(&child) {
                let start = child.raw().as_ptr() as usize - base;
                inner.push_str(&self.inner()[copied..start]);
                copied = start + child.raw().len();
            }
        }
        inner.push_str(&self.inner()[copied..]);
        inner.push_str(append);
        let (text, index) = self.around(&inner);
        let (kind, from, lang_default) = (self.kind, self.from.clone(), self.lang_default.clone());
        Self { text, index, kind, from, to: None, lang_default }
    }

    /// Gives it this id in place of its own.
    pub fn set_id(&mut self, id: &str) {
        let name = self.kind.name();
        let mut text = format!("<{name}");
        for attr in &self.index.attrs {
            let attr = attr.of(&self.text);
            if !attr.trim_start_matches("id").trim_start().starts_with('=') || !attr.starts_with("id") {
                text.push(' ');
                text.push_str(attr);
            }
        }
        crate::xml::writer::push_attr(&mut text, "id", id);
        text.push('>');
        text.push_str(self.inner());
        text.push_str("</");
        text.push_str(name);
        text.push('>');
        let changed = Self::trusted(text, ns::CLIENT).expect("made of checked parts");
        (self.text, self.index) = (changed.text, changed.index);
    }

    /// Appends a child.
    pub fn push_child(&mut self, child: &Element) {
        let mut inner = self.inner().to_owned();
        child.write(&mut inner, ns::CLIENT);
        self.replace_inner(&inner);
    }

    fn replace_inner(&mut self, inner: &str) {
        (self.text, self.index) = self.around(inner);
    }

    /// Its text and index with another content.
    fn around(&self, inner: &str) -> (Box<str>, Index) {
        let name = self.kind.name();
        let mut text = format!("<{name}");
        for attr in &self.index.attrs {
            text.push(' ');
            text.push_str(attr.of(&self.text));
        }
        text.push('>');
        text.push_str(inner);
        text.push_str("</");
        text.push_str(name);
        text.push('>');
        let changed = Self::trusted(text, ns::CLIENT).expect("made of checked parts");
        (changed.text, changed.index)
    }
}

fn push_attr(out: &mut Vec<u8>, opening: &[u8], value: &str) {
    out.extend_from_slice(opening);
    let plain = |b: u8| b >= 0x20 && b != 0xEF && !matches!(b, b'&' | b'<' | b'>' | b'\'' | b'"');
    if value.bytes().all(plain) {
        out.extend_from_slice(value.as_bytes());
    } else {
        let mut escaped = String::with_capacity(value.len() + 16);
        escape_attr(&mut escaped, value);
        out.extend_from_slice(escaped.as_bytes());
    }
    out.push(b'\'');
}
