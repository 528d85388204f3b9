//! Handing out (XEP-0160 §3): in order, once, to somebody who takes messages.

use super::{burst, collect, log_in_and_take, nothing_left, numbers};
use crate::support::TestServer;
use magpie::storage::OfflineRow;

const NEGATIVE: &str = "<presence><priority>-1</priority></presence>";

fn all(count: usize) -> Vec<usize> {
    (0..count).collect()
}

/// Several pages of `limits.offline_replay_batch_max`.
#[test]
fn a_large_backlog_comes_in_order() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 350, 10));
    romeo.expect_nothing();
    assert_eq!(log_in_and_take(&server, 350), all(350));
}

/// Exactly a page, and one message more or less.
#[test]
fn backlogs_about_the_size_of_a_page() {
    let server = TestServer::with(|c| c.limits.offline_replay_batch_max = 10);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for count in [1, 9, 10, 11, 19, 20, 21] {
        romeo.send_bytes(&burst("juliet@im.example", 0, count, 10));
        romeo.expect_nothing();
        assert_eq!(log_in_and_take(&server, count), all(count));
    }
}

/// Few messages, but more bytes than are handed out at a time.
#[test]
fn a_backlog_of_large_messages_comes_whole() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 60, 20_000));
    romeo.expect_nothing();
    assert_eq!(log_in_and_take(&server, 60), all(60));
    // One alone larger than a page.
    romeo.send_bytes(&burst("juliet@im.example", 0, 5, 250_000));
    romeo.expect_nothing();
    assert_eq!(log_in_and_take(&server, 5), all(5));
}

/// What comes meanwhile goes behind, stored or not, and nothing comes twice.
#[test]
fn new_messages_during_the_replay_come_behind_it() {
    let server = TestServer::with(|c| c.offline.messages_max = 10_000);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 400, 500));
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20 {
                romeo.send_bytes(&burst("juliet@im.example", 400 + round * 20, 20, 100));
                romeo.expect_nothing();
            }
        });
        juliet.send("<presence/>");
        assert_eq!(collect(&mut juliet, |got| got.len() >= 800), all(800));
    });
    juliet.expect_nothing();
    juliet.close();
    nothing_left(&server);
}

/// XEP-0160 §3: "available with non-negative priority"; becoming that by a change of presence counts (RFC 6121 §4.4).
#[test]
fn not_to_a_resource_with_negative_priority() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 3, 1));
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.expect_nothing();
    for presence in [NEGATIVE, "<presence><show>dnd</show><priority>-128</priority></presence>"] {
        juliet.send(presence);
        assert!(numbers(&juliet.sync()).is_empty());
    }
    juliet.expect_nothing();
    juliet.send("<presence><priority>0</priority></presence>");
    assert_eq!(collect(&mut juliet, |got| got.len() >= 3), all(3));
}

/// RFC 6121 §8.5.2.1: not to one that has not sent presence, nor to one for whom it was directed.
#[test]
fn not_before_presence_and_not_for_directed_presence() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 3, 1));
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    juliet.expect("<iq type='result' id='r' any-attrs='true'><any/></iq>");
    juliet.send("<presence to='romeo@im.example'/>");
    juliet.expect_nothing();
    juliet.close();
    assert_eq!(log_in_and_take(&server, 3), all(3));
}

/// Whoever is there already has what came; a second resource gets nothing of it again.
#[test]
fn a_second_resource_gets_nothing_again() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 150, 1));
    romeo.expect_nothing();
    let mut balcony = server.login("juliet", "secret", "balcony");
    balcony.send("<presence/>");
    assert_eq!(collect(&mut balcony, |got| got.len() >= 150), all(150));
    let mut chamber = server.login("juliet", "secret", "chamber");
    assert!(numbers(&chamber.available()).is_empty());
    chamber.expect_nothing();
}

/// Two resources at the same moment: each message once, to one of them.
#[test]
fn two_resources_at_once_share_the_backlog() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for _ in 0..5 {
        romeo.send_bytes(&burst("juliet@im.example", 0, 250, 200));
        romeo.expect_nothing();
        let mut both = [server.login("juliet", "secret", "balcony"), server.login("juliet", "secret", "chamber")];
        both.iter_mut().for_each(|client| client.send("<presence/>"));
        let mut got = Vec::new();
        while got.len() < 250 {
            got.extend(both.iter_mut().flat_map(|client| numbers(&client.sync())));
        }
        got.sort_unstable();
        assert_eq!(got, all(250));
        for mut client in both {
            assert!(numbers(&client.sync()).is_empty());
            client.close();
        }
        nothing_left(&server);
    }
}

/// A resource that has them in its queue and does not read is served like any other: nobody else gets them as well.
#[test]
fn messages_waiting_for_a_slow_resource_are_not_given_to_another() {
    let server = TestServer::with(|c| {
        c.limits.outbox_bytes_max = 64 << 20;
        c.limits.outbox_stanzas_max = 100_000;
    });
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 50, 1));
    romeo.expect_nothing();
    // More than sockets take, so that everything behind it stays in the queue.
    let mut slow = server.login("juliet", "secret", "slow");
    let headline =
        format!("<message to='juliet@im.example/slow' type='headline'><body>{}</body></message>", "x".repeat(200_000));
    for _ in 0..100 {
        romeo.send_bytes(headline.as_bytes());
    }
    romeo.send("<message to='{jid}' id='sent'/>");
    romeo.expect("<message to='{jid}' from='{jid}' id='sent'/>");
    slow.send("<presence/><message to='{romeo}' id='there'/>");
    romeo.expect("<message to='{jid}' from='juliet@im.example/slow' id='there'/>");
    let mut quick = server.login("juliet", "secret", "quick");
    for _ in 0..5 {
        quick.send("<presence/><presence type='unavailable'/>");
        assert!(numbers(&quick.sync()).is_empty(), "they wait for the other one");
    }
    quick.close();
    for _ in 0..100 {
        slow.expect("<message type='headline' any-attrs='true'><any/></message>");
    }
    assert_eq!(collect(&mut slow, |got| got.len() >= 50), all(50));
    slow.close();
    nothing_left(&server);
}

/// A row that is no stanza (a damaged disk) holds up nobody.
#[test]
fn a_damaged_message_is_skipped() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for round in 0..2 {
        romeo.send_bytes(&burst("juliet@im.example", round * 5, 5, 1));
        romeo.expect_nothing();
        let storage = &server.server().core().storage;
        server.runtime().block_on(async {
            let account = storage.account("juliet@im.example").await.unwrap().unwrap().account.id;
            let row = OfflineRow { account, stamp_us: 0, expires_us: None, stanza: "<message".into() };
            storage.offline_store(row, Box::new(|stored| stored.expect("stored")));
            storage.barrier().await.expect("committed");
        });
    }
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    assert_eq!(collect(&mut juliet, |got| got.len() >= 10), all(10));
    romeo.send_bytes(&burst("juliet@im.example", 10, 1, 1));
    assert_eq!(collect(&mut juliet, |got| !got.is_empty()), [10]);
    juliet.expect_nothing();
}

/// XEP-0334 §4.2: what must not be stored and can be delivered is delivered, also while stored messages are being handed
/// out.
#[test]
fn a_message_not_to_be_stored_is_delivered_during_the_replay() {
    let server = TestServer::with(|c| {
        c.offline.messages_max = 10_000;
        c.offline.bytes_max = 1 << 30;
    });
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    // Longer than sockets take: the replay stands still while she does not read.
    romeo.send_bytes(&burst("juliet@im.example", 0, 200, 100_000));
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/><message to='{romeo}' id='there'/>");
    romeo.expect("<message to='{jid}' from='juliet@im.example/balcony' id='there'/>");
    for inside in ["<no-store xmlns='urn:xmpp:hints'/>", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"] {
        romeo.send(&format!("<message to='juliet@im.example' type='chat' id='1000'>{inside}</message>"));
    }
    romeo.send("<message to='{jid}' id='sent'/>");
    romeo.expect("<message to='{jid}' from='{jid}' id='sent'/>");
    let mut got = collect(&mut juliet, |got| got.len() >= 202);
    got.sort_unstable();
    assert_eq!(got, all(200).into_iter().chain([1000, 1000]).collect::<Vec<_>>());
    romeo.expect_nothing();
}
