//! Bookmarks in their two formats: one item for each room (XEP-0402), and a list of all (XEP-0048), which old clients keep
//! in private storage or in an item of its own. What one format says the other one says too, as far as it can.

use crate::jid::Jid;
use crate::ns;
use crate::xml::Element;
use crate::xml::element::Node;

/// A bookmark of XEP-0402: the id of the item, which is the address of the room, and `<conference/>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// The address of the room.
    pub jid: String,
    /// `<conference xmlns='urn:xmpp:bookmarks:1'/>`.
    pub conference: Element,
}

/// XEP-0402 §5.3.1: the list, rooms first; `others` are things that only the old format has (XEP-0048 §2.2).
#[must_use]
pub fn to_storage<'a>(
    bookmarks: impl IntoIterator<Item = &'a Bookmark>,
    others: impl IntoIterator<Item = Element>,
) -> Element {
    let conference = |b: &Bookmark| recast(&b.conference, ns::BOOKMARKS_PEP, ns::BOOKMARKS).attr("jid", &*b.jid);
    Element::new("storage", ns::BOOKMARKS).children(bookmarks.into_iter().map(conference)).children(others)
}

/// The rooms in a list, and what else is in it. A room whose address is none is among the others; of two bookmarks for
/// one room the first one counts.
#[must_use]
pub fn from_storage(storage: &Element) -> (Vec<Bookmark>, Vec<Element>) {
    let (mut bookmarks, mut others) = (Vec::<Bookmark>::new(), Vec::new());
    for element in storage.child_elements() {
        match room(element) {
            Some(jid) if bookmarks.iter().any(|b| b.jid == jid) => {}
            Some(jid) => {
                let mut conference = recast(element, ns::BOOKMARKS, ns::BOOKMARKS_PEP);
                conference.remove_attr("jid");
                bookmarks.push(Bookmark { jid, conference });
            }
            None => others.push(element.clone()),
        }
    }
    (bookmarks, others)
}

fn room(element: &Element) -> Option<String> {
    let jid = element.get_attr("jid").filter(|_| element.is("conference", ns::BOOKMARKS))?;
    Some(Jid::parse(jid.trim()).ok()?.as_str().to_owned())
}

/// What becomes of a bookmark that an old client has written again: what the old format cannot say stays as it was.
/// `None`: it says the same as before.
#[must_use]
pub fn merged(before: &Element, written: &Element) -> Option<Element> {
    let said = |e: &Element| {
        let text = |name| e.find(name, ns::BOOKMARKS_PEP).map(Element::text_content).filter(|t| !t.is_empty());
        let autojoin = matches!(e.get_attr("autojoin"), Some("true" | "1"));
        (e.get_attr("name").unwrap_or_default().to_owned(), autojoin, text("nick"), text("password"))
    };
    let extensions = |e: &Element| e.find("extensions", ns::BOOKMARKS_PEP).cloned();
    let more = extensions(written).filter(|new| extensions(before).as_ref() != Some(new));
    if said(before) == said(written) && more.is_none() {
        return None;
    }
    let mut merged = before.clone();
    for key in ["name", "autojoin"] {
        merged.remove_attr(key);
        if let Some(value) = written.get_attr(key) {
            merged.set_attr(key, value);
        }
    }
    let old = |e: &Element| e.ns() == ns::BOOKMARKS_PEP && matches!(e.name(), "nick" | "password");
    let replaced = |e: &Element| more.is_some() && e.is("extensions", ns::BOOKMARKS_PEP);
    merged.retain_children(|e| !old(e) && !replaced(e));
    let mut new = Element::new("conference", ns::BOOKMARKS_PEP);
    for (key, value) in merged.attrs().filter(|(key, _)| is_plain(key)) {
        new.set_attr(key.to_owned(), value);
    }
    let kept = merged.child_elements().cloned();
    Some(new.children(written.child_elements().filter(|e| old(e)).cloned()).children(kept).children(more))
}

/// An element moved from one namespace to another, with what is below it in the same one.
fn recast(element: &Element, from: &str, to: &'static str) -> Element {
    let mut new = Element::new(element.name().to_owned(), to);
    for (key, value) in element.attrs().filter(|(key, _)| is_plain(key)) {
        new.set_attr(key.to_owned(), value);
    }
    for node in element.nodes() {
        new = match node {
            Node::Element(child) if child.ns() == from => new.child(recast(child, from, to)),
            Node::Element(child) => new.child(child.clone()),
            Node::Text(text) => new.text(text.as_str()),
        };
    }
    new
}

fn is_plain(key: &str) -> bool {
    key == "xml:lang" || !key.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(xml: &str) -> Element {
        Element::parse(xml, ns::CLIENT).expect("XML")
    }

    const LIST: &str = "<storage xmlns='storage:bookmarks'>\
        <conference jid='play@rooms.example' name='The Play' autojoin='true'><nick>JC</nick></conference>\
        <conference jid='Orchard@rooms.example'><password>x</password><extensions><a xmlns='urn:x'/></extensions>\
        </conference><url name='W' url='http://example.org/'/><conference name='nowhere'/>\
        <conference jid='orchard@rooms.example'/></storage>";

    #[test]
    fn there_and_back() {
        let (bookmarks, others) = from_storage(&element(LIST));
        let jids: Vec<_> = bookmarks.iter().map(|b| b.jid.as_str()).collect();
        assert_eq!(jids, ["play@rooms.example", "orchard@rooms.example"]);
        assert_eq!(
            bookmarks[0].conference.to_xml(ns::CLIENT),
            "<conference xmlns='urn:xmpp:bookmarks:1' name='The Play' autojoin='true'><nick>JC</nick></conference>"
        );
        assert_eq!(others.iter().map(Element::name).collect::<Vec<_>>(), ["url", "conference"]);
        let again = to_storage(&bookmarks, others.clone());
        assert_eq!(from_storage(&again), (bookmarks, others));
        assert!(again.to_xml(ns::CLIENT).contains("<extensions><a xmlns='urn:x'/></extensions>"));
    }

    #[test]
    fn what_an_old_client_cannot_say_stays() {
        let native = |inside: &str| element(&format!("<conference xmlns='urn:xmpp:bookmarks:1' {inside}</conference>"));
        let before = native("name='A' autojoin='1'><nick>n</nick><extensions><a xmlns='urn:x'/></extensions>");
        assert_eq!(merged(&before, &native("autojoin='true' name='A'><nick>n</nick>")), None);
        let after = merged(&before, &native("name='B'><nick>m</nick><password>p</password>")).expect("a change");
        assert_eq!(
            after,
            native("name='B'><nick>m</nick><password>p</password><extensions><a xmlns='urn:x'/></extensions>")
        );
        let after = merged(&before, &native("name='A' autojoin='true'>")).expect("a change");
        assert_eq!(after, native("name='A' autojoin='true'><extensions><a xmlns='urn:x'/></extensions>"));
        let after = merged(&before, &native("name='A' autojoin='1'><nick>n</nick><extensions/>")).expect("a change");
        assert_eq!(after, native("name='A' autojoin='1'><nick>n</nick><extensions/>"));
    }
}
