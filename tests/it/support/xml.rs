//! A small, strict XML reader of the tests' own: whatever the server writes is judged by code it does not share.
//! `Splitter` cuts the incoming bytes into stream headers, first-level elements and the closing tag; `parse` makes trees.

use std::fmt;

pub(crate) const CLIENT: &str = "jabber:client";
pub(crate) const STREAMS: &str = "http://etherx.jabber.org/streams";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Prefix bindings, innermost last; the empty prefix is the default namespace.
pub(crate) type Scope = Vec<(String, String)>;

/// What is bound inside a client stream, and therefore what patterns may use without declaring it.
pub(crate) fn client_scope() -> Scope {
    vec![(String::new(), CLIENT.into()), ("stream".into(), STREAMS.into())]
}

#[derive(Clone, PartialEq)]
pub(crate) struct El {
    pub(crate) ns: String,
    pub(crate) name: String,
    pub(crate) attrs: Vec<Attr>,
    pub(crate) children: Vec<Node>,
    /// The bytes it was read from (of the start tag only, for a stream header).
    pub(crate) raw: String,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Attr {
    pub(crate) ns: String,
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node {
    El(El),
    Text(String),
}

impl fmt::Debug for El {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl El {
    pub(crate) fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns == ns
    }

    /// An attribute without a namespace, or `xml:lang`.
    pub(crate) fn attr(&self, name: &str) -> Option<&str> {
        let (ns, name) = name.strip_prefix("xml:").map_or(("", name), |rest| (XML, rest));
        self.attrs.iter().find(|a| a.ns == ns && a.name == name).map(|a| a.value.as_str())
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|n| match n {
            Node::El(el) => Some(el),
            Node::Text(_) => None,
        })
    }

    pub(crate) fn find(&self, name: &str, ns: &str) -> Option<&Self> {
        self.elements().find(|el| el.is(name, ns))
    }

    pub(crate) fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|n| match n {
            Node::Text(t) => Some(t.as_str()),
            Node::El(_) => None,
        });
        texts.collect()
    }
}

/// Reads one complete element.
pub(crate) fn parse(raw: &str, scope: &Scope) -> Result<El, String> {
    let mut reader = Reader { rest: raw };
    let el = reader.element(scope)?;
    if reader.rest.is_empty() { Ok(el) } else { Err(format!("text after the element: {:?}", reader.rest)) }
}

/// Reads a stream header: an optional XML declaration and a start tag. Returns the bindings it makes, too.
pub(crate) fn parse_header(raw: &str) -> Result<(El, Scope), String> {
    let mut reader = Reader { rest: raw };
    if raw.starts_with("<?xml ") {
        reader.rest = raw.split_once("?>").ok_or("unfinished XML declaration")?.1.trim_start();
    }
    let (mut el, scope, closed) = reader.start_tag(&Scope::new())?;
    if closed || !reader.rest.is_empty() {
        return Err(format!("not a lone start tag: {raw}"));
    }
    el.raw = raw.to_owned();
    Ok((el, scope))
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(n);
        self.rest = tail;
        head
    }

    fn eat(&mut self, token: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(token).ok_or_else(|| format!("expected {token:?} at {:?}", self.rest))?;
        Ok(())
    }

    fn space(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let some = trimmed.len() != self.rest.len();
        self.rest = trimmed;
        some
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let end = self.rest.find(|c: char| " \t\r\n/>='\"<&".contains(c)).unwrap_or(self.rest.len());
        let name = self.take(end);
        let parts: Vec<&str> = name.split(':').collect();
        let start_ok = |p: &&str| p.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if parts.len() > 2 || !parts.iter().all(start_ok) {
            return Err(format!("bad name {name:?} before {:?}", self.rest));
        }
        Ok(name)
    }

    /// Returns the element without children, the bindings inside it and whether it is empty (`/>`).
    fn start_tag(&mut self, outer: &Scope) -> Result<(El, Scope, bool), String> {
        self.eat("<")?;
        let name = self.name()?;
        let mut scope = outer.clone();
        let mut plain: Vec<(&str, String)> = Vec::new();
        let closed = loop {
            let spaced = self.space();
            if self.rest.starts_with('>') || self.rest.starts_with("/>") {
                let closed = self.rest.starts_with('/');
                self.take(if closed { 2 } else { 1 });
                break closed;
            }
            if !spaced {
                return Err(format!("no space before an attribute: {:?}", self.rest));
            }
            let (key, value) = self.attribute()?;
            match key.strip_prefix("xmlns:").or((key == "xmlns").then_some("")) {
                Some(prefix) => scope.push((prefix.to_owned(), value)),
                None => plain.push((key, value)),
            }
        };
        let mut attrs = Vec::new();
        for (key, value) in plain {
            let (ns, name) = resolve(key, &scope, true)?;
            if attrs.iter().any(|a: &Attr| a.ns == ns && a.name == name) {
                return Err(format!("attribute {key} twice"));
            }
            attrs.push(Attr { ns, name, value });
        }
        let (ns, name) = resolve(name, &scope, false)?;
        Ok((El { ns, name, attrs, children: Vec::new(), raw: String::new() }, scope, closed))
    }

    fn attribute(&mut self) -> Result<(&'a str, String), String> {
        let key = self.name()?;
        self.space();
        self.eat("=")?;
        self.space();
        let quote = self.rest.chars().next().filter(|c| "'\"".contains(*c)).ok_or("unquoted attribute")?;
        self.take(1);
        let end = self.rest.find(quote).ok_or("unfinished attribute")?;
        let raw = self.take(end);
        self.take(1);
        if raw.contains('<') {
            return Err(format!("'<' in attribute {key}"));
        }
        Ok((key, unescape(raw)?))
    }

    fn element(&mut self, outer: &Scope) -> Result<El, String> {
        let whole = self.rest;
        let tag = self.rest.get(1..).unwrap_or("");
        let written = tag[..tag.find([' ', '\t', '\r', '\n', '/', '>']).unwrap_or(tag.len())].to_owned();
        let (mut el, scope, closed) = self.start_tag(outer)?;
        if !closed {
            el.children = self.content(&written, &scope)?;
        }
        el.raw = whole[..whole.len() - self.rest.len()].to_owned();
        Ok(el)
    }

    /// Everything up to and including the end tag.
    fn content(&mut self, name: &str, scope: &Scope) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix("</") {
                self.rest = rest;
                self.eat(name)?;
                self.space();
                self.eat(">")?;
                return Ok(nodes);
            }
            if let Some(cdata) = self.rest.strip_prefix("<![CDATA[") {
                let end = cdata.find("]]>").ok_or("unfinished CDATA")?;
                push_text(&mut nodes, &cdata[..end]);
                self.rest = &cdata[end + 3..];
            } else if self.rest.starts_with('<') {
                nodes.push(Node::El(self.element(scope)?));
            } else {
                let end = self.rest.find('<').ok_or("unfinished element")?;
                let text = unescape(self.take(end))?;
                push_text(&mut nodes, &text);
            }
        }
    }
}

fn push_text(children: &mut Vec<Node>, text: &str) {
    match children.last_mut() {
        Some(Node::Text(last)) => last.push_str(text),
        _ => children.push(Node::Text(text.to_owned())),
    }
}

fn resolve(name: &str, scope: &Scope, attribute: bool) -> Result<(String, String), String> {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    if prefix.is_empty() && attribute {
        return Ok((String::new(), local.to_owned()));
    }
    if prefix == "xml" {
        return Ok((XML.to_owned(), local.to_owned()));
    }
    match scope.iter().rev().find(|(p, _)| p == prefix) {
        Some((_, ns)) => Ok((ns.clone(), local.to_owned())),
        None if prefix.is_empty() => Ok((String::new(), local.to_owned())),
        None => Err(format!("prefix of {name} is not bound")),
    }
}

fn unescape(raw: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (entity, tail) = rest[at + 1..].split_once(';').ok_or_else(|| format!("bare & in {raw:?}"))?;
        let number = |n: &str| match n.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
            None => n.parse().ok().and_then(char::from_u32),
        };
        out.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => entity.strip_prefix('#').and_then(number).ok_or_else(|| format!("unknown entity {entity}"))?,
        });
        rest = tail;
    }
    out.push_str(rest);
    match out.chars().find(|c| (*c < ' ' && !"\t\r\n".contains(*c)) || matches!(*c, '\u{fffe}' | '\u{ffff}')) {
        Some(c) => Err(format!("forbidden character {c:?}")),
        None => Ok(out),
    }
}

/// For text or attribute values in a literal.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;").replace('"', "&quot;")
}

/// What the server sent, one piece at a time.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Header(El),
    Element(El),
    Close,
}

/// Incoming bytes, and where in the stream we are. It starts over at the buffer's beginning on each call: slow and simple.
#[derive(Default)]
pub(crate) struct Splitter {
    buffer: Vec<u8>,
    scope: Option<Scope>,
}

impl Splitter {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next thing will be a stream header again.
    pub(crate) fn restart(&mut self) {
        self.scope = None;
    }

    pub(crate) fn pending(&self) -> &[u8] {
        &self.buffer
    }

    pub(crate) fn next(&mut self) -> Result<Option<Event>, String> {
        let blank = self.buffer.iter().take_while(|b| b" \t\r\n".contains(b)).count();
        self.buffer.drain(..blank);
        let Some(end) = self.end() else { return Ok(None) };
        let piece: Vec<u8> = self.buffer.drain(..end).collect();
        let piece = String::from_utf8(piece).map_err(|e| format!("not UTF-8: {e}"))?;
        let Some(scope) = &self.scope else {
            let (el, scope) = parse_header(&piece)?;
            self.scope = Some(scope);
            return Ok(Some(Event::Header(el)));
        };
        if piece.starts_with("</") {
            return if piece.starts_with("</stream:stream") {
                Ok(Some(Event::Close))
            } else {
                Err(format!("unexpected end tag {piece}"))
            };
        }
        parse(&piece, scope).map(|el| Some(Event::Element(el)))
    }

    /// Where the first whole piece of the buffer ends.
    fn end(&self) -> Option<usize> {
        let bytes = &self.buffer;
        let (mut at, mut depth) = (0, 0usize);
        while at < bytes.len() {
            if bytes[at] != b'<' {
                at += 1;
                continue;
            }
            let rest = &bytes[at..];
            if rest.starts_with(b"<?") {
                at += find(rest, b"?>")? + 2;
                continue;
            }
            if rest.starts_with(b"<![CDATA[") {
                at += find(rest, b"]]>")? + 3;
                continue;
            }
            let mut quote = None;
            let length = rest.iter().position(|b| match (quote, *b) {
                (None, b'>') => true,
                (None, b'\'' | b'"') => {
                    quote = Some(*b);
                    false
                }
                (Some(q), b) if q == b => {
                    quote = None;
                    false
                }
                _ => false,
            })? + 1;
            at += length;
            if rest.starts_with(b"</") {
                depth = depth.saturating_sub(1);
            } else if rest[length - 2] != b'/' {
                depth += 1;
            }
            if depth == 0 || self.scope.is_none() {
                return Some(at);
            }
        }
        None
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same pieces however the bytes come.
    #[test]
    fn the_splitter_does_not_depend_on_chunks() {
        let stream = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='>'>\
                      <stream:features/> <a b='/>'><![CDATA[</a>]]><c/></a><d>é</d></stream:stream>";
        let mut results = Vec::new();
        for size in 1..stream.len() {
            let (mut splitter, mut seen) = (Splitter::default(), Vec::new());
            for chunk in stream.as_bytes().chunks(size) {
                splitter.push(chunk);
                while let Some(event) = splitter.next().unwrap() {
                    seen.push(format!("{event:?}"));
                }
            }
            assert!(splitter.pending().is_empty());
            results.push(seen);
        }
        assert_eq!(results[0].len(), 5, "{:?}", results[0]);
        assert!(results.iter().all(|seen| *seen == results[0]));
    }
}
