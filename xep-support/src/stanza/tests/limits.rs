//! What a stanza may cost: printed anew, as a tree, in a queue, and read again from storage.

use super::*;

/// A namespace that is declared once and used often does not make a stanza a bomb, in this text or as a tree.
#[test]
fn rewriting_is_bounded() {
    let long = "n".repeat(1024);
    let header = StreamContext::client().with_prefix("h", &long);
    let other_default = StreamContext::client().with_default_ns(long.clone()).with_prefix("c", ns::CLIENT);
    for (open, child, close, cx) in [
        (format!("<message xmlns:p='{long}'>"), "<p:b/>", "</message>", &header),
        (format!("<message><x xmlns:p='{long}'>"), "<p:b/>", "</x></message>", &header),
        ("<message>".to_owned(), "<h:b/>", "</message>", &header),
        ("<message>".to_owned(), "<b h:x=''/>", "</message>", &header),
        ("<c:message>".to_owned(), "<b/>", "</c:message>", &other_default),
    ] {
        let of = |n: usize| format!("{open}{}{close}", child.repeat(n));
        for n in [1_000, 40_000] {
            assert_eq!(stream_error(&of(n), cx), StreamCondition::PolicyViolation, "{open}{child}");
        }
        let largest = (0..1_000).map_while(|n| Some((of(n), Stanza::parse(of(n).as_bytes(), cx).ok()?))).last();
        let (xml, stanza) = largest.expect("one fits");
        let tree = stanza.to_element().to_xml(ns::CLIENT);
        assert!(tree.len() > 3 * 1024, "{child}");
        for printed in [stanza.to_xml(), tree] {
            assert!(printed.len() <= 5 * xml.len() + 4 * 1024, "{child}: {} of {}", printed.len(), xml.len());
        }
    }
    let inherited = format!("<message><a xmlns='{long}'>{}</a></message>", "<b/>".repeat(16_000));
    assert_eq!(parse(&inherited).to_element().to_xml(ns::CLIENT).len(), inherited.len());
    // Escaping on top: each of these is one byte before, and six after.
    let quotes = format!("<message xmlns:p='u'><p:x a=\"{}\"/></message>", "'".repeat(20_000));
    assert_eq!(stream_error(&quotes, &header), StreamCondition::PolicyViolation);
}

/// What a stanza became must pass on the next server, whose limits are much the same.
#[test]
fn rewriting_keeps_the_limits() {
    let nested = |n: usize| {
        let pairs = n / 2;
        format!("<message xmlns:p='u'>{}{}</message>", "<p:a><b>".repeat(pairs), "</b></p:a>".repeat(pairs))
    };
    let deep = StreamContext::client().with_limits(128, 64);
    assert!(Stanza::parse(nested(64).as_bytes(), &deep).is_ok());
    assert_eq!(stream_error(&nested(66), &deep), StreamCondition::PolicyViolation);
}

/// Whatever was accepted under some limits can be read again from storage.
#[test]
fn stored() {
    let deep = format!("<message>{}{}</message>", "<a>".repeat(127), "</a>".repeat(127));
    let attributes: String = (0..1_000).map(|i| format!(" a{i}=''")).collect();
    let wide = format!("<message{attributes} p:b='' xmlns:p='u'><p:a/><q:b xmlns:q='v'><q:c/></q:b></message>");
    let cx = StreamContext::client().with_limits(usize::MAX, 2_000);
    for xml in [deep, wide] {
        assert_eq!(stream_error(&xml, &StreamContext::client()), StreamCondition::PolicyViolation);
        let mut stanza = Stanza::parse(xml.as_bytes(), &cx).expect("a message");
        stanza.set_from(jid("a@b/c"));
        let printed = stanza.to_xml();
        let again = Stanza::parse(printed.as_bytes(), &StreamContext::stored()).expect("the same message");
        assert_eq!(again.to_xml(), printed);
    }
    // Its text shrank since, and what it declares did not.
    let (long, padding) = ("n".repeat(1024), "x".repeat(10_000));
    let xml = format!("<message><pad>{padding}</pad><x xmlns:p='{long}'>{}</x></message>", "<p:b/>".repeat(30));
    let mut stanza = parse(&xml);
    stanza.retain_children(|child| child.name() != "pad");
    let printed = stanza.to_xml();
    assert_eq!(stream_error(&printed, &StreamContext::client()), StreamCondition::PolicyViolation);
    assert!(Stanza::parse(printed.as_bytes(), &StreamContext::stored()).is_ok_and(|again| again.to_xml() == printed));
}

/// Queues are bounded by it: it may not be far below the memory a stanza takes.
#[test]
fn size_counts_what_is_held() {
    let children = |n: usize| format!("<message>{}</message>", "<a/>".repeat(n));
    assert!(parse(&children(1024)).size() < 32 * 1024 + children(1024).len());
    assert_eq!(stream_error(&children(1025), &StreamContext::client()), StreamCondition::PolicyViolation);
    assert!(Stanza::parse(children(1025).as_bytes(), &StreamContext::stored()).is_ok());

    let many = parse(&format!("<message>{}</message>", "<a/>".repeat(1_000)));
    let held = many.text.len() + many.index.children.capacity() * size_of::<ChildSpans>();
    assert!(many.index.children.spilled() && many.size() >= held && many.size() > 7 * many.to_xml().len());
    let mut small = parse("<message id='1' xml:lang='en'/>");
    let before = small.size();
    assert_eq!(before, "<message id='1' xml:lang='en'/>".len() + 2 * size_of::<Span>());
    small.set_from(jid("a@b/c"));
    small.set_to(Some(jid("d@e")));
    assert_eq!(small.size(), before + "a@b/c".len() + "d@e".len());
}
