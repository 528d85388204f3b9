//! Cutting the payloads out of a body while it is checked.

use super::{Body, BodyError};
use crate::ns;
use crate::xml::check::{Sink, Tag};
use crate::xml::writer::unescape_attr;
use crate::xml::{Element, StreamContext};

/// Hears what the walk over a body sees.
pub(super) struct Cutter<'a> {
    text: &'a str,
    payloads_max: usize,
    body: Body,
    /// What payloads may lean on: the prefixes of the wrapper.
    prefixes: Vec<(String, String)>,
    depth: usize,
    /// Where the name of the payload ends, while there is one.
    start: usize,
    name_end: usize,
    /// It inherits its namespace.
    is_bare: bool,
    /// Something in it is named by a prefix, or has a default namespace, that only the wrapper declares.
    leans: bool,
    failed: Option<BodyError>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(text: &'a str, payloads_max: usize) -> Self {
        Self {
            text,
            payloads_max,
            body: Body::default(),
            prefixes: Vec::new(),
            depth: 0,
            start: 0,
            name_end: 0,
            is_bare: false,
            leans: false,
            failed: None,
        }
    }

    /// After the walk.
    pub(super) fn finish(self) -> Result<Body, BodyError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.body.rid == 0 => Err(BodyError::Malformed),
            None => Ok(self.body),
        }
    }

    fn fail(&mut self, error: BodyError) {
        self.failed.get_or_insert(error);
    }

    fn wrapper(&mut self, tag: &Tag<'a, '_>) {
        if tag.local != "body" || tag.ns.ns != ns::BOSH {
            return self.fail(BodyError::Malformed);
        }
        for attr in tag.attrs {
            let ns = match attr.prefix {
                "" => "",
                prefix => tag.scope.resolve(prefix).map_or("", |found| found.ns),
            };
            if let Err(error) = self.body.set(ns, attr.local, &unescape_attr(attr.value)) {
                self.fail(error);
            }
        }
        for declared in tag.scope.prefixes_declared_at(1) {
            let ns = tag.scope.resolve(declared.prefix).map_or("", |found| found.ns);
            self.prefixes.push((declared.prefix.to_owned(), ns.to_owned()));
        }
    }

    fn payload_begins(&mut self, tag: &Tag<'a, '_>) {
        let prefix = if tag.prefix.is_empty() { 0 } else { tag.prefix.len() + 1 };
        (self.start, self.name_end) = (tag.start, tag.start + 1 + prefix + tag.local.len());
        (self.is_bare, self.leans) = (tag.prefix.is_empty() && tag.ns.depth < 2, false);
        self.body.payloads += 1;
        if self.body.payloads > self.payloads_max {
            self.fail(BodyError::Limit);
        }
    }

    /// Does this tag need something of the wrapper?
    fn tag_leans(&self, tag: &Tag<'a, '_>) -> bool {
        let from_wrapper = match tag.prefix {
            "" => !self.is_bare && tag.ns.depth < 2,
            "xml" => false,
            _ => tag.ns.depth == 1,
        };
        let attr_leans = |prefix: &str| {
            !matches!(prefix, "" | "xml") && tag.scope.resolve(prefix).is_some_and(|found| found.depth == 1)
        };
        from_wrapper || tag.attrs.iter().any(|attr| attr_leans(attr.prefix))
    }

    /// A payload without a namespace of its own is one of `jabber:client`: many clients take over stanzas as they are
    /// (XEP-0206 §2).
    fn payload_ends(&mut self, end: usize) {
        let raw = &self.text[self.start..end];
        if self.leans {
            let client = StreamContext::client();
            let context = self.prefixes.iter().fold(client, |context, (prefix, ns)| context.with_prefix(prefix, ns));
            match Element::parse_in(raw, &context) {
                Ok(element) => element.write(&mut self.body.payload, ""),
                Err(error) => self.fail(error.into()),
            }
        } else if self.is_bare {
            let (name, rest) = raw.split_at(self.name_end - self.start);
            let parts = [name, " xmlns='", ns::CLIENT, "'", rest];
            self.body.payload.extend(parts);
        } else {
            self.body.payload.push_str(raw);
        }
    }
}

impl<'a> Sink<'a> for Cutter<'a> {
    fn start(&mut self, tag: &Tag<'a, '_>) {
        self.depth = tag.depth;
        match tag.depth {
            _ if self.failed.is_some() => return,
            1 => return self.wrapper(tag),
            2 => self.payload_begins(tag),
            _ => {}
        }
        self.leans |= self.tag_leans(tag);
    }

    fn end(&mut self, depth: usize, _tag_start: usize, tag_end: usize) {
        self.depth = depth - 1;
        if depth == 2 && self.failed.is_none() {
            self.payload_ends(tag_end);
        }
    }

    /// §6: between the payloads there is nothing but white space.
    fn text(&mut self, raw: &'a str) {
        if self.depth == 1 && !raw.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            self.fail(BodyError::Malformed);
        }
    }

    fn reference(&mut self, _c: char) {
        if self.depth == 1 {
            self.fail(BodyError::Malformed);
        }
    }
}
