//! A session over WebSocket is a session.

use super::{expect_said, romeo, say, serve};
use crate::support::sasl2::{FAST, PHONE, SASL2, token, user_agent};
use crate::support::websocket::{PING, PONG, frame};
use std::time::Duration;

/// A stream restarts after SASL (RFC 7395 §3.7), and features are those of a stream over TLS.
#[test]
fn login_as_over_tcp() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    let mut romeo = server.websocket();
    let features = romeo.open_to_features();
    assert!(features.find("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl").is_some());
    romeo.auth("SCRAM-SHA-256", "n,,n=romeo,r=wrong");
    romeo.expect_sasl("challenge");
    romeo.respond("nonsense");
    romeo.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><any/></failure>");
    romeo.authenticate("SCRAM-SHA-256", "romeo", "secret");
    let features = romeo.open_to_features();
    for (name, ns) in [("bind", "urn:ietf:params:xml:ns:xmpp-bind"), ("sm", "urn:xmpp:sm:3"), ("csi", "urn:xmpp:csi:0")]
    {
        assert!(features.find(name, ns).is_some(), "{name}");
    }
    assert!(romeo.bind("orchard").ends_with("/orchard"));
    romeo.close();
}

#[test]
fn starttls_is_refused() {
    let server = serve(|_| {});
    let mut client = server.websocket();
    client.open_to_features();
    client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.expect_closed();
}

#[test]
fn a_chat_with_somebody_on_tcp() {
    let server = serve(|_| {});
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = romeo(&server);
    for round in ["one", "two", "three"] {
        say(&mut romeo, "juliet", round);
        expect_said(&mut juliet, "romeo", "juliet", round);
        juliet.send(&format!("<message to='{{romeo}}' type='chat' id='{round}'><body>{round}</body></message>"));
        expect_said(&mut romeo, "juliet", "romeo", round);
    }
    let other = server.login_by_websocket("juliet", "garden");
    drop(other);
}

/// What waits is written at once, one frame for each, and nothing is lost or told twice.
#[test]
fn messages_that_were_stored_come_in_frames() {
    let server = serve(|_| {});
    server.account("juliet", "secret");
    let mut romeo = romeo(&server);
    for n in 0..150 {
        romeo.send(&format!(
            "<message xmlns='jabber:client' to='juliet@im.example' type='chat' id='{n}'><body>{n}</body></message>"
        ));
    }
    romeo.sync();
    let mut juliet = server.login_by_websocket("juliet", "balcony");
    juliet.send("<presence xmlns='jabber:client'/>");
    let mut ids = Vec::new();
    while ids.len() < 150 {
        let el = juliet.next();
        ids.extend(el.attr("id").filter(|_| el.name == "message").map(str::to_owned));
    }
    assert_eq!(ids, (0..150).map(|n| n.to_string()).collect::<Vec<_>>());
    juliet.expect_nothing();
    juliet.close();
    let mut again = server.login_by_websocket("juliet", "balcony");
    assert!(again.available().iter().all(|el| el.name != "message"));
}

/// RFC 7395 §3.8: a ping of WebSocket, which browsers answer by themselves.
#[test]
fn a_silent_client_is_asked_by_a_ping() {
    let server = serve(|c| c.http.websocket_ping_seconds = Duration::from_secs(1));
    let mut romeo = romeo(&server);
    assert_eq!(romeo.next_control(), (PING, Vec::new()));
    romeo.send_raw(&frame(PONG, b""));
    romeo.expect_nothing();
}

/// One that does not answer is gone.
#[test]
fn a_client_that_does_not_answer_is_gone() {
    let server = serve(|c| {
        c.limits.idle_probe_seconds = Duration::from_secs(1);
        c.limits.idle_dead_seconds = Duration::from_secs(1);
    });
    let mut romeo = romeo(&server);
    romeo.expect_stream_error("connection-timeout");
}

#[test]
fn a_negotiation_has_its_time() {
    let server = serve(|c| c.limits.negotiation_seconds_max = Duration::from_millis(150));
    let mut silent = server.websocket();
    silent.expect_header();
    silent.expect_stream_error("connection-timeout");
}

/// SASL2, Bind 2 and a token in one request (XEP-0388, XEP-0386, XEP-0484): each element in a message of its own.
#[test]
fn one_request_brings_a_session() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    let mut romeo = server.websocket_tls();
    romeo.open_to_features();
    let inside = format!(
        "{}<request-token xmlns='{FAST}' mechanism='HT-SHA-256-EXPR'/><bind xmlns='urn:xmpp:bind:0'><tag>web</tag>\
         <enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>",
        user_agent(PHONE)
    );
    let success = romeo.scram2("romeo", "secret", &inside);
    assert!(success.is("success", SASL2), "{success:?}");
    let bound = success.find("bound", "urn:xmpp:bind:0").unwrap();
    assert!(bound.find("enabled", "urn:xmpp:sm:3").is_some());
    romeo.features();
    romeo.send("<r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<a xmlns='urn:xmpp:sm:3' h='0'/>");
    romeo.close();
    let token = token(&success).unwrap();
    let mut again = server.websocket_tls();
    again.open_to_features();
    let inside = format!("{}<fast xmlns='{FAST}'/><bind xmlns='urn:xmpp:bind:0'/>", user_agent(PHONE));
    again.fast("HT-SHA-256-EXPR", "romeo", &token, &inside);
    again.expect_nothing();
}

/// XEP-0077 before login, answered by a stanza that stands alone.
#[test]
fn an_account_is_made_over_websocket() {
    let server = serve(|c| c.registration.mode = magpie::config::RegistrationMode::Open);
    let mut client = server.websocket();
    client.open_to_features();
    client.send(
        "<iq xmlns='jabber:client' type='set' id='new'><query xmlns='jabber:iq:register'><username>juliet</username>\
                 <password>secret secret</password></query></iq>",
    );
    client.expect("<iq type='result' id='new' from='{opt}' to='{opt}'/>");
    client.authenticate("SCRAM-SHA-256", "juliet", "secret secret");
    client.open_to_features();
    client.bind("balcony");
}
