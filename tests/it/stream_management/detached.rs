//! What becomes of a session without a connection, and of the messages that it has in hand.

use super::{SM, again, enable, pair, say};
use crate::support::xml::El;
use crate::support::{Client, TestServer};
use std::time::{Duration, Instant};

fn burst(count: usize) -> String {
    let message = |n| format!("<message to='juliet@im.example' type='chat' id='{n}'><body>{n}</body></message>");
    (0..count).map(message).collect()
}

/// Juliet has so many messages in the store.
fn with_stored(count: usize) -> (TestServer, Client) {
    let server = TestServer::with(|c| c.limits.offline_replay_batch_max = 10);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send(&burst(count));
    romeo.sync();
    (server, romeo)
}

/// Stream management first, then presence, which is the first stanza that counts.
fn managed(server: &TestServer, resource: &str) -> Client {
    let mut juliet = server.login("juliet", "secret", resource);
    enable(&mut juliet);
    juliet.send("<presence/>");
    juliet.expect("<presence from='{juliet}' to='{juliet}'/>");
    juliet
}

pub(super) fn next_stanza(client: &mut Client) -> El {
    loop {
        let el = client.next();
        if !el.is("r", SM) {
            return el;
        }
    }
}

fn take(client: &mut Client, count: usize) -> Vec<usize> {
    (0..count).map(|_| next_stanza(client).attr("id").and_then(|id| id.parse().ok()).expect("a message")).collect()
}

/// Takes as many, acknowledging each; `h` is the count so far.
fn take_acknowledging(client: &mut Client, h: &mut u32, count: usize) -> Vec<usize> {
    let mut got = Vec::new();
    for _ in 0..count {
        got.extend(take(client, 1));
        *h += 1;
        client.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
    }
    got
}

/// Waits until so many of juliet's sessions are bound and this one of them has no connection.
pub(super) fn until(server: &TestServer, bound: usize, detached: usize) {
    let begun = Instant::now();
    loop {
        let is = server.server().core().accounts.find("juliet@im.example").map_or((0, 0), |account| {
            let state = account.lock();
            (state.resources.len(), state.resources.iter().filter(|b| b.is_detached()).count())
        });
        if is == (bound, detached) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{is:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn lose(server: &TestServer, client: Client, bound: usize) -> String {
    let id = client.var("sm");
    drop(client);
    until(server, bound, 1);
    id
}

pub(super) fn resume(server: &TestServer, id: &str, h: u32) -> Client {
    let mut juliet = again(server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"));
    juliet.expect(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='{{any}}'/>"));
    juliet
}

pub(super) fn stored(server: &TestServer) -> u64 {
    let storage = &server.server().core().storage;
    server.runtime().block_on(async {
        let account = storage.account("juliet@im.example").await.unwrap().unwrap().account;
        storage.offline_count(account.id).await.unwrap().count
    })
}

#[test]
fn a_stored_message_stays_until_it_is_acknowledged() {
    let (server, _romeo) = with_stored(25);
    let mut juliet = managed(&server, "balcony");
    assert_eq!(take(&mut juliet, 10), (0..10).collect::<Vec<_>>());
    assert_eq!(stored(&server), 25);
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='5'/>");
    juliet.sync();
    assert_eq!(stored(&server), 21);
}

/// In the middle of a page: nothing is lost, nothing comes twice, nothing is out of order.
#[test]
fn a_hand_out_goes_on_where_it_was() {
    let (server, mut romeo) = with_stored(25);
    let mut juliet = managed(&server, "balcony");
    assert_eq!(take(&mut juliet, 6), (0..6).collect::<Vec<_>>());
    let id = lose(&server, juliet, 1);
    romeo.send("<message to='juliet@im.example' type='chat' id='25'><body/></message>");
    romeo.sync();
    let mut h = 4;
    let mut juliet = resume(&server, &id, h);
    assert_eq!(take_acknowledging(&mut juliet, &mut h, 23), (3..26).collect::<Vec<_>>());
    juliet.sync();
    assert_eq!(stored(&server), 0);
    romeo.send("<message to='juliet@im.example' type='chat' id='26'><body/></message>");
    assert_eq!(take(&mut juliet, 1), [26]);
}

/// Whoever can take the stored messages gets them, and not for the second time who comes back.
#[test]
fn another_resource_does_not_wait_for_a_lost_one() {
    let (server, mut romeo) = with_stored(25);
    let mut lost = managed(&server, "balcony");
    assert_eq!(take(&mut lost, 10), (0..10).collect::<Vec<_>>());
    let id = lose(&server, lost, 1);

    let mut juliet = server.login("juliet", "secret", "chamber");
    juliet.send("<presence/>");
    let mut got = Vec::new();
    while got.len() < 25 {
        let el = juliet.next();
        got.extend(el.attr("id").filter(|_| el.name == "message").and_then(|id| id.parse::<usize>().ok()));
    }
    assert_eq!(got, (0..25).collect::<Vec<_>>());
    juliet.sync();
    assert_eq!(stored(&server), 0);

    let mut back = resume(&server, &id, 4);
    let got = back.sync();
    assert!(got.iter().all(|el| el.name != "message"), "{got:?}");
    romeo.send("<message to='juliet@im.example' type='chat' id='25'><body/></message>");
    assert_eq!(take(&mut back, 1), [25]);
    assert_eq!(take(&mut juliet, 1), [25]);
}

/// The other one is there already.
#[test]
fn a_lost_hand_out_goes_to_who_is_there() {
    let (server, _romeo) = with_stored(15);
    let mut other = server.login("juliet", "secret", "chamber");
    other.send("<presence><priority>-1</priority></presence>");
    other.sync();
    let mut lost = server.login("juliet", "secret", "balcony");
    enable(&mut lost);
    lost.send("<presence/>");
    while next_stanza(&mut lost).attr("id") != Some("9") {}
    other.send("<presence/>");
    other.sync();
    let id = lose(&server, lost, 2);
    let mut got = Vec::new();
    while got.len() < 15 {
        let el = other.next();
        got.extend(el.attr("id").filter(|_| el.name == "message").and_then(|id| id.parse::<usize>().ok()));
    }
    assert_eq!(got, (0..15).collect::<Vec<_>>());
    resume(&server, &id, 0);
}

/// Two have a copy each: what one of them does not acknowledge is no reason to send it again to the other.
#[test]
fn a_copy_that_somebody_has_goes_nowhere_else() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    let mut other = server.login("juliet", "secret", "chamber");
    other.available();
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body/></message>");
    romeo.sync();
    while next_stanza(&mut juliet).name != "message" {}
    assert_eq!(other.next().attr("id"), Some("1"));
    juliet.close();
    until(&server, 1, 0);
    let got = other.sync();
    assert!(got.iter().all(|el| el.name == "presence"), "{got:?}");
    assert_eq!(stored(&server), 0);
}

/// Neither of the two has acknowledged it.
#[test]
fn a_copy_that_nobody_has_is_kept_once() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    let mut other = server.login("juliet", "secret", "chamber");
    enable(&mut other);
    other.available();
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body/></message>");
    romeo.sync();
    while next_stanza(&mut juliet).name != "message" {}
    while next_stanza(&mut other).name != "message" {}
    juliet.close();
    until(&server, 1, 0);
    assert_eq!(stored(&server), 0);
    other.close();
    until(&server, 0, 0);
    server.runtime().block_on(server.server().core().storage.barrier()).unwrap();
    assert_eq!(stored(&server), 1);
}

#[test]
fn presence_stands_until_the_time_is_up() {
    let server = TestServer::with(|c| c.limits.resume_seconds_max = Duration::from_secs(1));
    let (_romeo, juliet) = pair(&server);
    let mut other = server.login("juliet", "secret", "chamber");
    other.available();
    lose(&server, juliet, 2);
    other.expect_nothing();
    other.expect("<presence from='juliet@im.example/balcony' to='{any}' type='unavailable'/>");
    until(&server, 1, 0);
}

#[test]
fn an_operator_ends_it_at_once() {
    let server = TestServer::start();
    let (_romeo, juliet) = pair(&server);
    let id = lose(&server, juliet, 1);
    let account = server.server().core().accounts.find("juliet@im.example").unwrap();
    account.lock().resources[0].resource.outbox.close(magpie::close::CloseReason::Kicked);
    until(&server, 0, 0);
    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    juliet.expect(
        "<failed xmlns='urn:xmpp:sm:3' h='0'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
}

#[test]
fn it_makes_room_for_a_new_one() {
    let server = TestServer::with(|c| c.limits.resources_per_account_max = 2);
    let (_romeo, juliet) = pair(&server);
    lose(&server, juliet, 1);
    let _first = server.login("juliet", "secret", "chamber");
    let _second = server.login("juliet", "secret", "garden");
    until(&server, 2, 0);
}

/// Lost again and again, the session goes on.
#[test]
fn it_can_be_resumed_many_times() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    let id = juliet.var("sm");
    for h in 0..20 {
        say(&mut romeo, &h.to_string());
        drop(juliet);
        juliet = resume(&server, &id, h);
        let got = next_stanza(&mut juliet);
        assert_eq!(got.attr("id"), Some(h.to_string().as_str()));
    }
}

/// Nothing more is sent to a client that acknowledges nothing, and all of it when it does.
#[test]
fn what_is_not_acknowledged_is_bounded() {
    let server = TestServer::with(|c| c.limits.unacked_stanzas_max = 2);
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send(&burst(5));
    let mut h = 0;
    for n in [2, 2, 1] {
        assert_eq!(take(&mut juliet, n), (h..h + n).collect::<Vec<_>>());
        h += n;
        if n == 2 {
            assert!(juliet.next().is("r", SM));
        }
        juliet.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
    }
    romeo.sync();
    juliet.sync();
}

/// While another connection of the same client takes over, messages keep coming; each comes once and in order.
#[test]
fn nothing_is_lost_between_two_connections() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    let id = juliet.var("sm");
    let writer = std::thread::spawn(move || {
        for n in 0..600 {
            romeo.send(&format!("<message to='juliet@im.example' type='chat' id='{n}'><body/></message>"));
            if n % 20 == 0 {
                romeo.sync();
            }
        }
        romeo.sync();
    });
    let (mut h, mut got) = (0, Vec::new());
    while got.len() < 600 {
        let count = 60.min(600 - got.len());
        got.extend(take_acknowledging(&mut juliet, &mut h, count));
        juliet = resume(&server, &id, h);
    }
    writer.join().unwrap();
    assert_eq!(got, (0..600).collect::<Vec<_>>());
    juliet.sync();
    assert_eq!(stored(&server), 0);
}

/// A request that was answered is followed by another one if something was sent behind it.
#[test]
fn whoever_answers_requests_gets_everything() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    let filling = "x".repeat(2_000);
    for n in 0..150 {
        romeo.send(&format!("<message to='juliet@im.example' type='chat' id='{n}'><body>{filling}</body></message>"));
    }
    romeo.sync();
    let mut juliet = managed(&server, "balcony");
    let (mut h, mut got) = (1, 0);
    while got < 150 {
        let el = juliet.next();
        match el.is("r", SM) {
            true => juliet.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>")),
            false => {
                h += 1;
                got += usize::from(el.name == "message");
            }
        }
    }
}

/// Two are lost, and the one that comes back is not the one that has stored messages in hand.
#[test]
fn whoever_comes_back_first_gets_what_is_stored() {
    let server = TestServer::with(|c| c.limits.offline_replay_batch_max = 10);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    let first = managed(&server, "chamber");
    let first = lose(&server, first, 1);
    romeo.send(&burst(15));
    romeo.sync();
    let mut second = server.login("juliet", "secret", "balcony");
    enable(&mut second);
    second.send("<presence/>");
    while next_stanza(&mut second).attr("id") != Some("9") {}
    let id = second.var("sm");
    drop(second);
    until(&server, 2, 2);

    let (mut h, mut got) = (1, Vec::new());
    let mut first = resume(&server, &first, h);
    while got.len() < 15 {
        let el = next_stanza(&mut first);
        h += 1;
        first.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
        got.extend(el.attr("id").filter(|_| el.name == "message").and_then(|id| id.parse::<usize>().ok()));
    }
    assert_eq!(got, (0..15).collect::<Vec<_>>());
    first.sync();
    assert_eq!(stored(&server), 0);
    let got = resume(&server, &id, 0).sync();
    assert!(got.iter().all(|el| el.name != "message"), "{got:?}");
}
