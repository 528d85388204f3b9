//! The XML stream around the stanzas (RFC 6120 §4): its header, its errors, its end.
//!
//! A header comes from a stranger: it passes the same checks as every element ([`crate::xml::check`]), and what is kept
//! of it is only text. Whose domain `to` names and who may be `from` is decided elsewhere.

pub mod error;

pub use error::{StreamCondition, StreamError};

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::ns;
use crate::xml::check::{Sink, Tag, walk};
use crate::xml::writer::{escape_attr, unescape_attr};
use crate::xml::{Element, StreamContext};

/// What ends our side of a stream (RFC 6120 §4.4).
pub const CLOSE: &str = "</stream:stream>";

/// The same where each element stands alone (RFC 7395 §3.6). COMPAT: written as Strophe expects it, byte by byte.
pub const FRAMED_CLOSE: &str = "<close xmlns=\"urn:ietf:params:xml:ns:xmpp-framing\" />";

/// The longest language tag we keep: it is copied onto stanzas (BCP 47 §4.4.1 asks for 35).
const LANG_BYTES_MAX: usize = 35;

/// Stands for an undeclared prefix of the stream element while it is checked. No URI: nobody can declare it.
const UNBOUND: &str = "\u{FFFE}";

/// The namespaces of stanzas (RFC 6120 §4.8.2, XEP-0114).
const CONTENT: [&str; 3] = [ns::CLIENT, ns::SERVER, ns::COMPONENT];

/// What the start tag of a stream says. Addresses are as the peer wrote them, not yet JIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamHeader {
    /// The domain the peer wants to talk to (§4.7.2).
    pub to: Option<String>,
    /// Who the peer says it is (§4.7.1).
    pub from: Option<String>,
    /// The stream's id, which only the receiving side gives (§4.7.3).
    pub id: Option<String>,
    /// Version of XMPP, major and minor; 0.0 if there was none (§4.7.5).
    pub version: (u16, u16),
    /// The default language of stanzas (§4.7.4); none if it is no language tag.
    pub lang: Option<String>,
    /// The default namespace, empty if none was declared.
    pub default_ns: String,
    /// Every declared prefix and its namespace.
    pub prefixes: Vec<(String, String)>,
}

impl StreamHeader {
    /// Reads one complete start tag, perhaps with an XML declaration before it.
    pub fn parse(text: &str) -> Result<Self, StreamCondition> {
        let tag = skip_declaration(text)?;
        let name_end = tag.find(['>', '/', ' ', '\t', '\r', '\n']).ok_or(StreamCondition::NotWellFormed)?;
        let name = tag[..name_end].strip_prefix('<').ok_or(StreamCondition::NotWellFormed)?;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        // Closed at once, a start tag is a complete element.
        let element = match tag.strip_suffix('>') {
            Some(open) if !open.ends_with('/') => [open, "/>"].concat(),
            _ => return Err(StreamCondition::NotWellFormed),
        };
        let mut context = StreamContext::new("");
        if !prefix.is_empty() && !matches!(prefix, "xml" | "xmlns") {
            context = context.with_prefix(prefix, UNBOUND);
        }
        walk(&element, &context, &mut Ignore)?;
        let header = Self::read(&element)?;
        header.check_root(prefix, local)?;
        Ok(header)
    }

    /// Reads the `<open/>` that stands for a header where each element stands alone (RFC 7395 §3.4). What follows inherits
    /// nothing from it.
    pub fn from_open(open: &Element) -> Result<Self, StreamCondition> {
        match (open.name(), open.ns()) {
            ("open", ns::FRAMING) if open.nodes().is_empty() => {}
            ("open", other) if other != ns::FRAMING => return Err(StreamCondition::InvalidNamespace),
            _ => return Err(StreamCondition::BadFormat),
        }
        let text = |name| open.get_attr(name).map(str::to_owned);
        let version = open.get_attr("version").map(|v| version(v).ok_or(StreamCondition::UnsupportedVersion));
        Ok(Self {
            to: text("to"),
            from: text("from"),
            id: text("id"),
            version: version.transpose()?.unwrap_or_default(),
            lang: text("xml:lang").filter(|tag| is_language_tag(tag)),
            ..Self::default()
        })
    }

    /// Collects the attributes of a checked element.
    fn read(element: &str) -> Result<Self, StreamCondition> {
        let mut reader = Reader::from_str(element);
        let Ok(Event::Empty(tag)) = reader.read_event() else {
            return Err(StreamCondition::NotWellFormed);
        };
        let mut header = Self::default();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| StreamCondition::NotWellFormed)?;
            let value = unescape_attr(&attribute.value).into_owned();
            match attribute.key.as_ref() {
                "to" => header.to = Some(value),
                "from" => header.from = Some(value),
                "id" => header.id = Some(value),
                "version" => header.version = version(&value).ok_or(StreamCondition::UnsupportedVersion)?,
                "xml:lang" => header.lang = Some(value).filter(|tag| is_language_tag(tag)),
                "xmlns" => header.default_ns = value,
                key => {
                    if let Some(prefix) = key.strip_prefix("xmlns:") {
                        header.prefixes.push((prefix.to_owned(), value));
                    }
                }
            }
        }
        Ok(header)
    }

    /// Whether the root is `stream` in the stream namespace, with the prefix `stream` or none (§4.8.5, §4.9.3.2).
    fn check_root(&self, prefix: &str, local: &str) -> Result<(), StreamCondition> {
        let ns = if prefix.is_empty() { Some(&*self.default_ns) } else { self.namespace_of(prefix) };
        let declares_stream = self.prefixes.iter().any(|(_, ns)| ns == ns::STREAM);
        match ns {
            None => Err(StreamCondition::BadNamespacePrefix),
            Some(ns::STREAM) if !matches!(prefix, "" | "stream") => Err(StreamCondition::BadNamespacePrefix),
            Some(ns::STREAM) if local == "stream" => Ok(()),
            Some(ns::STREAM) => Err(StreamCondition::BadFormat),
            Some(_) if prefix.is_empty() && declares_stream => Err(StreamCondition::BadNamespacePrefix),
            Some(_) => Err(StreamCondition::InvalidNamespace),
        }
    }

    fn namespace_of(&self, prefix: &str) -> Option<&str> {
        self.prefixes.iter().find(|(p, _)| p == prefix).map(|(_, ns)| &**ns)
    }

    /// The namespace of the stanzas to come (§4.8.2). `None` if the header leaves it to the stanzas, which it may when
    /// the stream namespace is the default one (§4.8.5), or names none of XMPP's.
    pub fn content_ns(&self) -> Option<&'static str> {
        let known = |ns: &str| CONTENT.into_iter().find(|content| *content == ns);
        known(&self.default_ns).or_else(|| self.prefixes.iter().find_map(|(_, ns)| known(ns)))
    }

    /// What the elements of this stream inherit, provided that it carries this content and speaks XMPP 1.0 or later:
    /// invalid-namespace (§4.9.3.10) or unsupported-version (§4.9.3.25) otherwise.
    pub fn context(&self, content: &'static str) -> Result<StreamContext, StreamCondition> {
        let left_open = self.content_ns().is_none() && self.default_ns == ns::STREAM;
        if !left_open && self.content_ns() != Some(content) {
            return Err(StreamCondition::InvalidNamespace);
        }
        if self.version < (1, 0) {
            return Err(StreamCondition::UnsupportedVersion);
        }
        let context = StreamContext::new(content).with_default_ns(self.default_ns.clone());
        Ok(self.prefixes.iter().fold(context, |context, (prefix, ns)| context.with_prefix(prefix, ns)))
    }
}

/// Hears nothing: the walk is made for its checks.
struct Ignore;

impl<'a> Sink<'a> for Ignore {
    fn start(&mut self, _: &Tag<'a, '_>) {}
    fn end(&mut self, _: usize, _: usize, _: usize) {}
}

/// What follows the XML declaration (XML 1.0 §2.8), which must say UTF-8 if it says anything (RFC 6120 §11.6).
pub fn skip_declaration(text: &str) -> Result<&str, StreamCondition> {
    let Some(rest) = text.strip_prefix("<?xml") else {
        return Ok(text);
    };
    let (declaration, tag) = rest.split_once("?>").ok_or(StreamCondition::NotWellFormed)?;
    let mut rest = declaration;
    // Each may come once and in this order only; the first must.
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    let mut first = true;
    while !blank_trimmed(rest).is_empty() {
        let (name, value, after) = pseudo_attribute(rest).ok_or(StreamCondition::NotWellFormed)?;
        if (first && name != "version") || !expected.any(|e| e == name) {
            return Err(StreamCondition::NotWellFormed);
        }
        first = false;
        let good = match name {
            // XML 1.0 §2.8: a processor of 1.0 reads every 1.x.
            "version" => value.strip_prefix("1.").is_some_and(is_digits),
            "encoding" if value.eq_ignore_ascii_case("utf-8") => true,
            "encoding" => return Err(StreamCondition::UnsupportedEncoding),
            _ => matches!(value, "yes" | "no"),
        };
        if !good {
            return Err(StreamCondition::NotWellFormed);
        }
        rest = after;
    }
    if first { Err(StreamCondition::NotWellFormed) } else { Ok(blank_trimmed(tag)) }
}

/// Name and value at the start of `text`, after at least one blank, and what follows.
fn pseudo_attribute(text: &str) -> Option<(&str, &str, &str)> {
    let trimmed = blank_trimmed(text);
    if trimmed.len() == text.len() {
        return None;
    }
    let (name, rest) = trimmed.split_once('=')?;
    let rest = blank_trimmed(rest);
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (value, rest) = rest[1..].split_once(quote)?;
    Some((name.trim_end_matches(BLANKS), value, rest))
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

fn blank_trimmed(text: &str) -> &str {
    text.trim_start_matches(BLANKS)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `major.minor`, two numbers, leading zeros ignored (RFC 6120 §4.7.5).
fn version(text: &str) -> Option<(u16, u16)> {
    let (major, minor) = text.split_once('.')?;
    // `parse` would take a sign.
    let number = |digits: &str| if is_digits(digits) { digits.parse().ok() } else { None };
    Some((number(major)?, number(minor)?))
}

/// The outward form of a language tag (BCP 47): letters, digits and hyphens.
fn is_language_tag(text: &str) -> bool {
    (1..=LANG_BYTES_MAX).contains(&text.len())
        && text.split('-').all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The header of our side of a stream: what answers a peer's header (RFC 6120 §4.7).
#[derive(Clone, Copy, Debug)]
pub struct ResponseHeader<'a> {
    /// [`ns::CLIENT`], [`ns::SERVER`] or [`ns::COMPONENT`].
    pub content_ns: &'a str,
    /// The stream's id: unique, and not to be guessed (§4.7.3).
    pub id: &'a str,
    /// The domain that answers (§4.7.1).
    pub from: Option<&'a str>,
    /// Whom it answers, if the peer said who it is (§4.7.2).
    pub to: Option<&'a str>,
    /// The language of our texts (§4.7.4).
    pub lang: Option<&'a str>,
}

impl ResponseHeader<'_> {
    /// Appends the XML declaration and the start tag, version 1.0.
    pub fn write(&self, out: &mut String) {
        out.push_str("<?xml version='1.0'?><stream:stream xmlns='");
        escape_attr(out, self.content_ns);
        out.push_str("' xmlns:stream='");
        out.push_str(ns::STREAM);
        self.write_attributes(out);
        out.push_str("' version='1.0'>");
    }

    /// Appends the `<open/>` that stands for it where each element stands alone (RFC 7395 §3.4).
    pub fn write_open(&self, out: &mut String) {
        out.push_str("<open xmlns='");
        out.push_str(ns::FRAMING);
        self.write_attributes(out);
        out.push_str("' version='1.0'/>");
    }

    fn write_attributes(&self, out: &mut String) {
        out.push_str("' id='");
        escape_attr(out, self.id);
        for (name, value) in [("from", self.from), ("to", self.to), ("xml:lang", self.lang)] {
            if let Some(value) = value {
                out.push_str("' ");
                out.push_str(name);
                out.push_str("='");
                escape_attr(out, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
