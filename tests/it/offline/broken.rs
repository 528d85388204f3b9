//! Connections that end with something undelivered: it is delivered another way or kept, in order.

use super::{burst, collect, log_in_and_take, nothing_left, numbers, stored};
use crate::support::xml::Event;
use crate::support::{Client, TestServer};

/// Everything to the end of the connection: the numbers of messages, and the stream error if there was one.
fn read_to_end(client: &mut Client) -> (Vec<usize>, Option<String>) {
    let (mut got, mut error) = (Vec::new(), None);
    client.may_be_cut = true;
    while let Some(event) = client.next_event() {
        match event {
            Event::Element(el) if el.name == "message" => got.extend(numbers(&[el])),
            Event::Element(el) if el.name == "error" => error = el.elements().next().map(|el| el.name.clone()),
            _ => {}
        }
    }
    (got, error)
}

/// A server on which a client that does not read is cut off at `bytes`.
fn impatient(bytes: usize) -> TestServer {
    TestServer::with(|c| {
        c.limits.outbox_bytes_max = bytes;
        c.limits.close_seconds_max = std::time::Duration::from_secs(60);
        c.offline.messages_max = 100_000;
        c.offline.bytes_max = 1 << 30;
    })
}

/// What was waiting for a client that did not read goes to the store before what came later. Without acknowledgements
/// (XEP-0198) the last batch given to the connection may come twice; nothing is missing, nothing is out of order.
#[test]
fn what_a_slow_reader_did_not_get_is_kept_in_order() {
    const COUNT: usize = 300;
    let server = impatient(3 << 20);
    let mut slow = server.online("juliet", "slow");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, COUNT, 60_000));
    // The answer comes when every message is safe: nobody waits for a client that does not read.
    romeo.expect_nothing();
    let (seen, error) = read_to_end(&mut slow);
    // Where a stanza is under way, or may be (TLS), nothing can be said any more.
    assert!(error.as_deref().is_none_or(|e| e == "policy-violation"), "{error:?}");
    assert!(seen.iter().copied().eq(0..seen.len()), "{seen:?}");
    let kept = usize::try_from(stored(&server).0).unwrap();
    assert!(kept >= COUNT - seen.len() && kept <= COUNT, "{kept} kept, {} seen", seen.len());
    assert_eq!(log_in_and_take(&server, kept), (COUNT - kept..COUNT).collect::<Vec<_>>());
}

/// The same with somebody else there, who gets everything in order and once: that one resource has a message is enough.
#[test]
fn a_slow_reader_does_not_hold_up_another_resource() {
    const COUNT: usize = 300;
    let server = impatient(3 << 20);
    let mut slow = server.online("juliet", "slow");
    let mut quick = server.login("juliet", "secret", "quick");
    quick.available();
    let mut romeo = server.online("romeo", "orchard");
    let mut gone = false;
    for n in 0..COUNT {
        romeo.send_bytes(&burst("juliet@im.example", n, 1, 60_000));
        let mut el = quick.next();
        if el.name == "presence" {
            gone |= el.attr("type") == Some("unavailable") && el.attr("from") == Some("juliet@im.example/slow");
            el = quick.next();
        }
        assert_eq!(numbers(&[el]), [n]);
    }
    assert!(gone, "nobody was cut off");
    romeo.expect_nothing();
    quick.expect_nothing();
    let (seen, error) = read_to_end(&mut slow);
    assert!(error.as_deref().is_none_or(|e| e == "policy-violation"), "{error:?}");
    assert!(seen.iter().copied().eq(0..seen.len()), "{seen:?}");
    quick.close();
    nothing_left(&server);
}

/// What none of them took is kept, once for all of them.
#[test]
fn two_slow_readers_leave_one_copy() {
    const COUNT: usize = 300;
    let server = impatient(3 << 20);
    let mut slow = [server.online("juliet", "one"), server.login("juliet", "secret", "two")];
    slow[1].available();
    slow[0].sync();
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, COUNT, 60_000));
    romeo.expect_nothing();
    let seen: Vec<usize> = slow
        .iter_mut()
        .map(|client| {
            let (seen, error) = read_to_end(client);
            assert!(error.as_deref().is_none_or(|e| e == "policy-violation"), "{error:?}");
            assert!(seen.iter().copied().eq(0..seen.len()), "{seen:?}");
            seen.len()
        })
        .collect();
    let kept = usize::try_from(stored(&server).0).unwrap();
    assert!(kept >= COUNT - seen[0].max(seen[1]) && kept <= COUNT, "{kept} kept, {seen:?} seen");
    assert_eq!(log_in_and_take(&server, kept), (COUNT - kept..COUNT).collect::<Vec<_>>());
}

/// RFC 6121 §8.5.3.2.1: the resource went away before the message came: chat is kept, the rest is answered.
#[test]
fn to_a_full_address_that_is_gone() {
    let server = TestServer::start();
    server.online("juliet", "balcony").close();
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='juliet@im.example/balcony' type='chat' id='1'><body>hi</body></message>");
    romeo.send("<message to='juliet@im.example/balcony' id='2'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "2", "cancel", "service-unavailable");
    romeo.expect_nothing();
    assert_eq!(log_in_and_take(&server, 1), [1]);
}

/// RFC 6120 §4.6: a connection that breaks without a word. What is sent afterwards is kept or was delivered, never lost.
#[test]
fn a_broken_connection_loses_nothing() {
    let server = TestServer::with(|c| c.offline.messages_max = 10_000);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for round in 0..10 {
        let mut juliet = server.login("juliet", "secret", "balcony");
        juliet.available();
        romeo.send_bytes(&burst("juliet@im.example", 0, 50, 10));
        let got: Vec<usize> = (0..round * 5).flat_map(|_| numbers(&[juliet.next()])).collect();
        juliet.transport.socket().shutdown(std::net::Shutdown::Both).unwrap();
        drop(juliet);
        romeo.expect_nothing();
        let count = usize::try_from(stored(&server).0).unwrap();
        let mut late = server.login("juliet", "secret", "late");
        late.send("<presence/>");
        let kept = collect(&mut late, |got| got.len() >= count);
        late.close();
        // What was written to the broken connection counts as delivered (RFC 6120 knows no better); what was not is here,
        // and it is the end of what was sent.
        assert!(kept.iter().copied().eq(50 - kept.len()..50), "{got:?} and {kept:?}");
        nothing_left(&server);
    }
}

/// RFC 6120 §7.7.2.2: what waited for the old session goes to the new one.
#[test]
fn a_replaced_resource_leaves_its_messages_to_the_new_one() {
    const COUNT: usize = 200;
    let server = TestServer::with(|c| {
        c.limits.outbox_bytes_max = 64 << 20;
        c.limits.close_seconds_max = std::time::Duration::from_secs(60);
        c.offline.messages_max = 100_000;
        c.offline.bytes_max = 1 << 30;
    });
    let mut old = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, COUNT, 60_000));
    romeo.send("<message to='{jid}' id='sent'/>");
    romeo.expect("<message to='{jid}' from='{jid}' id='sent'/>");
    let mut new = server.login("juliet", "secret", "balcony");
    new.expect_nothing();
    let (seen, error) = read_to_end(&mut old);
    assert!(error.as_deref().is_none_or(|e| e == "conflict"), "{error:?}");
    assert!(seen.iter().copied().eq(0..seen.len()), "{seen:?}");
    romeo.expect_nothing();
    new.send("<presence/>");
    let got = collect(&mut new, |got| got.last() == Some(&(COUNT - 1)));
    assert!(got.len() >= COUNT - seen.len() && got.iter().copied().eq(COUNT - got.len()..COUNT), "{got:?}");
    new.expect_nothing();
    new.close();
    nothing_left(&server);
}

/// A replay that breaks off goes on with whoever comes next, where it stopped.
#[test]
fn a_replay_broken_off_goes_on_with_the_next_resource() {
    const COUNT: usize = 400;
    let server = TestServer::with(|c| {
        c.offline.messages_max = 100_000;
        c.offline.bytes_max = 1 << 30;
    });
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, COUNT, 60_000));
    romeo.expect_nothing();
    // It does not read: after some megabytes the replay stands still.
    let mut first = server.login("juliet", "secret", "first");
    first.send("<presence/><message to='{romeo}' id='there'/>");
    romeo.expect("<message to='{jid}' from='juliet@im.example/first' id='there'/>");
    let mut second = server.login("juliet", "secret", "second");
    second.send("<presence/>");
    assert!(numbers(&second.sync()).is_empty(), "one at a time");
    first.transport.socket().shutdown(std::net::Shutdown::Both).unwrap();
    drop(first);
    let got = collect(&mut second, |got| got.last() == Some(&(COUNT - 1)));
    assert!(got.iter().copied().eq(COUNT - got.len()..COUNT), "{got:?}");
    second.expect_nothing();
    second.close();
    nothing_left(&server);
}

/// The same with the last messages in the queue of the one that goes away.
#[test]
fn the_last_page_of_a_replay_is_not_lost_with_its_resource() {
    let server = TestServer::with(|c| {
        c.limits.outbox_bytes_max = 64 << 20;
        c.limits.outbox_stanzas_max = 100_000;
    });
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 20, 1));
    romeo.expect_nothing();
    let mut first = server.login("juliet", "secret", "first");
    let headline =
        format!("<message to='juliet@im.example/first' type='headline'><body>{}</body></message>", "x".repeat(200_000));
    for _ in 0..100 {
        romeo.send_bytes(headline.as_bytes());
    }
    romeo.send("<message to='{jid}' id='sent'/>");
    romeo.expect("<message to='{jid}' from='{jid}' id='sent'/>");
    first.send("<presence/><message to='{romeo}' id='there'/>");
    romeo.expect("<message to='{jid}' from='juliet@im.example/first' id='there'/>");
    let mut second = server.login("juliet", "secret", "second");
    second.send("<presence/>");
    second.sync();
    first.transport.socket().shutdown(std::net::Shutdown::Both).unwrap();
    drop(first);
    assert_eq!(collect(&mut second, |got| got.len() >= 20), (0..20).collect::<Vec<_>>());
    second.expect_nothing();
}
