//! The PROXY protocol, versions 1 and 2: required from trusted peers, refused from all others.

use std::net::Ipv4Addr;

use magpie::config::Config;

use crate::support::transport::TlsOptions;
use crate::support::{Client, DOMAIN, TestServer};

fn trusting(config: &mut Config) {
    config.c2s.proxy_protocol_from = vec!["127.0.0.0/8".parse().unwrap()];
}

fn v1(source: &str) -> Vec<u8> {
    format!("PROXY TCP4 {source} 192.0.2.1 40000 5222\r\n").into_bytes()
}

fn v2(command: u8, source: &str) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, 0x11, 0, 12]);
    header.extend(source.parse::<Ipv4Addr>().unwrap().octets());
    header.extend([192, 0, 2, 1, 0x9c, 0x40, 0x14, 0x66]);
    header
}

fn admitted(server: &TestServer, proxy_header: &[u8]) -> Option<Client> {
    let mut client = server.connect();
    client.send_bytes(proxy_header);
    client.send_bytes_if_open(crate::support::client::stream_header(DOMAIN).as_bytes());
    client.next_event_is_features().then_some(client)
}

#[test]
fn both_versions_open_the_way_to_a_stream_and_to_tls() {
    let server = TestServer::with(trusting);
    server.account("romeo", "secret");
    let headers = [
        v1("198.51.100.7"),
        v2(1, "198.51.100.7"),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2(0, "0.0.0.0"),
        b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 5222\r\n".to_vec(),
    ];
    for header in headers {
        let mut client = server.connect();
        client.send_bytes(&header);
        client.log_in("SCRAM-SHA-256", "romeo", "secret", "");
        client.close();
        let mut client = server.connect_for_tls();
        client.send_bytes(&header);
        client.handshake(&TlsOptions::direct(DOMAIN));
        client.open_to_features();
        client.close();
    }
}

/// The header may come in pieces like everything else.
#[test]
fn the_header_may_arrive_byte_by_byte() {
    let server = TestServer::with(trusting);
    for header in [v1("198.51.100.7"), v2(1, "198.51.100.7")] {
        let mut client = server.connect();
        for byte in header.chunks(1) {
            client.send_bytes(byte);
        }
        client.open_to_features();
    }
}

/// The address in the header is the one that counts.
#[test]
fn limits_apply_to_the_address_in_the_header() {
    let server = TestServer::with(|c| {
        trusting(c);
        c.limits.connections_per_address_max = 1;
    });
    let first = admitted(&server, &v1("198.51.100.7"));
    assert!(first.is_some());
    assert!(admitted(&server, &v1("198.51.100.7")).is_none(), "a second one from the same address");
    assert!(admitted(&server, &v2(1, "198.51.100.7")).is_none(), "the same address in the other version");
    assert!(admitted(&server, &v2(1, "198.51.100.8")).is_some(), "another address");
    drop(first);
}

/// A trusted peer that does not speak it is misconfigured, and does not get a stream.
#[test]
fn trusted_peers_have_to_speak_it() {
    let server = TestServer::with(trusting);
    assert!(admitted(&server, b"").is_none());
    let malformed: [&[u8]; 5] = [
        b"PROXY TCP4 198.51.100.7\r\n",
        b"PROXY TCP4 999.51.100.7 192.0.2.1 40000 5222\r\n",
        b"PROXY TCP9 198.51.100.7 192.0.2.1 40000 5222\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x09\x10\x11\x12",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\x01\x02\x03\x04",
    ];
    for header in malformed {
        assert!(admitted(&server, header).is_none(), "{}", String::from_utf8_lossy(header));
    }
}

/// From anybody else it is not a stream: nobody can choose the address they are seen with.
#[test]
fn untrusted_peers_may_not_speak_it() {
    let server = TestServer::start();
    for header in [v1("198.51.100.7"), v2(1, "198.51.100.7")] {
        let mut client = server.connect();
        client.send_bytes_if_open(&header);
        client.send_bytes_if_open(crate::support::client::stream_header(DOMAIN).as_bytes());
        client.expect_header();
        client.expect_stream_error("not-well-formed");
    }
}
