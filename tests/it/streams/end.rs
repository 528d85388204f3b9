//! How streams end (RFC 6120 §4.4, §4.9.3.20).

use std::thread;

use crate::support::client::stream_header;
use crate::support::xml::Event;
use crate::support::{Client, DOMAIN, TestServer};

/// Juliet, who has directed presence of Romeo and will be told when he goes (RFC 6121 §4.6.3).
fn pair(server: &TestServer) -> (Client, Client) {
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<presence to='juliet@im.example/balcony'/>");
    juliet.expect("<presence from='{romeo}' to='{juliet}'/>");
    (romeo, juliet)
}

#[track_caller]
fn expect_gone(juliet: &mut Client) {
    juliet.expect("<presence type='unavailable' from='romeo@im.example/orchard' to='{juliet}'/>");
}

/// RFC 6120 §4.4.
#[test]
fn a_closed_stream_is_closed_in_turn_at_any_stage() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.open_to_features();
    client.close();
    let mut client = server.connect();
    client.secure();
    client.close();
    let mut client = server.connect();
    client.secure();
    client.authenticate("PLAIN", "romeo", "secret");
    client.open_to_features();
    client.close();
    server.login("romeo", "secret", "orchard").close();
}

/// RFC 6120 §4.4: what was sent before the closing tag is still processed, and answered in front of ours.
#[test]
fn what_comes_before_the_closing_tag_counts() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send(
        "<message to='juliet@im.example'><body>bye</body></message>\
         <iq type='get' id='last' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>",
    );
    romeo.expect("<iq type='result' id='last' from='im.example' to='{jid}'/>");
    romeo.expect_closed();
    juliet.expect("<message from='{romeo}' to='juliet@im.example'><body>bye</body></message>");
    expect_gone(&mut juliet);
}

/// RFC 6120 §4.4: and what comes behind it does not.
#[test]
fn what_comes_behind_the_closing_tag_is_ignored() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send("</stream:stream><message to='juliet@im.example'><body>late</body></message>");
    romeo.expect_closed();
    expect_gone(&mut juliet);
    juliet.expect_nothing();
}

/// The header and the closing tag may come together.
#[test]
fn a_stream_may_be_closed_with_its_first_breath() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.send(&stream_header(DOMAIN));
    client.send("</stream:stream>");
    client.expect_header();
    while let Some(event) = client.next_event() {
        if matches!(event, Event::Close) {
            client.expect_end();
            return;
        }
        assert!(matches!(&event, Event::Element(el) if el.name == "features"), "{event:?}");
    }
    client.fail("no closing tag");
}

/// RFC 6120 §4.6.2, RFC 6121 §4.5.3: the end of TCP without a closing tag ends the session all the same.
#[test]
fn a_connection_that_ends_without_a_closing_tag_is_lost() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.transport.half_close();
    expect_gone(&mut juliet);
    while romeo.next_event().is_some() {}
    juliet.expect_nothing();
}

#[test]
fn a_connection_that_ends_within_a_stanza_is_lost_and_the_stanza_with_it() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send("<message to='juliet@im.example'><body>hal");
    romeo.transport.half_close();
    expect_gone(&mut juliet);
    juliet.expect_nothing();
}

#[test]
fn a_connection_that_breaks_is_noticed() {
    let server = TestServer::start();
    let (romeo, mut juliet) = pair(&server);
    drop(romeo);
    expect_gone(&mut juliet);
    juliet.expect_nothing();
}

/// RFC 6120 §4.9.3.20: at whatever stage a stream is.
#[test]
fn a_stop_is_a_system_shutdown_for_everybody() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    let mut fresh = server.connect();
    fresh.open_to_features();
    let mut encrypted = server.connect();
    encrypted.secure();
    let mut authenticated = server.connect();
    authenticated.secure();
    authenticated.authenticate("SCRAM-SHA-1", "romeo", "secret");
    authenticated.open_to_features();
    let bound = server.login("romeo", "secret", "orchard");
    let addr = server.c2s_addr();
    thread::scope(|scope| {
        let stop = scope.spawn(|| server.stop());
        for mut client in [fresh, encrypted, authenticated, bound] {
            client.expect_stream_error("system-shutdown");
        }
        stop.join().expect("stopped");
    });
    assert!(std::net::TcpStream::connect(addr).is_err(), "the listener is gone");
}

/// A stop does not wait for peers that never answer.
#[test]
fn a_stop_does_not_depend_on_the_clients() {
    let mut server = TestServer::with(|c| {
        c.limits.close_seconds_max = std::time::Duration::from_millis(100);
        c.limits.shutdown_seconds_max = std::time::Duration::from_millis(500);
    });
    let mut deaf = server.online("romeo", "orchard");
    let silent = server.connect();
    let no_handshake = server.connect_for_tls();
    server.stop();
    deaf.expect_stream_error("system-shutdown");
    drop((silent, no_handshake));
}

/// After a restart on the same data everything is as it was.
#[test]
fn accounts_survive_a_restart() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.expect_nothing();
}

/// RFC 6120 §4.9.1.1: behind an error of ours nothing is processed any more.
#[test]
fn nothing_is_processed_behind_a_stream_error() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send("<nonsense/><message to='juliet@im.example'><body>late</body></message>");
    romeo.expect_stream_error("unsupported-stanza-type");
    expect_gone(&mut juliet);
    juliet.expect_nothing();
}
