//! Versions, ALPN, and where direct TLS differs from STARTTLS (XEP-0368, RFC 7590, RFC 8996).

use std::io::{Read, Write};
use std::net::TcpStream;

use tokio_rustls::rustls::ProtocolVersion;

use crate::support::transport::{TLS12_ONLY, TLS13_ONLY, TlsOptions};
use crate::support::{Client, DOMAIN, TestServer};

fn try_direct(server: &TestServer, options: &TlsOptions) -> Option<Client> {
    let mut client = server.connect_for_tls();
    // The server's alert may come after our side of a TLS 1.3 handshake is complete: only the stream tells.
    client.transport.start_tls(options).ok()?;
    client.send_bytes_if_open(crate::support::client::stream_header(DOMAIN).as_bytes());
    match client.transport.read(&mut [0u8; 1]) {
        Ok(1) => Some(client),
        _ => None,
    }
}

/// XEP-0368 §2: the stream begins inside TLS; ALPN is `xmpp-client`.
#[test]
fn direct_tls_speaks_alpn() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect_tls();
    assert_eq!(client.transport.alpn(), Some(&b"xmpp-client"[..]));
    client.open_to_features();
    client.authenticate("SCRAM-SHA-256-PLUS", "romeo", "secret");
    client.open_to_features();
    client.bind("orchard");
    client.expect_nothing();
}

/// XEP-0368 §2: clients without ALPN are let in, those that want something else are not.
#[test]
fn direct_tls_refuses_other_protocols() {
    let server = TestServer::start();
    let with =
        |alpn: &[&[u8]]| TlsOptions { alpn: alpn.iter().map(|p| p.to_vec()).collect(), ..TlsOptions::new(DOMAIN) };
    assert!(try_direct(&server, &with(&[])).is_some());
    assert!(try_direct(&server, &with(&[b"h2", b"xmpp-client"])).is_some());
    for foreign in [&[&b"h2"[..]][..], &[b"http/1.1"], &[b"xmpp-server"]] {
        assert!(try_direct(&server, &with(foreign)).is_none(), "{foreign:?}");
    }
}

/// RFC 7590 §3, RFC 9325: TLS 1.2 and 1.3, on both ports.
#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let server = TestServer::start();
    for (versions, expected) in [(TLS12_ONLY, ProtocolVersion::TLSv1_2), (TLS13_ONLY, ProtocolVersion::TLSv1_3)] {
        let options = TlsOptions { versions, ..TlsOptions::direct(DOMAIN) };
        let client = try_direct(&server, &options).expect("let in");
        assert_eq!(client.transport.protocol_version(), Some(expected));
        let mut client = server.connect();
        client.open_to_features();
        client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        client.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        client.handshake(&TlsOptions { versions, ..TlsOptions::new(DOMAIN) });
        client.open_to_features();
        assert_eq!(client.transport.protocol_version(), Some(expected));
    }
}

/// RFC 8996: a ClientHello for at most TLS 1.1 or 1.0 is answered with a fatal alert.
#[test]
fn tls_1_1_and_older_are_impossible() {
    let server = TestServer::start();
    for minor in [1u8, 2] {
        let mut socket = TcpStream::connect(server.c2s_tls_addr()).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        socket.write_all(&client_hello(minor)).unwrap();
        let mut answer = Vec::new();
        // The connection may end with a reset behind the alert.
        let _ = socket.read_to_end(&mut answer);
        assert_eq!(answer.first(), Some(&0x15), "an alert: {answer:?}");
        assert!(
            [Some(&[2, 70][..]), Some(&[2, 40])].contains(&answer.get(5..7)),
            "protocol_version or handshake_failure: {answer:?}"
        );
    }
}

/// A ClientHello as it was before TLS 1.2 (RFC 4346 §7.4.1.2): no extensions, CBC suites.
fn client_hello(minor: u8) -> Vec<u8> {
    let suites = [0xc0, 0x09, 0xc0, 0x13, 0x00, 0x2f];
    let mut body = vec![3, minor];
    body.extend([7u8; 32]);
    body.extend([0, 0, suites.len() as u8]);
    body.extend(suites);
    body.extend([1, 0]);
    let mut hello = vec![0x16, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    hello.extend(body);
    hello
}

/// XML on the TLS port is no handshake.
#[test]
fn plain_xml_on_the_tls_port_gets_no_stream() {
    let server = TestServer::start();
    let mut client = server.connect_for_tls();
    client.send_bytes(crate::support::client::stream_header(DOMAIN).as_bytes());
    let mut answer = Vec::new();
    let mut chunk = [0u8; 1024];
    while let Ok(n @ 1..) = client.transport.read(&mut chunk) {
        answer.extend_from_slice(&chunk[..n]);
    }
    assert!(answer.is_empty() || answer[0] == 0x15, "{}", String::from_utf8_lossy(&answer));
}
