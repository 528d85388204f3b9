//! What is inside a message reaches its addressee as it was sent (RFC 6120 §8.4, §11; RFC 6121 §5.2).

use crate::support::client::stream_header;
use crate::support::{Client, DOMAIN, TestServer, settle};

/// A session whose last stream header has these attributes more.
fn log_in(server: &TestServer, user: &str, header_extra: &str) -> Client {
    server.account(user, "secret");
    let mut client = server.connect();
    client.secure();
    client.authenticate("SCRAM-SHA-1", user, "secret");
    client.open_with(&stream_header(DOMAIN).replace(" to=", &format!(" {header_extra} to=")));
    client.features();
    client.bind("orchard");
    client
}

/// Bodies with everything that has to be escaped, or looks as if it had to.
#[test]
fn text_arrives_as_it_was_meant() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    let bodies = [
        ("&lt;b&gt; &amp;amp; &quot;&apos;", "<b> &amp; \"'"),
        ("&#60;&#x3e;&#38;&#x1F600;", "<>&\u{1F600}"),
        ("<![CDATA[<b>&amp;</b> ]] >]]>", "<b>&amp;</b> ]] >"),
        ("a<![CDATA[]]>b<![CDATA[c]]>", "abc"),
        ("]] > }} {x} ' \"", "]] > }} {x} ' \""),
        ("  spaces  \n\tand lines\n", "  spaces  \n\tand lines\n"),
        (
            "zwölf Boxkämpfer \u{202e}abc\u{202c} 日本語 🏳️‍🌈 e\u{301}",
            "zwölf Boxkämpfer \u{202e}abc\u{202c} 日本語 🏳️‍🌈 e\u{301}",
        ),
        ("\u{85}\u{2028}\u{a0}\u{FFFD}\u{10FFFD}", "\u{85}\u{2028}\u{a0}\u{FFFD}\u{10FFFD}"),
        ("", ""),
    ];
    for (sent, meant) in bodies {
        romeo.send_bytes(format!("<message to='juliet@im.example'><body>{sent}</body></message>").as_bytes());
        let got = juliet.expect("<message to='juliet@im.example' from='{romeo}'><body><any/></body></message>");
        assert_eq!(got.find("body", "jabber:client").map(|body| body.text()).as_deref(), Some(meant), "{sent}");
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §5.2.3, §5.2.4, §5.2.5: several languages, subject, thread with parent; nothing is chosen or left out.
#[test]
fn every_child_is_forwarded() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    let inside = "<subject>Imploring</subject><subject xml:lang='cs'>Úpěnlivá</subject>\
        <body>Wherefore art thou?</body><body xml:lang='cs'>PročeŽ jsi ty?</body>\
        <thread parent='e0ffe42b'>0e3141cd</thread>\
        <x xmlns='urn:one'><y a='1' b=\"2\"/><y xmlns=''/><z xmlns='urn:two' xmlns:p='urn:three' p:q='r'><p:s/></z></x>\
        <markable xmlns='urn:xmpp:chat-markers:0'/>";
    romeo.send(&format!("<message to='juliet@im.example' type='chat' id='&lt;1&gt;' xml:lang='en'>{inside}</message>"));
    juliet.expect(&format!(
        "<message to='juliet@im.example' type='chat' id='&lt;1&gt;' xml:lang='en' from='{{romeo}}'>{inside}</message>"
    ));
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.4: unknown children, and attributes from foreign namespaces on the message itself.
#[test]
fn foreign_attributes_and_prefixed_children_are_forwarded() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    let forms = [
        "<message xmlns:f='urn:f' f:a='1' to='juliet@im.example'><f:b f:c='2'><f:d/></f:b></message>",
        "<message to='juliet@im.example' xmlns:f='urn:f' f:a='1'><b xmlns='urn:f' xmlns:g='urn:f' g:c='2'><g:d/></b></message>",
    ];
    for form in forms {
        romeo.send(form);
        juliet.expect(
            "<message from='{romeo}' to='juliet@im.example' xmlns:q='urn:f' q:a='1'><q:b q:c='2'><q:d/></q:b></message>",
        );
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §4.8.5: a prefix may be declared in the stream header; the addressee's stream does not know it.
#[test]
fn prefixes_of_the_stream_header_are_understood_by_the_addressee() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = log_in(&server, "romeo", "xmlns:f='urn:f' xmlns:g='urn:g'");
    let pattern = "<message from='{romeo}' to='juliet@im.example'><f:x xmlns:f='urn:f' f:a='1'><b xmlns='urn:g'/></f:x></message>";
    romeo.send("<message to='juliet@im.example'><f:x f:a='1'><g:b/></f:x></message>");
    juliet.expect(pattern);
    // Overridden, and back.
    romeo.send("<message to='juliet@im.example'><f:x f:a='1'><f:b xmlns:f='urn:g'/></f:x></message>");
    juliet.expect(pattern);
    settle(&mut romeo, &mut juliet);
    juliet.close();
    romeo.send("<message to='juliet@im.example' type='chat'><body>kept</body><f:x f:a='1'><g:b/></f:x></message>");
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    juliet.expect("<presence any-attrs='true'/>");
    juliet.expect(
        "<message from='{romeo}' to='juliet@im.example' type='chat'><body>kept</body>\
         <x xmlns='urn:f' xmlns:p='urn:f' p:a='1'><b xmlns='urn:g'/></x><delay xmlns='urn:xmpp:delay' any-attrs='true'/></message>",
    );
}

/// RFC 6120 §4.8.2, §4.8.3: the content namespace as a prefix instead of the default.
#[test]
fn stanzas_with_a_prefixed_content_namespace() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = log_in(&server, "romeo", "xmlns:c='jabber:client'");
    romeo.send("<c:message to='juliet@im.example'><c:body>hi</c:body><x xmlns='urn:x'><c:body/></x></c:message>");
    juliet.expect(
        "<message to='juliet@im.example' from='{romeo}'><body>hi</body><x xmlns='urn:x'><body xmlns='jabber:client'/></x></message>",
    );
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.1.5, §4.7.4: what has no language has that of the stream.
#[test]
fn the_language_of_the_stream_is_inherited() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = log_in(&server, "romeo", "xml:lang='de'");
    for (sent, expected) in [("", "de"), (" xml:lang='fr'", "fr"), (" xml:lang='de-CH'", "de-CH")] {
        romeo.send(&format!("<message to='juliet@im.example'{sent}><body>hi</body></message>"));
        juliet.expect(&format!(
            "<message to='juliet@im.example' from='{{romeo}}' xml:lang='{expected}'><body>hi</body></message>"
        ));
    }
    settle(&mut romeo, &mut juliet);
    // Also from the store.
    juliet.close();
    romeo.send("<message to='juliet@im.example'><body>kept</body></message>");
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    juliet.expect("<presence any-attrs='true'/>");
    juliet.expect("<message to='juliet@im.example' from='{romeo}' xml:lang='de'><body>kept</body><one/></message>");
}

/// Nothing is said about the language where nobody said anything.
#[test]
fn no_language_is_made_up() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='juliet@im.example'><body>hi</body></message>");
    let got = juliet.expect("<message to='juliet@im.example' from='{romeo}'><body>hi</body></message>");
    assert!(!got.raw.contains("xml:lang"), "{got:?}");
}

/// RFC 6120 §8.3.1: an error names the original's id and sender, and may carry what was sent.
#[test]
fn an_error_carries_nothing_that_was_not_sent() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for id in ["", " id='a&amp;b'", " id=''"] {
        romeo.send(&format!(
            "<message to='nobody@im.example'{id} type='chat' xml:lang='de'><body>a&lt;b</body></message>"
        ));
        let id = if id.is_empty() { "" } else { id };
        romeo.expect(&format!(
            "<message type='error' from='nobody@im.example' to='{{jid}}'{id}><any/><error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><any/></error></message>"
        ));
    }
    romeo.expect_nothing();
}
