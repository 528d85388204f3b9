//! STARTTLS (RFC 6120 §5).

use crate::support::client::stream_header;
use crate::support::login::{SASL, mechanisms};
use crate::support::transport::TlsOptions;
use crate::support::xml::Event;
use crate::support::{Client, DOMAIN, TestServer};

const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";

/// RFC 6120 §5.3.1, RFC 7590 §3.1: TLS comes first, and is the only thing on offer.
#[test]
fn starttls_is_offered_as_required_and_nothing_else_is() {
    let server = TestServer::start();
    let mut client = server.connect();
    let features = client.open_to_features();
    client
        .matches("<stream:features any-order='true'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls><any/></stream:features>", &features)
        .unwrap();
    assert_eq!(mechanisms(&features), [""; 0]);
    assert!(
        features.elements().all(|el| el.is("starttls", TLS) || el.is("limits", "urn:xmpp:stream-limits:0")),
        "{features:?}"
    );
}

/// RFC 6120 §5.4.3.3: a new stream, on which STARTTLS is not offered again.
#[test]
fn behind_tls_the_stream_starts_anew_without_starttls() {
    let server = TestServer::start();
    let mut client = server.connect();
    let features = client.secure();
    assert!(client.transport.is_tls());
    assert!(features.find("starttls", TLS).is_none());
    assert!(!mechanisms(&features).is_empty());
}

/// RFC 6120 §5.4.2.2: a second STARTTLS fails, and the stream ends with it.
#[test]
fn starttls_within_tls_fails() {
    let server = TestServer::start();
    let mut after_starttls = server.connect();
    after_starttls.secure();
    let mut direct = server.connect_tls();
    direct.open_to_features();
    for mut client in [after_starttls, direct] {
        client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        client.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        client.expect_closed();
    }
}

/// RFC 6120 §6.5.4: credentials are not taken unencrypted, whatever the mechanism.
#[test]
fn authentication_before_tls_needs_encryption() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    for (mechanism, initial) in
        [("PLAIN", "\0romeo\0secret"), ("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh"), ("ANONYMOUS", "x")]
    {
        let mut client = server.connect();
        client.open_to_features();
        client.auth(mechanism, initial);
        client.expect_sasl_failure("encryption-required");
        client.starttls();
        client.open_to_features();
        client.authenticate("SCRAM-SHA-1", "romeo", "secret");
    }
}

/// RFC 6120 §5.4.3.1, RFC 7590, CVE-2011-0411: what an attacker put behind `<starttls/>` never becomes part of the
/// encrypted stream.
#[test]
fn plaintext_behind_starttls_is_never_processed() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let header = stream_header(DOMAIN);
    let injections = [
        header.clone(),
        format!("{header}<auth xmlns='{SASL}' mechanism='PLAIN'>AHJvbWVvAHNlY3JldA==</auth>"),
        " ".to_owned(),
        "<presence/>".to_owned(),
    ];
    for injection in injections {
        let mut client = server.connect();
        client.open_to_features();
        client.send(&format!("<starttls xmlns='{TLS}'/>{injection}"));
        assert_not_processed(&mut client);
    }
}

/// The same with the injected bytes in a packet of their own, which may arrive before or after `<proceed/>` was sent.
#[test]
fn plaintext_sent_separately_behind_starttls_is_never_processed() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.open_to_features();
    client.send(&format!("<starttls xmlns='{TLS}'/>"));
    client.send(&stream_header(DOMAIN));
    assert_not_processed(&mut client);
}

/// The server may end the connection, or go on as if nothing had been said; it may not answer what was said.
#[track_caller]
fn assert_not_processed(client: &mut Client) {
    match client.next_event() {
        Some(Event::Element(el)) if el.is("proceed", TLS) => {}
        None | Some(Event::Close) => return,
        Some(Event::Element(el)) if el.is("failure", TLS) || el.name == "error" => return,
        other => client.fail(&format!("answered: {other:?}")),
    }
    if client.transport.start_tls(&TlsOptions::new(DOMAIN)).is_err() {
        return;
    }
    // Our own header says `from`, so its answer can be told from one to the injected header.
    client.send(&stream_header(DOMAIN).replace("to=", "from='juliet@im.example' to="));
    let header = client.expect_header();
    assert_eq!(header.attr("to"), Some("juliet@im.example"), "the injected header was answered");
    client.features();
    client.auth("PLAIN", "\0romeo\0wrong");
    client.expect_sasl_failure("not-authorized");
}

/// A handshake that is none ends the connection and nothing else.
#[test]
fn a_broken_handshake_ends_only_its_connection() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut client = server.connect();
    client.open_to_features();
    client.send(&format!("<starttls xmlns='{TLS}'/>"));
    client.expect(&format!("<proceed xmlns='{TLS}'/>"));
    client.send_bytes(b"this is no ClientHello\r\n\r\n");
    // What comes is a TLS alert, if anything.
    let mut rest = Vec::new();
    let mut chunk = [0u8; 1024];
    while let Ok(n @ 1..) = client.transport.read(&mut chunk) {
        rest.extend_from_slice(&chunk[..n]);
    }
    assert!(rest.is_empty() || rest[0] == 0x15, "not an alert: {rest:?}");
    romeo.expect_nothing();
}

/// RFC 6120 §5.4.1: something else than STARTTLS where it is required.
#[test]
fn stanzas_instead_of_starttls_are_refused() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.open_to_features();
    client.send("<iq type='get' id='1' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    client.expect_stream_error("not-authorized");
}

/// The test switch: only then is authentication possible without TLS, and STARTTLS stays possible.
#[test]
fn the_plaintext_switch_offers_both() {
    let server = TestServer::with(|c| c.c2s.allow_plaintext_auth = true);
    server.account("romeo", "secret");
    let mut client = server.connect();
    let features = client.open_to_features();
    let starttls = features.find("starttls", TLS).expect("offered");
    assert!(starttls.find("required", TLS).is_none(), "no longer required");
    let offered = mechanisms(&features);
    assert!(offered.iter().any(|m| m == "PLAIN"), "{offered:?}");
    assert!(!offered.iter().any(|m| m.ends_with("-PLUS")), "there is no channel to bind to: {offered:?}");
    client.authenticate("PLAIN", "romeo", "secret");
    client.open_to_features();
    client.bind("orchard");
    client.expect_nothing();
    let mut encrypted = server.login("romeo", "secret", "garden");
    encrypted.expect_nothing();
}
