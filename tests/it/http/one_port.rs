//! One TLS port for everything (XEP-0368 §4): client streams and HTTP, told apart by ALPN or by how they begin.

use std::time::Duration;

use super::serve;
use super::wire::Http;
use crate::support::client::stream_header;
use crate::support::transport::{TLS12_ONLY, TLS13_ONLY, TlsOptions};
use crate::support::{Client, DOMAIN, TestServer};

fn offering(alpn: &[&[u8]]) -> TlsOptions {
    TlsOptions { alpn: alpn.iter().map(|name| name.to_vec()).collect(), ..TlsOptions::new(DOMAIN) }
}

fn connect(server: &TestServer, options: &TlsOptions) -> Client {
    let mut client = server.connect_to_https();
    client.handshake(options);
    client
}

/// Up to a session, by the mechanism that is bound to the channel (RFC 9266).
fn log_in(mut client: Client, resource: &str) -> Client {
    client.open_to_features();
    client.authenticate("SCRAM-SHA-256-PLUS", "romeo", "secret");
    client.open_to_features();
    client.bind(resource);
    client.expect_nothing();
    client
}

#[test]
fn client_streams_and_http_share_a_port() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    let by_alpn = connect(&server, &TlsOptions::direct(DOMAIN));
    assert_eq!(by_alpn.transport.alpn(), Some(&b"xmpp-client"[..]));
    let mut by_alpn = log_in(by_alpn, "orchard");
    let silent = connect(&server, &offering(&[]));
    assert_eq!(silent.transport.alpn(), None);
    let mut silent = log_in(silent, "balcony");
    let mut http = Http::tls(&server, &[b"http/1.1"]);
    assert_eq!(http.get("/").status, 200);
    // They are sessions like all others.
    by_alpn.send("<message to='{romeo/balcony}' type='chat' id='1'><body>It is the east</body></message>");
    silent
        .expect("<message from='{romeo/orchard}' to='{any}' type='chat' id='1'><body>It is the east</body></message>");
    let mut elsewhere = server.login("romeo", "secret", "garden");
    elsewhere.send("<message to='{romeo/orchard}' type='chat' id='2'><body>Juliet is the sun</body></message>");
    by_alpn.expect("<message from='{any}' to='{any}' type='chat' id='2'><body>Juliet is the sun</body></message>");
    by_alpn.close();
}

/// Both versions of TLS, and a client that would take HTTP as well: who names XMPP means it.
#[test]
fn xmpp_in_the_list_means_xmpp() {
    let server = serve(|_| {});
    for versions in [TLS12_ONLY, TLS13_ONLY] {
        let options = TlsOptions { versions, ..offering(&[b"h2", b"http/1.1", b"xmpp-client"]) };
        let mut client = connect(&server, &options);
        assert_eq!(client.transport.alpn(), Some(&b"xmpp-client"[..]));
        let features = client.open_to_features();
        assert!(features.find("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none(), "XEP-0368 §3");
    }
}

/// RFC 7301 §3.2: with nothing in common there is an alert, and nothing is spoken.
#[test]
fn other_protocols_get_an_alert() {
    let server = serve(|_| {});
    for foreign in [&b"xmpp-server"[..], b"imap", b"http/1.0", b"XMPP-CLIENT"] {
        let mut client = server.connect_to_https();
        let refused = client.transport.start_tls(&offering(&[foreign])).unwrap_err();
        assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    }
    assert_eq!(Http::tls(&server, &[b"http/1.1"]).get("/").status, 200);
}

/// Without ALPN the first byte tells, however little comes at first.
#[test]
fn without_alpn_the_first_bytes_tell() {
    let server = serve(|_| {});
    let header = stream_header(DOMAIN);
    let without_declaration = &header[header.find("<stream:stream").unwrap()..];
    for start in [&header, without_declaration, &format!(" \n\t{without_declaration}")] {
        let mut client = connect(&server, &offering(&[]));
        for byte in start.bytes() {
            client.send_bytes(&[byte]);
        }
        client.expect_header();
        client.features();
    }
    let mut http = Http::tls(&server, &[]);
    for byte in "GET /nothing HTTP/1.1\r\nHost: im.example\r\n\r\n".bytes() {
        http.send([byte]);
    }
    assert_eq!(http.answer().status, 404);
    // What is neither is HTTP's to refuse, and what is XML for HTTP is not let in.
    for (alpn, nonsense) in
        [(&[][..], &b"\0\x01\x02\x03\r\n\r\n"[..]), (&[b"http/1.1" as &[u8]], b"<stream:stream>\r\n\r\n")]
    {
        let mut http = Http::tls(&server, alpn);
        http.send_if_open(nonsense);
        assert_eq!(http.answer().status, 400);
        http.expect_end();
    }
    // And HTTP is no XML.
    let mut client = connect(&server, &TlsOptions::direct(DOMAIN));
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: im.example\r\n\r\n");
    client.expect_header();
    client.expect_stream_error("not-well-formed");
}

/// Nobody waits for ever for who says nothing: before it is known what it speaks, and after.
#[test]
fn silence_ends_the_connection() {
    let server = serve(|c| c.http.header_seconds_max = Duration::from_millis(50));
    let mut client = server.connect_to_https();
    // On a busy machine the handshake alone may take too long.
    if client.transport.start_tls(&offering(&[])).is_ok() {
        client.expect_end();
    }
    let server = serve(|c| c.limits.negotiation_seconds_max = Duration::from_millis(50));
    let mut client = connect(&server, &TlsOptions::direct(DOMAIN));
    client.expect_header();
    client.expect_stream_error("connection-timeout");
}

/// A connection has one place, whatever is spoken on it.
#[test]
fn connections_of_an_address_are_counted_together() {
    let server = serve(|c| {
        c.limits.exempt_addresses.clear();
        c.limits.connections_per_address_max = 2;
    });
    server.account("romeo", "secret");
    let romeo = log_in(connect(&server, &TlsOptions::direct(DOMAIN)), "orchard");
    assert_eq!(server.server().budget().connections(), 1);
    let mut http = Http::tls(&server, &[b"http/1.1"]);
    assert_eq!(http.get("/").status, 200);
    assert_eq!(server.server().budget().connections(), 2);
    server.connect_to_https().expect_end();
    server.connect_for_tls().expect_end();
    romeo.close();
    while server.server().budget().connections() > 1 {
        std::thread::yield_now();
    }
    log_in(connect(&server, &TlsOptions::direct(DOMAIN)), "orchard");
}

/// An address that is trusted to ask for others by HTTP (loopback, as it is by default) has no more streams than others.
#[test]
fn streams_are_no_forwarded_requests() {
    let server = serve(|c| {
        c.limits.exempt_addresses.clear();
        c.limits.connections_per_address_per_minute_max = 1;
    });
    let mut first = connect(&server, &TlsOptions::direct(DOMAIN));
    first.open_to_features();
    connect(&server, &TlsOptions::direct(DOMAIN)).expect_end();
    assert_eq!(Http::tls(&server, &[b"http/1.1"]).get("/").status, 200);
}

/// The setting of the section in which the port stands counts.
#[test]
fn a_load_balancer_is_that_of_the_port() {
    let server = serve(|c| {
        c.http.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()];
        c.limits.connections_per_address_max = 1;
    });
    server.account("romeo", "secret");
    let connect = |source: &str| {
        let mut client = server.connect_to_https();
        client.send_bytes(format!("PROXY TCP4 {source} 192.0.2.9 40000 443\r\n").as_bytes());
        client
    };
    let mut romeo = connect("198.51.100.7");
    romeo.handshake(&TlsOptions::direct(DOMAIN));
    let _romeo = log_in(romeo, "orchard");
    connect("198.51.100.7").expect_end();
    let mut other = connect("198.51.100.8");
    other.handshake(&TlsOptions::direct(DOMAIN));
    other.open_to_features();
    // That of client streams is another one.
    server.connect_tls().open_to_features();
}

/// A stop does not wait for who has not said what it speaks, and ends streams as ever.
#[test]
fn a_stop_ends_all_of_them() {
    let mut server = serve(|_| {});
    server.account("romeo", "secret");
    let mut romeo = log_in(connect(&server, &TlsOptions::direct(DOMAIN)), "orchard");
    let mut silent = connect(&server, &offering(&[]));
    server.stop();
    romeo.expect_stream_error("system-shutdown");
    silent.expect_end();
}
