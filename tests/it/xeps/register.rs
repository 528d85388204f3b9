//! XEP-0077 before login, and XEP-0445: who may make an account.

use magpie::config::RegistrationMode;
use magpie::storage::{Invite, InviteKind, NewInvite};

use crate::support::{Client, TestServer};

const QUERY: &str = "<query xmlns='jabber:iq:register'/>";

fn closed() -> TestServer {
    TestServer::with(|c| c.registration.mode = RegistrationMode::Closed)
}

fn open() -> TestServer {
    TestServer::with(|c| c.registration.mode = RegistrationMode::Open)
}

fn invite_only() -> TestServer {
    TestServer::with(|c| c.registration.mode = RegistrationMode::Invite)
}

/// On an encrypted stream, not logged in.
fn stranger(server: &TestServer) -> Client {
    let mut client = server.connect();
    client.secure();
    client
}

fn keys(username: &str, password: &str) -> String {
    format!(
        "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>{username}</username>\
         <password>{password}</password></query></iq>"
    )
}

#[track_caller]
fn made(client: &mut Client, username: &str, password: &str) {
    client.send(&keys(username, password));
    client.expect("<iq type='result' id='r' from='{opt}' to='{opt}'/>");
}

#[track_caller]
fn refused(client: &mut Client, request: &str, error_type: &str, condition: &str) {
    client.send(request);
    let error = client.expect_stanza_error("iq", "r", error_type, condition);
    assert!(!error.raw.contains("s3cret"), "the password comes back: {error:?}");
}

fn invite(server: &TestServer, token: &str, uses_left: u32, expires_us: Option<i64>, domain: &str) {
    let created_us = magpie::clock::now_micros();
    let invite = Invite {
        token: token.into(),
        domain: domain.into(),
        kind: InviteKind::Account,
        creator: None,
        inviter: None,
        username: None,
        group: None,
        created_us,
        expires_us: expires_us.unwrap_or(created_us + 3_600_000_000),
        uses_max: uses_left,
        uses_left,
    };
    let made = server.runtime().block_on(server.server().core().storage.invite_create(invite, 100));
    assert_eq!(made.expect("an invitation"), NewInvite::Made);
}

fn show(token: &str) -> String {
    format!("<iq type='set' id='r'><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></iq>")
}

#[track_caller]
fn accepted(client: &mut Client, token: &str) {
    client.send(&show(token));
    client.expect("<iq type='result' id='r' from='{opt}' to='{opt}'/>");
}

/// XEP-0077 §8: offered where it is possible, which is not before TLS.
#[test]
fn the_feature_is_there_if_accounts_can_be_made() {
    let feature = "http://jabber.org/features/iq-register";
    for (server, offered) in [(closed(), false), (open(), true), (invite_only(), true), (TestServer::start(), true)] {
        let mut client = server.connect();
        assert!(client.open_to_features().find("register", feature).is_none(), "before TLS");
        assert_eq!(stranger_features(&server).contains(feature), offered);
    }
}

fn stranger_features(server: &TestServer) -> String {
    server.connect().secure().raw
}

/// XEP-0077 §3.1: closed is `service-unavailable`, and no account comes of it.
#[test]
fn a_closed_server_makes_no_accounts() {
    let server = closed();
    let mut client = stranger(&server);
    refused(&mut client, &format!("<iq type='get' id='r'>{QUERY}</iq>"), "cancel", "service-unavailable");
    refused(&mut client, &keys("bill", "s3cret"), "cancel", "service-unavailable");
    client.auth("PLAIN", "\0bill\0s3cret");
    client.expect_sasl_failure("not-authorized");
}

/// RFC 6120 §4.9.3.12: not before TLS; nobody's password goes over the wire in the clear.
#[test]
fn registration_needs_tls() {
    let server = open();
    let mut client = server.connect();
    client.open_to_features();
    client.send(&keys("bill", "s3cret"));
    client.expect_stream_error("not-authorized");
}

/// XEP-0077 §3.1: fields, account, login on the same stream.
#[test]
fn an_open_server_makes_accounts() {
    let server = open();
    let mut client = stranger(&server);
    client.send(&format!("<iq type='get' id='r' to='im.example'>{QUERY}</iq>"));
    client.expect(
        "<iq type='result' id='r' from='{opt}' to='{opt}'><query xmlns='jabber:iq:register'>\
         <any/><username/><any/><password/><any/></query></iq>",
    );
    made(&mut client, "bill", "Calliope &amp; I");
    client.authenticate("SCRAM-SHA-256", "bill", "Calliope & I");
    client.open_to_features();
    assert_eq!(client.bind("globe"), "bill@im.example/globe");
    let mut again = server.login("bill", "Calliope & I", "other");
    again.expect_nothing();
}

/// XEP-0077 §4: with a form as well; the form counts.
#[test]
fn a_form_will_do() {
    let server = open();
    let mut client = stranger(&server);
    client.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>\
         <field var='username'><value>bill</value></field><field var='password'><value>s3cret</value></field>\
         </x></query></iq>",
    );
    client.expect("<iq type='result' id='r' from='{opt}' to='{opt}'/>");
    client.authenticate("SCRAM-SHA-1", "bill", "s3cret");
}

/// XEP-0077 §3.1: `conflict`, and the account keeps its password.
#[test]
fn a_taken_name_is_a_conflict() {
    let server = open();
    server.account("bill", "first");
    let mut client = stranger(&server);
    for name in ["bill", "BILL", "ｂill"] {
        refused(&mut client, &keys(name, "s3cret"), "cancel", "conflict");
    }
    client.authenticate("SCRAM-SHA-1", "bill", "first");
}

/// XEP-0077 §3.1: all fields, none of them empty.
#[test]
fn missing_fields_are_not_acceptable() {
    let server = open();
    let mut client = stranger(&server);
    for inside in [
        "",
        "<username>bill</username>",
        "<password>s3cret</password>",
        "<username/><password>s3cret</password>",
        "<username>bill</username><password/>",
        "<username>bill</username><password></password>",
    ] {
        let request = format!("<iq type='set' id='r'><query xmlns='jabber:iq:register'>{inside}</query></iq>");
        refused(&mut client, &request, "modify", "not-acceptable");
    }
    made(&mut client, "bill", "s3cret");
}

/// RFC 7622 §3.3, XEP-0106 §4.1, RFC 7613 §4.2: names and passwords that nobody can have.
#[test]
fn impossible_names_and_passwords_are_not_acceptable() {
    let server = open();
    let mut client = stranger(&server);
    let long = "x".repeat(1024);
    for name in [
        "a b", "a@b", "a/b", "a&quot;b", "a&apos;b", "a&amp;b", "a:b", "a&lt;b", "a&gt;b", "\\20a", "a\\20", " ", &long,
    ] {
        refused(&mut client, &keys(name, "s3cret"), "modify", "not-acceptable");
    }
    for password in ["s3cret\u{7f}", "s3cret\u{9}"] {
        refused(&mut client, &keys("bill", password), "modify", "not-acceptable");
    }
    made(&mut client, "d\\27artagnan", "s3cret");
}

/// XEP-0077 §3.2: nobody is registered on this stream.
#[test]
fn there_is_nothing_to_remove_before_login() {
    let server = open();
    server.account("bill", "s3cret");
    let mut client = stranger(&server);
    let remove = "<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>";
    refused(&mut client, remove, "wait", "unexpected-request");
    client.authenticate("SCRAM-SHA-1", "bill", "s3cret");
}

/// `limits.registrations_per_address_per_hour_max`, which loopback is exempt from by default.
#[test]
fn an_address_makes_so_many_accounts() {
    let server = TestServer::with(|c| {
        c.registration.mode = RegistrationMode::Open;
        c.limits.registrations_per_address_per_hour_max = 2;
        c.limits.exempt_addresses.clear();
    });
    let mut client = stranger(&server);
    made(&mut client, "one", "s3cret");
    let mut other = stranger(&server);
    made(&mut other, "two", "s3cret");
    for client in [&mut client, &mut other] {
        refused(client, &keys("three", "s3cret"), "wait", "resource-constraint");
    }
    client.authenticate("SCRAM-SHA-1", "one", "s3cret");
    other.auth("PLAIN", "\0three\0s3cret");
    other.expect_sasl_failure("not-authorized");
    let exempt = TestServer::with(|c| {
        c.registration.mode = RegistrationMode::Open;
        c.limits.registrations_per_address_per_hour_max = 1;
    });
    let mut client = stranger(&exempt);
    made(&mut client, "one", "s3cret");
    made(&mut client, "two", "s3cret");
}

/// XEP-0445 §4: not without a token; a good one opens the door for as many accounts as it has uses.
#[test]
fn an_invitation_opens_the_door() {
    let server = invite_only();
    invite(&server, "abc-123", 2, None, "im.example");
    let mut client = stranger(&server);
    refused(&mut client, &format!("<iq type='get' id='r'>{QUERY}</iq>"), "cancel", "not-allowed");
    refused(&mut client, &keys("bill", "s3cret"), "cancel", "not-allowed");
    accepted(&mut client, "abc-123");
    client.send(&format!("<iq type='get' id='r'>{QUERY}</iq>"));
    client.expect(
        "<iq type='result' id='r' from='{opt}' to='{opt}'><query xmlns='jabber:iq:register'><any/></query></iq>",
    );
    made(&mut client, "bill", "s3cret");
    client.authenticate("SCRAM-SHA-1", "bill", "s3cret");
    let mut client = stranger(&server);
    accepted(&mut client, "abc-123");
    // What fails uses nothing up.
    refused(&mut client, &keys("bill", "s3cret"), "cancel", "conflict");
    refused(&mut client, &keys("a b", "s3cret"), "modify", "not-acceptable");
    made(&mut client, "will", "s3cret");
    refused(&mut client, &keys("phil", "s3cret"), "cancel", "not-allowed");
    let mut client = stranger(&server);
    refused(&mut client, &show("abc-123"), "cancel", "item-not-found");
}

/// XEP-0445 §4: unknown, expired, used up, for another domain: the same answer, and nothing is possible after it.
#[test]
fn bad_invitations_are_not_found() {
    let server = invite_only();
    let now = magpie::clock::now_micros();
    invite(&server, "expired", 5, Some(now - 1), "im.example");
    invite(&server, "used", 0, None, "im.example");
    invite(&server, "elsewhere", 5, None, "other.example");
    invite(&server, "good", 5, Some(now + 3_600_000_000), "im.example");
    let mut client = stranger(&server);
    for token in ["unknown", "expired", "used", "elsewhere", "Good", "good "] {
        refused(&mut client, &show(token), "cancel", "item-not-found");
        refused(&mut client, &keys("bill", "s3cret"), "cancel", "not-allowed");
    }
    for bad in ["<preauth xmlns='urn:xmpp:pars:0'/>", "<preauth xmlns='urn:xmpp:pars:0' token=''/>"] {
        refused(&mut client, &format!("<iq type='set' id='r'>{bad}</iq>"), "modify", "bad-request");
    }
    accepted(&mut client, "good");
    made(&mut client, "bill", "s3cret");
}

/// Guessing tokens is like guessing passwords: no address is exempt.
#[test]
fn guessing_invitations_has_a_limit() {
    let server = TestServer::with(|c| {
        c.registration.mode = RegistrationMode::Invite;
        c.limits.failed_logins_per_address_max = 3;
    });
    invite(&server, "good", 1, None, "im.example");
    let mut client = stranger(&server);
    for _ in 0..3 {
        refused(&mut client, &show("bad"), "cancel", "item-not-found");
    }
    let mut client = stranger(&server);
    refused(&mut client, &show("good"), "wait", "resource-constraint");
}
