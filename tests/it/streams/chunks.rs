//! How bytes are cut on their way does not matter (RFC 6120 §11: a stream of characters).

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

use crate::support::client::stream_header;
use crate::support::{Client, DOMAIN, TestServer};

fn byte_by_byte(client: &mut Client, xml: &str) {
    for byte in xml.as_bytes().chunks(1) {
        client.send_bytes(byte);
    }
}

const BIND: &str =
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>orchard</resource></bind></iq>";
const PING: &str = "<iq type='get' id='p' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>";

fn plain_auth() -> String {
    let message = BASE64.encode("\0romeo\0secret");
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>")
}

/// Login by steps that a test can deliver as it likes.
fn play(client: &mut Client, say: impl Fn(&mut Client, &str)) {
    say(client, &stream_header(DOMAIN));
    client.expect_header();
    client.features();
    say(client, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.handshake(&crate::support::transport::TlsOptions::new(DOMAIN));
    say(client, &stream_header(DOMAIN));
    client.expect_header();
    client.features();
    say(client, &plain_auth());
    client.expect_sasl("success");
    say(client, &stream_header(DOMAIN));
    client.expect_header();
    client.features();
    say(client, BIND);
    client.expect("<iq type='result' id='b' to='{opt}' from='{opt}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>romeo@im.example/orchard</jid></bind></iq>");
    say(client, "<message to='romeo@im.example/orchard'><body>Ä😀 &amp; <![CDATA[<&>]]></body></message>");
    client.expect("<message from='romeo@im.example/orchard' to='romeo@im.example/orchard'><body>Ä😀 &amp; &lt;&amp;></body></message>");
    say(client, PING);
    client.expect("<iq type='result' id='p' from='im.example' to='romeo@im.example/orchard'/>");
    say(client, "</stream:stream>");
    client.expect_closed();
}

/// From the first header to the last tag.
#[test]
fn a_whole_session_one_byte_at_a_time() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    play(&mut server.connect(), byte_by_byte);
}

#[test]
fn a_whole_session_in_small_chunks() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    for size in [2, 3, 7, 64] {
        play(&mut server.connect(), |client, xml| {
            for chunk in xml.as_bytes().chunks(size) {
                client.send_bytes(chunk);
            }
        });
    }
}

/// Every point at which a stanza can be cut, also inside tags, entities, CDATA and UTF-8 sequences. Between the halves
/// another client is served, so that the server has seen the first one.
#[test]
fn a_stanza_may_be_cut_anywhere() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let stanza = "<message to='juliet@im.example' id='é'><body>a&amp;ü漢😀&#x41;<![CDATA[]>]]></body><x xmlns='urn:x' a='/>'/></message>";
    for cut in 1..stanza.len() {
        let (head, tail) = stanza.as_bytes().split_at(cut);
        romeo.send_bytes(head);
        juliet.expect_nothing();
        romeo.send_bytes(tail);
        juliet.expect(
            "<message from='{romeo}' to='juliet@im.example' id='é'><body>a&amp;ü漢😀A]></body><x xmlns='urn:x' a='/>'/></message>",
        );
    }
    romeo.expect_nothing();
}

/// Everything a client may say without waiting, in one write (XEP-0305: no round trip for what is known).
#[test]
fn stanzas_may_follow_the_header_in_the_same_write() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    client.send(&plain_auth());
    client.expect_sasl("success");
    client.send(&format!("{}{BIND}{PING}<message to='romeo@im.example/orchard'/>{PING}", stream_header(DOMAIN)));
    client.expect_header();
    client.features();
    client.expect("<iq type='result' id='b' to='{opt}' from='{opt}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{any}</jid></bind></iq>");
    client.expect("<iq type='result' id='p' from='im.example' to='romeo@im.example/orchard'/>");
    client.expect("<message from='romeo@im.example/orchard' to='romeo@im.example/orchard'/>");
    client.expect("<iq type='result' id='p' from='im.example' to='romeo@im.example/orchard'/>");
}

/// XEP-0305: `<auth/>` behind the header, and behind `<auth/>` the next header with all that follows.
#[test]
fn a_login_may_be_pipelined_behind_tls() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect_tls();
    let header = stream_header(DOMAIN);
    client.send(&format!("{header}{}{header}{BIND}{PING}", plain_auth()));
    client.expect_header();
    client.features();
    client.expect_sasl("success");
    client.expect_header();
    client.features();
    client.expect("<iq type='result' id='b' to='{opt}' from='{opt}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{any}</jid></bind></iq>");
    client.expect("<iq type='result' id='p' from='im.example' to='romeo@im.example/orchard'/>");
}

/// Order is kept however much comes at once (RFC 6120 §10.1).
#[test]
fn a_burst_keeps_its_order() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let burst: String =
        (0..500).map(|i| format!("<message to='juliet@im.example' id='{i}'><body>{i}</body></message>")).collect();
    romeo.send(&burst);
    for i in 0..500 {
        juliet.expect(&format!("<message from='{{romeo}}' to='juliet@im.example' id='{i}'><body>{i}</body></message>"));
    }
    romeo.expect_nothing();
    juliet.expect_nothing();
}
