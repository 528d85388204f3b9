//! A WebSocket in a stream of HTTP/2 (RFC 8441). Everything behind the handshake is as ever.

use std::time::Duration;

use super::{expect_said, say, serve};
use crate::support::http2::{Stream, connect};
use crate::support::transport::Transport;
use crate::support::websocket::PING;
use crate::support::{Client, DOMAIN, TestServer};

/// Statuses as HPACK has them (RFC 7541, appendix A), and one that is not in its table.
const STATUS_200: u8 = 0x88;
const STATUS_400: u8 = 0x8c;
const OTHER_STATUS: u8 = 0x48;

fn romeo(server: &TestServer) -> Client {
    server.account("romeo", "secret");
    let mut romeo = server.websocket_by_http2();
    romeo.open_to_features();
    romeo.authenticate("SCRAM-SHA-256", "romeo", "secret");
    romeo.open_to_features();
    romeo.bind("orchard");
    romeo.available();
    romeo
}

/// A WebSocket in the clear, and the status of the answer.
fn asked(server: &TestServer, fields: &[(&str, &str)]) -> (Stream, u8) {
    let transport = Transport::connect(server.http_addr(), Duration::from_secs(20));
    Stream::request(transport, &connect(DOMAIN, fields))
}

#[test]
fn a_chat_with_somebody_on_tcp() {
    let server = serve(|_| {});
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = romeo(&server);
    assert_eq!(server.transports("romeo"), [Some("websocket".to_owned())]);
    for round in ["one", "two"] {
        say(&mut romeo, "juliet", round);
        expect_said(&mut juliet, "romeo", "juliet", round);
        juliet.send(&format!("<message to='{{romeo}}' type='chat' id='{round}'><body>{round}</body></message>"));
        expect_said(&mut romeo, "juliet", "romeo", round);
    }
    // More than a frame has, both ways.
    let long = "x".repeat(100_000);
    romeo.send(&format!(
        "<message xmlns='jabber:client' to='{{juliet}}' type='chat' id='l'><body>{long}</body></message>"
    ));
    assert!(juliet.next().raw.contains(&long));
    juliet.send(&format!("<message to='{{romeo}}' type='chat' id='l'><body>{long}</body></message>"));
    assert!(romeo.next().raw.contains(&long));
    romeo.close();
}

/// §5; RFC 6455 §4.2.2, RFC 7395 §3.1.
#[test]
fn a_handshake_that_is_none_is_refused() {
    let server = serve(|c| c.http.websocket_origins = vec!["https://chat.example".into()]);
    let rows = [
        ("sec-websocket-protocol", "", STATUS_400),
        ("sec-websocket-protocol", "chat", STATUS_400),
        ("sec-websocket-version", "", STATUS_400),
        ("sec-websocket-version", "8", STATUS_400),
        (":protocol", "connect-udp", STATUS_400),
        (":path", "/", OTHER_STATUS),
        ("origin", "https://evil.example", OTHER_STATUS),
        ("origin", "https://chat.example", STATUS_200),
    ];
    for (name, value, status) in rows {
        assert_eq!(asked(&server, &[(name, value)]).1, status, "{name}: {value}");
    }
}

/// Each counts like a connection: one of HTTP/2 could have very many.
#[test]
fn clients_are_counted() {
    let server = serve(|c| c.limits.connections_per_address_max = 2);
    let from = |address| asked(&server, &[("x-forwarded-for", address)]);
    // The request itself is one more while it is answered.
    let (_first, status) = from("192.0.2.1");
    assert_eq!((status, from("192.0.2.1").1, from("192.0.2.2").1), (STATUS_200, OTHER_STATUS, STATUS_200));
}

/// As long as there is one its connection is not idle.
#[test]
fn it_keeps_its_connection() {
    let server = serve(|c| {
        c.http.idle_seconds_max = Duration::from_millis(50);
        c.http.websocket_ping_seconds = Duration::from_secs(1);
    });
    let mut romeo = romeo(&server);
    assert_eq!(romeo.next_control(), (PING, Vec::new()));
    romeo.expect_nothing();
    romeo.close();
}

#[test]
fn a_stop_is_told() {
    let mut server = serve(|_| {});
    let mut romeo = romeo(&server);
    let waiting = std::thread::spawn(move || {
        romeo.expect_stream_error("system-shutdown");
        romeo.close_code()
    });
    server.stop();
    assert_eq!(waiting.join().unwrap(), 1001);
}
