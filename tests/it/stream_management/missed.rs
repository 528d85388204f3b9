//! What a client without a connection misses while another one of its user's is there, and who resumes when several want to.

use super::detached::{lose, next_stanza, resume, stored, until};
use super::{SM, again, enable, pair};
use crate::support::{Client, TestServer};
use std::time::Duration;

/// Juliet's second client.
fn other(server: &TestServer) -> Client {
    let mut other = server.login("juliet", "secret", "chamber");
    other.available();
    other
}

fn to_bare(from: &mut Client, ids: std::ops::Range<usize>) {
    for n in ids {
        from.send(&format!("<message to='juliet@im.example' type='chat' id='{n}'><body/></message>"));
    }
    from.sync();
}

fn messages(client: &mut Client, count: usize) -> Vec<String> {
    let mut got = Vec::new();
    while got.len() < count {
        let el = next_stanza(client);
        got.extend(el.attr("id").filter(|_| el.name == "message").map(str::to_owned));
    }
    got
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

/// §5: it "SHOULD NOT try to re-establish state information", so it does not ask the archive either.
#[test]
fn it_gets_what_another_one_was_given() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    let mut other = other(&server);
    to_bare(&mut romeo, 0..2);
    assert_eq!(messages(&mut juliet, 2), numbers(0..2));
    let id = lose(&server, juliet, 2);
    to_bare(&mut romeo, 2..5);
    assert_eq!(messages(&mut other, 5), numbers(0..5));
    assert_eq!(stored(&server), 0);
    let mut juliet = resume(&server, &id, 2);
    // One presence of the other's, and one message acknowledged.
    assert_eq!(messages(&mut juliet, 4), numbers(1..5));
    to_bare(&mut romeo, 5..6);
    assert_eq!(messages(&mut juliet, 1), numbers(5..6));
    juliet.sync();
}

/// Its sender's acknowledgement does not wait for it.
#[test]
fn nobody_waits_for_it() {
    let server = TestServer::start();
    let (mut romeo, juliet) = pair(&server);
    let mut other = other(&server);
    enable(&mut romeo);
    lose(&server, juliet, 2);
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body/></message><r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    assert_eq!(messages(&mut other, 1), ["1"]);
}

/// Somebody had it.
#[test]
fn what_it_missed_ends_with_it() {
    let server = TestServer::start();
    let (mut romeo, juliet) = pair(&server);
    let mut other = other(&server);
    lose(&server, juliet, 2);
    to_bare(&mut romeo, 0..1);
    assert_eq!(messages(&mut other, 1), ["0"]);
    let account = server.server().core().accounts.find("juliet@im.example").unwrap();
    account.lock().resources[0].resource.outbox.close(magpie::close::CloseReason::Kicked);
    until(&server, 1, 0);
    let got = other.sync();
    assert!(got.iter().all(|el| el.name != "message"), "{got:?}");
    assert_eq!(stored(&server), 0);
}

/// One that misses too much is told so: it cannot be resumed, and asks the archive.
#[test]
fn what_it_misses_is_bounded() {
    let server = TestServer::with(|c| c.limits.unacked_stanzas_max = 3);
    let (mut romeo, juliet) = pair(&server);
    let mut other = other(&server);
    let id = lose(&server, juliet, 2);
    to_bare(&mut romeo, 0..5);
    assert_eq!(messages(&mut other, 5), numbers(0..5));
    until(&server, 1, 0);
    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    juliet.expect(
        "<failed xmlns='urn:xmpp:sm:3' h='0'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
}

/// Headlines and what must not be stored are for now or never.
#[test]
fn what_is_fleeting_is_not_missed() {
    let server = TestServer::start();
    let (mut romeo, juliet) = pair(&server);
    let mut other = other(&server);
    let id = lose(&server, juliet, 2);
    romeo.send(
        "<message to='juliet@im.example' type='headline' id='1'><body/></message>\
         <message to='juliet@im.example' type='chat' id='2'><body/><no-store xmlns='urn:xmpp:hints'/></message>",
    );
    romeo.sync();
    assert_eq!(messages(&mut other, 2), ["1", "2"]);
    let got = resume(&server, &id, 0).sync();
    assert!(got.iter().all(|el| el.name != "message"), "{got:?}");
}

/// §5: "the server MAY also include a 'h' attribute".
#[test]
fn the_count_of_a_session_that_is_over_is_told() {
    let server = TestServer::with(|c| c.limits.resume_seconds_max = Duration::from_secs(1));
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    enable(&mut romeo);
    romeo.send("<message to='juliet@{domain}' id='1' type='chat'><body/></message>");
    romeo.sync();
    let id = romeo.var("sm");
    drop(romeo);
    let gone = || server.server().core().resumable.find(&id).is_none();
    while !gone() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>");
    let mut romeo = again(&server, "romeo");
    romeo.send(&resume);
    // The message and the ping.
    romeo.expect(
        "<failed xmlns='urn:xmpp:sm:3' h='2'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
    // Nobody else learns it.
    let mut juliet = again(&server, "juliet");
    juliet.send(&resume);
    juliet
        .expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
}

/// §3: "the server's preferred IP address or hostname (optionally with a port) for reconnection".
#[test]
fn where_to_resume_is_said_if_it_is_set() {
    let server = TestServer::with(|c| c.c2s.resume_location = "[2001:db8::1]:5222".to_owned());
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    romeo.expect("<enabled xmlns='urn:xmpp:sm:3' id='{any}' location='[2001:db8::1]:5222' resume='true' max='{any}'/>");
}

/// Two connections want the same session: the later one gets it, and neither waits for long.
#[test]
fn of_two_that_resume_the_later_one_wins() {
    let server = TestServer::start();
    let (mut romeo, juliet) = pair(&server);
    let id = juliet.var("sm");
    for n in 0..20 {
        let (mut first, mut second) = (again(&server, "juliet"), again(&server, "juliet"));
        let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{n}'/>");
        first.send(&resume);
        second.send(&resume);
        // Whichever the server saw first has been told so, or has been resumed and replaced.
        let resumed: Vec<bool> = [&mut first, &mut second].map(|client| client.next().is("resumed", SM)).into();
        assert!(resumed.contains(&true));
        to_bare(&mut romeo, n..n + 1);
        let got = std::thread::scope(|scope| {
            let of = |client, resumed| scope.spawn(move || resumed && has_message(client));
            let both = [of(&mut first, resumed[0]), of(&mut second, resumed[1])];
            both.map(|one| one.join().unwrap())
        });
        assert!(got[0] != got[1], "{resumed:?} {got:?}");
    }
}

/// Does it get a message, and not the end of its stream?
fn has_message(client: &mut Client) -> bool {
    loop {
        let el = client.next();
        if el.name == "message" || el.name == "error" {
            return el.name == "message";
        }
    }
}

/// The stamp of a message that was sent and did not arrive is that of its first sending (XEP-0203).
#[test]
fn what_goes_another_way_is_stamped() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    romeo.send("<message to='{juliet}' type='chat' id='1'><body/></message>");
    romeo.sync();
    assert_eq!(messages(&mut juliet, 1), ["1"]);
    let mut other = other(&server);
    juliet.close();
    loop {
        let el = other.next();
        if el.name == "message" {
            assert!(el.find("delay", "urn:xmpp:delay").is_some(), "{el:?}");
            return;
        }
    }
}

/// What an operator sees is where the client is now.
#[test]
fn a_session_is_where_it_was_resumed() {
    let server = TestServer::start();
    let (_romeo, juliet) = pair(&server);
    let id = lose(&server, juliet, 1);
    let _juliet = resume(&server, &id, 0);
    let account = server.server().core().accounts.find("juliet@im.example").unwrap();
    let (peer, encrypted) = *account.lock().resources[0].moved_to.clone().expect("a newer connection");
    assert!(peer.is_loopback() && encrypted);
}
