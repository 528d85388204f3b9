//! Preparation of the three parts of a JID: what is refused, and the one form in which the rest is kept and compared
//! (RFC 7622 §3.2 to §3.4).
//!
//! Nearly every JID on the wire is plain ASCII and in its canonical form already: one pass over a table of bytes
//! recognises that and gives the input back. Everything else takes PRECIS (RFC 8264, RFC 8265) or IDNA (UTS #46).

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, Hyphens, Uts46};
use precis_core::{IdentifierClass, StringClass};
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use precis_profiles::{OpaqueString, UsernameCaseMapped};

use super::{Fault, JidError, Part};

/// The longest part of a JID, after preparation (RFC 7622 §3.2, §3.3, §3.4).
pub const PART_BYTES_MAX: usize = 1023;

/// Longer input is refused before the expensive steps, as is input of more than [`PART_BYTES_MAX`] characters: what is
/// written wider than it is kept (full-width letters) shrinks to a third.
const RAW_BYTES_MAX: usize = 3 * PART_BYTES_MAX;

/// Characters of a part that depend on what stands around them (RFC 5892 §A). Checking one takes a look at the whole
/// part, so that their number times its length is what preparation costs.
const CONTEXTUAL_MAX: usize = 64;

/// PRECIS mappings are not idempotent for every string: they are repeated this often at most (RFC 8264 §7).
const REPEATS_MAX: usize = 3;

/// What a domain cannot hold besides letters, digits, hyphen, dot and underscore. The underscore is no host name
/// (RFC 952), but it is common in the networks of containers.
const DOMAIN_DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// May stand in a localpart: visible ASCII without `" & ' / : < > @` (RFC 7622 §3.3.1).
const LOCAL: u8 = 1;
/// May stand in a domainpart.
const DOMAIN: u8 = 2;
/// May stand in a resourcepart.
const RESOURCE: u8 = 4;
/// An upper-case letter, which local- and domainpart map to lower case.
const UPPER: u8 = 8;

/// The classes of every byte; zero for what is not ASCII.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0x20;
    while byte < 0x7F {
        let b = byte as u8;
        let mut class = RESOURCE;
        if b != b' ' && !matches!(b, b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@') {
            class |= LOCAL;
        }
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') {
            class |= DOMAIN;
        }
        if b.is_ascii_uppercase() {
            class |= UPPER;
        }
        table[byte] = class;
        byte += 1;
    }
    table
};

/// The classes all bytes of `text` share, and whether one of them is an upper-case letter.
fn classify(text: &str) -> (u8, bool) {
    let (all, any) = text
        .bytes()
        .map(|b| CLASSES[usize::from(b)])
        .fold((u8::MAX, 0), |(all, any), class| (all & class, any | class));
    (all, any & UPPER != 0)
}

/// The canonical form of a localpart: UsernameCaseMapped without the characters RFC 7622 §3.3.1 forbids.
///
/// XEP-0106 escapes such as `\20` are ordinary characters here.
pub fn local(text: &str) -> Result<Cow<'_, str>, JidError> {
    check_raw(Part::Local, text)?;
    let (classes, upper) = classify(text);
    let mapped = if classes & LOCAL != 0 {
        lower_ascii(text, upper)
    } else if text.is_ascii() {
        return Err(JidError::Part(Part::Local, Fault::Forbidden));
    } else {
        let mapped = stable(text, |s| UsernameCaseMapped::enforce(s).ok())
            .map_err(|fault| JidError::Part(Part::Local, fault))?;
        // Only now: a full-width commercial at has become the plain one.
        if mapped.bytes().any(|b| b.is_ascii() && CLASSES[usize::from(b)] & LOCAL == 0) {
            return Err(JidError::Part(Part::Local, Fault::Forbidden));
        }
        mapped
    };
    check_length(Part::Local, mapped)
}

/// The canonical form of a domainpart: lower case, U-labels, no final dot; or an address literal (RFC 7622 §3.2).
pub fn domain(text: &str) -> Result<Cow<'_, str>, JidError> {
    check_raw(Part::Domain, text)?;
    let forbidden = JidError::Part(Part::Domain, Fault::Forbidden);
    if text.starts_with('[') {
        return ipv6_literal(text).map(Cow::Owned).ok_or(forbidden);
    }
    let (classes, upper) = classify(text);
    let mapped = if classes & DOMAIN != 0 && !has_a_label(text) {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.split('.').any(|label| label.is_empty() || label.starts_with('-') || label.ends_with('-')) {
            return Err(if text.is_empty() { JidError::Part(Part::Domain, Fault::Empty) } else { forbidden });
        }
        lower_ascii(text, upper)
    } else {
        stable(text, unicode_domain).map_err(|fault| JidError::Part(Part::Domain, fault))?
    };
    check_length(Part::Domain, mapped)
}

/// The canonical form of a resourcepart: OpaqueString (RFC 7622 §3.4). A leading space is refused, as §3.5 has it.
pub fn resource(text: &str) -> Result<Cow<'_, str>, JidError> {
    check_raw(Part::Resource, text)?;
    let forbidden = JidError::Part(Part::Resource, Fault::Forbidden);
    let mapped = if classify(text).0 & RESOURCE != 0 {
        Cow::Borrowed(text)
    } else if text.is_ascii() {
        return Err(forbidden);
    } else {
        stable(text, |s| OpaqueString::enforce(s).ok()).map_err(|fault| JidError::Part(Part::Resource, fault))?
    };
    if mapped.starts_with(' ') {
        return Err(forbidden);
    }
    check_length(Part::Resource, mapped)
}

fn check_raw(part: Part, text: &str) -> Result<(), JidError> {
    match text.len() {
        0 => Err(JidError::Part(part, Fault::Empty)),
        1..=PART_BYTES_MAX => Ok(()),
        ..=RAW_BYTES_MAX if text.chars().count() <= PART_BYTES_MAX => Ok(()),
        _ => Err(JidError::Part(part, Fault::TooLong)),
    }
}

fn check_length(part: Part, mapped: Cow<'_, str>) -> Result<Cow<'_, str>, JidError> {
    match mapped.len() {
        0 => Err(JidError::Part(part, Fault::Empty)),
        1..=PART_BYTES_MAX => Ok(mapped),
        _ => Err(JidError::Part(part, Fault::TooLong)),
    }
}

fn lower_ascii(text: &str, upper: bool) -> Cow<'_, str> {
    if upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
}

/// Applies `map` until its output no longer changes; refused if that does not happen soon (RFC 8264 §7).
fn stable(text: &str, map: impl Fn(&str) -> Option<Cow<'_, str>>) -> Result<Cow<'_, str>, Fault> {
    let map = |text: &str| -> Result<String, Fault> {
        if has_many_contextual(text) {
            return Err(Fault::Forbidden);
        }
        let mapped = map(text).ok_or(Fault::Forbidden)?;
        // Too long already: not worth another round.
        if mapped.len() > PART_BYTES_MAX { Err(Fault::TooLong) } else { Ok(mapped.into_owned()) }
    };
    let mut current = map(text)?;
    for _ in 0..REPEATS_MAX {
        let next = map(&current)?;
        if next == current {
            return Ok(if current == text { Cow::Borrowed(text) } else { Cow::Owned(current) });
        }
        current = next;
    }
    Err(Fault::Forbidden)
}

/// Whether more than [`CONTEXTUAL_MAX`] characters have a rule of RFC 5892 §A, or become one that has.
fn has_many_contextual(text: &str) -> bool {
    let contextual = |c: &char| {
        matches!(c, '\u{B7}' | '\u{375}' | '\u{387}' | '\u{5F3}' | '\u{5F4}' | '\u{660}'..='\u{669}'
            | '\u{6F0}'..='\u{6F9}' | '\u{200C}' | '\u{200D}' | '\u{30FB}' | '\u{FF65}')
    };
    text.chars().filter(contextual).nth(CONTEXTUAL_MAX).is_some()
}

/// Whether a label claims to be an A-label (RFC 5890 §2.3.2.1), which is kept as a U-label.
fn has_a_label(text: &str) -> bool {
    text.split('.').any(|label| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--")))
}

fn unicode_domain(text: &str) -> Option<Cow<'_, str>> {
    let (unicode, result) = Uts46::new().to_unicode(text.as_bytes(), DOMAIN_DENIED, Hyphens::CheckFirstLast);
    result.ok()?;
    // Mapped, so that the ideographic full stop at the end is gone too.
    let name = unicode.strip_suffix('.').unwrap_or(&unicode);
    if has_many_contextual(name) {
        return None;
    }
    // UTS #46 lets symbols pass that IDNA2008 forbids, the look-alikes of the slash among them. The IdentifierClass
    // is made of the same categories of characters.
    let class = IdentifierClass::default();
    let good = name.split('.').all(|label| !label.is_empty() && class.allows(label).is_ok());
    good.then(|| Cow::Owned(name.to_owned()))
}

/// An IPv6 address in brackets, in the form of RFC 5952. Zones mean nothing to others and are refused.
fn ipv6_literal(text: &str) -> Option<String> {
    let address: Ipv6Addr = text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(format!("[{address}]"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ok(result: Result<Cow<'_, str>, JidError>) -> Option<String> {
        result.ok().map(Cow::into_owned)
    }

    #[test]
    fn canonical_ascii_is_given_back() {
        assert!(matches!(local("juliet\\20c"), Ok(Cow::Borrowed("juliet\\20c"))));
        assert!(matches!(domain("im.example.com"), Ok(Cow::Borrowed("im.example.com"))));
        assert!(matches!(domain("im.example.com."), Ok(Cow::Borrowed("im.example.com"))));
        assert!(matches!(resource("Balcony 2@home"), Ok(Cow::Borrowed("Balcony 2@home"))));
    }

    #[test]
    fn localparts() {
        let rows = [
            ("Juliet", Some("juliet")),
            ("fußball", Some("fußball")),
            ("FUẞBALL", Some("fußball")),
            ("Σ", Some("σ")),
            ("ς", Some("ς")),
            ("Ａ", Some("a")),
            ("e\u{301}", Some("é")),
            ("call\\40work", Some("call\\40work")),
            ("henryⅣ", None),
            ("♚", None),
            ("a b", None),
            ("a＠b", None),
            ("a：b", None),
            ("a\u{0}b", None),
            ("a\u{AD}b", None),
            ("a\u{200D}b", None),
            ("אa", None),
            ("", None),
        ];
        for (input, expected) in rows {
            assert_eq!(ok(local(input)).as_deref(), expected, "{input:?}");
        }
        for c in "\"&'/:<>@ ".chars() {
            assert_eq!(ok(local(&format!("a{c}b"))), None, "{c:?}");
        }
    }

    #[test]
    fn domainparts() {
        let rows = [
            ("EXAMPLE.com", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("b_c.example", Some("b_c.example")),
            ("_b.bücher.example", Some("_b.bücher.example")),
            ("localhost", Some("localhost")),
            ("xn--bcher-kva.example", Some("bücher.example")),
            ("XN--BCHER-KVA.example", Some("bücher.example")),
            ("BÜCHER.example", Some("bücher.example")),
            ("bücher。example。", Some("bücher.example")),
            ("fußball.example", Some("fußball.example")),
            ("ab--cd.example", Some("ab--cd.example")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:DB8:0:0::1]", Some("[2001:db8::1]")),
            ("[::ffff:192.0.2.1]", Some("[::ffff:192.0.2.1]")),
            ("[fe80::1%eth0]", None),
            ("[192.0.2.1]", None),
            ("[::1", None),
            ("[::1].example", None),
            ("2001:db8::1", None),
            (".", None),
            ("..", None),
            (".example", None),
            ("a..b", None),
            ("a。。b", None),
            ("example.com..", None),
            ("-a.example", None),
            ("a-.example", None),
            ("a b", None),
            ("a@b", None),
            ("a\\b", None),
            ("xn--a", None),
            ("xn--", None),
            ("♚.example", None),
            ("a∕b.example", None),
            ("a⁄b.example", None),
            ("a／b.example", None),
            ("a\u{7F}b", None),
            ("", None),
        ];
        for (input, expected) in rows {
            assert_eq!(ok(domain(input)).as_deref(), expected, "{input:?}");
        }
    }

    #[test]
    fn resourceparts() {
        let rows = [
            ("Balcony", Some("Balcony")),
            ("a/b@c", Some("a/b@c")),
            ("♚", Some("♚")),
            ("a\u{A0}b", Some("a b")),
            ("e\u{301}", Some("é")),
            ("trailing ", Some("trailing ")),
            (" foo", None),
            ("\u{A0}foo", None),
            ("a\tb", None),
            ("a\u{7F}b", None),
            ("a\u{FFFE}b", None),
            ("", None),
        ];
        for (input, expected) in rows {
            assert_eq!(ok(resource(input)).as_deref(), expected, "{input:?}");
        }
    }

    #[test]
    fn a_part_has_1023_bytes_at_most_after_mapping() {
        for prep in [local, domain, resource] {
            assert!(prep(&"a".repeat(1023)).is_ok());
            assert!(matches!(prep(&"a".repeat(1024)), Err(JidError::Part(_, Fault::TooLong))));
            assert!(matches!(prep(&"ä".repeat(1 << 20)), Err(JidError::Part(_, Fault::TooLong))));
        }
        assert!(local(&"Ａ".repeat(1023)).is_ok());
        assert!(matches!(local(&"ä".repeat(512)), Err(JidError::Part(_, Fault::TooLong))));
    }

    /// What is refused before it is mapped: it could hardly become short enough.
    #[test]
    fn long_input_is_refused_at_once() {
        for prep in [local, domain, resource] {
            let too_long = |text: &str| matches!(prep(text), Err(JidError::Part(_, Fault::TooLong)));
            assert!(too_long(&"ä".repeat(1024)) && too_long(&"\u{1D41A}".repeat(768)));
            assert!(
                check_raw(Part::Local, &"Ａ".repeat(1023)).is_ok() && check_raw(Part::Local, &"ä".repeat(1023)).is_ok()
            );
            assert!(check_raw(Part::Local, &"ä".repeat(1024)).is_err());
            assert!(check_raw(Part::Local, &"\u{1D41A}".repeat(768)).is_err());
        }
    }

    /// Each of these has the whole part looked at.
    #[test]
    fn few_characters_depend_on_their_context() {
        let latin = "l".repeat(200);
        for contextual in ["٣", "۳", "l·l", "א׳", "א״", "͵α", "カ・", "ｶ･", "क्\u{200D}", "क्\u{200C}"]
        {
            let of = |n: usize| format!("{latin}{}{latin}", contextual.repeat(n));
            assert!(!has_many_contextual(&of(64)) && has_many_contextual(&of(65)), "{contextual}");
            for prep in [local, domain, resource] {
                assert!(matches!(prep(&of(65)), Err(JidError::Part(_, Fault::Forbidden))), "{contextual}");
            }
            assert!(resource(&of(64)).is_ok(), "{contextual}");
        }
        assert!(local("٣").is_err() && local("ع٣٤٥").is_ok());
        // An A-label hides them until it is decoded.
        let hidden = idna::punycode::encode_str(&"l·l".repeat(65)).expect("a label");
        assert!(domain(&format!("xn--{hidden}")).is_err());
    }

    proptest! {
        #[test]
        fn ascii_path_agrees_with_precis(text in "[ -~]{1,12}") {
            let precis = UsernameCaseMapped::enforce(text.as_str()).ok();
            if let Ok(mapped) = local(&text) {
                prop_assert_eq!(Some(mapped), precis);
            }
            if let Ok(mapped) = resource(&text) {
                prop_assert_eq!(Some(mapped), OpaqueString::enforce(text.as_str()).ok());
            }
        }

        #[test]
        fn ascii_path_agrees_with_idna(text in "[A-Za-z0-9._-]{1,12}") {
            let fast = ok(domain(&text));
            prop_assert_eq!(fast, stable(&text, unicode_domain).ok().map(Cow::into_owned));
        }

        #[test]
        fn preparation_is_idempotent(text in "\\PC{1,6}|[a-cA-C.àÀß。ａ\u{301}\u{5d0}\u{627}1-]{1,8}|xn--[a-z0-9-]{1,8}") {
            for prep in [local, domain, resource] {
                if let Ok(once) = prep(&text) {
                    prop_assert_eq!(prep(&once), Ok(once.clone()));
                }
            }
        }
    }
}
