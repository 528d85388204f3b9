//! A small owned tree for payloads that are read or made here. Stanzas that only pass through never become one.
//!
//! Names are resolved: an element knows its namespace, not the prefix it was written with. It is printed without
//! prefixes, and prefixes of attributes are declared on the very element that uses them, so that every subtree stands
//! alone given the namespace it inherits.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use super::check::{Sink, StreamContext, Tag, XmlError, walk};
use super::names::is_ncname;
use super::writer::{escape_attr, escape_text, normalize_line_ends, push_attr, unescape_attr};
use crate::ns;

/// An element with resolved names. See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: Cow<'static, str>,
    ns: Ns,
    attrs: Vec<Attr>,
    nodes: Vec<Node>,
}

/// The name of a namespace. Elements read from one text share it: a long name that a thousand children inherit is kept
/// once.
#[derive(Clone, Debug)]
enum Ns {
    Known(&'static str),
    Shared(Arc<str>),
}

impl Deref for Ns {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Known(ns) => ns,
            Self::Shared(ns) => ns,
        }
    }
}

impl From<Cow<'static, str>> for Ns {
    fn from(ns: Cow<'static, str>) -> Self {
        match ns {
            Cow::Borrowed(ns) => Self::Known(ns),
            Cow::Owned(ns) => Self::Shared(ns.into()),
        }
    }
}

impl From<&str> for Ns {
    fn from(ns: &str) -> Self {
        Self::Shared(ns.into())
    }
}

impl PartialEq for Ns {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Ns {}

/// What an element contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Character data, references resolved. Two text nodes never stand side by side.
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attr {
    /// As printed, with prefix.
    key: Cow<'static, str>,
    /// Of a prefixed attribute; for `xml:` that of XML.
    ns: Option<Ns>,
    value: String,
}

impl Attr {
    fn prefix(&self) -> &str {
        self.key.split_once(':').map_or("", |(prefix, _)| prefix)
    }

    fn local(&self) -> &str {
        self.key.split_once(':').map_or(&*self.key, |(_, local)| local)
    }
}

/// Making and changing.
impl Element {
    /// An empty element.
    ///
    /// # Panics
    /// If `name` cannot be the name of an element, or `ns` is the one reserved for `xmlns` itself: whoever builds XML
    /// from foreign strings must put them into values, not into names.
    pub fn new(name: impl Into<Cow<'static, str>>, ns: impl Into<Cow<'static, str>>) -> Self {
        let (name, ns) = (name.into(), ns.into());
        assert!(is_ncname(&name), "{name:?} is not the name of an element");
        assert!(ns != ns::XMLNS, "no element is in the namespace of xmlns");
        Self { name, ns: ns.into(), attrs: Vec::new(), nodes: Vec::new() }
    }

    /// Adds or replaces an attribute without namespace, or `xml:lang`.
    ///
    /// # Panics
    /// If `key` can be neither.
    #[must_use]
    pub fn attr(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.set_attr(key, value);
        self
    }

    /// Adds the attribute if there is a value.
    #[must_use]
    pub fn attr_opt(self, key: impl Into<Cow<'static, str>>, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.attr(key, value),
            None => self,
        }
    }

    /// Adds or replaces an attribute in a namespace. The prefix is a wish.
    ///
    /// # Panics
    /// If `prefix` or `name` is not a name, or the namespace is empty or reserved.
    #[must_use]
    pub fn attr_ns(mut self, prefix: &str, ns: &str, name: &str, value: impl Into<String>) -> Self {
        if ns == ns::XML {
            return self.attr(format!("xml:{name}"), value);
        }
        assert!(is_ncname(prefix) && is_ncname(name), "{prefix:?}:{name:?} is not the name of an attribute");
        assert!(!ns.is_empty() && ns != ns::XMLNS, "an attribute cannot be in the namespace {ns:?}");
        self.attrs.retain(|a| !(a.ns.as_deref() == Some(ns) && a.local() == name));
        let mut chosen = prefix.to_owned();
        let taken = |p: &str| {
            matches!(p, "xml" | "xmlns") || self.attrs.iter().any(|a| a.prefix() == p && a.ns.as_deref() != Some(ns))
        };
        let mut n = 0;
        while taken(&chosen) {
            n += 1;
            chosen = format!("{prefix}{n}");
        }
        let key = Cow::Owned(format!("{chosen}:{name}"));
        self.attrs.push(Attr { key, ns: Some(ns.into()), value: value.into() });
        self
    }

    /// Appends a child.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// Appends a child if there is one.
    #[must_use]
    pub fn child_opt(self, child: Option<Self>) -> Self {
        self.children(child)
    }

    /// Appends children.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.nodes.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Appends character data.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.push_text(Cow::Owned(text.into()));
        self
    }

    /// Adds or replaces an attribute, see [`Self::attr`].
    ///
    /// # Panics
    /// If `key` is neither the name of an attribute without namespace nor one with the prefix `xml`.
    pub fn set_attr(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        let in_xml = key.strip_prefix("xml:");
        assert!(is_ncname(in_xml.unwrap_or(&key)) && key != "xmlns", "{key:?} is not the name of an attribute");
        match self.attrs.iter_mut().find(|a| a.key == key) {
            Some(attr) => attr.value = value,
            None => {
                let ns = in_xml.map(|_| Ns::Known(ns::XML));
                self.attrs.push(Attr { key, ns, value });
            }
        }
    }

    /// Removes an attribute and gives its value.
    pub fn remove_attr(&mut self, key: &str) -> Option<String> {
        let at = self.attrs.iter().position(|a| a.key == key)?;
        Some(self.attrs.remove(at).value)
    }

    /// Appends a child.
    pub fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    /// Removes the child elements that are not to be kept; text stays.
    pub fn retain_children(&mut self, mut keep: impl FnMut(&Self) -> bool) {
        self.nodes.retain(|node| match node {
            Node::Element(child) => keep(child),
            Node::Text(_) => true,
        });
    }

    /// Moves the children in the chosen namespaces into its own one, with those below them that share theirs.
    pub(crate) fn adopt_children(&mut self, chosen: impl Fn(&str) -> bool) {
        for node in &mut self.nodes {
            if let Node::Element(child) = node
                && child.ns != self.ns
                && chosen(&child.ns)
            {
                let from = std::mem::replace(&mut child.ns, self.ns.clone());
                child.adopt_descendants(&from);
            }
        }
    }

    fn adopt_descendants(&mut self, from: &str) {
        for node in &mut self.nodes {
            if let Node::Element(child) = node
                && *child.ns == *from
            {
                child.ns = self.ns.clone();
                child.adopt_descendants(from);
            }
        }
    }

    fn push_text(&mut self, text: Cow<'_, str>) {
        match self.nodes.last_mut() {
            Some(Node::Text(last)) => last.push_str(&text),
            _ if text.is_empty() => {}
            _ => self.nodes.push(Node::Text(text.into_owned())),
        }
    }
}

/// Reading.
impl Element {
    /// The local name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace; empty for none.
    #[must_use]
    pub fn ns(&self) -> &str {
        &self.ns
    }

    /// Whether it is this element.
    #[must_use]
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && *self.ns == *ns
    }

    /// The value of an attribute without namespace (`id`), or one of XML's own (`xml:lang`).
    #[must_use]
    pub fn get_attr(&self, key: &str) -> Option<&str> {
        let attr = self.attrs.iter().find(|a| a.key == key && a.ns.as_deref().is_none_or(|ns| ns == ns::XML))?;
        Some(&attr.value)
    }

    /// The value of an attribute in a namespace.
    #[must_use]
    pub fn get_attr_ns(&self, ns: &str, name: &str) -> Option<&str> {
        let attr = self.attrs.iter().find(|a| a.ns.as_deref() == Some(ns) && a.local() == name)?;
        Some(&attr.value)
    }

    /// All attributes: name as printed, value.
    pub fn attrs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attrs.iter().map(|a| (&*a.key, &*a.value))
    }

    /// Child elements and text, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The child elements, in order.
    pub fn child_elements(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The first child element.
    #[must_use]
    pub fn first_child(&self) -> Option<&Self> {
        self.child_elements().next()
    }

    /// The first child element of this name.
    #[must_use]
    pub fn find(&self, name: &str, ns: &str) -> Option<&Self> {
        self.child_elements().find(|child| child.is(name, ns))
    }

    /// Its own text, without that of its children.
    #[must_use]
    pub fn text_content(&self) -> String {
        let texts = self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }
}

/// From and to text.
impl Element {
    /// Reads one element, with every check of [`super::check`] and at most 128 levels.
    pub fn parse(xml: &str, default_ns: &str) -> Result<Self, XmlError> {
        Self::parse_in(xml, &StreamContext::new(default_ns.to_owned()).with_limits(usize::MAX, usize::MAX))
    }

    /// Reads one element as part of a stream.
    pub fn parse_in(xml: &str, cx: &StreamContext) -> Result<Self, XmlError> {
        let mut tree = Tree { open: Vec::new(), done: None };
        walk(xml, cx, &mut tree)?;
        Ok(tree.done.expect("the walk ended the root"))
    }

    /// Appends the element as XML into a place where this namespace is inherited.
    pub fn write(&self, out: &mut String, inherited_ns: &str) {
        out.push('<');
        // This one namespace may not be declared as a default (Namespaces in XML §3), and need not be.
        let in_xml = *self.ns == *ns::XML;
        let prefix = if in_xml { "xml:" } else { "" };
        out.push_str(prefix);
        out.push_str(&self.name);
        let inherited_ns = if in_xml {
            inherited_ns
        } else {
            if *self.ns != *inherited_ns {
                push_attr(out, "xmlns", &self.ns);
            }
            &self.ns
        };
        for (i, attr) in self.attrs.iter().enumerate() {
            if let Some(ns) = attr.ns.as_deref().filter(|ns| *ns != ns::XML) {
                let declared = self.attrs[..i].iter().any(|a| a.ns.is_some() && a.prefix() == attr.prefix());
                if !declared {
                    out.push_str(" xmlns:");
                    out.push_str(attr.prefix());
                    out.push_str("='");
                    escape_attr(out, ns);
                    out.push('\'');
                }
            }
            push_attr(out, &attr.key, &attr.value);
        }
        if self.nodes.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for node in &self.nodes {
            match node {
                Node::Element(child) => child.write(out, inherited_ns),
                Node::Text(text) => escape_text(out, text),
            }
        }
        out.push_str("</");
        out.push_str(prefix);
        out.push_str(&self.name);
        out.push('>');
    }

    /// The element as XML, see [`Self::write`].
    #[must_use]
    pub fn to_xml(&self, inherited_ns: &str) -> String {
        let mut out = String::new();
        self.write(&mut out, inherited_ns);
        out
    }
}

/// Builds a tree from a walk.
struct Tree {
    open: Vec<Element>,
    done: Option<Element>,
}

impl<'a> Sink<'a> for Tree {
    fn start(&mut self, tag: &Tag<'a, '_>) {
        let ns = match self.open.last() {
            Some(parent) if *parent.ns == *tag.ns.ns => parent.ns.clone(),
            _ => Ns::from(tag.ns.ns),
        };
        let mut attrs: Vec<Attr> = Vec::with_capacity(tag.attrs.len());
        for a in tag.attrs {
            let value = unescape_attr(a.value).into_owned();
            if a.prefix.is_empty() {
                attrs.push(Attr { key: Cow::Owned(a.local.to_owned()), ns: None, value });
                continue;
            }
            let ns = match attrs.iter().find(|before| before.ns.is_some() && before.prefix() == a.prefix) {
                Some(before) => before.ns.clone(),
                None => tag.scope.resolve(a.prefix).map(|found| Ns::from(found.ns)),
            };
            attrs.push(Attr { key: Cow::Owned(format!("{}:{}", a.prefix, a.local)), ns, value });
        }
        self.open.push(Element { name: Cow::Owned(tag.local.to_owned()), ns, attrs, nodes: Vec::new() });
    }

    fn end(&mut self, _: usize, _: usize, _: usize) {
        let element = self.open.pop().expect("an end follows its start");
        match self.open.last_mut() {
            Some(parent) => parent.push(element),
            None => self.done = Some(element),
        }
    }

    fn text(&mut self, raw: &'a str) {
        if let Some(open) = self.open.last_mut() {
            open.push_text(normalize_line_ends(raw));
        }
    }

    fn reference(&mut self, c: char) {
        if let Some(open) = self.open.last_mut() {
            open.push_text(Cow::Borrowed(c.encode_utf8(&mut [0; 4])));
        }
    }
}

#[cfg(test)]
#[path = "element_tests.rs"]
mod tests;
