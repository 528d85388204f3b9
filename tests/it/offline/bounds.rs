//! How much is kept, and for how long (XEP-0160 §3, RFC 6121 §8.5.2.2.1).

use super::{burst, collect, log_in_and_take, nothing_left, stored};
use crate::support::TestServer;
use magpie::xep::offline;

const DAY_US: i64 = 86_400_000_000;

/// Who cannot be kept for any more is told; what was accepted stays; room that is made is used.
#[test]
fn a_full_store_refuses_messages_by_number() {
    let server = TestServer::with(|c| c.offline.messages_max = 5);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for round in 0..2 {
        romeo.send_bytes(&burst("juliet@im.example", round * 10, 8, 1));
        for refused in 5..8 {
            let id = (round * 10 + refused).to_string();
            let error = romeo.expect_stanza_error("message", &id, "cancel", "service-unavailable");
            assert_eq!(error.attr("from"), Some("juliet@im.example"));
        }
        romeo.expect_nothing();
        assert_eq!(log_in_and_take(&server, 5), (round * 10..round * 10 + 5).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_store_refuses_messages_by_bytes() {
    let server = TestServer::with(|c| c.offline.bytes_max = 10_000);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 2, 4_000));
    romeo.send_bytes(&burst("juliet@im.example", 2, 1, 4_000));
    romeo.expect_stanza_error("message", "2", "cancel", "service-unavailable");
    // A small one still fits.
    romeo.send_bytes(&burst("juliet@im.example", 3, 1, 10));
    romeo.expect_nothing();
    assert_eq!(log_in_and_take(&server, 3), [0, 1, 3]);
}

/// The bound is each account's own, and holds over a restart.
#[test]
fn the_bound_is_known_after_a_restart() {
    let mut server = TestServer::with(|c| c.offline.messages_max = 3);
    server.account("juliet", "secret");
    server.account("tybalt", "secret");
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 3, 1));
    romeo.expect_nothing();
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 3, 1, 1));
    romeo.expect_stanza_error("message", "3", "cancel", "service-unavailable");
    romeo.send_bytes(&burst("tybalt@im.example", 0, 3, 1));
    romeo.expect_nothing();
    assert_eq!(log_in_and_take(&server, 3), [0, 1, 2]);
}

/// With a bound of zero nothing is kept, and whoever writes is told (XEP-0160 §2).
#[test]
fn nothing_is_kept_where_nothing_may_be() {
    let server = TestServer::with(|c| c.offline.messages_max = 0);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 1, 1));
    romeo.expect_stanza_error("message", "0", "cancel", "service-unavailable");
    nothing_left(&server);
}

/// Accepted means on disk: a restart, even two, loses nothing and changes no order.
#[test]
fn messages_survive_restarts() {
    let mut server = TestServer::start();
    server.account("juliet", "secret");
    server.account("romeo", "secret");
    for round in 0..3 {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send_bytes(&burst("juliet@im.example", round * 40, 40, 100));
        romeo.expect_nothing();
        server.restart();
    }
    assert_eq!(log_in_and_take(&server, 120), (0..120).collect::<Vec<_>>());
    server.restart();
    nothing_left(&server);
}

/// What was handed out does not come again after a restart, whatever the database knew of it.
#[test]
fn handed_out_messages_do_not_come_back_after_a_restart() {
    let mut server = TestServer::start();
    server.account("juliet", "secret");
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 10, 1));
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    collect(&mut juliet, |got| got.len() == 10);
    server.restart();
    nothing_left(&server);
}

/// `offline.expire_days`: not before its time, then gone without a word; the others stay.
#[test]
fn messages_expire_when_their_time_has_come() {
    let mut server = TestServer::with(|c| c.offline.expire_days = 3);
    server.account("juliet", "secret");
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 5, 1));
    romeo.expect_nothing();
    server.restart_with(|c| c.offline.expire_days = 0);
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 5, 2, 1));
    romeo.expect_nothing();
    let expire = |days: i64| {
        let now = magpie::clock::now_micros();
        server.runtime().block_on(offline::expire(server.server().core(), now + days * DAY_US)).expect("expiry")
    };
    assert_eq!(expire(2), 0);
    assert_eq!(stored(&server).0, 7);
    assert_eq!(expire(4), 5);
    assert_eq!(expire(40_000), 0, "the later ones have no end");
    assert_eq!(log_in_and_take(&server, 2), [5, 6]);
}

/// Room that expiry made is used again.
#[test]
fn expiry_makes_room() {
    let server = TestServer::with(|c| {
        c.offline.expire_days = 1;
        c.offline.messages_max = 3;
    });
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send_bytes(&burst("juliet@im.example", 0, 3, 1));
    romeo.expect_nothing();
    let later = magpie::clock::now_micros() + 2 * DAY_US;
    assert_eq!(server.runtime().block_on(offline::expire(server.server().core(), later)).expect("expiry"), 3);
    romeo.send_bytes(&burst("juliet@im.example", 3, 3, 1));
    romeo.expect_nothing();
    assert_eq!(log_in_and_take(&server, 3), [3, 4, 5]);
}
