//! Escaping text on its way out, and reading back what was checked on its way in.
//!
//! A character that XML forbids (a NUL from a database, a control character from an HTTP form) would end the peer's
//! stream: it is written as U+FFFD.

use std::borrow::Cow;

use super::names::{is_xml_char, resolve_reference};

/// Appends `value` so that it may stand in an attribute with either kind of quotes and reads back unchanged (white
/// space other than a plain space would be normalised by the reader: XML 1.0 §3.3.3).
pub fn escape_attr(out: &mut String, value: &str) {
    escape(out, value, |b| match b {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\'' => Some("&apos;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends `text` as character data that reads back unchanged (a raw CR would be read as LF: XML 1.0 §2.11).
pub fn escape_text(out: &mut String, text: &str) {
    escape(out, text, |b| match b {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

fn escape(out: &mut String, text: &str, replacement: impl Fn(u8) -> Option<&'static str>) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (i, &b) in bytes.iter().enumerate() {
        let (put, len) = match replacement(b) {
            Some(put) => (put, 1),
            None if b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r') => ("\u{FFFD}", 1),
            None if b == 0xEF && bytes[i + 1] == 0xBF && bytes[i + 2] >= 0xBE => ("\u{FFFD}", 3),
            None => continue,
        };
        out.push_str(&text[copied..i]);
        out.push_str(put);
        copied = i + len;
    }
    out.push_str(&text[copied..]);
}

/// Appends ` key='value'`.
pub fn push_attr(out: &mut String, key: &str, value: &str) {
    out.push(' ');
    out.push_str(key);
    out.push_str("='");
    escape_attr(out, value);
    out.push('\'');
}

/// The value of an attribute as it stands in checked XML: references resolved, white space normalised (XML 1.0
/// §3.3.3).
#[must_use]
pub fn unescape_attr(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r')) {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(unescape(raw, Place::Attribute))
}

/// Character data as it stands in checked XML: references resolved, line ends normalised (XML 1.0 §2.11).
#[must_use]
pub fn unescape_text(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|b| matches!(b, b'&' | b'\r')) {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(unescape(raw, Place::Text))
}

/// The content of a CDATA section: only line ends are normalised.
pub(crate) fn normalize_line_ends(raw: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(unescape(raw, Place::CData))
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Attribute,
    Text,
    CData,
}

fn unescape(raw: &str, place: Place) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '&' if place != Place::CData => {
                // Checked text has only good references; anything else is copied rather than lost.
                let good = rest.find(';').and_then(|end| Some((end, resolve_reference(&rest[..end])?)));
                let Some((end, resolved)) = good else {
                    out.push('&');
                    continue;
                };
                out.push(resolved);
                rest = &rest[end + 1..];
            }
            '\r' | '\n' | '\t' => {
                if c == '\r' {
                    rest = rest.strip_prefix('\n').unwrap_or(rest);
                }
                out.push(match (place, c) {
                    (Place::Attribute, _) => ' ',
                    (_, '\t') => '\t',
                    _ => '\n',
                });
            }
            c if is_xml_char(c) => out.push(c),
            _ => out.push('\u{FFFD}'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attr(s: &str) -> String {
        let mut out = String::new();
        escape_attr(&mut out, s);
        out
    }

    fn text(s: &str) -> String {
        let mut out = String::new();
        escape_text(&mut out, s);
        out
    }

    #[test]
    fn escaping() {
        assert_eq!(attr("a<b>&'\"\t\n\r é"), "a&lt;b&gt;&amp;&apos;&quot;&#9;&#10;&#13; é");
        assert_eq!(text("a<b>&'\"\t\n\r é]]>"), "a&lt;b&gt;&amp;'\"\t\n&#13; é]]&gt;");
        assert_eq!(
            text("\0x\u{1F}\u{FFFE}y\u{FFFF}\u{FFFD}\u{FF21}"),
            "\u{FFFD}x\u{FFFD}\u{FFFD}y\u{FFFD}\u{FFFD}\u{FF21}"
        );
    }

    #[test]
    fn reading_back() {
        assert_eq!(unescape_attr("a\tb\nc\r\nd\re&#10;&lt;&#x41;"), "a b c d e\n<A");
        assert_eq!(unescape_text("a\tb\nc\r\nd\re&#13;&amp;lt;"), "a\tb\nc\nd\ne\r&lt;");
        assert_eq!(normalize_line_ends("&lt;\r\n"), "&lt;\n");
        assert!(matches!(unescape_text("plain\ttext"), Cow::Borrowed(_)));
        assert_eq!(unescape_text("&unknown; & &"), "&unknown; & &");
    }

    proptest! {
        #[test]
        fn round_trip(s in "[\\PC\t\n\r<>&'\"]*") {
            let clean: String = s.chars().map(|c| if is_xml_char(c) { c } else { '\u{FFFD}' }).collect();
            let (attr, text) = (attr(&s), text(&s));
            prop_assert_eq!(unescape_attr(&attr), clean.as_str());
            prop_assert_eq!(unescape_text(&text), clean.as_str());
        }

        #[test]
        fn never_panics(s in any::<String>()) {
            let _ = (attr(&s), text(&s), unescape_attr(&s), unescape_text(&s), normalize_line_ends(&s));
        }
    }
}
