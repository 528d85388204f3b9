//! Peers that ask for much and take little.

use std::io::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::connections::{frame, preface};
use super::serve;
use super::upload::{path, put, slot, until};
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

/// A request that is being answered until the rest of it comes.
fn begun(server: &TestServer, from: &str) -> Http {
    let in_flight = || server.server().core().site.counters.requests_in_flight.load(Relaxed);
    let before = in_flight();
    let mut http = Http::plain(server);
    let head = "Content-Type: text/xml\r\nContent-Length: 10";
    http.send(format!("POST /http-bind HTTP/1.1\r\nHost: {DOMAIN}\r\nX-Forwarded-For: {from}\r\n{head}\r\n\r\n"));
    until("the request is not there", || in_flight() > before);
    http
}

/// One address cannot have all the requests there are, and an operator can always look what is the matter.
#[test]
fn requests_of_one_address_leave_room_for_others() {
    let server = serve(|c| {
        c.http.requests_in_flight_max = 4;
        c.limits.connections_per_address_max = 1;
        c.metrics.listen = vec!["127.0.0.1:0".parse().unwrap()];
        c.metrics.allow_from = vec!["127.0.0.1".parse().unwrap()];
    });
    server.server().budget().set_limits(magpie::net::budget::BudgetLimits::default());
    let ask = |from: &str| Http::plain(&server).ask("GET", "/", &[&format!("X-Forwarded-For: {from}")]).status;
    // While there is room for all nobody is asked to leave some.
    let mut held = vec![begun(&server, "192.0.2.1"), begun(&server, "192.0.2.1")];
    assert_eq!((ask("192.0.2.1"), ask("192.0.2.2"), ask("2001:db8::1")), (429, 200, 200));
    held.push(begun(&server, "2001:db8::1"));
    assert_eq!((ask("2001:db8::2"), ask("2001:db8:0:1::1"), ask("127.0.0.1")), (429, 200, 200));
    held.push(begun(&server, "192.0.2.3"));
    assert_eq!((ask("192.0.2.4"), ask("127.0.0.1")), (503, 503));
    assert_eq!(Http::plain(&server).get("/healthz").status, 200);
    let metrics = server.server().core().site.listening().unwrap().metrics[0];
    assert_eq!(Http::connect(metrics).get("/metrics").status, 200);
    drop(held);
    until("they are still there", || server.server().core().site.counters.requests_in_flight.load(Relaxed) == 0);
    assert_eq!((ask("192.0.2.1"), ask("192.0.2.4")), (200, 200));
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

/// PING (RFC 9113 §6.7) asks for nothing, and does not keep a connection for ever.
#[test]
fn pings_do_not_keep_a_connection() {
    let server = serve(|c| c.http.idle_seconds_max = Duration::from_millis(50));
    let mut http = Http::plain(&server);
    http.send(preface(&[]));
    let socket = http.transport.socket().try_clone().unwrap();
    // As often as an answer comes, and the deadline of reading ends a test that fails.
    let begun = Instant::now();
    while (&socket).write_all(&frame(6, 0, 0, b"are you?")).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "still there");
        if http.transport.read(&mut [0; 4096]).unwrap() == 0 {
            break;
        }
    }
}

/// Requests that are taken back as soon as they were made (CVE-2023-44487) end their connection and no other one.
#[test]
fn requests_that_are_taken_back_end_the_connection() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    let mut all = preface(&[]);
    for stream in (1..4_000).step_by(2) {
        all.extend(get(stream, "/nothing", "192.0.2.1"));
        all.extend(frame(3, 0, stream, &CANCEL));
    }
    http.send_if_open(all);
    while http.transport.read(&mut [0; 4096]).unwrap() > 0 {}
    assert_eq!(Http::plain(&server).get("/").status, 200);
    assert_eq!(server.server().core().site.counters.requests_in_flight.load(Relaxed), 0);
}

/// A head that never ends (RFC 9113 §6.10) is not kept.
#[test]
fn a_head_without_end_ends_the_connection() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    // `x: x…`, not indexed; END_STREAM without END_HEADERS.
    let field = [&[0x00, 1, b'x', 100][..], &[b'x'; 100]].concat();
    http.send([preface(&[]), frame(1, 0x1, 1, &[0x82, 0x86, 0x84])].concat());
    let many = frame(9, 0, 1, &field.repeat(100)).repeat(10);
    for _ in 0..100 {
        http.send_if_open(&many);
    }
    while http.transport.read(&mut [0; 4096]).unwrap() > 0 {}
    assert_eq!(Http::plain(&server).get("/").status, 200);
}

/// A file that comes drop by drop holds a transfer for as long as it takes, so it must not.
#[test]
fn an_upload_must_not_be_too_slow() {
    let server = serve(|c| {
        c.http.stall_seconds_max = Duration::from_millis(500);
        c.upload.bytes_per_second_min = 1_000;
    });
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 100_000);
    let mut http = Http::plain(&server);
    http.send(format!(
        "PUT {} HTTP/1.1\r\nHost: {DOMAIN}\r\nAuthorization: {key}\r\nContent-Length: 100000\r\n\r\n",
        path(&url)
    ));
    // A byte, and a look whether there is an answer. A machine that takes longer for that has the same one.
    http.transport.socket().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut answer = [0; 4096];
    let length = (0..1_000).find_map(|_| {
        http.send_if_open("x");
        http.transport.read(&mut answer).ok()
    });
    let text = String::from_utf8_lossy(&answer[..length.expect("an answer")]);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    // The slot is as it was.
    put(&server, &url, &key, &[b'x'; 100_000]);
}

/// The disk may have filled up since the slot was asked for.
#[test]
fn room_is_looked_for_again_when_the_file_comes() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 5);
    let leave_free = |mib| {
        let core = server.server().core();
        let mut config = (**core.config()).clone();
        config.upload.free_mib_min = mib;
        core.config.store(std::sync::Arc::new(config));
    };
    leave_free(1_073_741_824);
    let mut http = Http::plain(&server);
    http.send(format!(
        "PUT {} HTTP/1.1\r\nHost: {DOMAIN}\r\nAuthorization: {key}\r\nContent-Length: 5\r\n\r\n12345",
        path(&url)
    ));
    assert_eq!(http.answer().status, 507);
    leave_free(0);
    put(&server, &url, &key, b"12345");
}

/// A database that was restored without its files knows files that are not there.
#[test]
fn a_file_that_was_lost_is_not_there() {
    let server = serve(|_| {});
    let file = uploaded(&server);
    let token = file.split('/').nth(2).unwrap();
    std::fs::remove_file(magpie::uploads::file(server.config(), token)).unwrap();
    assert_eq!(Http::plain(&server).get(&file).status, 404);
}
