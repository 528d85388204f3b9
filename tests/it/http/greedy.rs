//! Peers that ask for much and take little.

use std::time::Duration;

use super::connections::{frame, preface};
use super::serve;
use super::upload::{path, put, slot};
use super::wire::Http;
use crate::support::{DOMAIN, TestServer};

/// SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 §6.5.2): bytes of each answer the peer takes at first.
fn takes(bytes: u32) -> Vec<u8> {
    preface(&[&[0, 4][..], &bytes.to_be_bytes()].concat())
}

/// A request through a proxy (RFC 7541 §6.2.2: literals, in letters).
fn get(stream: u32, path: &str, from: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block =
        [&[0x82, 0x86, 0x04][..], &text(path), &[0x01], &text(DOMAIN), &[0x00], &text("x-forwarded-for"), &text(from)];
    frame(1, 0x5, stream, &block.concat())
}

/// Reads up to the headers of an answer.
fn headers(http: &mut Http) {
    loop {
        let head = http.take(9);
        http.take(u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize);
        if head[3] == 1 {
            return;
        }
    }
}

fn uploaded(server: &TestServer) -> String {
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 100_000);
    put(server, &url, &key, &[b'x'; 100_000]);
    path(&url).to_owned()
}

/// One address cannot have all the transfers there are.
#[test]
fn transfers_are_limited_for_an_address() {
    let server = serve(|c| c.upload.transfers_per_address_max = 1);
    let file = uploaded(&server);
    let mut held = Http::plain(&server);
    held.send([takes(0), get(1, &file, "192.0.2.1")].concat());
    headers(&mut held);
    let fetch = |from: &str| Http::plain(&server).ask("GET", &file, &[&format!("X-Forwarded-For: {from}")]);
    let refused = fetch("192.0.2.1");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("10")));
    assert_eq!(fetch("192.0.2.2").status, 200);
    assert_eq!(fetch("127.0.0.1").status, 200);
}

/// An answer that is left where it is (RFC 9113 §5.2) does not hold a transfer for ever, whatever else goes on.
#[test]
fn an_answer_nobody_takes_ends_the_connection() {
    let server = serve(|c| {
        c.http.stall_seconds_max = Duration::from_millis(50);
        c.http.idle_seconds_max = Duration::from_secs(600);
    });
    let file = uploaded(&server);
    for bytes in [0, 1] {
        let mut http = Http::plain(&server);
        http.send([takes(bytes), get(1, &file, "192.0.2.1")].concat());
        let mut buffer = [0; 4096];
        while http.transport.read(&mut buffer).unwrap() > 0 {}
    }
}
