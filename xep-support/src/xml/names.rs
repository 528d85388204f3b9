//! Which characters XML 1.0 allows at all, and which may make up a name (XML 1.0 §2.2, §2.3; Namespaces in XML §3).

/// Whether XML 1.0 allows this character, raw or as a character reference (production `Char`).
#[must_use]
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

/// Whether every character of `text` is one XML allows. One pass over the bytes that the compiler vectorises; the two
/// forbidden non-characters are looked for only when their lead byte occurs.
pub(crate) fn all_xml_chars(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut control = false;
    let mut suspicious = false;
    for &b in bytes {
        control |= (b < 0x20) & (b != b'\t') & (b != b'\n') & (b != b'\r');
        suspicious |= b == 0xEF;
    }
    let forbidden = |w: &[u8]| w[0] == 0xEF && w[1] == 0xBF && w[2] >= 0xBE;
    !(control || suspicious && bytes.windows(3).any(forbidden))
}

const START: u8 = 1;
const INNER: u8 = 2;

/// Classes of the ASCII characters in an NCName (no colon).
const CLASS: [u8; 128] = {
    let mut class = [0; 128];
    let mut b = 0;
    while b < 128 {
        let c = b as u8;
        if c.is_ascii_alphabetic() || c == b'_' {
            class[b] = START | INNER;
        } else if c.is_ascii_digit() || c == b'-' || c == b'.' {
            class[b] = INNER;
        }
        b += 1;
    }
    class
};

fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether `name` is a name without a colon (Namespaces in XML §3, production `NCName`).
#[must_use]
pub fn is_ncname(name: &str) -> bool {
    let bytes = name.as_bytes();
    let Some(&first) = bytes.first() else { return false };
    if first < 0x80 && CLASS[first as usize] & START == 0 {
        return false;
    }
    let mut plain = first < 0x80;
    for &b in &bytes[1..] {
        if b >= 0x80 {
            plain = false;
        } else if CLASS[b as usize] == 0 {
            return false;
        }
    }
    plain || name.chars().next().is_some_and(is_name_start) && name.chars().skip(1).all(is_name_char)
}

/// Splits a qualified name into prefix (empty if none) and local part; `None` if it is not one.
pub(crate) fn split_qname(name: &str) -> Option<(&str, &str)> {
    match name.bytes().position(|b| b == b':') {
        None => is_ncname(name).then_some(("", name)),
        Some(colon) => {
            let (prefix, local) = (&name[..colon], &name[colon + 1..]);
            (is_ncname(prefix) && is_ncname(local)).then_some((prefix, local))
        }
    }
}

/// What the inside of a reference (`lt`, `#38`, `#x26`) stands for; `None` unless it is one of the five entities or a
/// reference to a character XML allows (RFC 6120 §11.1).
pub(crate) fn resolve_reference(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
            // `from_str_radix` would take a sign.
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|&c| is_xml_char(c))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters() {
        for c in ['\t', '\n', '\r', ' ', '\u{7F}', '\u{85}', '\u{FFFD}', '\u{FEFF}', '\u{10FFFF}'] {
            assert!(is_xml_char(c) && all_xml_chars(&c.to_string()), "{c:?}");
        }
        for c in ['\0', '\u{1}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
            assert!(!is_xml_char(c) && !all_xml_chars(&format!("some text {c} and more")), "{c:?}");
        }
        assert!(all_xml_chars("\u{FFFD}\u{F000}\u{EFFF}\u{FFC0}"));
    }

    #[test]
    fn names() {
        for good in ["m", "_", "a-b.c1", "é", "名前", "a\u{B7}"] {
            assert!(is_ncname(good), "{good}");
        }
        for bad in ["", "1m", "-a", ".a", "m$", "a:b", "a b", "\u{B7}a", "a×b", "a\u{37E}"] {
            assert!(!is_ncname(bad), "{bad}");
        }
        assert_eq!(split_qname("a:b"), Some(("a", "b")));
        assert_eq!(split_qname("b"), Some(("", "b")));
        for bad in ["a:b:c", ":a", "a:", ":", "a:1", "1:a"] {
            assert_eq!(split_qname(bad), None, "{bad}");
        }
    }

    #[test]
    fn references() {
        assert_eq!(resolve_reference("#38"), Some('&'));
        assert_eq!(resolve_reference("#x1F600"), Some('😀'));
        for bad in [
            "",
            "#",
            "#x",
            "nbsp",
            "LT",
            "#0",
            "#1",
            "#x1F",
            "#xFFFE",
            "#xD800",
            "#x110000",
            "#+38",
            "#X26",
            "#99999999999",
            "# 38",
            "#3a",
            "#x+1",
        ] {
            assert_eq!(resolve_reference(bad), None, "{bad}");
        }
    }
}
