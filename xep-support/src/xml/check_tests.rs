//! Tests of the walk: each row of what quick-xml lets pass, and agreement with an independent reader.

use super::*;

struct Nothing;
impl<'a> Sink<'a> for Nothing {
    fn start(&mut self, _: &Tag<'a, '_>) {}
    fn end(&mut self, _: usize, _: usize, _: usize) {}
}

fn check_in(xml: &str, cx: &StreamContext) -> Result<(), XmlError> {
    walk(xml, cx, &mut Nothing)
}

fn check(xml: &str) -> Result<(), XmlError> {
    check_in(xml, &StreamContext::client())
}

#[test]
fn accepted() {
    for xml in [
        "<m/>",
        "<m />",
        "<m\t\r\n a = '1'\n b\t=\"2\" />",
        "<m></m >",
        "<m>a &lt;&gt;&amp;&quot;&apos;&#10;&#x1F600; ]] > ]]&gt;</m>",
        "<m><![CDATA[<&]] >]]>]]<![CDATA[]]></m>",
        "<m a='&lt;&#38;>'/>",
        "<m xmlns=''><a xmlns='u'/></m>",
        "<m xmlns:p='u' p:a='1' a='2'><p:x/></m>",
        "<m xmlns:p='u' xmlns:q='v' p:a='1' q:a='2'/>",
        "<m xml:lang='en' xml:a='' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<xml:m/>",
        "<é:名 xmlns:é='u'/>",
        "<m xmlns:xmlp='u' xmlp:a=''/>",
        "<m a='\u{FFFD}\u{10FFFF}'>\u{85}\u{FEFF}</m>",
        "<m xmlns:p='u'><n xmlns:p='v'><p:x/></n><p:x/></m>",
    ] {
        assert_eq!(check(xml), Ok(()), "{xml}");
    }
}

#[test]
fn refused() {
    for xml in [
        // Not one element.
        "",
        " ",
        "x",
        " <m/>",
        "<m/> ",
        "<m/><m/>",
        "<m/>x",
        "\u{FEFF}<m/>",
        "<m>",
        "<m><a></m>",
        "<m",
        "</m>",
        "<m></m",
        "<![CDATA[]]>",
        "<![CDATA[x]]><m/>",
        "&lt;",
        "<m>]]></m>",
        "<m></M>",
        "<m></ m>",
        "<m></>",
        "<p:m xmlns:p='u' xmlns:q='u'></q:m>",
        "<m><![CDATA[</m>",
        // Characters.
        "<m>\0</m>",
        "<m>\u{1}</m>",
        "<m>\u{1F}</m>",
        "<m a='\u{B}'/>",
        "<m>\u{FFFE}</m>",
        "<m>\u{FFFF}</m>",
        "<m><![CDATA[\u{8}]]></m>",
        // References.
        "<m>&</m>",
        "<m>&;</m>",
        "<m>& </m>",
        "<m>&lt</m>",
        "<m>&#1;</m>",
        "<m>&#x1F;</m>",
        "<m>&#xFFFE;</m>",
        "<m>&#0;</m>",
        "<m>&#xD800;</m>",
        "<m>&#x110000;</m>",
        "<m>&#+65;</m>",
        "<m>&#X41;</m>",
        "<m a='&'/>",
        "<m a='&lt'/>",
        "<m a='&#1;'/>",
        "<m a='a & b;'/>",
        "<m>&lt ;</m>",
        // Names.
        "<1m/>",
        "<m$/>",
        "<a:b:c/>",
        "<:m/>",
        "<m:/>",
        "<>x</>",
        "<m 1='x'/>",
        "<m a$='x'/>",
        "<m a:b:c='x'/>",
        "<m ='x'/>",
        "<m / >",
        "<m /a>",
        "<-m/>",
        "< m/>",
        // Attributes.
        "<m a='1'b='2'/>",
        "<m a=1/>",
        "<m a/>",
        "<m a=/>",
        "<m a='1/>",
        "<m a='<'/>",
        "<m a='1' a='2'/>",
        "<m a='1' 'x'/>",
        "<m a b='1'/>",
        "<m a='1\"/>",
        "<m a='1' b/>",
        "<m a='1' a=\"1\"/>",
        "<m'a'/>",
        // Namespaces.
        "<p:m/>",
        "<m p:a='1'/>",
        "<m><n xmlns:p='u'/><p:x/></m>",
        "<m xmlns:p=''/>",
        "<m xmlns:xmlns='u'/>",
        "<m xmlns:xml='u'/>",
        "<m xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<m xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<m xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<m xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<xmlns:m/>",
        "<m xmlns='a' xmlns='b'/>",
        "<m xmlns:p='a' xmlns:p='a'/>",
        "<m xmlns:p='u' xmlns:q='u' p:a='1' q:a='1'/>",
        "<m xmlns:p='u' xmlns:q='&#117;' p:a='1' q:a='1'/>",
        "<m xml:a='1' xml:a='2'/>",
        "<m xmlns:='u'/>",
    ] {
        assert_eq!(check(xml), Err(XmlError::NotWellFormed), "{xml}");
    }
    for xml in [
        "<m>&nbsp;</m>",
        "<m a='&nbsp;'/>",
        "<m><!-- c --></m>",
        "<m><?pi?></m>",
        "<?xml version='1.0'?><m/>",
        "<!DOCTYPE m><m/>",
        "<!-- --><m/>",
    ] {
        assert_eq!(check(xml), Err(XmlError::RestrictedXml), "{xml}");
    }
}

#[test]
fn limits() {
    let cx = StreamContext::client().with_limits(3, 2);
    assert_eq!(check_in("<a><b><c/></b><b><c></c></b></a>", &cx), Ok(()));
    assert_eq!(check_in("<a><b><c><d/></c></b></a>", &cx), Err(XmlError::TooDeep));
    assert_eq!(check_in("<a x='' xmlns=''/>", &cx), Ok(()));
    assert_eq!(check_in("<a x='' y='' xmlns=''/>", &cx), Err(XmlError::TooManyAttributes));
}

#[test]
fn prefixes_of_the_header() {
    let cx = StreamContext::server().with_prefix("db", "jabber:server:dialback").with_prefix("x", "u");
    assert_eq!(check_in("<db:result/>", &cx), Ok(()));
    assert_eq!(check_in("<m x:a='1'/>", &cx), Ok(()));
    assert_eq!(check_in("<m xmlns:y='u' x:a='1' y:a='2'/>", &cx), Err(XmlError::NotWellFormed));
    assert_eq!(check_in("<m y:a='1'/>", &cx), Err(XmlError::NotWellFormed));
}

/// A namespace name, and what is in force at one place, are bounded: resolving a prefix is a search.
#[test]
fn namespaces_are_bounded() {
    let named = |bytes: usize| format!("<m xmlns:p='{}'/>", "n".repeat(bytes));
    assert_eq!(check(&named(1024)), Ok(()));
    assert_eq!(check(&named(1025)), Err(XmlError::NamespaceTooLong));
    assert_eq!(check(&format!("<m xmlns='{}'/>", "&#110;".repeat(1025))), Err(XmlError::NamespaceTooLong));

    let nested = |n: usize| {
        let open: String = (0..n).map(|i| format!("<m xmlns:p{i}='u'>")).collect();
        format!("{open}{}", "</m>".repeat(n))
    };
    let deep = StreamContext::client().with_limits(128, 64);
    assert_eq!(check_in(&nested(64), &deep), Ok(()));
    assert_eq!(check_in(&nested(65), &deep), Err(XmlError::TooManyNamespaces));
    // Those of siblings are not in force at a time.
    assert_eq!(check(&format!("<m>{}</m>", "<n xmlns:p='u' xmlns='v'/>".repeat(200))), Ok(()));
    assert_eq!(StreamCondition::from(XmlError::TooManyNamespaces), StreamCondition::PolicyViolation);

    // What passed once, and was printed anew since, passes.
    assert_eq!(check_in(&nested(65), &StreamContext::stored()), Ok(()));
}

/// What stands once in the text and at every use in print.
fn repeated(xml: &str) -> usize {
    let cx = StreamContext::client().with_prefix("h", "header");
    let mut walker = Walker::new(xml, &cx);
    walker.run(&mut Nothing).unwrap_or_else(|e| panic!("{xml}: {e}"));
    walker.repeated
}

#[test]
fn repeated_declarations_are_counted() {
    let printed = |ns: &str| format!(" xmlns='{ns}'").len();
    for (xml, want) in [
        // Declared where it is used, or inherited in print too.
        ("<m xmlns='uuu'><a/><b xmlns='v'><c/></b></m>", 0),
        ("<m><p:a xmlns:p='uuu' p:x='1'><p:b/></p:a></m>", 0),
        ("<m xml:lang='en'><xml:a><b/></xml:a></m>", 0),
        ("<p:m xmlns:p='uuu'><p:a/><q:b xmlns:q='uuu'/></p:m>", 0),
        // Not so.
        ("<m xmlns:p='uuu'><p:a/><p:b/></m>", 2 * printed("uuu")),
        ("<m><p:a xmlns:p='uuu'><b/><xml:c><b/></xml:c></p:a></m>", 2 * printed("jabber:client")),
        ("<m><h:a/><b h:x='1' h:y='2'/></m>", 2 * printed("header") + 1),
        ("<m xmlns:p='u&apos;'><p:a/></m>", printed("u&quot;")),
        ("<p:m xmlns:p='u' xmlns='v'><a/><p:b><a/></p:b></p:m>", 2 * printed("v")),
    ] {
        assert_eq!(repeated(xml), want, "{xml}");
    }
}
