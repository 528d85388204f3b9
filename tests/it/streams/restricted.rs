//! XML that a stream may not contain (RFC 6120 §11): the same answer before a stream, on it, and within a session.

use crate::support::client::stream_header;
use crate::support::{Client, DOMAIN, TestServer};

/// Sends the bytes at two points: on a fresh encrypted stream, and in a bound session.
#[track_caller]
fn refused_everywhere(server: &TestServer, bytes: &[u8], condition: &str) {
    let mut stranger = server.connect();
    stranger.secure();
    stranger.send_bytes_if_open(bytes);
    stranger.expect_stream_error(condition);
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes_if_open(bytes);
    romeo.expect_stream_error(condition);
}

fn server() -> TestServer {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server
}

/// RFC 6120 §11.1, §4.9.3.18.
#[test]
fn comments_instructions_and_dtds_are_restricted() {
    let server = server();
    let cases = [
        "<!-- a comment -->",
        "<message><!-- a comment --></message>",
        "<message><body>a<!---->b</body></message>",
        "<?php echo ?>",
        "<message><?pi x?></message>",
        "<!DOCTYPE x>",
        "<message><!ENTITY a 'b'></message>",
        "<?xml version='1.0'?><message/>",
        "<message><?xml version='1.0'?></message>",
    ];
    for case in cases {
        refused_everywhere(&server, case.as_bytes(), "restricted-xml");
    }
}

/// RFC 6120 §11.1: only the five predefined entities, and characters by number.
#[test]
fn custom_entities_are_restricted() {
    let server = server();
    for case in ["<message><body>&nbsp;</body></message>", "<message id='&lol;'/>"] {
        refused_everywhere(&server, case.as_bytes(), "restricted-xml");
    }
}

/// RFC 6120 §11.1 in front of the stream header.
#[test]
fn a_dtd_in_front_of_the_header_is_restricted() {
    let server = TestServer::start();
    for prologue in ["<!DOCTYPE stream [<!ENTITY lol 'lol'>]>", "<!-- hello -->", "<?xml-stylesheet href='x'?>"] {
        for declaration in ["", "<?xml version='1.0'?>"] {
            let mut client = server.connect();
            let header = stream_header(DOMAIN).replace("<?xml version='1.0'?>", "");
            client.send_bytes_if_open(format!("{declaration}{prologue}{header}").as_bytes());
            client.expect_header();
            client.expect_stream_error("restricted-xml");
        }
    }
}

/// RFC 6120 §11.3, §4.9.3.13: XML and namespaces in XML.
#[test]
fn what_is_not_well_formed_is_refused() {
    let server = server();
    let cases = [
        "<message></presence>",
        "<message><body></message></body>",
        "<message><body></message></stream:stream>",
        "</message>",
        "<message a='1' a='2'/>",
        "<message xmlns:p='urn:x' xmlns:q='urn:x' p:a='1' q:a='2'/>",
        "<message xmlns:p='urn:x' xmlns:p='urn:x'/>",
        "<message a='1'b='2'/>",
        "<message a=1/>",
        "<message a/>",
        "<message a='<'/>",
        "<message><body>a & b</body></message>",
        "<message><body>]]></body></message>",
        "<message><p:x/></message>",
        "<message p:x='1'/>",
        "<message xmlns:p=''/>",
        "<message><x xmlns:xml='urn:x'/></message>",
        "<message><x xmlns:xmlns='urn:x'/></message>",
        "<message><1x/></message>",
        "<message><a:b:c xmlns:a='urn:a'/></message>",
        "<message><:x/></message>",
        "< message/>",
        "<message/ >",
        "<message><></></message>",
        "<message><body>&#0;</body></message>",
        "<message><body>&#1;</body></message>",
        "<message><body>&#xD800;</body></message>",
        "<message><body>&#xFFFE;</body></message>",
        "<message><body>&#x110000;</body></message>",
        "<message><body>&#;</body></message>",
        "<message><body>\u{1}</body></message>",
        "<message><body>\u{0}</body></message>",
        "<message><body>\u{ffff}</body></message>",
        "<message id='\u{8}'/>",
        "<message><![CDATA[\u{b}]]></message>",
    ];
    for case in cases {
        refused_everywhere(&server, case.as_bytes(), "not-well-formed");
    }
}

/// RFC 6120 §11.6, §4.9.3.22: "or has otherwise improperly encoded the stream".
#[test]
fn bytes_that_are_not_utf8_are_an_unsupported_encoding() {
    let server = server();
    let cases: [&[u8]; 6] = [b"\xff", b"\xc3\x28", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"];
    for case in cases {
        let stanza = [b"<message><body>", case, b"</body></message>"].concat();
        refused_everywhere(&server, &stanza, "unsupported-encoding");
    }
}

/// RFC 6120 §11.7 allows white space between stanzas and nothing else.
#[test]
fn text_between_stanzas_is_refused() {
    let server = server();
    for mut client in [secured(&server), server.login("romeo", "secret", "orchard")] {
        client.send_bytes_if_open(b"hello <message/>");
        let error = client.next();
        let condition = error.elements().next().map(|el| el.name.clone()).unwrap_or_default();
        assert!(["bad-format", "not-well-formed"].contains(&condition.as_str()), "{error:?}");
        client.expect_closed();
    }
}

fn secured(server: &TestServer) -> Client {
    let mut client = server.connect();
    client.secure();
    client
}

/// The other side of the table: all of this is XML, and allowed.
#[test]
fn unusual_but_legal_xml_is_understood() {
    let server = server();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.available();
    let cases = [
        ("<message to='{jid}' id=\"it's\"\n\t><body>1</body></message\n>", "it&apos;s", "1"),
        (
            "<message to='{jid}' id='2'><body>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;</body></message>",
            "2",
            "&lt;>&amp;\"'A😀",
        ),
        ("<message to='{jid}' id='3'><body><![CDATA[<b> & </b>]]></body></message>", "3", "&lt;b> &amp; &lt;/b>"),
        ("<message to='{jid}' id='4'><body>]] > ></body></message>", "4", "]] > >"),
        ("<message id='5' to='{jid}'><body xml:lang='de'>5</body></message>", "5", "5"),
        ("<a:message xmlns:a='jabber:client' to='{jid}' id='6'><a:body>6</a:body></a:message>", "6", "6"),
        (
            "<message to='{jid}' id='7'><body>zażółć 漢字 \u{10FFFD}\t\r\n.</body></message>",
            "7",
            "zażółć 漢字 \u{10FFFD}\t{any}.",
        ),
        ("<message to='{jid}' id='8'><body>a > b</body></message>", "8", "a > b"),
    ];
    for (stanza, id, body) in cases {
        romeo.send(stanza);
        romeo.expect(&format!("<message from='{{jid}}' to='{{jid}}' id='{id}'><body>{body}</body></message>"));
    }
    romeo.expect_nothing();
}

/// A prefix declared on the stream header may be used in stanzas, and arrives bound within the stanza: the receiver's
/// stream does not know it (RFC 6120 §4.8.3).
#[test]
fn prefixes_of_the_stream_header_travel_with_the_stanza() {
    let server = server();
    server.account("juliet", "secret");
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.available();
    let mut romeo = server.connect();
    romeo.secure();
    romeo.authenticate("SCRAM-SHA-1", "romeo", "secret");
    romeo.open_with(&stream_header(DOMAIN).replace("xmlns:stream", "xmlns:x='urn:example:x' xmlns:stream"));
    romeo.features();
    romeo.bind("orchard");
    romeo.send("<message to='{juliet}'><x:deep x:a='1'><in xmlns='urn:example:y'><x:er/></in></x:deep></message>");
    juliet.expect(
        "<message from='{romeo}' to='{juliet}'><deep xmlns='urn:example:x' xmlns:q='urn:example:x' q:a='1'>\
         <in xmlns='urn:example:y'><q:er/></in></deep></message>",
    );
}

/// RFC 6120 §4.9.3.10, §4.9.3.24: the name of a stanza in another namespace does not make it one.
#[test]
fn stanza_names_in_other_namespaces_are_refused() {
    let server = server();
    for namespace in ["urn:example:other", "jabber:server", ""] {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send(&format!("<message xmlns='{namespace}' to='{{jid}}'><body>not a message</body></message>"));
        let error = romeo.next();
        let condition = error.elements().next().map(|el| el.name.clone()).unwrap_or_default();
        assert!(["invalid-namespace", "unsupported-stanza-type"].contains(&&*condition), "{error:?}");
        romeo.expect_closed();
    }
}
