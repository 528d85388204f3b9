//! What must hold for any bytes. Called by the fuzzer and, with the seeds, by an ordinary test.

use xep_support::jid::Jid;
use xep_support::sasl::SaslRequest;
use xep_support::sasl2::Sasl2Request;
use xep_support::stanza::{ParseError, Stanza, TopLevel, parse_top_level};
use xep_support::stream::StreamHeader;
use xep_support::xml::{Element, Event, FrameLimits, Framer, StreamContext};

const LIMITS: FrameLimits = FrameLimits { header_bytes_max: 512, element_bytes_max: 1024, depth_max: 16 };

/// The framer gives the same frames for the whole and for each chunking; what it calls an element the reader of
/// stanzas may refuse, but not find unfinished.
pub(crate) fn framer(data: &[u8]) {
    let whole = frames(data, data.len().max(1));
    for size in [1, 7] {
        assert_eq!(frames(data, size), whole, "in chunks of {size}");
    }
}

fn frames(data: &[u8], chunk: usize) -> Vec<String> {
    let mut framer = Framer::new(LIMITS);
    let mut buf = Vec::new();
    let mut out = Vec::new();
    for chunk in data.chunks(chunk) {
        buf.extend_from_slice(chunk);
        loop {
            match framer.next(&buf) {
                Ok(None) => break,
                Ok(Some(Event::Header(range))) => {
                    let header = std::str::from_utf8(&buf[range.clone()]).map(StreamHeader::parse);
                    out.push(format!("{:?} {header:?}", &buf[range]));
                }
                Ok(Some(Event::Element(range))) => out.push(format!("{:?}", &buf[range])),
                Ok(Some(Event::Close)) => out.push("close".to_owned()),
                Err(error) => {
                    out.push(format!("{error:?}"));
                    return out;
                }
            }
        }
        let done = framer.keep_from();
        buf.drain(..done);
        framer.shift(done);
        assert!(buf.len() <= LIMITS.element_bytes_max, "more is kept than an element may have");
    }
    out
}

/// What was accepted reads the same when printed, needs nothing from its stream header, and its children stand alone.
pub(crate) fn envelope(data: &[u8]) {
    let cx = StreamContext::client()
        .with_prefix("stream", "http://etherx.jabber.org/streams")
        .with_prefix("c", "jabber:client");
    let stanza = match parse_top_level(data, &cx) {
        Ok(TopLevel::Stanza(stanza)) => stanza,
        Ok(TopLevel::Other(element)) => {
            assert_eq!(Element::parse(&element.to_xml("u"), "u").as_ref(), Ok(&element));
            return;
        }
        Err(ParseError::Refused { stanza, .. }) => *stanza,
        Err(ParseError::Stream(_)) => return,
    };
    let printed = stanza.to_xml();
    let again = Stanza::parse(printed.as_bytes(), &StreamContext::client()).expect("what was printed is a stanza");
    assert_eq!(again.to_xml(), printed);
    assert_eq!((again.kind(), again.id(), again.lang()), (stanza.kind(), stanza.id(), stanza.lang()));
    assert_eq!((again.from(), again.to(), again.facts()), (stanza.from(), stanza.to(), stanza.facts()));
    let tree = stanza.to_element();
    assert_eq!(again.to_element(), tree);
    let children: Vec<Element> = stanza.children().map(|child| child.parse().expect("a child stands alone")).collect();
    assert!(children.iter().eq(tree.child_elements()));
}

/// A JID that was accepted is in its final form.
pub(crate) fn jid(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(jid) = Jid::parse(text) {
        let again = Jid::parse(jid.as_str()).expect("a JID is a JID");
        assert_eq!(again, jid);
        let parts = Jid::from_parts(jid.local(), jid.domain(), jid.resource());
        assert_eq!(parts.as_ref(), Ok(&jid));
    }
}

/// Reading a client's SASL element neither panics nor exceeds its bound.
pub(crate) fn sasl(data: &[u8]) {
    let Ok(TopLevel::Other(element)) = parse_top_level(data, &StreamContext::client()) else { return };
    if let Some(Ok(SaslRequest::Response(response) | SaslRequest::Auth { initial: Some(response), .. })) =
        SaslRequest::from_element(&element, 100)
    {
        assert!(response.len() <= 100);
    }
    match Sasl2Request::from_element(&element, 100) {
        Some(Ok(Sasl2Request::Response(response))) => assert!(response.0.len() <= 100),
        Some(Ok(Sasl2Request::Authenticate(request))) => {
            assert!(request.initial.is_none_or(|initial| initial.0.len() <= 100));
            assert!(request.agent.and_then(|agent| agent.id).is_none_or(|id| id.len() == 36));
        }
        _ => {}
    }
}
