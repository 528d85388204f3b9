//! Nothing lost, nothing twice, nothing out of order, when clients are slow, replaced or gone in the middle. What a
//! `kill -9` does is shown by `tests/crash.rs`.

use crate::support::{Client, TestServer};

/// Too much for the buffers of any socket together.
const FLOOD: usize = 160;
const FLOOD_BYTES: usize = 60_000;

fn flood(romeo: &mut Client, to: &str) {
    let body = "x".repeat(FLOOD_BYTES);
    for number in 0..FLOOD {
        romeo.send(&format!("<message type='chat' to='{to}' id='{number}'><body>{body}</body></message>"));
    }
}

/// The numbers of the messages that come, up to this one.
fn numbers_upto(client: &mut Client, last: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let element = client.next();
        if element.name == "message" {
            numbers.push(element.attr("id").unwrap().parse().unwrap());
        }
    }
    numbers
}

/// A new session gets what an old one that read nothing had not been sent, in order and to the last.
fn expect_the_rest(juliet: &mut Client) {
    juliet.send("<presence/>");
    let numbers = numbers_upto(juliet, FLOOD - 1);
    let first = numbers[0];
    assert!(first < FLOOD - 1, "the sockets took everything");
    assert_eq!(numbers, (first..FLOOD).collect::<Vec<_>>());
    assert!(juliet.sync().iter().all(|e| e.name != "message"), "something comes twice");
}

#[test]
fn stored_messages_come_in_one_session_however_large() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    let body = "x".repeat(10_000);
    for number in 0..60 {
        romeo.send(&format!("<message type='chat' to='juliet@im.example' id='{number}'><body>{body}</body></message>"));
    }
    romeo.sync();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    assert_eq!(numbers_upto(&mut juliet, 59), (0..60).collect::<Vec<_>>());
}

/// The message that makes a queue too long is no older than those in it.
#[test]
fn what_a_slow_reader_was_not_sent_is_stored_in_order() {
    let server = TestServer::with(|c| c.limits.outbox_bytes_max = 200_000);
    let juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    flood(&mut romeo, "juliet@im.example");
    romeo.expect_nothing();
    let mut again = server.login("juliet", "secret", "balcony");
    expect_the_rest(&mut again);
    drop(juliet);
}

#[test]
fn what_a_replaced_session_was_not_sent_goes_to_the_new_one_in_order() {
    let server = TestServer::with(|c| c.limits.outbox_bytes_max = 64 << 20);
    let juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    flood(&mut romeo, "juliet@im.example");
    let mut again = server.login("juliet", "secret", "balcony");
    expect_the_rest(&mut again);
    romeo.expect_nothing();
    drop(juliet);
}

/// What one resource has been given does not come again because another one leaves without it.
#[test]
fn a_resource_that_leaves_repeats_nothing_to_the_others() {
    let server = TestServer::with(|c| c.limits.outbox_bytes_max = 64 << 20);
    let mut juliet = server.online("juliet", "balcony");
    let mut chamber = server.login("juliet", "secret", "chamber");
    chamber.available();
    let mut romeo = server.online("romeo", "orchard");
    flood(&mut romeo, "juliet@im.example");
    assert_eq!(numbers_upto(&mut juliet, FLOOD - 1), (0..FLOOD).collect::<Vec<_>>());
    drop(chamber);
    while juliet.next().attr("type") != Some("unavailable") {}
    romeo.expect_nothing();
    assert!(juliet.sync().is_empty(), "something comes twice");
}
