//! Tests of the stanza: reading, printing, what is refused, and that nothing can be smuggled through.

use proptest::prelude::*;

use super::error::Condition;
use super::*;
use crate::stream::StreamCondition;

mod limits;

fn parse(xml: &str) -> Stanza {
    Stanza::parse(xml.as_bytes(), &StreamContext::client()).unwrap_or_else(|e| panic!("{xml}: {e}"))
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).expect(text)
}

fn stream_error(xml: &str, cx: &StreamContext) -> StreamCondition {
    match parse_top_level(xml.as_bytes(), cx).and_then(|_| Stanza::parse(xml.as_bytes(), cx)) {
        Err(ParseError::Stream(condition)) => condition,
        other => panic!("{xml}: {other:?}"),
    }
}

const CHAT: &str = "<message xml:lang='en' to='juliet@example.com/balcony' from='romeo@example.net' type='chat' id='a&amp;1' \
                    x='y'> <body>Art thou &lt;</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
                    <r:request xmlns:r='urn:xmpp:receipts'/>\n</message>";

#[test]
fn reads() {
    let stanza = parse(CHAT);
    assert_eq!(stanza.kind(), Kind::Message);
    assert_eq!(stanza.to(), Some(&jid("juliet@example.com/balcony")));
    assert_eq!(stanza.from(), Some(&jid("romeo@example.net")));
    assert_eq!(stanza.id().as_deref(), Some("a&1"));
    assert_eq!(stanza.lang().as_deref(), Some("en"));
    assert_eq!(stanza.message_type(), MessageType::Chat);
    assert_eq!(stanza.facts(), Facts::BODY | Facts::CHAT_STATE | Facts::RECEIPT_REQUEST);
    let children: Vec<_> = stanza.children().map(|c| (c.name(), c.ns())).collect();
    assert_eq!(children, [("body", ns::CLIENT), ("active", ns::CHAT_STATES), ("request", ns::RECEIPTS)]);
    assert_eq!(stanza.children().next().map(|c| c.raw()), Some("<body>Art thou &lt;</body>"));
    assert_eq!(stanza.payload().map(|el| el.text_content()).as_deref(), Some("Art thou <"));
    assert!(stanza.child("request", ns::RECEIPTS).is_some() && stanza.child("request", ns::CLIENT).is_none());
    assert!(stanza.has_child("active", ns::CHAT_STATES));
}

#[test]
fn prints_only_the_envelope_anew() {
    let mut stanza = parse(CHAT);
    let rest = &CHAT[CHAT.find("> <body>").expect("content")..];
    let head = " xml:lang='en' type='chat' id='a&amp;1' x='y'";
    assert_eq!(
        stanza.to_xml(),
        format!("<message from='romeo@example.net' to='juliet@example.com/balcony'{head}{rest}")
    );
    stanza.set_from(jid("romeo@example.net/o'r&<\"c"));
    stanza.set_to(None);
    let other = jid("mercutio@example.org");
    let mut out = Vec::new();
    stanza.write(&mut out, &Print { to: Some(&other), xmlns: Some(ns::CLIENT), extra: b"<extra/>" });
    let want = format!(
        "<message xmlns='jabber:client' from='romeo@example.net/o&apos;r&amp;&lt;&quot;c' to='mercutio@example.org'{head}{}",
        rest.replace("</message>", "<extra/></message>")
    );
    assert_eq!(String::from_utf8(out), Ok(want));
    assert!(!stanza.to_xml().contains(" to="));

    let empty = parse("<presence></presence>");
    assert_eq!(empty.to_xml(), "<presence/>");
    let mut out = Vec::new();
    empty.write(&mut out, &Print { extra: b"<x/>", ..Print::default() });
    assert_eq!(out, b"<presence><x/></presence>");
    assert_eq!(parse("<presence xmlns='jabber:client'/>").to_xml(), "<presence/>");
}

/// RFC 6120 §8.1.5.
#[test]
fn language_of_the_stream() {
    let lang: Arc<str> = "de".into();
    let mut stanza = parse("<message><body/></message>");
    stanza.set_lang_default(&lang);
    assert_eq!(stanza.lang().as_deref(), Some("de"));
    assert_eq!(stanza.to_xml(), "<message xml:lang='de'><body/></message>");
    let mut stanza = parse("<message xml:lang='en'/>");
    stanza.set_lang_default(&lang);
    assert_eq!(stanza.lang().as_deref(), Some("en"));
    assert_eq!(stanza.to_xml(), "<message xml:lang='en'/>");
}

#[test]
fn types() {
    assert_eq!(parse("<message/>").message_type(), MessageType::Normal);
    assert_eq!(parse("<message type='nonsense'/>").message_type(), MessageType::Normal);
    assert_eq!(parse("<message type='gro&#117;pchat'/>").message_type(), MessageType::Groupchat);
    assert_eq!(parse("<presence/>").presence_type(), Ok(PresenceType::Available));
    assert_eq!(parse("<presence type='probe'/>").presence_type(), Ok(PresenceType::Probe));
    for bad in ["available", "", "nonsense"] {
        let refused = parse(&format!("<presence type='{bad}'/>")).presence_type();
        assert_eq!(refused.map_err(|e| e.condition), Err(Condition::BadRequest), "{bad}");
    }
    assert_eq!(parse("<iq type='set'/>").iq_type(), Some(IqType::Set));
    assert_eq!(parse("<iq/>").iq_type(), None);
    assert_eq!(parse("<iq type='Get'/>").iq_type(), None);
    assert_eq!(parse("<message type='get'/>").iq_type(), None);
}

#[test]
fn malformed_addresses_can_be_answered() {
    for xml in ["<message to='a@b@c@' from='a@b' id='1'/>", "<iq type='get' to='' from='a@b' id='1'><q/></iq>"] {
        let Err(ParseError::Refused { stanza, condition }) = Stanza::parse(xml.as_bytes(), &StreamContext::client())
        else {
            panic!("{xml} was not refused");
        };
        assert_eq!((condition, stanza.to(), stanza.from()), (Condition::JidMalformed, None, Some(&jid("a@b"))));
        let reply = stanza.error_reply(&StanzaError::new(condition)).expect("a reply").to_xml();
        let tail = " to='a@b' type='error' id='1'><error type='modify'>\
                    <jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        assert!(reply.contains(tail), "{reply}");
    }
    let malformed_from = Stanza::parse(b"<message from='@' to='a@b'/>", &StreamContext::client());
    assert!(matches!(malformed_from, Err(ParseError::Stream(StreamCondition::InvalidFrom))));
}

#[test]
fn what_is_no_stanza() {
    let cx = StreamContext::client();
    assert_eq!(stream_error("<message>", &cx), StreamCondition::NotWellFormed);
    assert_eq!(stream_error("<message><!-- --></message>", &cx), StreamCondition::RestrictedXml);
    assert_eq!(stream_error("<message xmlns='jabber:server'/>", &cx), StreamCondition::InvalidNamespace);
    assert_eq!(stream_error("<iq xmlns=''/>", &cx), StreamCondition::InvalidNamespace);
    assert_eq!(
        stream_error("<message/>", &StreamContext::client().with_default_ns(ns::STREAM)),
        StreamCondition::InvalidNamespace
    );
    assert_eq!(
        stream_error("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", &cx),
        StreamCondition::UnsupportedStanzaType
    );
    assert_eq!(stream_error("<msg/>", &cx), StreamCondition::UnsupportedStanzaType);
    let deep = format!("<iq>{}{}</iq>", "<a>".repeat(64), "</a>".repeat(64));
    assert_eq!(stream_error(&deep, &cx), StreamCondition::PolicyViolation);
    assert!(matches!(
        Stanza::parse(b"<iq>\xFF</iq>", &cx),
        Err(ParseError::Stream(StreamCondition::UnsupportedEncoding))
    ));

    let Ok(TopLevel::Other(auth)) = parse_top_level(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA==</auth>", &cx)
    else {
        panic!("an element");
    };
    assert!(auth.is("auth", ns::SASL) && auth.text_content() == "AA==");
}

/// What leans on the stream header, or on the root, is made to stand alone.
#[test]
fn rewritten() {
    let cx = StreamContext::client().with_prefix("stream", ns::STREAM).with_prefix("c", ns::CLIENT);
    for (xml, want) in [
        ("<c:message id='1'><c:body>x</c:body></c:message>", "<message id='1'><body>x</body></message>"),
        ("<message><c:body>x</c:body></message>", "<message><body>x</body></message>"),
        (
            "<message><x xmlns='u'><stream:y/></x></message>",
            "<message><x xmlns='u'><y xmlns='http://etherx.jabber.org/streams'/></x></message>",
        ),
        (
            "<message><x stream:a='1'/></message>",
            "<message><x xmlns:stream='http://etherx.jabber.org/streams' stream:a='1'/></message>",
        ),
        (
            "<message stream:a='1'><x/></message>",
            "<message xmlns:stream='http://etherx.jabber.org/streams' stream:a='1'><x/></message>",
        ),
        (
            "<message xmlns:p='u' p:a='1' b='2'><p:x/></message>",
            "<message xmlns:p='u' p:a='1' b='2'><x xmlns='u'/></message>",
        ),
        ("<m:message xmlns:m='jabber:client' xmlns='u'><x/></m:message>", "<message><x xmlns='u'/></message>"),
        ("<message><body xmlns='jabber:client'/></message>", "<message><body/></message>"),
        ("<message><body xmlns='jabber:clien&#116;'/></message>", "<message><body/></message>"),
        (
            "<message><body xmlns='jabber:server'><i/><j xmlns='jabber:client'/></body></message>",
            "<message><body><i/><j/></body></message>",
        ),
        (
            "<message><no-store xmlns='urn:xmpp:hint&#115;'/></message>",
            "<message><no-store xmlns='urn:xmpp:hints'/></message>",
        ),
    ] {
        let stanza = Stanza::parse(xml.as_bytes(), &cx).unwrap_or_else(|e| panic!("{xml}: {e}"));
        assert_eq!(stanza.to_xml(), want, "{xml}");
        assert_eq!(parse(want).to_element(), stanza.to_element());
        if xml.contains("body") {
            assert_eq!(stanza.facts(), Facts::BODY, "{xml}");
        }
    }
    let hint = Stanza::parse(b"<message><no-store xmlns='urn:xmpp:hint&#115;'/></message>", &cx).expect("a message");
    assert_eq!(hint.facts(), Facts::NO_STORE);
}

/// What stands alone already is not touched.
#[test]
fn not_rewritten() {
    let cx = StreamContext::client().with_prefix("stream", ns::STREAM);
    for xml in [
        "<message><p:x xmlns:p='u'  p:a = \"1\"><p:y/></p:x></message>",
        "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body/></message></forwarded></message>",
        "<message><x xmlns='a&amp;b'/>  text </message>",
    ] {
        assert!(Stanza::parse(xml.as_bytes(), &cx).is_ok_and(|s| s.to_xml() == xml), "{xml}");
    }
    let cx = StreamContext::client().with_default_ns(ns::STREAM);
    let stanza = Stanza::parse(b"<message xmlns='jabber:client'><body >x</body ></message>", &cx).expect("a message");
    assert_eq!(stanza.to_xml(), "<message><body >x</body ></message>");
}

#[test]
fn from_another_server() {
    let stanza = Stanza::parse(
        b"<message><body/><x xmlns='u'/><body xmlns='jabber:client'/></message>",
        &StreamContext::server(),
    );
    let stanza = stanza.expect("a message");
    assert!(stanza.children().next().is_some_and(|c| c.is("body", ns::CLIENT)));
    assert_eq!(stanza.to_xml(), "<message><body/><x xmlns='u'/><body/></message>");
    assert_eq!(stanza.to_element().ns(), ns::CLIENT);
}

#[test]
fn changes() {
    let mut stanza = parse(
        "<message from='a@b' to='c@d' id='1' xmlns:p='u' p:q='1'>a<b/>c<stanza-id xmlns='urn:xmpp:sid:0'/><d/></message>",
    );
    stanza.retain_children(|_| true);
    stanza.retain_children(|child| child.name() != "stanza-id" && child.name() != "b");
    stanza.push_child(&Element::new("e", "u").text("<"));
    stanza.push_child(&Element::new("subject", ns::CLIENT));
    assert_eq!(
        stanza.to_xml(),
        "<message from='a@b' to='c@d' xmlns:p='u' id='1' p:q='1'>ac<d/><e xmlns='u'>&lt;</e><subject/></message>"
    );
    assert_eq!(stanza.facts(), Facts::SUBJECT | Facts::OTHER);
    let mut stanza = parse("<presence/>");
    stanza.push_child(&Element::new("c", "u"));
    assert_eq!(stanza.to_xml(), "<presence><c xmlns='u'/></presence>");
}

#[test]
fn made_here() {
    let (a, b) = (jid("a@b/c"), jid("d@e"));
    let request = parse("<iq type='get' id='&lt;1' from='a@b/c' to='d@e'><q xmlns='u'/></iq>");
    assert_eq!(
        Stanza::iq_result(&request, Some(Element::new("q", "u"))).to_xml(),
        "<iq from='d@e' to='a@b/c' type='result' id='&lt;1'><q xmlns='u'/></iq>"
    );
    assert_eq!(Stanza::iq_result(&request, None).to_xml(), "<iq from='d@e' to='a@b/c' type='result' id='&lt;1'/>");
    let set = Stanza::iq_set(None, Some(&a), "x", Element::new("q", "u"));
    assert_eq!(set.to_xml(), "<iq to='a@b/c' type='set' id='x'><q xmlns='u'/></iq>");
    assert_eq!(Stanza::iq_get(None, None, "x", Element::new("q", "u")).iq_type(), Some(IqType::Get));
    let message = Stanza::message(MessageType::Headline, Some(&b), None, [Element::new("body", ns::CLIENT).text("&")]);
    assert_eq!(message.to_xml(), "<message from='d@e' type='headline'><body>&amp;</body></message>");
    assert_eq!(message.facts(), Facts::BODY);
    assert_eq!(Stanza::message(MessageType::Normal, None, None, None).to_xml(), "<message/>");
    let presence = Stanza::presence(PresenceType::Unavailable, Some(&a), Some(&b));
    assert_eq!(presence.to_xml(), "<presence from='a@b/c' to='d@e' type='unavailable'/>");
    assert_eq!(Stanza::presence(PresenceType::Available, None, None).to_xml(), "<presence/>");
}

#[test]
fn from_elements() {
    let element = parse(CHAT).to_element();
    let stanza = Stanza::from_element(&element).expect("a stanza");
    assert_eq!((stanza.to_element(), stanza.facts()), (element, parse(CHAT).facts()));
    assert!(Stanza::from_element(&Element::new("message", ns::SERVER)).is_err());
    assert!(Stanza::from_element(&Element::new("auth", ns::CLIENT)).is_err());
}

/// RFC 6120 §8.3.1.
#[test]
fn error_replies() {
    let error = StanzaError::new(Condition::ServiceUnavailable).with_text("<no>");
    let reply = parse(CHAT).error_reply(&error).expect("a reply");
    assert_eq!(
        reply.to_xml(),
        "<message from='juliet@example.com/balcony' to='romeo@example.net' type='error' id='a&amp;1'>\
         <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>&lt;no&gt;</text></error></message>"
    );
    assert_eq!(reply.facts(), Facts::ERROR);
    assert!(reply.error_reply(&error).is_none());
    for never in ["<iq type='result' id='1'/>", "<iq type='error' id='1'/>", "<presence type='error'/>"] {
        assert!(parse(never).error_reply(&error).is_none(), "{never}");
    }
    assert!(parse("<presence/>").error_reply(&error).is_some() && parse("<iq/>").error_reply(&error).is_some());
}

#[test]
fn small_and_shareable() {
    fn shareable<T: Send + Sync + 'static>() {}
    shareable::<Stanza>();
    shareable::<ParseError>();
    assert!(size_of::<Stanza>() <= 296, "{}", size_of::<Stanza>());
}

/// What an independent reader makes of the text: name, attributes and content of every element, in order.
fn independent(xml: &str) -> Result<String, roxmltree::Error> {
    let doc = roxmltree::Document::parse(xml)?;
    let mut out = String::new();
    for node in doc.root_element().descendants() {
        if node.is_element() {
            let name = node.tag_name();
            out.push_str(&format!(
                "\n{} {{{}}}{}",
                node.ancestors().count(),
                name.namespace().unwrap_or(""),
                name.name()
            ));
            let mut attrs: Vec<_> = node
                .attributes()
                .map(|a| format!(" {{{}}}{}={:?}", a.namespace().unwrap_or(""), a.name(), a.value()))
                .collect();
            attrs.sort();
            out.push_str(&attrs.concat());
        } else if let Some(text) = node.text().filter(|text| !text.is_empty()) {
            out.push_str(&format!(" {text:?}"));
        }
    }
    Ok(out)
}

fn within(xml: &str) -> String {
    let root =
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>";
    format!("{root}{xml}</stream:stream>")
}

fn piece() -> impl Strategy<Value = String> {
    let tokens = vec![
        "<a>",
        "</a>",
        "<b xmlns='u'>",
        "</b>",
        "<c:d>",
        "</c:d>",
        "<p:e xmlns:p='v' p:x='1'>",
        "</p:e>",
        "<f/>",
        "&lt;",
        "&#9;",
        "&amp;",
        "]]>",
        "<![CDATA[",
        "x",
        "\r\n",
        "'",
        "\"",
        ">",
        "<",
        "/",
        "</message>",
        "<message>",
        " stream:a='1'",
        " id='1'",
        " to='a@b'",
        " xmlns='jabber:client'",
        " xmlns=''",
        "=",
        "&",
        ";",
        "é",
        "\u{FFFE}",
        "<body xmlns='jabber:server'/>",
        "<stream:y/>",
        " to='a@b/&apos;&gt;'",
        " type='chat'",
        "<stanza-id xmlns='urn:xmpp:si&#100;:0'/>",
    ];
    prop::collection::vec(prop::sample::select(tokens), 0..14).prop_map(|t| t.concat())
}

/// Frames that are stanzas more often than not.
fn frame() -> impl Strategy<Value = String> {
    let attribute = prop::sample::select(vec![
        " id='1'",
        " to='a@b'",
        " from=\"c@d/&apos;&quot;\"",
        " xml:lang='en'",
        " stream:a='&lt;\n'",
        " type='error'",
        " xmlns:p='v'",
        " xmlns='jabber:client'",
        " x = '&#10;y'",
        " p:q='1'",
    ]);
    let child = prop::sample::select(vec![
        "<body>t &amp; u</body>",
        "<x xmlns='u'><y/></x>",
        "<p:x xmlns:p='w'><p:y p:a='1'/></p:x>",
        "<c:subject/>",
        "<x xmlns='a&amp;b' stream:z='1'>\r\n</x>",
        "text",
        "<![CDATA[<&]]>",
        "<body xmlns='jabber:client'><i/></body>",
        "<p:z/>",
        "<n xmlns=''/>",
    ]);
    let name = prop::sample::select(vec!["message", "iq", "presence", "c:message"]);
    (name, prop::collection::vec(attribute, 0..4), prop::collection::vec(child, 0..5))
        .prop_map(|(name, attrs, children)| format!("<{name}{}>{}</{name}>", attrs.concat(), children.concat()))
}

fn check_frame(frame: &str) -> Result<(), TestCaseError> {
    let cx = StreamContext::client().with_prefix("stream", ns::STREAM).with_prefix("c", ns::CLIENT);
    let Ok(stanza) = Stanza::parse(frame.as_bytes(), &cx) else { return Ok(()) };
    // An independent reader accepts it, and reads the same in what was printed as in what came.
    let printed = stanza.to_xml();
    let theirs = independent(&within(frame)).map_err(|e| TestCaseError::fail(format!("{frame}: {e}")))?;
    let ours = independent(&within(&printed)).map_err(|e| TestCaseError::fail(format!("{printed}: {e}")))?;
    if !frame.contains("jabber:server") {
        prop_assert_eq!(ours, theirs, "{}\n{}", frame, printed);
    }
    // It needs nothing from the header, and reads and prints the same again.
    let again = parse(&printed);
    prop_assert_eq!(again.to_xml(), printed);
    prop_assert_eq!(again.to_element(), stanza.to_element());
    prop_assert_eq!(again.facts(), stanza.facts());
    // Each child stands alone, and they are the tree's.
    let children: Vec<_> = stanza.children().map(|c| c.parse().expect("a child")).collect();
    let tree = stanza.to_element();
    prop_assert_eq!(children.iter().collect::<Vec<_>>(), tree.child_elements().collect::<Vec<_>>());
    for (child, element) in stanza.children().zip(&children) {
        prop_assert!(child.name() == element.name() && unescape_attr(child.ns()) == element.ns());
    }
    Ok(())
}

/// XEP-0297: the original is there as it was, in its namespace, and can be had again.
#[test]
fn forwarding_a_message() {
    let rows = [
        ("<message id='1' type='chat' to='c@d/e'><body>hi</body></message>", " type='chat'", " id='1' type='chat'"),
        ("<message to='c@d/e' xml:lang='en'><body>hi</body></message>", "", " xml:lang='en'"),
        ("<message type='unheard-of' to='c@d/e'><body>hi</body></message>", "", " type='unheard-of'"),
    ];
    for (xml, outer, attrs) in rows {
        let mut original = parse(xml);
        original.set_from(Jid::parse("a@b/'").expect("a JID"));
        let bare = Jid::parse("c@d").expect("a JID");
        let carbon = Stanza::forwarding(&original, &bare, ("received", ns::CARBONS), "<x xmlns='urn:x'/>");
        assert_eq!(carbon.message_type(), original.message_type());
        assert_eq!(carbon.facts(), original.facts() | Facts::CARBON);
        let text = format!(
            "<message from='c@d'{outer}><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <message xmlns='jabber:client' from='a@b/&apos;' to='c@d/e'{attrs}><body>hi</body><x xmlns='urn:x'/>\
             </message></forwarded></received></message>"
        );
        assert_eq!(carbon.to_xml(), text);
        assert_eq!(parse(&text).message_type(), original.message_type());
        let again = carbon.forwarded().expect("the original");
        assert_eq!((again.from(), again.to(), again.id()), (original.from(), original.to(), original.id()));
        assert!(again.has_child("body", ns::CLIENT) && again.has_child("x", "urn:x"));
        assert!(original.forwarded().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn likely_frames(frame in frame()) {
        check_frame(&frame)?;
    }

    #[test]
    fn unlikely_frames(a in piece(), b in piece()) {
        check_frame(&format!("<message{a}>{b}</message>"))?;
        check_frame(&format!("<message>{a}{b}</message>"))?;
        check_frame(&a)?;
    }

    #[test]
    fn arbitrary_bytes(frame in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = parse_top_level(&frame, &StreamContext::client());
        let wrapped = [b"<iq>", &frame[..], b"</iq>"].concat();
        let _ = parse_top_level(&wrapped, &StreamContext::client());
    }

    #[test]
    fn addresses_cannot_break_out(resource in "[a-z<>&'\"/= ]{1,20}", lang in "[a-z<>'&]{0,8}") {
        if let Ok(from) = Jid::parse(&format!("a@b/{resource}")) {
            let mut stanza = parse("<message><body/></message>");
            stanza.set_from(from.clone());
            stanza.set_lang_default(&lang.clone().into());
            let again = parse(&stanza.to_xml());
            prop_assert_eq!(again.from(), Some(&from));
            prop_assert!(again.lang().as_deref() == Some(lang.as_str()));
            prop_assert_eq!(again.inner(), stanza.inner());
        }
    }
}
