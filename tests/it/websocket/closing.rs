//! How a connection ends (RFC 7395 §3.6, RFC 6455 §7).

use super::{romeo, serve};
use crate::support::websocket::{FRAMING, open_element};
use crate::support::xml::Event;
use crate::support::{Client, DOMAIN};

fn expect_close(client: &mut Client) {
    let event = client.next_event();
    assert!(matches!(event, Some(Event::Close)), "wanted <close/>, got {event:?}");
}

/// §3.6: `<close/>` from both sides, then the close frames, the client's first.
#[test]
fn a_client_closes_the_stream_and_then_the_connection() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    romeo.send(&format!("<close xmlns='{FRAMING}'/>"));
    expect_close(&mut romeo);
    romeo.send_close_frame(&1000u16.to_be_bytes());
    romeo.expect_end();
    assert_eq!(romeo.close_code(), 1000);
}

/// Both in one packet.
#[test]
fn a_client_in_a_hurry_is_answered() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    romeo.send(&format!("<close xmlns='{FRAMING}'/>"));
    romeo.send_close_frame(b"");
    expect_close(&mut romeo);
    romeo.expect_end();
    assert_eq!(romeo.frames.as_ref().unwrap().close.as_deref(), Some(&b""[..]), "the same");
}

/// A client that leaves the rest to the server.
#[test]
fn the_server_closes_the_connection_if_the_client_does_not() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    romeo.send(&format!("<close xmlns='{FRAMING}'/>"));
    expect_close(&mut romeo);
    romeo.expect_end();
    assert_eq!(romeo.close_code(), 1000);
}

/// Before login as well.
#[test]
fn a_stranger_may_leave() {
    let server = serve(|_| {});
    let mut stranger = server.websocket();
    stranger.open_to_features();
    stranger.close();
    let mut silent = server.websocket();
    silent.send(&format!("<close xmlns='{FRAMING}'/>"));
    silent.expect_header();
    expect_close(&mut silent);
    silent.expect_end();
}

/// §3.6: the stream is over without a word; the code is answered with the same (RFC 6455 §5.5.1).
#[test]
fn a_close_frame_alone_ends_everything() {
    let server = serve(|_| {});
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = romeo(&server);
    romeo.send("<presence xmlns='jabber:client' to='{juliet}'/>");
    juliet.expect("<presence from='{romeo}' to='{juliet}'><any/></presence>");
    romeo.send_close_frame(&1001u16.to_be_bytes());
    romeo.expect_end();
    assert_eq!(romeo.close_code(), 1001);
    juliet.expect("<presence from='{romeo}' to='{juliet}' type='unavailable'/>");
    let mut stranger = server.websocket();
    stranger.send_close_frame(b"");
    stranger.expect_end();
}

/// The same without even that.
#[test]
fn a_connection_that_breaks_ends_the_session() {
    let server = serve(|_| {});
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = romeo(&server);
    romeo.send("<presence xmlns='jabber:client' to='{juliet}'/>");
    juliet.expect("<presence from='{romeo}' to='{juliet}'><any/></presence>");
    romeo.transport.half_close();
    juliet.expect("<presence from='{romeo}' to='{juliet}' type='unavailable'/>");
}

/// §3.5: an error, `<close/>`, and a close frame when the client has closed its stream.
#[test]
fn the_server_says_why_it_ends() {
    let server = serve(|_| {});
    let mut romeo = romeo(&server);
    let mut newer = server.login_by_websocket("romeo", "orchard");
    romeo.expect_stream_error("conflict");
    assert_eq!(romeo.close_code(), 1000);
    newer.expect_nothing();
}

/// RFC 6455 §7.4.1.
#[test]
fn a_stop_is_going_away() {
    let mut server = serve(|_| {});
    let mut romeo = romeo(&server);
    let mut stranger = server.websocket();
    stranger.open_to_features();
    let waiting = std::thread::spawn(move || {
        romeo.expect_stream_error("system-shutdown");
        stranger.expect_stream_error("system-shutdown");
        (romeo.close_code(), stranger.close_code())
    });
    server.stop();
    assert_eq!(waiting.join().unwrap(), (1001, 1001));
}

/// §3.6.1.
#[test]
fn clients_can_be_sent_elsewhere() {
    let place = "wss://other.example/xmpp?a=1&b=2";
    let server = serve(|c| c.http.websocket_see_other_uri = place.into());
    let mut client = server.websocket();
    client.send(&open_element(DOMAIN));
    let close = client.expect("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='{any}'/>");
    assert_eq!(close.attr("see-other-uri"), Some(place));
    client.send(&format!("<close xmlns='{FRAMING}'/>"));
    client.expect_end();
    assert_eq!(client.close_code(), 1000);
    // Nobody else is concerned.
    server.connect().open_to_features();
}
