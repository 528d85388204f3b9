//! Resource binding (RFC 6120 §7) and the session request of its predecessor (RFC 3921 §3).

use crate::support::{Client, TestServer};

const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// Authenticated and not yet bound.
fn authenticated(server: &TestServer) -> Client {
    let mut client = server.connect();
    client.secure();
    client.authenticate("PLAIN", "romeo", "secret");
    client.open_to_features();
    client
}

fn server() -> TestServer {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server
}

fn ask(client: &mut Client, resource: &str) {
    client.send(&format!("<iq type='set' id='b'><bind xmlns='{BIND}'><resource>{resource}</resource></bind></iq>"));
}

#[track_caller]
fn expect_refused(client: &mut Client, error_type: &str, condition: &str) {
    client.expect_stanza_error("iq", "b", error_type, condition);
}

/// RFC 6120 §7.3.1: mandatory, on the stream behind SASL.
#[test]
fn bind_is_offered_behind_authentication() {
    let server = server();
    let mut client = server.connect();
    assert!(client.secure().find("bind", BIND).is_none());
    client.authenticate("PLAIN", "romeo", "secret");
    assert!(client.open_to_features().find("bind", BIND).is_some());
}

/// RFC 6120 §7.6: unguessable and different each time (§13.11 wants nothing that tells anything).
#[test]
fn the_server_makes_resources() {
    let server = server();
    let mut seen = std::collections::BTreeSet::new();
    for request in [
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource/></bind>",
    ] {
        for _ in 0..2 {
            let mut client = authenticated(&server);
            client.send(&format!("<iq type='set' id='b'>{request}</iq>"));
            client.expect(&format!("<iq type='result' id='b' to='{{opt}}' from='{{opt}}'><bind xmlns='{BIND}'><jid>romeo@im.example/{{resource}}</jid></bind></iq>"));
            let resource = client.var("resource");
            assert!(resource.len() >= 8, "{resource}");
            assert!(seen.insert(resource), "twice the same");
        }
    }
}

/// RFC 6120 §7.7.1.
#[test]
fn a_client_may_ask_for_a_resource() {
    let server = server();
    for (wish, expected) in [
        ("balcony", "balcony"),
        ("My Phone 📱", "My Phone 📱"),
        ("a/b@c", "a/b@c"),
        ("&lt;&amp;&gt;&apos;", "<&>'"),
        ("Ａ", "Ａ"),
    ] {
        let mut client = authenticated(&server);
        assert_eq!(client.bind(wish), format!("romeo@im.example/{expected}"));
        client.expect_nothing();
    }
}

/// RFC 7622 §3.4: the longest resource is 1023 bytes.
#[test]
fn the_longest_resource_is_bound() {
    let server = server();
    let mut client = authenticated(&server);
    let longest = "é".repeat(511) + "x";
    assert_eq!(client.bind(&longest), format!("romeo@im.example/{longest}"));
}

/// RFC 6120 §7.7.2.1, RFC 7622 §3.4: and the client may try again.
#[test]
fn a_resource_that_cannot_be_one_is_a_bad_request() {
    let server = server();
    let mut client = authenticated(&server);
    for wish in ["x".repeat(1024).as_str(), "é".repeat(512).as_str(), "a\u{200b}b\u{85}", "a\tb", "\u{ad}\u{378}"] {
        ask(&mut client, wish);
        expect_refused(&mut client, "modify", "bad-request");
    }
    assert_eq!(client.bind("balcony"), "romeo@im.example/balcony");
}

/// RFC 6120 §7.7.2.2, policy of this server: the new session wins, the old one ends with `conflict` (§4.9.3.3).
#[test]
fn a_taken_resource_goes_to_the_newcomer() {
    let server = server();
    let mut old = authenticated(&server);
    old.bind("orchard");
    old.available();
    let mut new = authenticated(&server);
    assert_eq!(new.bind("orchard"), "romeo@im.example/orchard");
    old.expect_stream_error("conflict");
    new.available();
    new.send("<message to='romeo@im.example/orchard' id='1'/>");
    new.expect("<message from='romeo@im.example/orchard' to='romeo@im.example/orchard' id='1'/>");
}

/// The same person, other resources: side by side.
#[test]
fn different_resources_live_side_by_side() {
    let server = server();
    let mut first = authenticated(&server);
    first.bind("orchard");
    let mut second = authenticated(&server);
    second.bind("Orchard");
    first.expect_nothing();
    second.expect_nothing();
}

/// The same resource of somebody else is no conflict.
#[test]
fn equal_resources_of_different_accounts_do_not_conflict() {
    let server = server();
    let mut juliet = server.online("juliet", "home");
    let mut romeo = authenticated(&server);
    romeo.bind("home");
    juliet.expect_nothing();
    romeo.expect_nothing();
}

/// RFC 6120 §7.6.2.1: a limit per account, freed by those who leave; the refused stream stays usable.
#[test]
fn too_many_sessions_are_a_resource_constraint() {
    let server = TestServer::with(|c| c.limits.resources_per_account_max = 2);
    server.account("romeo", "secret");
    let mut juliet = server.online("juliet", "balcony");
    let mut first = authenticated(&server);
    first.bind("one");
    first.send("<presence to='juliet@im.example/balcony'/>");
    juliet.expect("<presence from='romeo@im.example/one' to='{juliet}'/>");
    let mut second = authenticated(&server);
    second.bind("two");
    let mut third = authenticated(&server);
    for request in ["<resource>three</resource>", ""] {
        third.send(&format!("<iq type='set' id='b'><bind xmlns='{BIND}'>{request}</bind></iq>"));
        expect_refused(&mut third, "wait", "resource-constraint");
    }
    first.send("</stream:stream>");
    first.expect_closed();
    juliet.expect("<presence type='unavailable' from='romeo@im.example/one' to='{juliet}'/>");
    assert_eq!(third.bind("three"), "romeo@im.example/three");
    second.expect_nothing();
}

/// At the limit, a resource one already has can still be taken over.
#[test]
fn a_takeover_is_possible_at_the_limit() {
    let server = TestServer::with(|c| c.limits.resources_per_account_max = 1);
    server.account("romeo", "secret");
    let mut old = authenticated(&server);
    old.bind("orchard");
    let mut new = authenticated(&server);
    new.bind("orchard");
    old.expect_stream_error("conflict");
    new.expect_nothing();
}

/// RFC 6120 §7.1: one resource per stream.
#[test]
fn a_second_bind_is_refused_and_changes_nothing() {
    let server = server();
    let mut client = authenticated(&server);
    client.bind("orchard");
    for wish in ["orchard", "garden"] {
        ask(&mut client, wish);
        let answer = client.expect(
            "<iq type='error' id='b' from='{opt}' to='{opt}'><any/><error type='cancel'><one/><any/></error></iq>",
        );
        assert!(answer.raw.contains("not-allowed") || answer.raw.contains("service-unavailable"), "{answer:?}");
    }
    client.send("<message to='romeo@im.example/orchard' id='1'/>");
    client.expect("<message from='romeo@im.example/orchard' to='romeo@im.example/orchard' id='1'/>");
}

/// RFC 6120 §7.1, §4.9.3.12: no stanza but the bind request.
#[test]
fn stanzas_before_bind_are_not_authorized() {
    let server = server();
    let mut juliet = server.online("juliet", "balcony");
    let stanzas = [
        "<message to='juliet@im.example'><body>hi</body></message>",
        "<presence/>",
        "<iq type='get' id='1' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
        "<iq type='set' id='1' to='juliet@im.example'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    ];
    for stanza in stanzas {
        let mut client = authenticated(&server);
        client.send(stanza);
        client.expect_stream_error("not-authorized");
    }
    juliet.expect_nothing();
}

/// RFC 6120 §7.6.1: it is an IQ set, with an id, for the server.
#[test]
fn bind_by_anything_but_a_set_is_a_bad_request() {
    let server = server();
    let mut client = authenticated(&server);
    client.send(&format!("<iq type='get' id='b'><bind xmlns='{BIND}'/></iq>"));
    client.expect(&format!("<iq type='error' id='b' to='{{opt}}' from='{{opt}}'><any/><error type='modify'><bad-request xmlns='{STANZAS}'/><any/></error></iq>"));
    client.bind("orchard");
}

/// RFC 6120 §8.1.1: addressed to the server by name is to the server.
#[test]
fn bind_may_be_addressed_to_the_server() {
    let server = server();
    for to in ["im.example", "romeo@im.example"] {
        let mut client = authenticated(&server);
        client
            .send(&format!("<iq type='set' id='b' to='{to}'><bind xmlns='{BIND}'><resource>x</resource></bind></iq>"));
        client.expect(&format!("<iq type='result' id='b' to='{{opt}}' from='{{opt}}'><bind xmlns='{BIND}'><jid>romeo@im.example/x</jid></bind></iq>"));
    }
}

/// RFC 3921 §3: older clients establish a session, which means nothing any more and succeeds.
#[test]
fn the_old_session_request_succeeds() {
    let server = server();
    let mut client = authenticated(&server);
    client.bind("orchard");
    for to in ["", "to='im.example'"] {
        client.send(&format!("<iq type='set' id='s' {to}><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"));
        client.expect("<iq type='result' id='s' to='{opt}' from='{opt}'/>");
    }
}

/// RFC 6120 §7.3: a session that ended leaves its resource free at once.
#[test]
fn a_resource_is_free_when_its_session_has_ended() {
    let server = server();
    for _ in 0..5 {
        let mut client = authenticated(&server);
        assert_eq!(client.bind("orchard"), "romeo@im.example/orchard");
        client.close();
    }
}
