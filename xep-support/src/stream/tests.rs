//! Headers from friends and from strangers.

use proptest::prelude::*;

use super::StreamCondition::*;
use super::*;
use crate::xml::Element;

const CLIENT: &str = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";

fn client(rest: &str) -> String {
    format!("<stream:stream {CLIENT} {rest}>")
}

#[test]
fn everything_is_read() {
    let text = format!(
        "<?xml version=\"1.0\" encoding='UTF-8' standalone='yes' ?>\n <stream:stream {CLIENT} to='im.example.com' \
         from = \"a&amp;b&#64;im.example.com\"\n id='x' version='1.0' xml:lang='de-AT' xmlns:db='jabber:server:dialback' \
         db:x='y' other=''>"
    );
    let header = StreamHeader::parse(&text).expect("valid");
    let expected = StreamHeader {
        to: Some("im.example.com".into()),
        from: Some("a&b@im.example.com".into()),
        id: Some("x".into()),
        version: (1, 0),
        lang: Some("de-AT".into()),
        default_ns: "jabber:client".into(),
        prefixes: vec![
            ("stream".into(), "http://etherx.jabber.org/streams".into()),
            ("db".into(), "jabber:server:dialback".into()),
        ],
    };
    assert_eq!(header, expected);
    assert_eq!(header.content_ns(), Some(ns::CLIENT));
}

#[test]
fn little_is_needed() {
    let header = StreamHeader::parse(&format!("<stream:stream {CLIENT}>")).expect("valid");
    assert_eq!((header.to, header.from, header.id, header.version, header.lang), (None, None, None, (0, 0), None));
}

#[test]
fn declarations() {
    let rows = [
        ("<?xml version='1.0'?>", Ok(())),
        ("<?xml version='1.0' encoding='utf-8'?>", Ok(())),
        ("<?xml version='1.1'?>", Ok(())),
        ("<?xml version='1.0' standalone='no'?>\r\n", Ok(())),
        ("<?xml version='1.0' encoding='UTF-16'?>", Err(UnsupportedEncoding)),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>", Err(UnsupportedEncoding)),
        ("<?xml version='1.0' encoding=''?>", Err(UnsupportedEncoding)),
        ("<?xml version='2.0'?>", Err(NotWellFormed)),
        ("<?xml version='1.'?>", Err(NotWellFormed)),
        ("<?xml?>", Err(NotWellFormed)),
        ("<?xml encoding='UTF-8'?>", Err(NotWellFormed)),
        ("<?xml encoding='UTF-8' version='1.0'?>", Err(NotWellFormed)),
        ("<?xml version='1.0' version='1.0'?>", Err(NotWellFormed)),
        ("<?xml version='1.0'encoding='UTF-8'?>", Err(NotWellFormed)),
        ("<?xml version=1.0?>", Err(NotWellFormed)),
        ("<?xml version='1.0\"?>", Err(NotWellFormed)),
        ("<?xml version='1.0' standalone='maybe'?>", Err(NotWellFormed)),
        ("<?xmlversion='1.0'?>", Err(NotWellFormed)),
        ("<?xml-stylesheet href='x'?>", Err(NotWellFormed)),
        ("<?xml version='1.0'?><?xml version='1.0'?>", Err(RestrictedXml)),
        ("<?xml version='1.0'?>x", Err(NotWellFormed)),
        ("\u{FEFF}", Err(NotWellFormed)),
    ];
    for (declaration, expected) in rows {
        let text = format!("{declaration}{}", client("version='1.0'"));
        assert_eq!(StreamHeader::parse(&text).map(drop), expected, "{declaration}");
    }
}

#[test]
fn strange_roots() {
    let etherx = "http://etherx.jabber.org/streams";
    let rows = [
        (format!("<stream xmlns='{etherx}'>"), Ok(())),
        (format!("<stream:stream xmlns:stream='{etherx}'>"), Ok(())),
        (format!("<foobar:stream xmlns='jabber:client' xmlns:foobar='{etherx}'>"), Err(BadNamespacePrefix)),
        ("<stream:stream xmlns='jabber:client'>".into(), Err(BadNamespacePrefix)),
        (format!("<stream {CLIENT}>"), Err(BadNamespacePrefix)),
        ("<stream xmlns='jabber:client'>".into(), Err(InvalidNamespace)),
        ("<stream>".into(), Err(InvalidNamespace)),
        ("<stream:stream xmlns='jabber:client' xmlns:stream='urn:x'>".into(), Err(InvalidNamespace)),
        (format!("<stream:features {CLIENT}>"), Err(BadFormat)),
        (format!("<xml:stream {CLIENT}>"), Err(BadNamespacePrefix)),
        ("<\u{FFFE}:stream>".into(), Err(NotWellFormed)),
    ];
    for (text, expected) in rows {
        assert_eq!(StreamHeader::parse(&text).map(drop), expected, "{text}");
    }
}

#[test]
fn what_is_not_well_formed() {
    let rows = [
        client("to='a' to='b'"),
        client("to='a'from='b'"),
        client("to='&#1;'"),
        client("to='\u{1}'"),
        client("to='\u{FFFF}'"),
        client("to='<'"),
        client("to=a"),
        client("to"),
        client("1to='a'"),
        client("x:to='a'"),
        client("xmlns:x=''"),
        client("xmlns='urn:x'"),
        client("xmlns:a='urn:x' xmlns:b='urn:x' a:to='1' b:to='2'"),
        client("xmlns:xml='urn:x'"),
        client("to='a' /"),
        client("to='a' <"),
        client("to='"),
        format!("{}<a/>", client("")),
        format!("{}</stream:stream>", client("")),
        format!("{} ", client("")),
        format!("<a/>{}", client("")),
        format!(" {}", client("")),
        format!("<stream:stream:stream {CLIENT}>"),
        format!("<stream: {CLIENT}>"),
        "<>".into(),
        ">".into(),
        "<".into(),
        "</stream:stream>".into(),
        String::new(),
    ];
    for text in rows {
        assert_eq!(StreamHeader::parse(&text), Err(NotWellFormed), "{text}");
    }
    assert_eq!(StreamHeader::parse(&client("to='&nbsp;'")), Err(RestrictedXml));
    let many: String = (0..100).map(|i| format!(" a{i}=''")).collect();
    assert_eq!(StreamHeader::parse(&client(&many)), Err(PolicyViolation));
}

#[test]
fn versions() {
    let rows = [
        ("1.0", Some((1, 0))),
        ("1.5", Some((1, 5))),
        ("2.0", Some((2, 0))),
        ("01.000", Some((1, 0))),
        ("0.9", Some((0, 9))),
        ("1", None),
        ("1.0.0", None),
        ("1.x", None),
        ("+1.0", None),
        ("1.", None),
        ("", None),
        ("99999.0", None),
    ];
    for (text, expected) in rows {
        let header = StreamHeader::parse(&client(&format!("version='{text}'")));
        assert_eq!(header.map(|header| header.version), expected.ok_or(UnsupportedVersion), "{text}");
    }
}

#[test]
fn languages() {
    let long = "a".repeat(36);
    for (text, good) in
        [("en", true), ("zh-Hant-TW", true), ("", false), ("e n", false), ("en-", false), (&long, false)]
    {
        let header = StreamHeader::parse(&client(&format!("xml:lang='{text}'"))).expect("valid");
        assert_eq!(header.lang.as_deref(), good.then_some(text), "{text}");
    }
}

#[test]
fn the_context_of_a_stream() {
    let stream = "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'";
    let rows = [
        (client("version='1.0'"), Ok(())),
        (client("version='2.1'"), Ok(())),
        (client("version='0.9'"), Err(UnsupportedVersion)),
        (client(""), Err(UnsupportedVersion)),
        ("<stream xmlns='http://etherx.jabber.org/streams' version='1.0'>".into(), Ok(())),
        (format!("<stream:stream xmlns:c='jabber:client' {stream}>"), Ok(())),
        (format!("<stream:stream {stream}>"), Err(InvalidNamespace)),
        (format!("<stream:stream xmlns='jabber:server' {stream}>"), Err(InvalidNamespace)),
        (format!("<stream:stream xmlns='urn:x' {stream}>"), Err(InvalidNamespace)),
    ];
    for (text, expected) in rows {
        let header = StreamHeader::parse(&text).expect(&text);
        assert_eq!(header.context(ns::CLIENT).map(drop), expected, "{text}");
    }
    let header = StreamHeader::parse(&client("version='1.0' xmlns:x='urn:x'")).expect("valid");
    let context = header.context(ns::CLIENT).expect("a client's");
    let element = Element::parse_in("<x:a><b/></x:a>", &context).expect("valid");
    assert!(element.is("a", "urn:x") && element.find("b", ns::CLIENT).is_some());
}

#[test]
fn our_header() {
    let mut out = String::new();
    ResponseHeader {
        content_ns: ns::CLIENT,
        id: "a'b",
        from: Some("im.example.com"),
        to: Some("juliet@im.example.com"),
        lang: Some("en"),
    }
    .write(&mut out);
    assert_eq!(
        out,
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         id='a&apos;b' from='im.example.com' to='juliet@im.example.com' xml:lang='en' version='1.0'>"
    );
    let header = StreamHeader::parse(&out).expect("valid");
    assert_eq!((header.id.as_deref(), header.to.as_deref()), (Some("a'b"), Some("juliet@im.example.com")));
}

proptest! {
    #[test]
    fn values_survive(to in "\\PC{0,20}", id in "\\PC{0,20}") {
        let mut out = String::new();
        ResponseHeader { content_ns: ns::CLIENT, id: &id, from: None, to: Some(&to), lang: None }.write(&mut out);
        let header = StreamHeader::parse(&out).expect("valid");
        prop_assert_eq!((header.id, header.to), (Some(id), Some(to)));
    }

    #[test]
    fn garbage_never_panics(
        text in "\\PC{0,40}",
        parts in proptest::collection::vec(
            prop::sample::select(vec!["<?xml", " version='1.0'", " encoding=", "?>", "<", "stream", ":", " ", "=", "'", ">",
                "/", "xmlns", "&", "&amp;", "\u{FEFF}", "\u{E9}", " xmlns:stream='http://etherx.jabber.org/streams'"]),
            0..14,
        ),
    ) {
        let _ = (StreamHeader::parse(&text), StreamHeader::parse(&parts.concat()), StreamHeader::parse(&client(&text)));
    }
}
