//! How an HTTP connection becomes a WebSocket (RFC 6455 §4, RFC 7395 §3.1), and who may log in over it.

use super::serve;
use crate::support::login::mechanisms;
use crate::support::transport::Transport;
use crate::support::websocket::{TEXT, frame, handshake, open_element};
use crate::support::xml::El;
use crate::support::{DOMAIN, TestServer};
use std::time::Duration;

/// The head of the answer to this request.
fn ask(server: &TestServer, request: &str) -> String {
    let mut transport = Transport::connect(server.http_addr(), Duration::from_secs(20));
    transport.write(request.as_bytes()).unwrap();
    let mut seen = String::new();
    while !seen.contains("\r\n\r\n") {
        let mut chunk = [0; 4096];
        let n = transport.read(&mut chunk).unwrap();
        assert!(n > 0, "the connection ended: {seen}");
        seen.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
    }
    seen.to_ascii_lowercase()
}

fn ask_with(server: &TestServer, lines: &[&str]) -> String {
    ask(server, &handshake(DOMAIN, lines))
}

/// RFC 6455 §4.2.2, RFC 7395 §3.1.
#[test]
fn the_answer_proves_that_the_server_has_understood() {
    let server = serve(|_| {});
    let head = ask_with(&server, &["Sec-WebSocket-Extensions: permessage-deflate"]);
    assert!(head.starts_with("http/1.1 101 switching protocols\r\n"), "{head}");
    for line in ["upgrade: websocket", "connection: upgrade", "sec-websocket-protocol: xmpp"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(!head.contains("extensions"), "nothing is compressed: {head}");
}

#[test]
fn spelling_of_lists_does_not_matter() {
    let server = serve(|_| {});
    let lines = ["Sec-WebSocket-Protocol: chat, xmpp", "Connection: keep-alive, upgrade", "Upgrade: WebSocket"];
    assert!(ask_with(&server, &lines).starts_with("http/1.1 101 "));
    let twice = ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: xmpp"];
    assert!(ask_with(&server, &twice).starts_with("http/1.1 101 "));
}

/// A line without a value is left out of the request.
#[test]
fn a_handshake_that_is_none_is_refused() {
    let server = serve(|_| {});
    let rows = [
        ("Sec-WebSocket-Protocol:", 400),
        ("Sec-WebSocket-Protocol: chat", 400),
        ("Sec-WebSocket-Protocol: XMPP", 400),
        ("Sec-WebSocket-Key:", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", 400),
        ("Sec-WebSocket-Key: not base64", 400),
        ("Sec-WebSocket-Version:", 426),
        ("Sec-WebSocket-Version: 8", 426),
        ("Upgrade:", 426),
        ("Upgrade: h2c", 426),
        ("Connection:", 426),
        ("Connection: close", 426),
    ];
    for (line, status) in rows {
        let head = ask_with(&server, &[line]);
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{line}: {head}");
        // RFC 6455 §4.2.2: which one would be.
        assert_eq!(head.contains("\r\nsec-websocket-version: 13\r\n"), line.contains("Version"), "{line}: {head}");
    }
    let old = ask(&server, &handshake(DOMAIN, &[]).replace("HTTP/1.1", "HTTP/1.0"));
    assert!(old.starts_with("http/1.0 400 ") || old.starts_with("http/1.1 400 "), "{old}");
    let post = ask(&server, &handshake(DOMAIN, &["Content-Length: 0"]).replace("GET ", "POST "));
    assert!(post.starts_with("http/1.1 405 ") && post.contains("\r\nallow: get, connect, options\r\n"), "{post}");
}

/// RFC 6455 §10.2: only pages have an origin.
#[test]
fn origins_can_be_limited() {
    let server = serve(|_| {});
    assert!(ask_with(&server, &["Origin: https://anywhere.example"]).starts_with("http/1.1 101 "));
    let server = serve(|c| c.http.websocket_origins = vec!["https://chat.example".into()]);
    let rows = [
        ("https://chat.example", 101),
        ("https://chat.example:444", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ];
    for (origin, status) in rows {
        let head = ask_with(&server, &[&format!("Origin: {origin}")]);
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{origin}: {head}");
    }
    assert!(ask_with(&server, &[]).starts_with("http/1.1 101 "), "no page");
}

/// What comes with the request is not lost.
#[test]
fn frames_may_follow_at_once() {
    let server = serve(|_| {});
    let mut transport = Transport::connect(server.http_addr(), Duration::from_secs(20));
    let open = frame(TEXT, open_element(DOMAIN).as_bytes());
    transport.write(&[handshake(DOMAIN, &[]).as_bytes(), &open].concat()).unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("</stream:features>") {
        let mut chunk = [0; 4096];
        let n = transport.read(&mut chunk).unwrap();
        assert!(n > 0, "the connection ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..n]);
    }
}

fn has_binding(features: &El) -> bool {
    features.find("sasl-channel-binding", "urn:xmpp:sasl-cb:0").is_some()
}

/// RFC 7395 §3.9: TLS is not a feature, and without it nobody logs in.
#[test]
fn in_the_clear_nobody_logs_in() {
    let server = serve(|c| c.c2s.allow_plaintext_auth = false);
    let features = server.websocket().open_to_features();
    assert!(mechanisms(&features).is_empty() && features.find("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none());
}

#[test]
fn over_https_the_connection_can_be_bound() {
    let server = serve(|c| c.c2s.allow_plaintext_auth = false);
    server.account("romeo", "secret");
    let mut romeo = server.websocket_tls();
    let features = romeo.open_to_features();
    assert!(features.find("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none());
    assert!(has_binding(&features));
    romeo.authenticate("SCRAM-SHA-256-PLUS", "romeo", "secret");
    romeo.open_to_features();
    romeo.bind("orchard");
    romeo.expect_nothing();
}

/// What is encrypted between a client and a proxy protects a password, and binds nothing.
#[test]
fn behind_a_proxy_nothing_is_bound() {
    let server = serve(|c| c.c2s.allow_plaintext_auth = false);
    server.account("romeo", "secret");
    let mut romeo = server.websocket_with(&["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"]);
    let features = romeo.open_to_features();
    let offered = mechanisms(&features);
    assert!(
        offered.contains(&"SCRAM-SHA-256".into()) && !offered.iter().any(|name| name.ends_with("-PLUS")),
        "{offered:?}"
    );
    assert!(!has_binding(&features));
    romeo.authenticate("SCRAM-SHA-256", "romeo", "secret");
    romeo.open_to_features();
    romeo.bind("orchard");
    let mut unsafe_one = server.websocket_with(&["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http"]);
    assert!(mechanisms(&unsafe_one.open_to_features()).is_empty());
}

/// The switch for loopback is not for those a proxy on loopback stands for.
#[test]
fn the_plaintext_switch_is_not_for_forwarded_clients() {
    let server = serve(|_| {});
    assert!(!mechanisms(&server.websocket().open_to_features()).is_empty());
    let mut forwarded = server.websocket_with(&["X-Forwarded-For: 192.0.2.1"]);
    assert!(mechanisms(&forwarded.open_to_features()).is_empty());
}

/// Connections count for the client, not for its proxy, and as long as they last.
#[test]
fn clients_of_a_proxy_are_counted_one_by_one() {
    let server = serve(|c| c.limits.connections_per_address_max = 1);
    let mut first = server.websocket_with(&["X-Forwarded-For: 192.0.2.1"]);
    first.open_to_features();
    let head = ask_with(&server, &["X-Forwarded-For: 192.0.2.1"]);
    assert!(head.starts_with("http/1.1 429 "), "{head}");
    server.websocket_with(&["X-Forwarded-For: 192.0.2.2"]).open_to_features();
    first.close();
    assert_eq!(server.server().core().counters.links.of(magpie::counters::LinkKind::WebSocket).2, 2);
}
