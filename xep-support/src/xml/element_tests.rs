//! Tests of the tree: reading, printing, and that printing cannot be tricked.

use proptest::prelude::*;

use super::*;

fn parse(xml: &str) -> Element {
    Element::parse(xml, ns::CLIENT).unwrap_or_else(|e| panic!("{xml}: {e}"))
}

#[test]
fn reads() {
    let el = parse(
        "<iq id='1&amp;' xml:lang='en'><query xmlns='q' xmlns:p='u' p:a='x\n'>t<p:i/>&lt;\r\n<![CDATA[<&]]></query></iq>",
    );
    assert!(el.is("iq", ns::CLIENT));
    assert_eq!(el.get_attr("id"), Some("1&"));
    assert_eq!(el.get_attr("xml:lang"), Some("en"));
    assert_eq!(el.get_attr_ns(ns::XML, "lang"), Some("en"));
    let query = el.find("query", "q").expect("query");
    assert_eq!(el.first_child(), Some(query));
    assert_eq!(query.get_attr_ns("u", "a"), Some("x "));
    assert_eq!(query.get_attr("p:a"), None);
    assert_eq!(query.text_content(), "t<\n<&");
    assert!(query.find("i", "u").is_some() && query.find("i", "q").is_none());
    assert_eq!(query.nodes().len(), 3);
}

#[test]
fn prints() {
    let el = Element::new("iq", ns::CLIENT)
        .attr("type", "result")
        .attr_opt("id", Some("a'b"))
        .attr_opt("to", None::<String>)
        .attr("xml:lang", "en")
        .child(Element::new("query", "q").child(Element::new("item", "q")).text("a<b").child(Element::new("n", "")))
        .children([Element::new("body", ns::CLIENT)]);
    assert_eq!(
        el.to_xml(ns::CLIENT),
        "<iq type='result' id='a&apos;b' xml:lang='en'><query xmlns='q'><item/>a&lt;b<n xmlns=''/></query><body/></iq>"
    );
    assert!(el.to_xml("other").starts_with("<iq xmlns='jabber:client' type="));
    assert_eq!(parse(&el.to_xml(ns::CLIENT)), el);
}

#[test]
fn prefixes_are_declared_where_they_are_used() {
    let el = parse("<a xmlns:p='u' xmlns:q='v'><p:b q:x='1' q:y='2' p:z='3'><c q:x='1'/></p:b><xml:d><e/></xml:d></a>");
    let xml = el.to_xml(ns::CLIENT);
    assert_eq!(
        xml,
        "<a><b xmlns='u' xmlns:q='v' q:x='1' q:y='2' xmlns:p='u' p:z='3'>\
         <c xmlns='jabber:client' xmlns:q='v' q:x='1'/></b><xml:d><e/></xml:d></a>"
    );
    assert_eq!(parse(&xml), el);

    let el = Element::new("a", "").attr_ns("p", "u", "x", "1").attr_ns("p", "v", "x", "2").attr_ns("q", "u", "x", "3");
    assert_eq!(el.to_xml(""), "<a xmlns:p1='v' p1:x='2' xmlns:q='u' q:x='3'/>");
    let el = Element::new("a", "").attr_ns("xmlns", "u", "x", "1").attr_ns("xml", "v", "x", "2");
    assert_eq!(Element::parse(&el.to_xml(""), ""), Ok(el));
}

#[test]
fn changes() {
    let mut el = parse("<a x='1'>t<b/><c/></a>");
    el.set_attr("x", "2");
    el.push(Element::new("b", "n"));
    el.retain_children(|child| child.name() == "b");
    assert_eq!(el.to_xml(ns::CLIENT), "<a x='2'>t<b/><b xmlns='n'/></a>");
    assert_eq!(el.remove_attr("x").as_deref(), Some("2"));
    assert_eq!(el.attrs().count(), 0);
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    assert!(Element::parse(&nested(128), "").is_ok());
    assert_eq!(Element::parse(&nested(129), ""), Err(XmlError::TooDeep));
    let cx = StreamContext::client().with_limits(1_000_000, 10);
    assert_eq!(Element::parse_in(&nested(100_000), &cx), Err(XmlError::TooDeep));
}

/// A namespace is kept once for all that inherit it, and printed once.
#[test]
fn namespaces_are_shared() {
    let long = "n".repeat(1024);
    let xml = format!("<a xmlns='{long}'>{}</a>", "<b/>".repeat(16_000));
    let el = parse(&xml);
    assert!(el.child_elements().all(|child| std::ptr::eq(child.ns(), el.ns())));
    assert_eq!(el.to_xml("").len(), xml.len());

    let el = parse(&format!("<a xmlns:p='{long}' p:x='' p:y='' p:z=''/>"));
    let ns: Vec<_> = el.attrs.iter().filter_map(|a| a.ns.as_deref()).collect();
    assert!(ns.len() == 3 && ns.iter().all(|other| std::ptr::eq(*other, ns[0])));
}

/// Prefixes are written out: what is much larger then is refused before a tree of it exists.
#[test]
fn printing_is_bounded() {
    let long = "n".repeat(1024);
    for (declaration, child) in [
        (format!("xmlns:p='{long}'"), "<p:b/>"),
        (format!("xmlns:p='{long}'"), "<b p:x=''/>"),
        (format!("xmlns:p='{long}'"), "<b><p:c/></b>"),
        (format!("xmlns:p='{long}' xmlns='u'"), "<p:b/><c/>"),
    ] {
        let of = |n: usize| format!("<a {declaration}>{}</a>", child.repeat(n));
        assert_eq!(Element::parse(&of(1_000), ""), Err(XmlError::TooLarge), "{child}");
        let largest = (0..1_000).map(of).take_while(|xml| Element::parse(xml, "").is_ok()).last().expect("one");
        let printed = parse(&largest).to_xml("").len();
        assert!(printed > 4 * 1024 && printed <= 5 * largest.len() + 4 * 1024, "{printed} of {}", largest.len());
    }
    // The same within another element, where the prefixes are those of the parent.
    let inside = format!("<p:a xmlns:p='u' xmlns='{long}'>{}</p:a>", "<b/>".repeat(1_000));
    assert_eq!(Element::parse(&inside, ""), Err(XmlError::TooLarge));
    // What uses prefixes as people do is not much larger.
    let soap = "<item xsi:type='xsd:string'>Neither, fair saint</item>".repeat(1_000);
    let soap = format!("<e:a xmlns:e='urn:e' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{soap}</e:a>");
    assert!(Element::parse(&soap, "").is_ok());
}

#[test]
fn names_are_not_a_way_in() {
    for name in ["a b", "a/><b", "", "a:b", "a'"] {
        assert!(std::panic::catch_unwind(|| Element::new(name.to_owned(), "")).is_err(), "{name}");
        assert!(std::panic::catch_unwind(|| Element::new("a", "").attr(name.to_owned(), "")).is_err(), "{name}");
    }
    assert!(std::panic::catch_unwind(|| Element::new("a", "").attr("xmlns", "")).is_err());
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "item", "é", "x-y"]).prop_map(str::to_owned)
}

fn namespace() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "u", "jabber:client", "a&'\"<b", ns::XML]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    "[a-z<>&'\"\\]\t\n\r é😀/=]{0,8}"
}

prop_compose! {
    fn attributes()(plain in prop::collection::vec((name(), value()), 0..3),
                    spaced in prop::collection::vec((name(), name(), value()), 0..3)) -> Element {
        let mut el = Element::new("a", "");
        for (k, v) in plain { el = el.attr(k, v); }
        for (p, k, v) in spaced { el = el.attr_ns(&p, &format!("urn:{p}&"), &k, v); }
        el
    }
}

/// A tree of whatever can be built.
pub(crate) fn tree() -> impl Strategy<Value = Element> {
    let leaf = (name(), namespace(), attributes(), value())
        .prop_map(|(name, ns, attrs, text)| Element { attrs: attrs.attrs, ..Element::new(name, ns) }.text(text));
    leaf.prop_recursive(4, 24, 4, |inner| {
        (name(), namespace(), attributes(), prop::collection::vec((inner, value()), 0..4)).prop_map(
            |(name, ns, attrs, content)| {
                let el = Element { attrs: attrs.attrs, ..Element::new(name, ns) };
                content.into_iter().fold(el, |el, (child, text)| el.child(child).text(text))
            },
        )
    })
}

proptest! {
    #[test]
    fn parse_of_print_is_identity(el in tree(), inherited in namespace()) {
        let inherited = if inherited == ns::XML { "" } else { &inherited };
        let xml = el.to_xml(inherited);
        prop_assert_eq!(Element::parse(&xml, inherited), Ok(el), "{}", xml);
    }

    #[test]
    fn arbitrary_text_never_panics(xml in "[<>/a-c='\" &;:!\\[\\]x\\-]{0,60}") {
        if let Ok(el) = Element::parse(&xml, "u") {
            prop_assert_eq!(Element::parse(&el.to_xml("u"), "u"), Ok(el));
        }
    }
}
