//! Proof that one complete element is what XMPP allows (RFC 6120 §11, XML 1.0, Namespaces in XML).
//!
//! One walk with quick-xml's reader, which finds the tags and matches end tags to start tags; everything it lets pass
//! is checked here: characters, names, references, attribute syntax, duplicates, namespaces, limits. What was accepted
//! here may be copied into somebody else's stream as far as it binds its own prefixes. A [`Sink`] hears what the walk
//! sees, so that the stanza index and the tree rest on the same checks.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};
use quick_xml::{Reader, events::Event};
use smallvec::SmallVec;

use super::names::{all_xml_chars, is_ncname, resolve_reference, split_qname};
pub(crate) use super::scope::{Binding, Resolved, Scope};
use super::writer::unescape_attr;
use crate::ns;
use crate::stream::StreamCondition;

/// Levels a received element may have at most; what recurses over a tree is bounded by it.
const DEPTH_MAX: usize = 128;

/// How often its own length an element may have as printed. A tree is printed without prefixes, so a namespace that was
/// declared once is written out at every place that uses it: that must not turn a frame into a bomb. Real payloads
/// stay below twice their length.
const PRINTED_FACTOR_MAX: usize = 4;

/// Bytes by which an element may exceed that: small ones with long namespaces are harmless.
const PRINTED_SLACK_BYTES: usize = 4 * 1024;

/// Why an element cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed or not namespace-well-formed XML in UTF-8 (RFC 6120 §4.9.3.13, §11.3, §11.6).
    #[error("not well-formed")]
    NotWellFormed,
    /// A comment, processing instruction, DTD or entity other than the five (RFC 6120 §4.9.3.18, §11.1).
    #[error("comment, DTD, processing instruction or entity")]
    RestrictedXml,
    /// Nested deeper than allowed: policy-violation.
    #[error("elements nested too deeply")]
    TooDeep,
    /// An element with more attributes than allowed: policy-violation.
    #[error("too many attributes")]
    TooManyAttributes,
    /// More namespace declarations in force at one place than allowed: policy-violation.
    #[error("too many namespace declarations")]
    TooManyNamespaces,
    /// A namespace name longer than allowed: policy-violation.
    #[error("namespace name too long")]
    NamespaceTooLong,
    /// A first-level element with more children than allowed: policy-violation.
    #[error("too many children")]
    TooManyChildren,
    /// The element is much larger than its text once its prefixes are written out: policy-violation.
    #[error("much larger without its prefixes")]
    TooLarge,
}

impl From<XmlError> for StreamCondition {
    fn from(error: XmlError) -> Self {
        match error {
            XmlError::NotWellFormed => Self::NotWellFormed,
            XmlError::RestrictedXml => Self::RestrictedXml,
            XmlError::TooDeep
            | XmlError::TooManyAttributes
            | XmlError::TooManyNamespaces
            | XmlError::NamespaceTooLong
            | XmlError::TooManyChildren
            | XmlError::TooLarge => Self::PolicyViolation,
        }
    }
}

/// What the elements of a stream inherit from its header, and the limits they must keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamContext {
    content: Cow<'static, str>,
    pub(super) default: Cow<'static, str>,
    pub(super) prefixes: Vec<(Box<str>, Box<str>)>,
    depth_max: usize,
    attributes_max: usize,
    /// Whether the limits on namespaces and on the printed size hold: not for what passed them before, as the same
    /// content may need more of them once it is printed anew.
    pub(super) limited: bool,
}

impl StreamContext {
    /// A stream with this content namespace (RFC 6120 §4.8.2), which is also its default namespace.
    pub fn new(content_ns: impl Into<Cow<'static, str>>) -> Self {
        let content = content_ns.into();
        Self {
            default: content.clone(),
            content,
            prefixes: Vec::new(),
            depth_max: 64,
            attributes_max: 64,
            limited: true,
        }
    }

    /// A client-to-server stream.
    #[must_use]
    pub fn client() -> Self {
        Self::new(ns::CLIENT)
    }

    /// A server-to-server stream.
    #[must_use]
    pub fn server() -> Self {
        Self::new(ns::SERVER)
    }

    /// What this server has accepted or made, printed and stored itself, in `jabber:client`: it must be readable again
    /// whatever the limits were then.
    #[must_use]
    pub fn stored() -> Self {
        Self { depth_max: DEPTH_MAX, ..Self::trusted(ns::CLIENT) }
    }

    /// The header's default namespace, if it is not the content namespace (the other style of RFC 6120 §4.8.5).
    #[must_use]
    pub fn with_default_ns(mut self, ns: impl Into<Cow<'static, str>>) -> Self {
        self.default = ns.into();
        self
    }

    /// A prefix the header declared.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str, ns: &str) -> Self {
        self.prefixes.push((prefix.into(), ns.into()));
        self
    }

    /// Other limits than 64 levels and 64 attributes. There are never more than 128 levels, for what recurses over a
    /// tree.
    #[must_use]
    pub fn with_limits(mut self, depth_max: usize, attributes_max: usize) -> Self {
        (self.depth_max, self.attributes_max) = (depth_max.min(DEPTH_MAX), attributes_max);
        self
    }

    /// For what was checked before or made here.
    pub(crate) fn trusted(content_ns: impl Into<Cow<'static, str>>) -> Self {
        Self { depth_max: usize::MAX, attributes_max: usize::MAX, limited: false, ..Self::new(content_ns) }
    }

    /// The same limits for what leans on nothing but the content namespace.
    pub(crate) fn standing_alone(&self) -> Self {
        Self { default: self.content.clone(), prefixes: Vec::new(), ..self.clone() }
    }

    /// Whether every limit holds: the element comes from a stranger.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited
    }

    /// Bytes that an element of this many bytes may have when it is printed anew.
    pub(crate) fn printed_bytes_max(&self, bytes: usize) -> usize {
        if self.limited {
            bytes.saturating_mul(PRINTED_FACTOR_MAX).saturating_add(PRINTED_SLACK_BYTES)
        } else {
            usize::MAX
        }
    }

    /// The content namespace.
    #[must_use]
    pub fn content_ns(&self) -> &str {
        &self.content
    }
}

/// An attribute that declares no namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attr<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) local: &'a str,
    /// As written, without the quotes.
    pub(crate) value: &'a str,
    /// Where `name='value'` stands.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A start tag.
pub(crate) struct Tag<'a, 's> {
    pub(crate) prefix: &'a str,
    pub(crate) local: &'a str,
    /// The namespace of the element.
    pub(crate) ns: Resolved<'a, 's>,
    pub(crate) attrs: &'s [Attr<'a>],
    pub(crate) scope: &'s Scope<'a>,
    /// 1 for the root.
    pub(crate) depth: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Hears what a walk sees. An error found later may follow.
pub(crate) trait Sink<'a> {
    /// A start tag, or an element that is only that.
    fn start(&mut self, tag: &Tag<'a, '_>);
    /// The end of an element; for one without an end tag both positions are the end of its only tag.
    fn end(&mut self, depth: usize, tag_start: usize, tag_end: usize);
    /// Character data without references, line ends as written.
    fn text(&mut self, _raw: &'a str) {}
    /// A resolved reference.
    fn reference(&mut self, _c: char) {}
}

/// Walks one complete element that begins with the first byte of `frame` and ends with its last.
pub(crate) fn walk<'a>(frame: &'a str, cx: &'a StreamContext, sink: &mut impl Sink<'a>) -> Result<(), XmlError> {
    Walker::new(frame, cx).run(sink)
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).expect("a position in a slice")
}

struct Walker<'a> {
    frame: &'a str,
    cx: &'a StreamContext,
    scope: Scope<'a>,
    attrs: SmallVec<[Attr<'a>; 8]>,
    depth: usize,
    /// For each open element the prefix of the namespace that its children inherit when it is printed.
    open: SmallVec<[&'a str; 8]>,
    /// Bytes of declarations that stand in the frame once and in print at every use.
    repeated: usize,
    repeated_max: usize,
}

impl<'a> Walker<'a> {
    fn new(frame: &'a str, cx: &'a StreamContext) -> Self {
        Self {
            frame,
            cx,
            scope: Scope::new(cx),
            attrs: SmallVec::new(),
            depth: 0,
            open: SmallVec::new(),
            repeated: 0,
            repeated_max: cx.printed_bytes_max(frame.len()),
        }
    }

    fn run(&mut self, sink: &mut impl Sink<'a>) -> Result<(), XmlError> {
        let frame = self.frame;
        // The reader would skip a U+FEFF and take text outside of the element.
        if !frame.starts_with('<') || !all_xml_chars(frame) {
            return Err(XmlError::NotWellFormed);
        }
        let mut reader = Reader::from_str(frame);
        loop {
            let start = position(&reader);
            let event = reader.read_event().map_err(|_| XmlError::NotWellFormed)?;
            let end = position(&reader);
            if self.depth == 0 && !matches!(event, Event::Start(_) | Event::Empty(_)) {
                // Nothing stands before the root.
                return Err(match event {
                    Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => XmlError::RestrictedXml,
                    _ => XmlError::NotWellFormed,
                });
            }
            match event {
                Event::Start(tag) => self.start(tag.name().as_ref().len(), start, end, 1, sink)?,
                Event::Empty(tag) => {
                    self.start(tag.name().as_ref().len(), start, end, 2, sink)?;
                    self.end(end, end, sink);
                }
                Event::End(_) => self.end(start, end, sink),
                Event::Text(text) => {
                    let raw = &frame[start..start + text.len()];
                    if memchr_iter(b'>', raw.as_bytes()).any(|i| raw[..i].ends_with("]]")) {
                        return Err(XmlError::NotWellFormed);
                    }
                    sink.text(raw);
                }
                Event::CData(text) => {
                    let content = start + "<![CDATA[".len();
                    sink.text(&frame[content..content + text.len()]);
                }
                Event::GeneralRef(reference) => {
                    sink.reference(resolve_reference(&reference).ok_or_else(|| bad_reference(&reference))?);
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                    return Err(XmlError::RestrictedXml);
                }
                Event::Eof => return Err(XmlError::NotWellFormed),
            }
            if self.depth == 0 {
                // The root is complete: it must be all there was.
                return if end == frame.len() { Ok(()) } else { Err(XmlError::NotWellFormed) };
            }
        }
    }

    /// A start tag from `<` at `start` to `end`, which closes with this many bytes (`>` or `/>`).
    fn start(
        &mut self,
        name_len: usize,
        start: usize,
        end: usize,
        closing: usize,
        sink: &mut impl Sink<'a>,
    ) -> Result<(), XmlError> {
        self.depth += 1;
        if self.depth > self.cx.depth_max {
            return Err(XmlError::TooDeep);
        }
        let name_end = start + 1 + name_len;
        let (prefix, local) = split_qname(&self.frame[start + 1..name_end]).ok_or(XmlError::NotWellFormed)?;
        self.attrs.clear();
        if name_end < end - closing {
            self.attributes(name_end, end - closing)?;
        }
        let ns = self.scope.resolve(prefix).ok_or(XmlError::NotWellFormed)?;
        if prefix == "xmlns" {
            return Err(XmlError::NotWellFormed);
        }
        let inherited = self.open.last().copied().unwrap_or_default();
        self.repeated += self.attributes_differ()?;
        if prefix.is_empty() && inherited.is_empty() {
            self.open.push("");
        } else {
            self.repeated += self.repeats(prefix, inherited, ns);
            self.open.push(if prefix == "xml" { inherited } else { prefix });
        }
        if self.repeated > self.repeated_max {
            return Err(XmlError::TooLarge);
        }
        sink.start(&Tag { prefix, local, ns, attrs: &self.attrs, scope: &self.scope, depth: self.depth, start, end });
        Ok(())
    }

    fn end(&mut self, tag_start: usize, tag_end: usize, sink: &mut impl Sink<'a>) {
        sink.end(self.depth, tag_start, tag_end);
        self.scope.leave(self.depth);
        self.open.pop();
        self.depth -= 1;
    }

    /// Reads the attributes in `frame[at..end]` (XML 1.0 §3.1: each is preceded by white space).
    fn attributes(&mut self, mut at: usize, end: usize) -> Result<(), XmlError> {
        let bytes = &self.frame.as_bytes()[..end];
        let skip_blank = |at: usize| at + bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let mut count = 0;
        loop {
            let start = skip_blank(at);
            if start == end {
                return Ok(());
            }
            let equals = start + memchr(b'=', &bytes[start..]).ok_or(XmlError::NotWellFormed)?;
            let name = self.frame[start..equals].trim_ascii_end();
            let open = skip_blank(equals + 1);
            let quote = *bytes.get(open).ok_or(XmlError::NotWellFormed)?;
            if start == at || !matches!(quote, b'\'' | b'"') {
                return Err(XmlError::NotWellFormed);
            }
            let close = open + 1 + memchr(quote, &bytes[open + 1..]).ok_or(XmlError::NotWellFormed)?;
            let value = &self.frame[open + 1..close];
            check_value(value)?;
            at = close + 1;

            count += 1;
            if count > self.cx.attributes_max {
                return Err(XmlError::TooManyAttributes);
            }
            let (prefix, local) = split_qname(name).ok_or(XmlError::NotWellFormed)?;
            let declared = match (prefix, local) {
                ("", "xmlns") => Some(""),
                ("xmlns", prefix) => Some(prefix),
                _ => None,
            };
            match declared {
                Some(prefix) => {
                    let ns = unescape_attr(value);
                    self.scope.declare(Binding { prefix, ns, raw: value, depth: self.depth, start, end: at })?;
                }
                None => self.attrs.push(Attr { prefix, local, value, start, end: at }),
            }
        }
    }

    /// Namespaces in XML §6.3: no two attributes of one name, nor of one local name in one namespace. The bytes of
    /// declarations that this element repeats in print for its attributes.
    #[inline]
    fn attributes_differ(&self) -> Result<usize, XmlError> {
        let mut prefixed = false;
        for (i, a) in self.attrs.iter().enumerate() {
            if !a.prefix.is_empty() {
                prefixed = true;
            } else if self.attrs[..i].iter().any(|b| b.prefix.is_empty() && b.local == a.local) {
                return Err(XmlError::NotWellFormed);
            }
        }
        if prefixed { self.prefixed_attributes_differ() } else { Ok(0) }
    }

    fn prefixed_attributes_differ(&self) -> Result<usize, XmlError> {
        let mut repeated = 0;
        // Each prefix is resolved once: a pair costs a comparison, not a search through the scope.
        let mut seen: SmallVec<[(&Attr<'a>, &str); 4]> = SmallVec::new();
        for a in self.attrs.iter().filter(|a| !a.prefix.is_empty()) {
            let ns = match seen.iter().find(|(b, _)| b.prefix == a.prefix) {
                Some((_, ns)) => ns,
                None => {
                    let found = self.scope.resolve(a.prefix).ok_or(XmlError::NotWellFormed)?;
                    if found.depth != self.depth && a.prefix != "xml" {
                        repeated += a.prefix.len() + declaration_bytes(found.ns);
                    }
                    found.ns
                }
            };
            if seen.iter().any(|(b, other)| b.local == a.local && (b.prefix == a.prefix || *other == ns)) {
                return Err(XmlError::NotWellFormed);
            }
            seen.push((a, ns));
        }
        Ok(repeated)
    }

    /// The bytes of the declaration that an element needs in print and does not have in the frame, because it uses a
    /// prefix or is inside of an element that does.
    fn repeats(&self, prefix: &str, inherited: &str, ns: Resolved<'_, '_>) -> usize {
        if prefix == "xml" || ns.depth == self.depth {
            return 0;
        }
        let same = self.scope.resolve(inherited).is_some_and(|inherited| inherited.ns == ns.ns);
        if same { 0 } else { declaration_bytes(ns.ns) }
    }
}

/// What ` xmlns='…'` takes at most.
fn declaration_bytes(ns: &str) -> usize {
    let escaped = ns.bytes().filter(|b| matches!(b, b'&' | b'<' | b'>' | b'\'' | b'"' | b'\t' | b'\n' | b'\r')).count();
    " xmlns=''".len() + ns.len() + escaped * ("&quot;".len() - 1)
}

/// An attribute value: no `<`, and only references that mean something.
fn check_value(value: &str) -> Result<(), XmlError> {
    let bytes = value.as_bytes();
    // Values are short: one plain loop beats two searches.
    if !bytes.iter().any(|b| matches!(b, b'<' | b'&')) {
        return Ok(());
    }
    if memchr(b'<', bytes).is_some() {
        return Err(XmlError::NotWellFormed);
    }
    for at in memchr_iter(b'&', bytes) {
        let rest = &value[at + 1..];
        let (name, _) = rest.split_once(';').ok_or(XmlError::NotWellFormed)?;
        resolve_reference(name).ok_or_else(|| bad_reference(name))?;
    }
    Ok(())
}

/// An entity of the peer's own is forbidden (RFC 6120 §11.1); anything else behind `&` is no XML at all.
fn bad_reference(name: &str) -> XmlError {
    if is_ncname(name) { XmlError::RestrictedXml } else { XmlError::NotWellFormed }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
