//! What SASL2 refuses (XEP-0388 §2.3, §2.4, §3, §4.8), and that it says so.

use super::{in_with, secured};
use crate::support::login::SASL;
use crate::support::sasl2::{PHONE, SASL2, user_agent};
use crate::support::{Client, TestServer};

fn patient() -> TestServer {
    let server = TestServer::with(|c| {
        c.limits.auth_attempts_per_stream_max = 100;
        c.limits.failed_logins_per_account_max = 1000;
        c.limits.failed_logins_per_address_max = 1000;
    });
    server.account("romeo", "secret");
    server
}

/// §3: "SASL2 MUST only be used by Clients or offered by Servers after TLS negotiation", whatever else is allowed.
#[test]
fn not_without_tls() {
    let server = TestServer::with(|c| c.c2s.allow_plaintext_auth = true);
    server.account("romeo", "secret");
    let mut romeo = server.connect();
    let features = romeo.open_to_features();
    assert!(features.find("mechanisms", SASL).is_some() && features.find("authentication", SASL2).is_none());
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
    romeo.expect_failure2("encryption-required");
    romeo.authenticate("PLAIN", "romeo", "secret");
}

/// §2.3, §2.2, RFC 6120 §6.5.
#[test]
fn malformed_requests() {
    let server = patient();
    let mut romeo = secured(&server);
    let ok = "<initial-response>AHJvbWVvAHNlY3JldA==</initial-response>";
    let bind = "<bind xmlns='urn:xmpp:bind:0'/>";
    let fast = "<fast xmlns='urn:xmpp:fast:0'/>";
    let long_tag = "x".repeat(1020);
    let rows = [
        ("<authenticate/>".to_owned(), "invalid-mechanism"),
        (format!("<authenticate mechanism='GSSAPI'>{ok}</authenticate>"), "invalid-mechanism"),
        (format!("<authenticate mechanism='plain'>{ok}</authenticate>"), "invalid-mechanism"),
        (
            "<authenticate mechanism='PLAIN'><initial-response>=</initial-response></authenticate>".into(),
            "incorrect-encoding",
        ),
        (
            "<authenticate mechanism='PLAIN'><initial-response>A</initial-response></authenticate>".into(),
            "incorrect-encoding",
        ),
        (
            "<authenticate mechanism='PLAIN'><initial-response>AAAA</initial-response></authenticate>".into(),
            "malformed-request",
        ),
        (format!("<authenticate mechanism='PLAIN'>{ok}{ok}</authenticate>"), "malformed-request"),
        (format!("<authenticate mechanism='PLAIN'>{ok}<user-agent id='phone'/></authenticate>"), "malformed-request"),
        (format!("<authenticate mechanism='PLAIN'>{ok}{bind}{bind}</authenticate>"), "malformed-request"),
        (format!("<authenticate mechanism='PLAIN'>{ok}{fast}{fast}</authenticate>"), "malformed-request"),
        (
            format!("<authenticate mechanism='PLAIN'>{ok}<fast xmlns='urn:xmpp:fast:0' count='0'/></authenticate>"),
            "malformed-request",
        ),
        (
            format!("<authenticate mechanism='PLAIN'>{ok}<fast xmlns='urn:xmpp:fast:0' count='x'/></authenticate>"),
            "malformed-request",
        ),
        (
            format!(
                "<authenticate mechanism='PLAIN'>{ok}<fast xmlns='urn:xmpp:fast:0' invalidate='x'/></authenticate>"
            ),
            "malformed-request",
        ),
        (
            format!(
                "<authenticate mechanism='PLAIN'>{ok}<bind xmlns='urn:xmpp:bind:0'><tag>{long_tag}</tag></bind></authenticate>"
            ),
            "malformed-request",
        ),
        (
            format!(
                "<authenticate mechanism='PLAIN'>{ok}<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3'/>\
                 <enable xmlns='urn:xmpp:sm:3'/></bind></authenticate>"
            ),
            "malformed-request",
        ),
    ];
    for (xml, condition) in rows {
        romeo.send_bytes(xml.replacen("<authenticate", &format!("<authenticate xmlns='{SASL2}'"), 1).as_bytes());
        romeo.expect_failure2(condition);
    }
    in_with(&mut romeo, "secret", "");
}

/// RFC 6120 §6.5.8: more than any mechanism needs.
#[test]
fn oversize() {
    let server = TestServer::with(|c| c.limits.sasl_bytes_max = 1024);
    server.account("romeo", "secret");
    let mut romeo = secured(&server);
    romeo.authenticate2("PLAIN", Some(&[b'a'; 1025]), "");
    romeo.expect_failure2("malformed-request");
    romeo.authenticate2("SCRAM-SHA-256", Some(b"n,,n=romeo,r=abcdefgh"), "");
    romeo.expect_challenge2();
    romeo.respond2(&"a".repeat(1025));
    romeo.expect_failure2("malformed-request");
    romeo.send_bytes(format!("<authenticate xmlns='{SASL2}' mechanism='PLAIN'>{}", "a".repeat(20_000)).as_bytes());
    romeo.expect_stream_error("policy-violation");
}

/// §2.4: "Servers MUST disconnect Clients immediately if any other traffic is received."
#[test]
fn anything_else_within_an_exchange_ends_the_stream() {
    let server = patient();
    let rows = [
        ("<presence/>", "not-authorized"),
        ("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>", "unsupported-stanza-type"),
        ("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AAAA</response>", "unsupported-stanza-type"),
        ("<next xmlns='urn:xmpp:sasl:2' task='X'/>", "unsupported-stanza-type"),
        ("<enable xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type"),
    ];
    for (xml, condition) in rows {
        let mut romeo = secured(&server);
        romeo.authenticate2("SCRAM-SHA-256", Some(b"n,,n=romeo,r=abcdefgh"), "");
        romeo.expect_challenge2();
        romeo.send(xml);
        romeo.expect_stream_error(condition);
    }
}

/// Nothing of an exchange without an exchange.
#[test]
fn the_wrong_order_ends_the_stream() {
    let server = patient();
    for xml in ["<response>AAAA</response>", "<next task='X'/>", "<task-data/>", "<abort/>", "<success/>"] {
        let mut romeo = secured(&server);
        let (name, rest) = xml.split_at(xml.find([' ', '>', '/']).unwrap());
        romeo.send(&format!("{name} xmlns='{SASL2}'{rest}"));
        romeo.expect_stream_error("unsupported-stanza-type");
    }
}

fn authenticated(server: &TestServer) -> Client {
    let mut romeo = secured(server);
    in_with(&mut romeo, "secret", "");
    romeo
}

/// §4.8: once is enough.
#[test]
fn authenticating_again_ends_the_stream() {
    let server = patient();
    let mut romeo = authenticated(&server);
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
    romeo.expect_stream_error("unsupported-stanza-type");
    let mut romeo = authenticated(&server);
    romeo.bind("orchard");
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
    romeo.expect_stream_error("unsupported-stanza-type");
}

/// RFC 6120 §7.1: authenticated is not bound.
#[test]
fn stanzas_before_binding_end_the_stream() {
    let server = patient();
    let mut romeo = authenticated(&server);
    romeo.send("<presence/>");
    romeo.expect_stream_error("not-authorized");
}

/// RFC 6120 §6.4.5: so many attempts, in whichever profile.
#[test]
fn too_many_attempts_end_the_stream() {
    let server = TestServer::with(|c| c.limits.auth_attempts_per_stream_max = 3);
    server.account("romeo", "secret");
    let mut romeo = secured(&server);
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0wrong"), "");
    romeo.expect_failure2("not-authorized");
    romeo.auth("PLAIN", "\0romeo\0wrong");
    romeo.expect_sasl_failure("not-authorized");
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0wrong"), "");
    romeo.expect_failure2("not-authorized");
    romeo.expect_stream_error("policy-violation");
}

/// RFC 6120 §13.12: guesses count in this profile as in the other.
#[test]
fn guesses_are_counted() {
    let server = TestServer::with(|c| c.limits.failed_logins_per_account_max = 2);
    server.account("romeo", "secret");
    for _ in 0..2 {
        assert_eq!(secured(&server).scram2("romeo", "wrong", "").name, "failure");
    }
    let mut romeo = secured(&server);
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
    romeo.expect_failure2("temporary-auth-failure");
}

/// RFC 6120 §13.11: who does not exist and who may not log in look like a wrong password.
#[test]
fn nobody_and_somebody_disabled_look_alike() {
    let server = patient();
    let storage = &server.server().core().storage;
    server.runtime().block_on(async {
        let account = storage.account("romeo@im.example").await.unwrap().unwrap().account;
        storage.account_set_disabled(account.id, true).await.unwrap();
    });
    for user in ["romeo", "nobody", "bad name"] {
        let mut client = secured(&server);
        client.authenticate2("PLAIN", Some(format!("\0{user}\0secret").as_bytes()), &user_agent(PHONE));
        client.expect_failure2("not-authorized");
    }
}
