//! Sessions go on over a restart of the server, in order or not.

use super::detached::{lose, next_stanza, resume, stored, until};
use super::{SM, again, enable, pair};
use crate::support::{Client, TestServer};
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
enum How {
    InOrder,
    Killed,
}

fn restart(server: &mut TestServer, how: How) {
    match how {
        How::InOrder => server.restart(),
        How::Killed => server.crash(),
    }
}

/// A resumed client and what the server says it has handled.
fn back(server: &TestServer, user: &str, id: &str, h: u32) -> (Client, u32) {
    let mut client = again(server, user);
    client.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"));
    let resumed = client.next();
    assert!(resumed.is("resumed", SM) && resumed.attr("previd") == Some(id), "{resumed:?}");
    let handled = resumed.attr("h").and_then(|h| h.parse().ok()).expect("a count");
    (client, handled)
}

fn message(to: &str, id: usize) -> String {
    format!("<message to='{to}' type='chat' id='{id}'><body>{id}</body></message>")
}

const JULIET: &str = "juliet@im.example";

/// The ids of what comes before the answer to a ping.
fn all(client: &mut Client) -> Vec<String> {
    let got = client.sync();
    got.iter().filter(|el| el.name == "message").filter_map(|el| el.attr("id").map(str::to_owned)).collect()
}

/// The next messages.
fn take(client: &mut Client, count: usize) -> Vec<String> {
    let mut got = Vec::new();
    while got.len() < count {
        let el = next_stanza(client);
        got.extend(el.attr("id").filter(|_| el.name == "message").map(str::to_owned));
    }
    got
}

/// Everybody's unacknowledged messages come again, counts and presence go on.
fn goes_on(how: How) {
    let mut server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    enable(&mut romeo);
    let (romeos, juliets) = (romeo.var("sm"), juliet.var("sm"));
    romeo.send(&message(JULIET, 1));
    romeo.send(&message(JULIET, 2));
    romeo.send("<r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    assert_eq!(take(&mut juliet, 2), ["1", "2"]);
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='1'/><message to='nobody@im.example' type='error'/>");
    juliet.send("<r xmlns='urn:xmpp:sm:3'/>");
    while !juliet.next().is("a", SM) {}

    restart(&mut server, how);
    let (mut juliet, h) = back(&server, "juliet", &juliets, 1);
    assert_eq!(h, 1);
    assert_eq!(take(&mut juliet, 1), ["2"]);
    let (mut romeo, h) = back(&server, "romeo", &romeos, 0);
    assert_eq!(h, 2);
    // She is available: she gets it at once.
    romeo.send(&message(JULIET, 3));
    assert_eq!(take(&mut juliet, 1), ["3"]);
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='3'/>");
    romeo.send("<r xmlns='urn:xmpp:sm:3'/>");
    while !romeo.next().is("a", SM) {}
    juliet.sync();
    assert_eq!(stored(&server), 0);
}

#[test]
fn a_session_goes_on_after_a_stop() {
    goes_on(How::InOrder);
}

#[test]
fn a_session_goes_on_after_a_kill() {
    goes_on(How::Killed);
}

/// Again and again, and nothing comes twice.
#[test]
fn over_many_restarts() {
    let mut server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    enable(&mut romeo);
    let (romeos, juliets) = (romeo.var("sm"), juliet.var("sm"));
    let (mut had, mut unsure): (u32, Vec<usize>) = (0, Vec::new());
    let mut sent = 0;
    for n in 1..8 {
        romeo.send(&message(JULIET, n));
        unsure.push(n);
        sent += 1;
        assert_eq!(take(&mut juliet, 1), [n.to_string()]);
        had += 1;
        restart(&mut server, if n % 3 == 0 { How::InOrder } else { How::Killed });
        let handled;
        (romeo, handled) = back(&server, "romeo", &romeos, 0);
        // What the server is not sure of is sent again.
        let again = unsure.split_off(unsure.len() - (sent - handled) as usize);
        again.iter().for_each(|&n| romeo.send(&message(JULIET, n)));
        unsure = again;
        (juliet, _) = back(&server, "juliet", &juliets, had);
    }
    romeo.send("<r xmlns='urn:xmpp:sm:3'/>");
    while !romeo.next().is("a", SM) {}
    assert_eq!(all(&mut juliet), [""; 0]);
    assert_eq!(stored(&server), 0);
}

/// The sender does not know that it arrived, and sends it again.
#[test]
fn what_arrived_does_not_arrive_again() {
    let mut server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    let mut plain = server.online("nurse", "home");
    enable(&mut romeo);
    let (romeos, juliets) = (romeo.var("sm"), juliet.var("sm"));
    let both = [message(JULIET, 1), message("nurse@im.example", 2), message("mercutio@im.example", 3)].concat();
    server.account("mercutio", "secret");
    romeo.send(&both);
    assert_eq!(take(&mut juliet, 1), ["1"]);
    assert_eq!(take(&mut plain, 1), ["2"]);
    while server.runtime().block_on(server.server().core().storage.offline_count_all()).unwrap() < 1 {}
    server.crash();
    let (mut romeo, h) = back(&server, "romeo", &romeos, 0);
    assert_eq!(h, 0);
    romeo.send(&both);
    romeo.sync();
    let (mut juliet, _) = back(&server, "juliet", &juliets, 1);
    assert_eq!(all(&mut juliet), [""; 0]);
    let mut plain = server.login("nurse", "secret", "home");
    plain.send("<presence/>");
    assert_eq!(all(&mut plain), [""; 0]);
    let mut mercutio = server.login("mercutio", "secret", "home");
    mercutio.send("<presence/>");
    assert_eq!(take(&mut mercutio, 1), ["3"]);
    assert_eq!(all(&mut mercutio), [""; 0]);
}

/// It was in nobody's hands: the one who sends it again is believed.
#[test]
fn what_did_not_arrive_arrives() {
    let mut server = TestServer::with(|c| c.limits.unacked_stanzas_max = 1);
    let (mut romeo, mut juliet) = pair(&server);
    enable(&mut romeo);
    let (romeos, juliets) = (romeo.var("sm"), juliet.var("sm"));
    let both = [message(JULIET, 1), message(JULIET, 2)].concat();
    romeo.send(&both);
    // She is sent no more before she has acknowledged the first.
    assert_eq!(take(&mut juliet, 1), ["1"]);
    server.crash_with(|c| c.limits.unacked_stanzas_max = 100);
    let (mut juliet, _) = back(&server, "juliet", &juliets, 1);
    let (mut romeo, _) = back(&server, "romeo", &romeos, 0);
    romeo.send(&both);
    assert_eq!(take(&mut juliet, 1), ["2"]);
    romeo.sync();
    assert_eq!(all(&mut juliet), [""; 0]);
}

/// A client that never comes back: what it had not acknowledged goes to whoever comes instead, once.
fn never_comes_back(how: How) {
    let mut server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send(&[message(JULIET, 1), message(JULIET, 2)].concat());
    assert_eq!(take(&mut juliet, 2), ["1", "2"]);
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    juliet.sync();
    restart(&mut server, how);
    // Its resource is taken by a new session.
    let mut new = server.login("juliet", "secret", "balcony");
    new.send("<presence/>");
    assert_eq!(take(&mut new, 1), ["2"]);
    assert_eq!(all(&mut new), [""; 0]);
    server.crash();
    let mut new = server.login("juliet", "secret", "balcony");
    new.send("<presence/>");
    assert_eq!(all(&mut new), [""; 0]);
}

#[test]
fn a_client_that_never_comes_back_after_a_stop_loses_nothing() {
    never_comes_back(How::InOrder);
}

#[test]
fn a_client_that_never_comes_back_after_a_kill_loses_nothing() {
    never_comes_back(How::Killed);
}

/// The time a session is kept goes on while the server is down; what is left then goes into the store, and stays there once.
#[test]
fn the_time_of_a_session_runs_out() {
    let mut server = TestServer::with(|c| c.limits.resume_seconds_max = Duration::from_secs(2));
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send(&message(JULIET, 1));
    assert_eq!(take(&mut juliet, 1), ["1"]);
    let id = juliet.var("sm");
    server.crash();
    until(&server, 0, 0);
    server.runtime().block_on(server.server().core().storage.barrier()).unwrap();
    assert_eq!(stored(&server), 1);
    server.crash();
    assert_eq!(stored(&server), 1);
    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    juliet
        .expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
}

/// An operator who wants no resumption any more gets none.
#[test]
fn resumption_may_be_turned_off_in_between() {
    let mut server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send(&message(JULIET, 1));
    assert_eq!(take(&mut juliet, 1), ["1"]);
    server.crash_with(|c| c.limits.resume_seconds_max = Duration::ZERO);
    until(&server, 0, 0);
    server.runtime().block_on(server.server().core().storage.barrier()).unwrap();
    assert_eq!(stored(&server), 1);
}

/// Each of two devices gets what it has not acknowledged, and what one of them has is not stored for the other.
#[test]
fn each_of_several_devices_goes_on() {
    let mut server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    let mut other = server.login("juliet", "secret", "chamber");
    enable(&mut other);
    other.available();
    let (one, two) = (juliet.var("sm"), other.var("sm"));
    romeo.send(&[message(JULIET, 1), message(JULIET, 2)].concat());
    assert_eq!(take(&mut juliet, 2), ["1", "2"]);
    assert_eq!(take(&mut other, 2), ["1", "2"]);
    // Her other presence, and one message.
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    juliet.sync();
    server.crash();
    let (mut juliet, _) = back(&server, "juliet", &one, 2);
    assert_eq!(take(&mut juliet, 1), ["2"]);
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='4'/>");
    juliet.sync();
    // The other one never comes back: nobody misses anything.
    server.crash_with(|c| c.limits.resume_seconds_max = Duration::from_secs(1));
    until(&server, 0, 0);
    server.runtime().block_on(server.server().core().storage.barrier()).unwrap();
    assert_eq!(stored(&server), 0);
    let mut other = again(&server, "juliet");
    other.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{two}' h='0'/>"));
    assert!(other.next().is("failed", SM));
}

/// The sender comes back first and sends again what only one of two devices was given.
#[test]
fn the_other_device_gets_what_it_was_not_given() {
    let mut server = TestServer::with(|c| c.limits.unacked_stanzas_max = 4);
    let (mut romeo, mut juliet) = pair(&server);
    enable(&mut romeo);
    let mut other = server.login("juliet", "secret", "chamber");
    enable(&mut other);
    other.available();
    let (romeos, one, two) = (romeo.var("sm"), juliet.var("sm"), other.var("sm"));
    // The one acknowledges as it goes, the other nothing: it is sent no more after four.
    let sent: String = (1..6).map(|n| message(JULIET, n)).collect();
    romeo.send(&sent);
    assert_eq!(next_stanza(&mut juliet).name, "presence");
    let mut h = 1;
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    for n in 1..6 {
        assert_eq!(take(&mut juliet, 1), [n.to_string()]);
        h += 1;
        juliet.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
    }
    juliet.sync();
    // Two presences, the answer to a ping.
    other.send("<a xmlns='urn:xmpp:sm:3' h='3'/>");
    assert_eq!(take(&mut other, 4), ["1", "2", "3", "4"]);
    server.crash_with(|c| c.limits.unacked_stanzas_max = 100);
    let (mut romeo, _) = back(&server, "romeo", &romeos, 0);
    romeo.send(&sent);
    romeo.sync();
    let (mut other, _) = back(&server, "juliet", &two, 7);
    assert_eq!(take(&mut other, 1), ["5"]);
    let (mut juliet, _) = back(&server, "juliet", &one, h + 1);
    assert_eq!(all(&mut juliet), [""; 0]);
    assert_eq!(all(&mut other), [""; 0]);
    assert_eq!(stored(&server), 0);
}

/// In the middle of a page of stored messages.
fn a_hand_out_goes_on(how: How) {
    let mut server = TestServer::with(|c| c.limits.offline_replay_batch_max = 10);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send(&(0..25).map(|n| message(JULIET, n)).collect::<String>());
    romeo.sync();
    let mut juliet = server.login("juliet", "secret", "balcony");
    enable(&mut juliet);
    let id = juliet.var("sm");
    juliet.send("<presence/>");
    let numbers = |range: std::ops::Range<usize>| range.map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(take(&mut juliet, 6), numbers(0..6));
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='4'/>");
    juliet.sync();
    restart(&mut server, how);
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send(&message(JULIET, 25));
    romeo.sync();
    let (mut juliet, _) = back(&server, "juliet", &id, 5);
    let mut h = 5;
    let mut n = 4;
    while n < 26 {
        let el = next_stanza(&mut juliet);
        h += 1;
        juliet.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
        if el.name == "message" {
            assert_eq!(el.attr("id"), Some(n.to_string().as_str()));
            n += 1;
        }
    }
    assert_eq!(all(&mut juliet), [""; 0]);
    assert_eq!(stored(&server), 0);
}

#[test]
fn a_hand_out_goes_on_after_a_stop() {
    a_hand_out_goes_on(How::InOrder);
}

#[test]
fn a_hand_out_goes_on_after_a_kill() {
    a_hand_out_goes_on(How::Killed);
}

/// Another one of hers takes what is stored; the one that had it in hand is not sent it again.
#[test]
fn a_hand_out_goes_to_who_comes_first() {
    let mut server = TestServer::with(|c| c.limits.offline_replay_batch_max = 10);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send(&(0..15).map(|n| message(JULIET, n)).collect::<String>());
    romeo.sync();
    let mut juliet = server.login("juliet", "secret", "balcony");
    enable(&mut juliet);
    let id = juliet.var("sm");
    juliet.send("<presence/>");
    assert_eq!(take(&mut juliet, 10).len(), 10);
    server.crash();
    let mut other = server.login("juliet", "secret", "chamber");
    other.send("<presence/>");
    assert_eq!(take(&mut other, 15), (0..15).map(|n| n.to_string()).collect::<Vec<_>>());
    other.sync();
    assert_eq!(stored(&server), 0);
    let (mut juliet, _) = back(&server, "juliet", &id, 3);
    assert_eq!(all(&mut juliet), [""; 0]);
    // And after another restart as well.
    server.crash();
    let (mut juliet, _) = back(&server, "juliet", &id, 3);
    assert_eq!(all(&mut juliet), [""; 0]);
}

/// Archived once for each side, under the id its addressee was told.
#[test]
fn what_is_sent_again_is_archived_once() {
    let mut server = TestServer::with(|c| c.archive.enabled = true);
    let (mut romeo, mut juliet) = pair(&server);
    enable(&mut romeo);
    let (romeos, juliets) = (romeo.var("sm"), juliet.var("sm"));
    romeo.send(&message(JULIET, 1));
    let got = loop {
        let el = next_stanza(&mut juliet);
        if el.name == "message" {
            break el;
        }
    };
    let told = got.find("stanza-id", "urn:xmpp:sid:0").and_then(|e| e.attr("id")).expect("an id").to_owned();
    server.crash();
    let (mut romeo, h) = back(&server, "romeo", &romeos, 0);
    assert_eq!(h, 0);
    romeo.send(&message(JULIET, 1));
    romeo.sync();
    let (mut juliet, _) = back(&server, "juliet", &juliets, 1);
    for client in [&mut romeo, &mut juliet] {
        client.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>");
    }
    let results = |client: &mut Client| {
        let mut ids = Vec::new();
        loop {
            let el = next_stanza(client);
            if el.name == "iq" {
                return ids;
            }
            ids.extend(el.find("result", "urn:xmpp:mam:2").and_then(|r| r.attr("id").map(str::to_owned)));
        }
    };
    assert_eq!(results(&mut romeo).len(), 1);
    assert_eq!(results(&mut juliet), [told]);
}

/// What it asked for it gets without asking again: presence of contacts, roster pushes.
#[test]
fn presence_and_interest_stand() {
    let mut server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    juliet.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    juliet.sync();
    let id = juliet.var("sm");
    let _ = lose(&server, juliet, 1);
    romeo.sync();
    server.crash();
    let mut other = server.login("juliet", "secret", "chamber");
    other.send("<presence/>");
    // The presence of the one that has not come back yet.
    let seen: Vec<_> = other.sync().iter().filter_map(|el| el.attr("from").map(str::to_owned)).collect();
    assert!(seen.contains(&"juliet@im.example/balcony".to_owned()), "{seen:?}");
    other.send("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@im.example'/></query></iq>");
    other.sync();
    let mut juliet = resume(&server, &id, 1);
    let begun = Instant::now();
    loop {
        let el = next_stanza(&mut juliet);
        if el.find("query", "jabber:iq:roster").is_some_and(|q| q.find("item", "jabber:iq:roster").is_some()) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

/// An account that was removed while the server was down takes its sessions with it.
#[test]
fn a_removed_account_has_no_sessions() {
    let mut server = TestServer::start();
    let (_romeo, juliet) = pair(&server);
    let id = juliet.var("sm");
    lose(&server, juliet, 1);
    server.stop();
    server.runtime().block_on(async {
        let stopped = magpie::server::Server::offline(server.config().clone()).await.unwrap();
        let storage = &stopped.core().storage;
        let account = storage.account(JULIET).await.unwrap().unwrap().account;
        storage.account_delete(account.id).await.unwrap();
        stopped.close().await.unwrap();
    });
    server.restart();
    server.account("juliet", "secret");
    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    assert!(juliet.next().is("failed", SM));
}
