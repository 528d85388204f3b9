use super::*;
use crate::stanza::{TopLevel, parse_top_level};
use proptest::prelude::*;

const LIMITS: BodyLimits = BodyLimits { depth_max: 8, attributes_max: 24, payloads_max: 4 };

fn parse(text: &str) -> Result<Body, BodyError> {
    Body::parse(text.as_bytes(), LIMITS)
}

fn wrapped(attributes: &str, payload: &str) -> Body {
    parse(&format!("<body rid='7' sid='s' xmlns='{}'{attributes}>{payload}</body>", ns::BOSH)).expect("a body")
}

#[test]
fn the_session_request_of_the_document_is_understood() {
    let body = parse(
        "<?xml version='1.0' encoding='utf-8'?>\n<body content='text/xml; charset=utf-8' from='user@example.com' hold='1' \
         rid='1573741820' to='example.com' route='xmpp:example.com:9999' ver='1.6' wait='60' ack='1' xml:lang='en' \
         xmpp:version='1.0' xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'/> \n",
    )
    .expect("a body");
    let expected = Body {
        rid: 1_573_741_820,
        to: Some("example.com".into()),
        from: Some("user@example.com".into()),
        lang: Some("en".into()),
        ver: Some((1, 6)),
        wait: Some(60),
        hold: Some(1),
        content: Some("text/xml; charset=utf-8".into()),
        ack: Some(1),
        xmpp_version: Some("1.0".into()),
        ..Body::default()
    };
    assert_eq!(body, expected);
    assert!(body.is_empty());
}

#[test]
fn restart_pause_keys_and_the_end_are_understood() {
    let body = wrapped(" xmlns:x='urn:xmpp:xbosh' x:restart='true' key='a' newkey='B' pause='60' type='terminate'", "");
    assert!(body.restart && body.terminates && !body.is_empty());
    assert_eq!((body.key.as_deref(), body.newkey.as_deref(), body.pause), (Some("a"), Some("B"), Some(60)));
    assert!(!wrapped(" restart='true' type='error'", "").restart, "an attribute of no namespace");
}

#[test]
fn what_is_no_body_is_refused() {
    let ns = ns::BOSH;
    let rows = [
        String::new(),
        "<body rid='1'/>".into(),
        format!("<body xmlns='{ns}'/>"),
        format!("<body xmlns='{ns}' rid='0'/>"),
        format!("<body xmlns='{ns}' rid='9007199254740992'/>"),
        format!("<body xmlns='{ns}' rid='+1'/>"),
        format!("<body xmlns='{ns}' rid='1' wait='soon'/>"),
        format!("<body xmlns='{ns}' rid='1' ver='1'/>"),
        format!("<body xmlns='{ns}' rid='1' rid='1'/>"),
        format!("<html xmlns='{ns}' rid='1'/>"),
        format!("<body xmlns='{ns}' rid='1'>text</body>"),
        format!("<body xmlns='{ns}' rid='1'>&amp;</body>"),
        format!("<body xmlns='{ns}' rid='1'><message></body>"),
        format!("<body xmlns='{ns}' rid='1'><x:message/></body>"),
        format!("<body xmlns='{ns}' rid='1'><!-- --></body>"),
        format!("<body xmlns='{ns}' rid='1'><?php?></body>"),
        format!("<body xmlns='{ns}' rid='1'>&x;</body>"),
        format!("<!DOCTYPE body><body xmlns='{ns}' rid='1'/>"),
        format!("<body xmlns='{ns}' rid='1'/><body xmlns='{ns}' rid='1'/>"),
        format!("<body xmlns='{ns}' rid='1'/>x"),
    ];
    for row in rows {
        assert_eq!(parse(&row), Err(BodyError::Malformed), "{row}");
    }
    let deep = "<a>".repeat(9) + &"</a>".repeat(9);
    for payload in [deep.as_str(), &"<a/>".repeat(5)] {
        let text = format!("<body xmlns='{ns}' rid='1'>{payload}</body>");
        assert_eq!(parse(&text), Err(BodyError::Limit), "{text}");
    }
    assert_eq!(
        Body::parse(b"<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='\xff'/>", LIMITS),
        Err(BodyError::Malformed)
    );
}

#[test]
fn payloads_stand_alone() {
    let rows = [
        (
            "",
            "<message xmlns='jabber:client'><body>x</body></message>",
            "<message xmlns='jabber:client'><body>x</body></message>",
        ),
        ("", " <presence/>\n<iq id='1'/> ", "<presence xmlns='jabber:client'/><iq xmlns='jabber:client' id='1'/>"),
        ("", "<message ><body/></message>", "<message xmlns='jabber:client' ><body/></message>"),
        (" xmlns:c='jabber:client'", "<c:presence/>", "<presence xmlns='jabber:client'/>"),
        ("", "<c:presence xmlns:c='jabber:client'/>", "<c:presence xmlns:c='jabber:client'/>"),
        (
            " xmlns:s='urn:s'",
            "<message><s:x>&lt;</s:x></message><presence/>",
            "<message xmlns='jabber:client'><x xmlns='urn:s'>&lt;</x></message><presence xmlns='jabber:client'/>",
        ),
        (
            "",
            "<c:message xmlns:c='jabber:client'><body/></c:message>",
            "<message xmlns='jabber:client'><body/></message>",
        ),
    ];
    for (declared, sent, cut) in rows {
        assert_eq!(wrapped(declared, sent).payload, cut, "{sent}");
    }
    let attribute = wrapped(" xmlns:s='urn:s'", "<message s:a='1'/>").payload;
    assert!(attribute.contains("xmlns:s='urn:s'"), "{attribute}");
}

proptest! {
    /// Whatever came through can be read as what it was, without the wrapper.
    #[test]
    fn a_payload_means_the_same_outside(
        root in prop::sample::select(vec!["message", "p:message", "q:message", "x"]),
        own in prop::sample::select(vec!["", " xmlns='jabber:client'", " xmlns:q='jabber:client'", " xmlns='urn:o'"]),
        child in prop::sample::select(vec!["", "<a/>", "<p:a/>", "<r:a xmlns:r='urn:r' p:b='1'/>", "<a xmlns=''/>"]),
    ) {
        let payload = format!("<{root}{own}>{child}</{root}>");
        let text = format!("<body rid='1' xmlns='{}' xmlns:p='urn:p' xmlns:q='jabber:client'>{payload}</body>", ns::BOSH);
        let body = parse(&text).expect("a body");
        let context = StreamContext::client().with_prefix("p", "urn:p").with_prefix("q", "jabber:client");
        let before = crate::xml::Element::parse_in(&payload, &context).expect("an element");
        let alone = crate::xml::Element::parse(&body.payload, "").expect("stands alone");
        prop_assert_eq!(before, alone);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[<>/'a-z =:]{0,60}") {
        let _ = Body::parse(&bytes, LIMITS);
        let _ = parse(&format!("<body rid='1' xmlns='{}'>{text}</body>", ns::BOSH));
    }
}

#[test]
fn a_body_of_stanzas_is_read_like_a_stream() {
    let body = wrapped("", "<message to='a@b' xmlns='jabber:client'><body>x</body></message>");
    let parsed = parse_top_level(body.payload.as_bytes(), &StreamContext::client()).expect("an element");
    assert!(matches!(parsed, TopLevel::Stanza(_)));
}

#[test]
fn answers_say_what_they_mean() {
    let httpbind = "<body xmlns='http://jabber.org/protocol/httpbind'";
    let print = |answer: Answer<'_>| answer.to_xml();
    assert_eq!(print(Answer::default()), format!("{httpbind}/>"));
    assert_eq!(print(Answer { payload: "<presence/>", ..Answer::default() }), format!("{httpbind}><presence/></body>"));
    let again = Answer { kind: Kind::Again, ack: Some(4), ..Answer::default() };
    assert_eq!(print(again), format!("{httpbind} type='error' ack='4'/>"));
    let end = Answer { kind: Kind::Terminate(Some(Condition::ItemNotFound)), ..Answer::default() };
    assert_eq!(print(end), format!("{httpbind} type='terminate' condition='item-not-found'/>"));
    assert_eq!(
        print(Answer { kind: Kind::Terminate(None), report: Some((3, 500)), ..Answer::default() }),
        format!("{httpbind} type='terminate' report='3' time='500'/>")
    );
    let features = print(Answer { payload: "<stream:features/>", ..Answer::default() });
    assert_eq!(
        features,
        format!("{httpbind} xmlns:stream='http://etherx.jabber.org/streams'><stream:features/></body>")
    );
}

#[test]
fn the_first_answer_says_the_terms() {
    let created = Created {
        sid: "s&1".into(),
        ver: Some(Created::version((1, 20))),
        wait: 60,
        hold: 1,
        requests: 2,
        inactivity: 30,
        polling: 5,
        maxpause: 120,
        ack: Some(10),
    };
    let opened = Opened { id: "i".into(), from: Some("im.example".into()) };
    let answer = Answer { created: Some(&created), opened: Some(&opened), ..Answer::default() }.to_xml();
    assert_eq!(
        answer,
        "<body xmlns='http://jabber.org/protocol/httpbind' sid='s&amp;1' wait='60' hold='1' requests='2' inactivity='30' \
         polling='5' maxpause='120' ver='1.11' ack='10' authid='i' from='im.example' xmlns:xmpp='urn:xmpp:xbosh' \
         xmpp:version='1.0' xmpp:restartlogic='true'/>"
    );
    assert_eq!(Created::version((1, 6)), (1, 6));
}
