//! Connections of the HTTP server: protocols, limits, and what every answer has.

use std::time::Duration;

use super::serve;
use super::wire::Http;
use crate::support::{DOMAIN, TestServer};

/// In the order of RFC 9113 §3.4: preface, then a SETTINGS frame.
pub(crate) fn preface(settings: &[u8]) -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, settings)[..]].concat()
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// `GET /` with the static table of RFC 7541: method, scheme, path, and an authority in letters.
fn get_front_page(stream: u32) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x84, 0x41, u8::try_from(DOMAIN.len()).unwrap()];
    block.extend(DOMAIN.as_bytes());
    const END_STREAM_AND_HEADERS: u8 = 0x5;
    frame(1, END_STREAM_AND_HEADERS, stream, &block)
}

/// Speaks HTTP/2 until the front page has come: its status, as the first byte of its headers, and its text.
fn front_page_by_http2(http: &mut Http) -> (u8, String) {
    http.send([preface(&[]), get_front_page(1)].concat());
    let (mut status, mut text) = (0, Vec::new());
    loop {
        let head = http.take(9);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = http.take(length);
        match head[3] {
            0 => text.extend(payload),
            1 => status = payload.into_iter().find(|byte| byte & 0xe0 != 0x20).unwrap(),
            _ => continue,
        }
        if head[4] & 1 == 1 {
            return (status, String::from_utf8(text).unwrap());
        }
    }
}

/// HPACK's index of `:status 200`.
const STATUS_200: u8 = 0x88;

#[test]
fn the_front_page_says_what_this_is_and_contacts_nobody() {
    let server = serve(|c| c.contact.support = vec!["mailto:help@im.example".into()]);
    let page = Http::plain(&server).get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    assert!(text.contains("XMPP server for <b>im.example</b>") && text.contains("mailto:help@im.example"), "{text}");
    for other in ["<script", "<img", "<link", "src=", "@import"] {
        assert!(!text.contains(other), "{other}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
}

#[test]
fn every_answer_has_the_security_headers() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    for (method, path) in [("GET", "/"), ("GET", "/nothing"), ("POST", "/"), ("OPTIONS", "/"), ("GET", "/upload/x/y")] {
        let answer = http.ask(method, path, &[]);
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{method} {path}: {name} is missing"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{answer:?}");
        assert_eq!(answer.header("server"), None);
    }
}

/// RFC 6797 §6.1, §7.2: only by HTTPS, and only for a host of which it is known that HTTPS is at its usual port.
#[test]
fn browsers_are_told_to_stay_with_https() {
    const HEADER: &str = "strict-transport-security";
    let server = serve(|c| c.http.public_url = "https://im.example/xmpp".into());
    let ask = |host: &str, path: &str, proto: &str| {
        let mut http = Http::plain(&server);
        http.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: {proto}\r\n\r\n"));
        http.answer().header(HEADER).map(str::to_owned)
    };
    for host in [DOMAIN, "IM.example:443"] {
        assert_eq!(ask(host, "/", "https").as_deref(), Some("max-age=2592000"), "{host}");
    }
    assert_eq!(ask(DOMAIN, "/chat", "https").as_deref(), Some("max-age=2592000"));
    for (host, path, proto) in [
        (DOMAIN, "/", "http"),
        ("im.example:5443", "/", "https"),
        ("web.example", "/", "https"),
        (DOMAIN, "/.well-known/host-meta", "https"),
    ] {
        assert_eq!(ask(host, path, proto), None, "{host}{path} by {proto}");
    }
    // With a port of its own the host may have something else on the others.
    let server = serve(|_| {});
    let port = server.server().core().site.listening().unwrap().https[0].port();
    let mut tls = Http::tls(&server, &[b"http/1.1"]);
    tls.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}:{port}\r\n\r\n"));
    assert_eq!(tls.answer().header(HEADER), None);
    let server = serve(|c| {
        c.http.public_url = "https://im.example".into();
        c.http.strict_transport_days = 0;
    });
    assert_eq!(Http::tls(&server, &[b"http/1.1"]).get("/").header(HEADER), None);
}

#[test]
fn a_wrong_path_or_method_is_told_and_the_connection_goes_on() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    assert_eq!(http.get("/nothing").status, 404);
    assert_eq!(http.get("//").status, 404);
    assert_eq!(http.get("/../").status, 404);
    let refused = http.ask("DELETE", "/", &[]);
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let options = http.ask("OPTIONS", "/", &[]);
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    assert_eq!(options.header("access-control-allow-origin"), None, "the front page is for no other site");
    let page = http.get("/");
    let head = http.ask("HEAD", "/", &[]);
    assert_eq!((head.status, head.header("content-length")), (200, page.header("content-length")));
    // Two at once.
    http.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((http.answer().status, http.answer().status), (200, 404));
}

#[test]
fn http2_by_alpn_and_by_its_first_bytes() {
    let server = serve(|_| {});
    let mut plain = Http::plain(&server);
    let (status, text) = front_page_by_http2(&mut plain);
    assert_eq!(status, STATUS_200);
    assert!(text.contains("XMPP server for <b>im.example</b>"));
    let mut tls = Http::tls(&server, &[b"h2", b"http/1.1"]);
    assert_eq!(tls.transport.alpn(), Some(&b"h2"[..]));
    assert_eq!(front_page_by_http2(&mut tls).0, STATUS_200);
}

#[test]
fn https_by_alpn_and_without() {
    let server = serve(|_| {});
    let mut chosen = Http::tls(&server, &[b"http/1.1"]);
    assert_eq!(chosen.transport.alpn(), Some(&b"http/1.1"[..]));
    assert_eq!(chosen.get("/").status, 200);
    let mut silent = Http::tls(&server, &[]);
    assert_eq!(silent.transport.alpn(), None);
    assert_eq!(silent.get("/").status, 200);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let server = serve(|c| c.http.header_bytes_max = 8_192);
    let mut http = Http::plain(&server);
    http.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n", "x".repeat(10_000)));
    assert_eq!(http.answer().status, 431);
    http.expect_end();
    let mut http = Http::plain(&server);
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    http.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"));
    assert_eq!(http.answer().status, 431);
}

#[test]
fn what_is_no_http_is_refused() {
    let server = serve(|_| {});
    for nonsense in ["<stream:stream>\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n"] {
        let mut http = Http::plain(&server);
        http.send(nonsense);
        assert_eq!(http.answer().status, 400, "{nonsense}");
        http.expect_end();
    }
    // RFC 9112 §6.1: two ways to tell the length are how requests are smuggled past a proxy.
    let mut http = Http::plain(&server);
    http.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc");
    assert_eq!(http.answer().status, 400);
}

#[test]
fn a_slow_head_ends_the_connection() {
    let server = serve(|c| c.http.header_seconds_max = Duration::from_millis(50));
    Http::plain(&server).expect_end();
    let mut half = Http::plain(&server);
    half.send("GET / HTTP/1.1\r\nHost: a\r\n");
    half.expect_end();
    // Also the second one: what counts is not when the connection began.
    let mut second = Http::plain(&server);
    second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(second.answer().status, 200);
    second.send("GET / HTT");
    second.expect_end();
    // And TLS before all of it.
    let address = server.server().core().site.listening().unwrap().https[0];
    Http::connect(address).expect_end();
}

#[test]
fn an_idle_connection_ends() {
    let server = serve(|c| c.http.idle_seconds_max = Duration::from_millis(50));
    let mut http = Http::plain(&server);
    assert_eq!(http.get("/").status, 200);
    http.expect_end();
}

#[test]
fn connections_of_an_address_are_limited() {
    let server = serve(|c| {
        c.limits.exempt_addresses.clear();
        c.limits.connections_per_address_max = 1;
    });
    let mut first = Http::plain(&server);
    assert_eq!(first.get("/").status, 200);
    let mut second = Http::plain(&server);
    let refused = second.answer();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    second.expect_end();
}

#[test]
fn a_stop_ends_connections_in_order() {
    let mut server = serve(|_| {});
    let mut idle = Http::plain(&server);
    assert_eq!(idle.get("/").status, 200);
    server.stop();
    idle.expect_end();
}

/// The PROXY protocol is required from whom the settings say, as on client connections.
#[test]
fn a_load_balancer_says_for_whom_it_connects() {
    let server = serve(|c| {
        c.http.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()];
        c.limits.exempt_addresses.clear();
        c.limits.connections_per_address_max = 1;
    });
    let connect = |server: &TestServer, client: &str| {
        let mut http = Http::plain(server);
        http.send(format!("PROXY TCP4 {client} 192.0.2.9 40000 5280\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        http
    };
    let mut one = connect(&server, "192.0.2.1");
    assert_eq!(one.answer().status, 200);
    let mut other = connect(&server, "192.0.2.2");
    assert_eq!(other.answer().status, 200);
    let mut same = connect(&server, "192.0.2.1");
    assert_eq!(same.answer().status, 429);
    let mut without = Http::plain(&server);
    without.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    without.expect_end();
}
