//! Messages and elements (RFC 6455 §5, RFC 7395 §3.3): what is understood, and what ends the connection.

use super::{romeo, say, serve};
use crate::support::websocket::{BINARY, CLOSE, PING, PONG, TEXT, frame, open_element};
use crate::support::{Client, DOMAIN, TestServer};

const CONTINUATION: u8 = 0x80;

fn ping(id: &str) -> String {
    format!("<iq xmlns='jabber:client' type='get' id='{id}' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")
}

fn expect_pong(client: &mut Client, id: &str) {
    client.expect(&format!("<iq type='result' id='{id}' from='{{domain}}' to='{{jid}}'/>"));
}

/// Sends this, and the server ends the stream with this error and the connection with this code.
#[track_caller]
fn refused(server: &TestServer, bytes: &[u8], condition: &str, code: u16) {
    let mut client = server.login_by_websocket("romeo", "");
    client.send_raw(bytes);
    client.expect_stream_error(condition);
    assert_eq!(client.close_code(), code);
}

/// RFC 6455 §5.1, §5.2, §5.4, §5.5.
#[test]
fn frames_against_the_protocol_end_the_connection() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    let rows: [(&str, Vec<u8>); 14] = [
        ("not masked", vec![0x81, 4, b'<', b'a', b'/', b'>']),
        ("first reserved bit: compressed", frame(0xc1, b"<a/>")),
        ("second reserved bit", frame(0xa1, b"<a/>")),
        ("third reserved bit", frame(0x91, b"<a/>")),
        ("reserved opcode of data", frame(0x83, b"<a/>")),
        ("reserved opcode of control", frame(0x8b, b"")),
        ("control frame in fragments", frame(0x09, b"")),
        ("control frame too large", frame(PING, &[b'x'; 126])),
        ("continuation of nothing", frame(CONTINUATION, b"<a/>")),
        ("message within another one", [frame(0x01, b"<a"), frame(TEXT, b"<b/>")].concat()),
        ("length not as short as it can be", [&[TEXT, 0xfe, 0, 4, 0, 0, 0, 0][..], b"<a/>"].concat()),
        ("length beyond 63 bits", [&[TEXT, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &[0; 4]].concat()),
        ("close frame with half a code", frame(CLOSE, &[3])),
        ("close frame with a code nobody may send", frame(CLOSE, &1005u16.to_be_bytes())),
    ];
    for (what, bytes) in rows {
        println!("{what}");
        refused(&server, &bytes, "bad-format", 1002);
    }
}

/// RFC 7395 §3.2.
#[test]
fn messages_must_be_of_text() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    refused(&server, &frame(BINARY, b"<a/>"), "bad-format", 1003);
    refused(&server, &frame(0x02, b"<a"), "bad-format", 1003);
}

/// RFC 6455 §8.1.
#[test]
fn text_must_be_utf8() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    let within = |bytes: &[u8]| [b"<message xmlns='jabber:client'><body>", bytes, b"</body></message>"].concat();
    refused(&server, &frame(TEXT, &within(b"\xff")), "unsupported-encoding", 1007);
    refused(&server, &frame(TEXT, &within(b"\xed\xa0\x80")), "unsupported-encoding", 1007);
    refused(&server, &frame(TEXT, b"\xff\xfe"), "unsupported-encoding", 1007);
    refused(&server, &frame(TEXT, b"<?xml version='1.0' encoding='latin1'?><a/>"), "unsupported-encoding", 1007);
    refused(&server, &frame(CLOSE, b"\x03\xe8\xff"), "unsupported-encoding", 1007);
}

/// RFC 6455 §7.4.1; the limit is that of a stanza (XEP-0478), however many frames it comes in.
#[test]
fn messages_that_are_too_large_are_refused_before_they_have_come() {
    let server = serve(|c| c.limits.stanza_bytes_max = 20_000);
    server.account("romeo", "secret");
    refused(&server, &frame(TEXT, &[b'x'; 20_001])[..8], "policy-violation", 1009);
    let half = vec![b'x'; 10_001];
    let start = [frame(0x01, &half), frame(PING, b""), frame(CONTINUATION, &half)[..8].to_vec()].concat();
    refused(&server, &start, "policy-violation", 1009);
}

/// Before login it is less.
#[test]
fn a_stranger_may_send_less() {
    let server = serve(|c| c.limits.stanza_bytes_before_auth_max = 1_000);
    let mut client = server.websocket();
    client.open_to_features();
    client.send_raw(&frame(TEXT, &[b'x'; 1_001])[..8]);
    client.expect_stream_error("policy-violation");
    assert_eq!(client.close_code(), 1009);
}

/// RFC 7395 §3.3.3: "a single, complete" element.
#[test]
fn a_message_is_one_element() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    let rows = [
        ("<a/><b/>", "bad-format"),
        ("<a/>text", "bad-format"),
        (" <a/>", "bad-format"),
        ("text", "bad-format"),
        ("<message xmlns='jabber:client'>", "not-well-formed"),
        ("</close>", "not-well-formed"),
        ("<a></b>", "not-well-formed"),
        ("<!-- a comment -->", "restricted-xml"),
        ("<?pi?><a/>", "restricted-xml"),
        ("<message/>", "invalid-namespace"),
        ("<message xmlns='jabber:server'/>", "invalid-namespace"),
        ("<a xmlns='urn:example:a'/>", "unsupported-stanza-type"),
        ("<stream:error/>", "not-well-formed"),
    ];
    for (text, condition) in rows {
        println!("{text}");
        refused(&server, &frame(TEXT, text.as_bytes()), condition, 1000);
    }
}

/// RFC 6455 §5.4: and control frames may come in between (§5.5).
#[test]
fn fragments_are_put_together() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    let text = ping("pieces");
    let (one, two) = text.as_bytes().split_at(20);
    romeo.send_raw(&frame(0x01, one));
    romeo.send_raw(&frame(PING, b"between"));
    romeo.send_raw(&frame(0x00, b""));
    romeo.send_raw(&frame(CONTINUATION, two));
    expect_pong(&mut romeo, "pieces");
    assert_eq!(romeo.frames.as_ref().unwrap().controls, [(PONG, b"between".to_vec())]);
}

#[test]
fn bytes_may_come_one_by_one() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    for byte in [frame(PING, b"x"), frame(TEXT, ping("slow").as_bytes())].concat() {
        romeo.send_raw(&[byte]);
    }
    expect_pong(&mut romeo, "slow");
}

#[test]
fn many_messages_may_come_at_once() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    let ids: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    romeo.send_raw(&ids.iter().flat_map(|id| frame(TEXT, ping(id).as_bytes())).collect::<Vec<u8>>());
    ids.iter().for_each(|id| expect_pong(&mut romeo, id));
}

/// RFC 6455 §5.5.2: the same, and when several have come the last one is enough (§5.5.3).
#[test]
fn a_ping_is_answered() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    let longest = [b'p'; 125];
    romeo.send_raw(&[frame(PING, b"one"), frame(PING, &longest)].concat());
    romeo.sync();
    assert_eq!(romeo.frames.as_ref().unwrap().controls.last(), Some(&(PONG, longest.to_vec())));
    let mut stranger = server.websocket();
    stranger.send_raw(&frame(PING, b""));
    stranger.open_to_features();
    assert_eq!(stranger.frames.as_ref().unwrap().controls, [(PONG, Vec::new())]);
}

#[test]
fn a_pong_nobody_asked_for_is_nothing() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    romeo.send_raw(&frame(PONG, b"here I am"));
    romeo.expect_nothing();
}

/// Some clients send white space to keep a connection alive, as over TCP; others write an XML declaration, which is not
/// recommended (RFC 7395 §3.3.3).
#[test]
fn what_means_nothing_is_let_pass() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    romeo.send_raw(&[frame(TEXT, b" "), frame(TEXT, b""), frame(TEXT, b"\r\n\t")].concat());
    romeo.send(&format!("<?xml version='1.0' encoding='UTF-8'?>\n{}\n", ping("declared")));
    expect_pong(&mut romeo, "declared");
}

/// RFC 6455 §5.2: all three lengths of a header, in both directions.
#[test]
fn messages_of_all_sizes_arrive() {
    let server = serve(|c| c.limits.bytes_burst_max = 10_000_000);
    let mut romeo = romeo(&server);
    for size in [1, 124, 125, 126, 127, 1_000, 65_000, 65_535, 65_536, 200_000] {
        let text = "x".repeat(size);
        romeo.send(&format!("<message xmlns='jabber:client' to='{{jid}}' id='{size}'><body>{text}</body></message>"));
        romeo.expect(&format!("<message from='{{jid}}' to='{{jid}}' id='{size}'><body>{text}</body></message>"));
    }
}

/// RFC 7395 §3.4: what begins a stream.
#[test]
fn a_stream_begins_with_open() {
    let server = serve(|_| {});
    let rows = [
        (
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
            "not-well-formed",
        ),
        ("<open to='im.example' version='1.0'/>", "invalid-namespace"),
        ("<open xmlns='jabber:client' to='im.example' version='1.0'/>", "invalid-namespace"),
        ("<start xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "bad-format"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='im.example' version='1.0'><a/></open>", "bad-format"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='other.example' version='1.0'/>", "host-unknown"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='im.example'/>", "unsupported-version"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='im.example' version='x'/>", "unsupported-version"),
        ("<message xmlns='jabber:client'/>", "bad-format"),
    ];
    for (text, condition) in rows {
        println!("{text}");
        let mut client = server.websocket();
        client.send(text);
        client.expect_header();
        client.expect_stream_error(condition);
    }
}

/// RFC 7395 §3.4: an element with everything a header has.
#[test]
fn the_server_opens_its_stream() {
    let server = serve(|_| {});
    let mut client = server.websocket();
    client.send(&open_element(DOMAIN).replace("to=", "from='romeo@im.example' xml:lang='de' to="));
    let open = client.expect_header();
    client.matches(
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='{any}' from='im.example' to='romeo@im.example' version='1.0'/>",
        &open,
    ).unwrap();
    client.features();
    client.send(&open_element(DOMAIN));
    client.expect_stream_error("invalid-xml");
}

/// Where a stream is open another one cannot be.
#[test]
fn a_second_open_is_refused() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    romeo.send(&open_element(DOMAIN));
    romeo.expect_stream_error("invalid-xml");
}

/// A client is told of its stanza's faults in a stanza that stands alone.
#[test]
fn errors_stand_alone_too() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    romeo.send("<iq xmlns='jabber:client' type='get' id='bad' to='@@'><a xmlns='urn:a'/></iq>");
    romeo.expect_stanza_error("iq", "bad", "modify", "jid-malformed");
    say(&mut romeo, "jid", "self");
}
