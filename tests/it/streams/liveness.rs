//! Connections that say nothing (RFC 6120 §4.6, §4.9.3.4). Deadlines are shortened by settings.

use std::time::Duration;

use magpie::config::Config;

use crate::support::{Client, TestServer, settle};

const SHORT: Duration = Duration::from_millis(150);

fn impatient(config: &mut Config) {
    config.limits.negotiation_seconds_max = SHORT;
}

/// Whoever does not get through the negotiation in time gets a header, the error and the end.
#[test]
fn a_connection_that_never_speaks_times_out() {
    let server = TestServer::with(impatient);
    let mut client = server.connect();
    client.expect_header();
    client.expect_stream_error("connection-timeout");
}

#[test]
fn half_a_header_times_out() {
    let server = TestServer::with(impatient);
    let mut client = server.connect();
    client.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' ");
    client.expect_header();
    client.expect_stream_error("connection-timeout");
}

#[test]
fn features_left_unanswered_time_out() {
    let server = TestServer::with(impatient);
    let mut client = server.connect();
    client.open_to_features();
    client.expect_stream_error("connection-timeout");
}

/// TLS is part of the negotiation; there is no stream to put an error into.
#[test]
fn a_tls_handshake_that_never_begins_times_out() {
    let server = TestServer::with(impatient);
    let mut client = server.connect_for_tls();
    client.expect_end();
    let mut client = server.connect();
    client.open_to_features();
    client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.expect_end();
}

#[test]
fn a_sasl_exchange_left_hanging_times_out() {
    let server = TestServer::with(|c| c.limits.negotiation_seconds_max = Duration::from_secs(2));
    let mut client = server.connect();
    client.secure();
    client.auth("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh");
    client.expect_sasl("challenge");
    client.expect_stream_error("connection-timeout");
}

/// Without bind there is no session: the deadline still counts.
#[test]
fn a_stream_that_does_not_bind_times_out() {
    let server = TestServer::with(|c| c.limits.negotiation_seconds_max = Duration::from_secs(2));
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    client.authenticate("SCRAM-SHA-1", "romeo", "secret");
    client.open_to_features();
    client.expect_stream_error("connection-timeout");
}

/// The deadline ends with the negotiation: somebody who connected later runs into it, the session does not.
#[test]
fn a_bound_session_has_no_negotiation_deadline() {
    let server = TestServer::with(|c| c.limits.negotiation_seconds_max = Duration::from_secs(2));
    let mut romeo = server.online("romeo", "orchard");
    let mut later = server.connect();
    later.expect_header();
    later.expect_stream_error("connection-timeout");
    romeo.expect_nothing();
}

/// RFC 6120 §4.6.1: white space keeps a stream alive and means nothing, at any point between elements.
#[test]
fn white_space_between_elements_means_nothing() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.open_to_features();
    client.send(" \r\n\t ");
    client.starttls();
    client.send(" ");
    client.open_to_features();
    client.send("\n");
    client.authenticate("SCRAM-SHA-256", "romeo", "secret");
    client.open_to_features();
    client.send("   ");
    client.bind("orchard");
    for space in [" ", "\n", "\t\r\n", &" ".repeat(10_000)] {
        client.send(space);
        client.expect_nothing();
    }
    client.send(" <message to='{jid}' id='1'/> ");
    client.expect("<message from='{jid}' to='{jid}' id='1'/>");
}

/// XEP-0199 §4.2: the server asks a silent client, any answer is life, and asks again.
#[test]
fn silent_clients_are_pinged_and_live_on_any_answer() {
    let server = TestServer::with(|c| {
        c.limits.idle_probe_seconds = SHORT;
        c.limits.idle_dead_seconds = Duration::from_secs(3);
    });
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.available();
    let answers = [
        "<iq type='result' to='im.example' id='{id}'/>",
        "<iq type='error' to='im.example' id='{id}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        " ",
    ];
    for answer in answers {
        let ping = expect_ping(&mut romeo);
        romeo.send(&answer.replace("{id}", &ping));
    }
    expect_ping(&mut romeo);
}

/// The id of the next ping; the own presence may come first.
fn expect_ping(client: &mut Client) -> String {
    loop {
        let el = client.next();
        if el.name == "presence" {
            continue;
        }
        let pattern = "<iq type='get' from='im.example' to='{jid}' id='{any}'><ping xmlns='urn:xmpp:ping'/></iq>";
        client.matches(pattern, &el).unwrap_or_else(|e| client.fail(&e));
        return el.attr("id").unwrap().to_owned();
    }
}

/// RFC 6120 §4.9.3.4, RFC 6121 §4.5.3: who does not answer is gone, and everybody who saw them is told.
#[test]
fn dead_clients_are_noticed_and_become_unavailable() {
    let server = TestServer::with(|c| {
        c.limits.idle_probe_seconds = SHORT;
        c.limits.idle_dead_seconds = Duration::from_secs(2);
    });
    server.account("romeo", "secret");
    server.account("juliet", "secret");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence to='juliet@im.example/balcony'/>");
    loop {
        let el = juliet.next();
        match (el.name.as_str(), el.attr("type")) {
            ("iq", Some("get")) => {
                let id = el.attr("id").unwrap().to_owned();
                juliet.send(&format!("<iq type='result' to='im.example' id='{id}'/>"));
            }
            ("presence", None) => {}
            ("presence", Some("unavailable")) => {
                assert_eq!(el.attr("from"), Some("romeo@im.example/orchard"));
                break;
            }
            _ => juliet.fail("not part of this play"),
        }
    }
    expect_ping(&mut romeo);
    romeo.expect_stream_error("connection-timeout");
}

/// Sessions that talk are not asked.
#[test]
fn talking_clients_are_not_pinged() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for _ in 0..20 {
        settle(&mut romeo, &mut juliet);
    }
}
