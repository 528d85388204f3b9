//! RFC 7622 §3.5, example by example, and what the types promise.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// RFC 7622 §3.5, table 1, and what each becomes.
#[test]
fn valid_examples() {
    let rows = [
        ("juliet@example.com", "juliet@example.com", Some("juliet"), None),
        ("juliet@example.com/foo", "juliet@example.com/foo", Some("juliet"), Some("foo")),
        ("juliet@example.com/foo bar", "juliet@example.com/foo bar", Some("juliet"), Some("foo bar")),
        ("juliet@example.com/foo@bar", "juliet@example.com/foo@bar", Some("juliet"), Some("foo@bar")),
        ("foo\\20bar@example.com", "foo\\20bar@example.com", Some("foo\\20bar"), None),
        ("fussball@example.com", "fussball@example.com", Some("fussball"), None),
        ("fußball@example.com", "fußball@example.com", Some("fußball"), None),
        ("π@example.com", "π@example.com", Some("π"), None),
        ("Σ@example.com/foo", "σ@example.com/foo", Some("σ"), Some("foo")),
        ("σ@example.com/foo", "σ@example.com/foo", Some("σ"), Some("foo")),
        ("ς@example.com/foo", "ς@example.com/foo", Some("ς"), Some("foo")),
        ("king@example.com/♚", "king@example.com/♚", Some("king"), Some("♚")),
        ("example.com", "example.com", None, None),
        ("example.com/foobar", "example.com/foobar", None, Some("foobar")),
        ("a.example.com/b@example.net", "a.example.com/b@example.net", None, Some("b@example.net")),
    ];
    for (input, text, local, resource) in rows {
        let jid = Jid::parse(input).expect(input);
        assert_eq!(jid.as_str(), text);
        assert_eq!(jid.local(), local, "{input}");
        assert_eq!(jid.resource(), resource, "{input}");
        let domain = if input.starts_with("a.") { "a.example.com" } else { "example.com" };
        assert_eq!(jid.domain(), domain, "{input}");
        assert_eq!(jid.is_bare(), resource.is_none(), "{input}");
    }
}

/// RFC 7622 §3.5, table 2, and what happens to be near.
#[test]
fn invalid_examples() {
    use Fault::{Empty, Forbidden};
    let rows = [
        ("\"juliet\"@example.com", Part::Local, Forbidden),
        ("foo bar@example.com", Part::Local, Forbidden),
        ("juliet@example.com/ foo", Part::Resource, Forbidden),
        ("@example.com/", Part::Local, Empty),
        ("henryⅣ@example.com", Part::Local, Forbidden),
        ("♚@example.com", Part::Local, Forbidden),
        ("juliet@", Part::Domain, Empty),
        ("/foobar", Part::Domain, Empty),
        ("", Part::Domain, Empty),
        ("@", Part::Local, Empty),
        ("/", Part::Domain, Empty),
        ("example.com/", Part::Resource, Empty),
        ("juliet@/balcony", Part::Domain, Empty),
        ("a@b@example.com", Part::Domain, Forbidden),
        ("juliet@example.com\n", Part::Domain, Forbidden),
    ];
    for (input, part, fault) in rows {
        assert_eq!(Jid::parse(input), Err(JidError::Part(part, fault)), "{input:?}");
    }
}

#[test]
fn every_part_is_canonical() {
    let rows = [
        ("Juliet@EXAMPLE.com./Balcony", "juliet@example.com/Balcony"),
        ("juliet@example.com.", "juliet@example.com"),
        ("xn--bcher-kva.example", "bücher.example"),
        ("[2001:DB8::0]/x", "[2001:db8::]/x"),
    ];
    for (input, text) in rows {
        assert_eq!(Jid::parse(input).expect(input).as_str(), text);
    }
    let jid = Jid::from_parts(Some("Juliet"), "Example.com", Some("Balcony")).expect("valid");
    assert_eq!(jid.as_str(), "juliet@example.com/Balcony");
    assert!(Jid::from_parts(Some("a/b"), "example.com", None).is_err());
    assert!(Jid::from_parts(None, "example.com/a", None).is_err());
    assert!(Jid::from_parts(None, "a@example.com", None).is_err());
    assert!(Jid::from_parts(Some(""), "example.com", None).is_err());
}

#[test]
fn bare_and_full() {
    let jid = Jid::parse("juliet@example.com/a/b").expect("valid");
    assert_eq!(jid.bare_str(), "juliet@example.com");
    assert_eq!(jid.bare().as_str(), "juliet@example.com");
    assert_eq!(jid.bare().local(), Some("juliet"));
    assert_eq!(jid.bare().resource(), None);
    assert_eq!(jid.clone().try_into_bare(), None);
    let full = jid.clone().try_into_full().expect("full");
    assert_eq!(full.resource(), "a/b");
    assert_eq!(full.bare().into_jid().try_into_full(), None);
    let other = full.with_resource("c").expect("valid");
    assert_eq!((other.as_str(), other.resource(), other.domain()), ("juliet@example.com/c", "c", "example.com"));
    assert!(full.with_resource("").is_err());
    assert_eq!(FullJid::parse("juliet@example.com"), Err(JidError::NotFull));
    assert_eq!(BareJid::parse("juliet@example.com/a"), Err(JidError::NotBare));
    assert!(Jid::parse("example.com").expect("valid").is_domain());
    assert!(!Jid::parse("a@example.com").expect("valid").is_domain());
    assert_eq!(bare_str("a@b/c/d@e"), "a@b");
    assert_eq!(domain_str("a@b/c/d@e"), "b");
    assert_eq!(domain_str("b/c@d"), "b");
    assert_eq!(resource_str("a@b/c/d"), Some("c/d"));
    assert_eq!(resource_str("a@b"), None);
}

#[test]
fn a_map_can_be_asked_with_text() {
    let juliet = BareJid::new(Some("juliet"), "example.com").expect("valid");
    let map = HashMap::from([(juliet, 1)]);
    let full = Jid::parse("juliet@example.com/balcony").expect("valid");
    assert_eq!(map.get(full.bare_str()), Some(&1));
    assert_eq!(map.get("romeo@example.com"), None);
}

#[test]
fn it_stays_small() {
    assert_eq!(size_of::<Jid>(), 24);
    assert_eq!(size_of::<Option<FullJid>>(), 24);
}

#[test]
fn the_longest_address() {
    let part = "a".repeat(1023);
    let jid = Jid::parse(&format!("{part}@{part}/{part}")).expect("valid");
    assert_eq!(jid.as_str().len(), 3071);
    assert_eq!((jid.local(), jid.domain(), jid.resource()), (Some(&*part), &*part, Some(&*part)));
    let part = "a".repeat(1024);
    assert_eq!(Jid::parse(&format!("a@a/{part}")), Err(JidError::Part(Part::Resource, Fault::TooLong)));
}

proptest! {
    #[test]
    fn what_is_accepted_is_read_again_as_it_is(text in "\\PC{0,12}|[a-cA-CàÀß@/. -]{0,12}|[a-c♚]{1,3}@[a-c.]{1,5}/\\PC{1,4}") {
        if let Ok(jid) = Jid::parse(&text) {
            let again = Jid::parse(jid.as_str()).expect("what was printed is valid");
            prop_assert_eq!(&again, &jid);
            prop_assert_eq!((again.local_len, again.bare_len), (jid.local_len, jid.bare_len));
            let parts = Jid::from_parts(jid.local(), jid.domain(), jid.resource()).expect("valid parts");
            prop_assert_eq!(parts, jid);
        }
    }
}
