//! XEP-0198 from one transport to the other: what was not acknowledged on the one comes again on the other.

use super::{expect_said, serve};
use crate::support::websocket::FRAMING;
use crate::support::{Client, TestServer};

const SM: &str = "urn:xmpp:sm:3";

#[derive(Clone, Copy, PartialEq)]
enum By {
    Tcp,
    WebSocket,
    /// A stream of HTTP/2 (RFC 8441).
    Http2,
}

/// Authenticated and not bound.
fn connect(server: &TestServer, by: By, user: &str) -> Client {
    match by {
        By::WebSocket => server.authenticated_by_websocket(user),
        By::Http2 => {
            let mut client = server.websocket_by_http2();
            client.open_to_features();
            client.authenticate("SCRAM-SHA-256", user, "secret");
            client.open_to_features();
            client
        }
        By::Tcp => {
            let mut client = server.connect_tls();
            client.open_to_features();
            client.authenticate("SCRAM-SHA-256", user, "secret");
            client.open_to_features();
            client
        }
    }
}

/// Juliet with stream management; `{sm}` is the SM-ID.
fn juliet(server: &TestServer, by: By) -> Client {
    server.account("juliet", "secret");
    let mut juliet = connect(server, by, "juliet");
    juliet.bind("balcony");
    juliet.available();
    juliet.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    juliet.expect("<enabled xmlns='urn:xmpp:sm:3' id='{sm}' resume='true' max='{any}'/>");
    juliet
}

fn expect_message(client: &mut Client, id: &str) {
    let mut el = client.next();
    while el.is("r", SM) {
        el = client.next();
    }
    assert_eq!((el.name.as_str(), el.attr("id")), ("message", Some(id)), "{el:?}");
}

fn tell(romeo: &mut Client, id: &str) {
    romeo.send(&format!("<message to='{{juliet}}' type='chat' id='{id}'><body>{id}</body></message>"));
    romeo.sync();
}

/// The session goes on there; the client had the first of two messages. `{handled}` is what the server had.
fn resume(server: &TestServer, by: By, id: &str, h: u32) -> Client {
    let mut juliet = connect(server, by, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"));
    juliet.expect(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='{{handled}}'/>"));
    juliet
}

/// Both ways it is the same session.
fn chat(romeo: &mut Client, juliet: &mut Client, id: &str) {
    tell(romeo, id);
    expect_message(juliet, id);
    juliet.send(&format!(
        "<message xmlns='jabber:client' to='{{romeo}}' type='chat' id='back-{id}'><body>back-{id}</body></message>"
    ));
    expect_said(romeo, "juliet", "romeo", &format!("back-{id}"));
    expect_answer(juliet);
}

/// Everything sent so far was handled.
fn expect_answer(client: &mut Client) {
    client.send("<r xmlns='urn:xmpp:sm:3'/>");
    let mut el = client.next();
    while el.is("r", SM) {
        el = client.next();
    }
    assert!(el.is("a", SM), "{el:?}");
}

/// §5: the old connection is still there, and gives way.
fn goes_over(from: By, to: By) {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let mut old = juliet(&server, from);
    let id = old.var("sm");
    for message in ["one", "two"] {
        tell(&mut romeo, message);
        expect_message(&mut old, message);
    }
    let transport = |by| Some(if by == By::Tcp { "tls" } else { "websocket" }.to_owned());
    assert_eq!(server.transports("juliet"), [transport(from)]);
    let mut new = resume(&server, to, &id, 1);
    expect_message(&mut new, "two");
    assert_eq!(server.transports("juliet"), [transport(to)]);
    let error = loop {
        let el = old.next();
        if !el.is("r", SM) {
            break el;
        }
    };
    assert!(error.find("conflict", "urn:ietf:params:xml:ns:xmpp-streams").is_some(), "{error:?}");
    old.expect_closed();
    chat(&mut romeo, &mut new, "three");
    new.close();
}

#[test]
fn from_tcp_to_websocket() {
    goes_over(By::Tcp, By::WebSocket);
}

#[test]
fn from_websocket_to_tcp() {
    goes_over(By::WebSocket, By::Tcp);
}

#[test]
fn from_websocket_to_http2_and_from_there_to_tcp() {
    goes_over(By::WebSocket, By::Http2);
    goes_over(By::Http2, By::Tcp);
}

#[test]
fn from_websocket_to_websocket() {
    goes_over(By::WebSocket, By::WebSocket);
}

/// There and back again, each time without a word, and what came meanwhile comes too.
#[test]
fn a_connection_is_lost_twice() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let old = juliet(&server, By::WebSocket);
    let id = old.var("sm");
    drop(old);
    tell(&mut romeo, "one");
    let mut tcp = resume(&server, By::Tcp, &id, 0);
    expect_message(&mut tcp, "one");
    chat(&mut romeo, &mut tcp, "two");
    drop(tcp);
    tell(&mut romeo, "three");
    let mut again = resume(&server, By::WebSocket, &id, 2);
    expect_message(&mut again, "three");
    chat(&mut romeo, &mut again, "four");
}

/// RFC 7395 §3.6: a close frame without `<close/>`, as browsers send it when a page goes, leaves the session for a while.
#[test]
fn a_close_frame_is_no_goodbye() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let mut old = juliet(&server, By::WebSocket);
    let id = old.var("sm");
    old.send_close_frame(&1001u16.to_be_bytes());
    old.expect_end();
    assert_eq!(old.close_code(), 1001);
    tell(&mut romeo, "one");
    let mut new = resume(&server, By::WebSocket, &id, 0);
    expect_message(&mut new, "one");
    chat(&mut romeo, &mut new, "two");
}

/// With `<close/>` it is over.
#[test]
fn a_stream_that_was_closed_is_over() {
    let server = serve(|_| {});
    let mut old = juliet(&server, By::WebSocket);
    let id = old.var("sm");
    old.send(&format!("<close xmlns='{FRAMING}'/>"));
    while old.next_event().is_some() {}
    let mut new = connect(&server, By::Tcp, "juliet");
    new.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    new.expect(
        "<failed xmlns='urn:xmpp:sm:3' h='{any}'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
}

/// What was written to a WebSocket is in the journal as what was written to a TCP connection is.
fn survives(to: By) {
    let mut server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let mut old = juliet(&server, By::WebSocket);
    let id = old.var("sm");
    for message in ["one", "two"] {
        tell(&mut romeo, message);
        expect_message(&mut old, message);
    }
    old.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    expect_answer(&mut old);
    server.crash();
    let mut new = resume(&server, to, &id, 1);
    expect_message(&mut new, "two");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.available();
    chat(&mut romeo, &mut new, "three");
}

#[test]
fn a_session_on_websocket_survives_a_crash_and_goes_on_there() {
    survives(By::WebSocket);
}

#[test]
fn a_session_on_websocket_survives_a_crash_and_goes_on_on_tcp() {
    survives(By::Tcp);
}
