//! The namespace declarations in force at one place of an element (Namespaces in XML §6).

use std::borrow::Cow;

use smallvec::SmallVec;

use super::check::{StreamContext, XmlError};
use crate::ns;

/// Namespace declarations in force at one place, beside those of the stream header: resolving a prefix is a search
/// through them. What people send has less than ten.
pub(super) const BINDINGS_MAX: usize = 64;

/// Bytes of one namespace name. Those in use have less than a hundred.
pub(super) const NAMESPACE_BYTES_MAX: usize = 1024;

/// A prefix (empty: the default namespace) and what it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Binding<'a> {
    pub(crate) prefix: &'a str,
    /// Owned if it was written with references.
    pub(super) ns: Cow<'a, str>,
    pub(super) raw: &'a str,
    pub(super) depth: usize,
    /// Where the declaration stands in the frame.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a prefix means at some place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolved<'a, 's> {
    pub(crate) ns: &'s str,
    /// As written in the declaration.
    pub(crate) raw: &'a str,
    /// Depth of the declaring element; 0: the stream header, or built in.
    pub(crate) depth: usize,
}

/// The namespace declarations in force.
pub(crate) struct Scope<'a> {
    cx: &'a StreamContext,
    bindings: SmallVec<[Binding<'a>; 6]>,
}

impl<'a> Scope<'a> {
    /// Those of the stream header.
    pub(super) fn new(cx: &'a StreamContext) -> Self {
        Self { cx, bindings: SmallVec::new() }
    }

    /// What a prefix means here.
    pub(crate) fn resolve(&self, prefix: &str) -> Option<Resolved<'a, '_>> {
        if let Some(found) = self.bindings.iter().rev().find(|b| same_prefix(b.prefix, prefix)) {
            return Some(Resolved { ns: &found.ns, raw: found.raw, depth: found.depth });
        }
        let built_in = |ns: &'a str| Some(Resolved { ns, raw: ns, depth: 0 });
        match prefix {
            "" => built_in(&self.cx.default),
            "xml" => built_in(ns::XML),
            _ => self.cx.prefixes.iter().find(|(p, _)| **p == *prefix).and_then(|(_, ns)| built_in(ns)),
        }
    }

    /// The prefixes which the element at this depth declares.
    pub(crate) fn prefixes_declared_at(&self, depth: usize) -> impl Iterator<Item = &Binding<'a>> {
        self.bindings.iter().filter(move |b| b.depth == depth && !b.prefix.is_empty())
    }

    pub(super) fn declare(&mut self, declared: Binding<'a>) -> Result<(), XmlError> {
        let (prefix, value) = (declared.prefix, &*declared.ns);
        // Namespaces in XML §3, "Reserved Prefixes and Namespace Names"; §2.2 and §5: a prefix cannot be undeclared.
        let allowed = match prefix {
            "xml" => value == ns::XML,
            "xmlns" => false,
            _ => value != ns::XML && value != ns::XMLNS && (prefix.is_empty() || !value.is_empty()),
        };
        let twice =
            self.bindings.iter().rev().take_while(|b| b.depth == declared.depth).any(|b| same_prefix(b.prefix, prefix));
        if !allowed || twice {
            return Err(XmlError::NotWellFormed);
        }
        if self.cx.limited && value.len() > NAMESPACE_BYTES_MAX {
            return Err(XmlError::NamespaceTooLong);
        }
        if self.cx.limited && self.bindings.len() >= BINDINGS_MAX {
            return Err(XmlError::TooManyNamespaces);
        }
        self.bindings.push(declared);
        Ok(())
    }

    pub(super) fn leave(&mut self, depth: usize) {
        while self.bindings.last().is_some_and(|b| b.depth >= depth) {
            self.bindings.pop();
        }
    }
}

/// Most prefixes are empty, and comparing two empty strings by `memcmp` is slow where its masked load touches the
/// dangling pointer of one (AVX-512: a microcode assist of some 50 ns).
fn same_prefix(a: &str, b: &str) -> bool {
    a.len() == b.len() && (a.is_empty() || a == b)
}
