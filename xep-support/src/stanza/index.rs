//! The index of a stanza: where its attributes and direct children stand in its text, taken in the one walk that also
//! checks it.

use smallvec::SmallVec;

use super::facts::Facts;
use crate::ns;
use crate::xml::check::{Sink, StreamContext, Tag, XmlError, walk};

/// Direct children of a stanza. The index takes several times the bytes of a small child; without a bound few stanzas
/// would fill the queue of whoever they are for. Real ones have less than twenty.
const CHILDREN_MAX: usize = 1024;

/// A part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Stands for no part at all.
    pub(super) const NONE: Self = Self { start: u32::MAX, end: 0 };

    pub(super) fn new(start: usize, end: usize) -> Self {
        // A text of more than 4 GiB is refused before it is walked.
        Self { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
    }

    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    pub(super) fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }

    /// The place of `part`, which must be a slice of `text`.
    fn find(part: &str, text: &str) -> Option<Self> {
        let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        (start + part.len() <= text.len()).then(|| Self::new(start, start + part.len()))
    }
}

/// The namespace of a direct child.
#[derive(Clone, Copy, Debug)]
pub(super) enum ChildNs {
    /// The content namespace, inherited.
    Content,
    /// None: `xmlns=''`.
    None,
    /// That of XML itself.
    Xml,
    /// Declared by the child.
    Written(Span),
}

/// A direct child.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChildSpans {
    pub(super) ns: ChildNs,
    pub(super) name: Span,
    pub(super) raw: Span,
}

/// Where everything stands.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// Values as written, or [`Span::NONE`].
    pub(super) from: Span,
    pub(super) to: Span,
    pub(super) id: Span,
    pub(super) kind: Span,
    pub(super) lang: Span,
    /// All of the root's attributes but `from`, `to` and the default namespace, whole; prefixes first.
    pub(super) attrs: SmallVec<[Span; 3]>,
    pub(super) children: SmallVec<[ChildSpans; 4]>,
    /// Between the root's tags.
    pub(super) inner: Span,
    pub(super) facts: Facts,
}

impl Index {
    /// Of a stanza without attributes whose content nobody needs to know.
    pub(super) fn around(start: usize, end: usize) -> Self {
        Self { inner: Span::new(start, end), facts: Facts::OTHER, ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            from: Span::NONE,
            to: Span::NONE,
            id: Span::NONE,
            kind: Span::NONE,
            lang: Span::NONE,
            attrs: SmallVec::new(),
            children: SmallVec::new(),
            inner: Span::NONE,
            facts: Facts::NONE,
        }
    }
}

/// Whether some kind of stream has this content namespace.
pub(super) fn is_content(ns: &str) -> bool {
    matches!(ns, ns::CLIENT | ns::SERVER | ns::COMPONENT)
}

/// The root of a checked frame.
pub(super) struct Root<'a> {
    pub(super) name: &'a str,
    pub(super) in_content: bool,
    /// The text cannot stand alone with the content namespace as default, or a child could not be cut out of it.
    pub(super) leans: bool,
}

/// Checks a frame and indexes it.
pub(super) fn index<'a>(text: &'a str, cx: &'a StreamContext) -> Result<(Root<'a>, Index), XmlError> {
    let mut indexer = Indexer {
        text,
        content: cx.content_ns(),
        root: Root { name: "", in_content: false, leans: false },
        inner_start: 0,
        child: None,
        index: Index::empty(),
    };
    walk(text, cx, &mut indexer)?;
    if cx.is_limited() && indexer.index.children.len() > CHILDREN_MAX {
        return Err(XmlError::TooManyChildren);
    }
    // Kept as long as the stanza waits somewhere.
    indexer.index.children.shrink_to_fit();
    Ok((indexer.root, indexer.index))
}

struct Indexer<'a> {
    text: &'a str,
    content: &'a str,
    root: Root<'a>,
    inner_start: usize,
    /// Namespace, name and start of the child that is open.
    child: Option<(ChildNs, Span, usize)>,
    index: Index,
}

impl<'a> Indexer<'a> {
    fn root(&mut self, tag: &Tag<'a, '_>) {
        self.root.name = tag.local;
        self.root.in_content = tag.ns.ns == self.content;
        self.root.leans |= !tag.prefix.is_empty();
        for declared in tag.scope.prefixes_declared_at(1) {
            // In a text made here only the root's own attributes need it; from elsewhere a child may.
            self.root.leans = true;
            self.index.attrs.push(Span::new(declared.start, declared.end));
        }
        self.inner_start = tag.end;
        for attr in tag.attrs {
            let value = Span::find(attr.value, self.text).unwrap_or(Span::NONE);
            match (attr.prefix, attr.local) {
                ("", "from") => self.index.from = value,
                ("", "to") => self.index.to = value,
                (prefix, local) => {
                    match (prefix, local) {
                        ("", "id") => self.index.id = value,
                        ("", "type") => self.index.kind = value,
                        ("xml", "lang") => self.index.lang = value,
                        _ => {}
                    }
                    self.index.attrs.push(Span::new(attr.start, attr.end));
                }
            }
        }
    }

    fn child(&mut self, tag: &Tag<'a, '_>) {
        let ns = match tag.ns.ns {
            ns if ns == self.content => {
                // Declared anew by the child it would still be the content namespace of *this* stream in another one.
                self.root.leans |= tag.ns.depth > 1;
                self.index.facts |= Facts::of_content(tag.local);
                ChildNs::Content
            }
            "" => {
                self.index.facts |= Facts::OTHER;
                ChildNs::None
            }
            ns => {
                self.index.facts |= Facts::of(tag.local, ns);
                // Written with references, a name would hide from whoever looks for it; and the content namespace of
                // another stream would become that of the stanza there.
                self.root.leans |= tag.ns.raw != ns || is_content(ns);
                match Span::find(tag.ns.raw, self.text) {
                    Some(span) => ChildNs::Written(span),
                    None if ns == ns::XML => ChildNs::Xml,
                    None => ChildNs::None,
                }
            }
        };
        let name = Span::find(tag.local, self.text).unwrap_or(Span::NONE);
        self.child = Some((ns, name, tag.start));
    }
}

impl<'a> Sink<'a> for Indexer<'a> {
    fn start(&mut self, tag: &Tag<'a, '_>) {
        match tag.depth {
            1 => self.root(tag),
            2 => self.child(tag),
            _ => {}
        }
        // Anything that only the header explains: a prefix of its, or its default namespace when that is another one
        // than the content namespace.
        let from_header = |prefix: &str| {
            !matches!(prefix, "" | "xml") && tag.scope.resolve(prefix).is_some_and(|binding| binding.depth == 0)
        };
        self.root.leans |= from_header(tag.prefix)
            || tag.prefix.is_empty() && tag.ns.depth == 0 && tag.ns.ns != self.content
            || tag.attrs.iter().any(|attr| !attr.prefix.is_empty() && from_header(attr.prefix));
    }

    fn end(&mut self, depth: usize, tag_start: usize, tag_end: usize) {
        if depth == 1 {
            // Without an end tag both are the end of the text, and the inner part is empty.
            self.index.inner = Span::new(self.inner_start, tag_start);
        } else if depth == 2
            && let Some((ns, name, start)) = self.child.take()
        {
            self.index.children.push(ChildSpans { ns, name, raw: Span::new(start, tag_end) });
        }
    }
}
