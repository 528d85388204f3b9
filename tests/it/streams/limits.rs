//! Bounds of a stream: announced (XEP-0478) and kept (RFC 6120 §4.9.3.14, §13.12).

use std::time::Duration;

use crate::support::client::stream_header;
use crate::support::{Client, DOMAIN, TestServer};

/// A message of exactly `bytes` bytes to the sender itself.
fn message_of(client: &Client, bytes: usize) -> String {
    let frame = format!("<message to='{}'><body></body></message>", client.jid.as_deref().unwrap());
    frame.replace("<body>", &format!("<body>{}", "x".repeat(bytes - frame.len())))
}

/// XEP-0478 §3.1: in the features, before and after authentication.
#[test]
fn limits_are_announced() {
    let server = TestServer::with(|c| {
        c.limits.stanza_bytes_max = 54_321;
        c.limits.stanza_bytes_before_auth_max = 12_345;
        c.limits.negotiation_seconds_max = Duration::from_secs(33);
        c.limits.idle_probe_seconds = Duration::from_secs(77);
    });
    server.account("romeo", "secret");
    let mut client = server.connect();
    let before = client.secure();
    client.authenticate("SCRAM-SHA-1", "romeo", "secret");
    let after = client.open_to_features();
    // Before login there is no idle time to announce: the negotiation as a whole has its time, traffic or not.
    for (features, bytes, idle) in [(before, "12345", None), (after, "54321", Some("77"))] {
        let limits = features.find("limits", "urn:xmpp:stream-limits:0").expect("limits");
        let value = |name| limits.find(name, "urn:xmpp:stream-limits:0").map(|el| el.text());
        assert_eq!(value("max-bytes").as_deref(), Some(bytes));
        assert_eq!(value("idle-seconds").as_deref(), idle);
    }
}

/// RFC 6120 §13.12: a stanza of the announced size passes, one byte more does not.
#[test]
fn the_largest_stanza_passes_and_one_more_byte_does_not() {
    let server = TestServer::with(|c| c.limits.stanza_bytes_max = 20_000);
    let mut romeo = server.online("romeo", "orchard");
    let largest = message_of(&romeo, 20_000);
    romeo.send(&largest);
    romeo.expect("<message from='{jid}' to='{jid}'><body>{any}</body></message>");
    let larger = message_of(&romeo, 20_001);
    romeo.send_bytes_if_open(larger.as_bytes());
    romeo.expect_stream_error("policy-violation");
}

/// The bound counts bytes that arrived, not stanzas that ended: nothing is kept beyond it.
#[test]
fn an_endless_stanza_is_cut_off_at_the_limit() {
    let server = TestServer::with(|c| c.limits.stanza_bytes_max = 20_000);
    let cases: [(&str, &str); 4] =
        [("<message><body>", "x"), ("<message ", "y"), ("<message id='", "z"), ("<message><![CDATA[", "]")];
    for (i, (start, filling)) in cases.into_iter().enumerate() {
        let mut romeo = server.online(&format!("romeo{i}"), "orchard");
        romeo.send_bytes(start.as_bytes());
        romeo.send_bytes_if_open(filling.repeat(20_000).as_bytes());
        romeo.expect_stream_error("policy-violation");
    }
}

/// A stranger gets less room than somebody who is logged in.
#[test]
fn strangers_have_a_smaller_limit() {
    let server = TestServer::with(|c| {
        c.limits.stanza_bytes_before_auth_max = 10_000;
        c.limits.stanza_bytes_max = 50_000;
    });
    let mut stranger = server.connect();
    stranger.secure();
    let long = "A".repeat(12_000);
    stranger.send_bytes_if_open(
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{long}</auth>").as_bytes(),
    );
    stranger.expect_stream_error("policy-violation");
    let mut romeo = server.online("romeo", "orchard");
    let long = message_of(&romeo, 12_000);
    romeo.send(&long);
    romeo.expect("<message from='{jid}' to='{jid}'><body>{any}</body></message>");
}

/// RFC 6120 §4.9.1.2 and .3.14: also this error comes behind a header of ours.
#[test]
fn a_header_that_is_too_large_is_a_policy_violation() {
    let server = TestServer::with(|c| c.limits.header_bytes_max = 2_048);
    let padded = |n: usize| {
        stream_header(DOMAIN).replace(" version='1.0'>", &format!(" pad='{}' version='1.0'>", "x".repeat(n)))
    };
    let short = padded(2_048 - padded(0).len());
    let mut client = server.connect();
    client.open_with(&short);
    client.features();
    for header in [padded(3_000), padded(30_000), padded(30_000).replace("version='1.0'>", "")] {
        let mut client = server.connect();
        client.send_bytes_if_open(header.as_bytes());
        client.expect_header();
        client.expect_stream_error("policy-violation");
    }
}

/// Depth counts from the first-level element, which has depth 1.
#[test]
fn nesting_has_a_limit() {
    let server = TestServer::with(|c| c.limits.xml_depth_max = 10);
    let mut romeo = server.online("romeo", "orchard");
    let nested = |depth: usize| {
        format!("<message to='{{jid}}'>{}{}</message>", "<x xmlns='urn:x'>".repeat(depth - 1), "</x>".repeat(depth - 1))
    };
    romeo.send(&nested(10));
    romeo.expect("<message from='{jid}' to='{jid}'><one/></message>");
    romeo.send(&nested(11));
    romeo.expect_stream_error("policy-violation");
}

/// Checking attributes for duplicates costs their square.
#[test]
fn attributes_have_a_limit() {
    let server = TestServer::with(|c| c.limits.attributes_max = 20);
    let mut romeo = server.online("romeo", "orchard");
    let with = |n: usize| {
        let attributes: String = (0..n).map(|i| format!(" a{i}='{i}'")).collect();
        format!("<message to='{{jid}}'><x xmlns='urn:x'{attributes}/></message>")
    };
    romeo.send(&with(19));
    romeo.expect("<message from='{jid}' to='{jid}'><one/></message>");
    romeo.send(&with(20));
    romeo.expect_stream_error("policy-violation");
}

/// Connections of one address are counted, and no longer counted when they are over.
#[test]
fn an_address_may_have_so_many_connections() {
    let server = TestServer::with(|c| {
        c.limits.exempt_addresses = Vec::new();
        c.limits.connections_per_address_max = 2;
        c.limits.connections_per_address_per_minute_max = 1_000_000;
    });
    let mut first = server.connect();
    first.open_to_features();
    let mut second = server.connect();
    second.open_to_features();
    assert!(!admitted(&server), "a third connection was let in");
    first.close();
    // The place is free when the server has noticed the end, which we cannot see.
    assert!((0..100_000).any(|_| admitted(&server)), "the place of a closed connection stays taken");
    second.send("</stream:stream>");
    second.expect_closed();
}

/// By default loopback is exempt: tests and proxies on the same machine are many.
#[test]
fn exempt_addresses_are_not_counted() {
    let server = TestServer::with(|c| c.limits.connections_per_address_max = 1);
    let mut first = server.connect();
    first.open_to_features();
    assert!(admitted(&server));
}

fn admitted(server: &TestServer) -> bool {
    let mut client = server.connect();
    client.send_bytes_if_open(stream_header(DOMAIN).as_bytes());
    client.next_event_is_features()
}

/// All connections together have a bound, exempt or not.
#[test]
fn the_server_may_have_so_many_connections() {
    let server = TestServer::with(|c| c.limits.connections_total_max = 1);
    let mut first = server.connect();
    first.open_to_features();
    assert!(!admitted(&server), "a second connection was let in");
}

/// A client that does not read is cut off when too much waits for it; the others neither wait nor lose their streams.
#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let server = TestServer::with(|c| c.limits.outbox_bytes_max = 200_000);
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    juliet.send("<presence to='romeo@im.example/orchard'/>");
    romeo.expect("<presence from='{juliet}' to='{romeo}'/>");
    let body = "x".repeat(50_000);
    // The operating system buffers some megabytes for her; 25 it does not.
    for _ in 0..500 {
        romeo.send(&format!("<message to='juliet@im.example/balcony' type='headline'><body>{body}</body></message>"));
    }
    let heard = romeo.sync();
    let gone = heard.iter().filter(|el| el.name == "presence" && el.attr("type") == Some("unavailable")).count();
    assert_eq!(gone, 1, "{heard:?}");
    drop(juliet);
}

/// The rate at which one address may connect.
#[test]
fn an_address_may_connect_so_many_times_a_minute() {
    let server = TestServer::with(|c| {
        c.limits.exempt_addresses = Vec::new();
        c.limits.connections_per_address_per_minute_max = 3;
    });
    for _ in 0..3 {
        let mut client = server.connect();
        client.open_to_features();
        client.close();
    }
    assert!(!admitted(&server), "a fourth connection within a minute");
}
