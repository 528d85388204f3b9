//! Delayed delivery (XEP-0203): when a stanza was first seen, and who held it back.

use crate::formats::date::{self, Precision};
use crate::ns;
use crate::xml::Element;
use crate::xml::writer::{escape_attr, escape_text};

/// Appends `<delay/>`: who held the stanza back, and when it came, in microseconds since the epoch.
pub fn write(out: &mut String, from: Option<&str>, micros: i64) {
    start(out, from, micros);
    out.push_str("/>");
}

/// Appends `<delay/>` with a reason for people.
pub fn write_with_reason(out: &mut String, from: Option<&str>, micros: i64, reason: &str) {
    start(out, from, micros);
    out.push('>');
    escape_text(out, reason);
    out.push_str("</delay>");
}

fn start(out: &mut String, from: Option<&str>, micros: i64) {
    out.push_str("<delay xmlns='");
    out.push_str(ns::DELAY);
    if let Some(from) = from {
        out.push_str("' from='");
        escape_attr(out, from);
    }
    out.push_str("' stamp='");
    date::write(out, micros, Precision::Millis);
    out.push('\'');
}

/// The element `<delay/>`, see [`write()`].
pub fn element(from: Option<&str>, micros: i64) -> Element {
    Element::new("delay", ns::DELAY).attr_opt("from", from).attr("stamp", date::format(micros, Precision::Millis))
}

/// When a stanza was first seen, by an element `<delay/>`; `None` if this is no such element or has no good stamp.
pub fn stamp(element: &Element) -> Option<i64> {
    let stamp = element.get_attr("stamp").filter(|_| element.is("delay", ns::DELAY))?;
    date::parse(stamp).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing() {
        let mut out = String::new();
        write(&mut out, None, 0);
        write(&mut out, Some("a'b@example.com"), 1_700_000_000_123_456);
        write_with_reason(&mut out, Some("example.com"), 0, "Offline <Storage>");
        assert_eq!(
            out,
            "<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00.000Z'/>\
             <delay xmlns='urn:xmpp:delay' from='a&apos;b@example.com' stamp='2023-11-14T22:13:20.123Z'/>\
             <delay xmlns='urn:xmpp:delay' from='example.com' stamp='1970-01-01T00:00:00.000Z'>Offline &lt;Storage&gt;\
             </delay>"
        );
    }

    #[test]
    fn elements() {
        let delay = element(Some("a'b@example.com"), 1_700_000_000_123_456);
        let mut out = String::new();
        write(&mut out, Some("a'b@example.com"), 1_700_000_000_123_456);
        assert_eq!(delay.to_xml(ns::CLIENT), out);
        assert_eq!(stamp(&delay), Some(1_700_000_000_123_000));
        let rows = [
            ("<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:01+00:00'>why</delay>", Some(1_000_000)),
            ("<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>", None),
            ("<delay xmlns='urn:xmpp:delay'/>", None),
            ("<delay xmlns='urn:x' stamp='1970-01-01T00:00:01Z'/>", None),
        ];
        for (xml, expected) in rows {
            assert_eq!(stamp(&Element::parse(xml, ns::CLIENT).expect(xml)), expected, "{xml}");
        }
    }
}
