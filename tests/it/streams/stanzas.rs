//! First-level elements that do not belong where they are sent (RFC 6120 §4.9.3).

use crate::support::{TestServer, settle};

/// RFC 6120 §4.9.3.12: before authentication, encrypted or not, nobody sends stanzas.
#[test]
fn stanzas_before_authentication_are_not_authorized() {
    let server = TestServer::start();
    let stanzas = [
        "<message to='romeo@im.example'><body>hi</body></message>",
        "<presence/>",
        "<iq type='get' id='1' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:auth'/></iq>",
    ];
    for stanza in stanzas {
        let mut plain = server.connect();
        plain.open_to_features();
        plain.send(stanza);
        plain.expect_stream_error("not-authorized");
        let mut encrypted = server.connect();
        encrypted.secure();
        encrypted.send(stanza);
        encrypted.expect_stream_error("not-authorized");
    }
}

/// The same in the middle of a SASL exchange.
#[test]
fn stanzas_within_a_sasl_exchange_are_not_authorized() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.secure();
    client.auth("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh");
    client.expect_sasl("challenge");
    client.send("<presence/>");
    client.expect_stream_error("not-authorized");
}

/// RFC 6120 §4.9.3.24: neither the name nor the namespace helps.
#[test]
fn unknown_first_level_elements_are_an_unsupported_stanza_type() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let elements = [
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='x'/></pubsub>",
        "<letter to='romeo@im.example'/>",
        "<Message to='romeo@im.example'/>",
        "<stream:features/>",
        "<stream:unknown/>",
    ];
    for element in elements {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send(element);
        romeo.expect_stream_error("unsupported-stanza-type");
    }
}

/// RFC 6120 §4.9.3.24 before authentication, where it could be taken for the other error, too.
#[test]
fn unknown_elements_before_authentication_end_the_stream() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.open_to_features();
    client.send("<what xmlns='urn:example:ever'/>");
    let error = client.next();
    let condition = error.elements().next().map(|el| el.name.clone()).unwrap_or_default();
    assert!(["unsupported-stanza-type", "not-authorized"].contains(&&*condition), "{error:?}");
    client.expect_closed();
}

/// RFC 6120 §5.4, §6.4: negotiation is over once the session stands.
#[test]
fn negotiation_cannot_begin_again_in_a_session() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let elements = [
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHNlY3JldA==</auth>",
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    ];
    for element in elements {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send(element);
        romeo.expect_stream_error("unsupported-stanza-type");
    }
}

/// RFC 6120 §8.1.2.1, §4.9.3.9: a `from` that is neither the full nor the bare JID of the session is not silently
/// corrected.
#[test]
fn a_forged_from_is_invalid_from() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut juliet = server.online("juliet", "balcony");
    for from in [
        "juliet@im.example",
        "juliet@im.example/balcony",
        "romeo@im.example/garden",
        "im.example",
        "romeo@other.example",
    ] {
        for (stanza, inside) in
            [("message", "<body>hi</body>"), ("presence", ""), ("iq", "<ping xmlns='urn:xmpp:ping'/>")]
        {
            let mut romeo = server.login("romeo", "secret", "orchard");
            let kind = if stanza == "iq" { "type='get' id='1'" } else { "" };
            romeo.send(&format!("<{stanza} {kind} from='{from}' to='juliet@im.example/balcony'>{inside}</{stanza}>"));
            romeo.expect_stream_error("invalid-from");
        }
    }
    juliet.expect_nothing();
}

/// RFC 6120 §8.1.2.1: the full JID and the bare JID are the client's own; what arrives is always the full one.
#[test]
fn an_own_from_is_accepted_and_stamped_in_full() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for from in ["", "from='romeo@im.example'", "from='romeo@im.example/orchard'", "from='ROMEO@im.example/orchard'"] {
        romeo.send(&format!("<message {from} to='juliet@im.example'><body>hi</body></message>"));
        juliet.expect("<message from='romeo@im.example/orchard' to='juliet@im.example'><body>hi</body></message>");
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.3.3.8: an address that is none is the stanza's problem, not the stream's.
#[test]
fn a_malformed_to_is_answered_and_the_stream_lives() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for (id, to) in
        ["@im.example", "juliet@", "a b@im.example", "im.example/", "juliet@im.example/", "\u{2163}@im.example"]
            .into_iter()
            .enumerate()
    {
        romeo.send(&format!("<message to='{to}' id='m{id}'><body>hi</body></message>"));
        romeo.expect_stanza_error("message", &format!("m{id}"), "modify", "jid-malformed");
        romeo.send(&format!("<iq type='get' to='{to}' id='i{id}'><ping xmlns='urn:xmpp:ping'/></iq>"));
        romeo.expect_stanza_error("iq", &format!("i{id}"), "modify", "jid-malformed");
    }
    romeo.expect_nothing();
}

/// RFC 6120 §4.9.1.1: a stream error of the client's is the end of its stream, whatever else it sends.
#[test]
fn a_stream_error_from_the_client_ends_the_stream() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
    romeo.send_bytes_if_open(b"<message to='juliet@im.example'><body>late</body></message>");
    romeo.expect_closed();
    juliet.expect_nothing();
}
