//! Requests that wait for an answer (RFC 6121 §3.1.3).

use super::strangers;
use crate::support::contacts::presences;
use crate::support::{Client, TestServer, settle};

const REQUEST: &str = "<presence type='subscribe' id='{opt}' from='romeo@im.example' to='juliet@im.example'>\
                       <status>please</status></presence>";

#[track_caller]
fn ask(romeo: &mut Client) {
    romeo.send("<presence type='subscribe' to='juliet@im.example'><status>please</status></presence>");
    romeo.sync();
}

/// Requests among what initial presence brings.
#[track_caller]
fn asked(juliet: &mut Client) -> Vec<String> {
    presences(&juliet.available(), "subscribe")
}

/// RFC 6121 §3.1.3: the complete stanza is kept and comes with every initial presence until it is answered; later
/// presence does not bring it.
#[test]
fn a_request_comes_with_every_initial_presence_until_answered() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    ask(&mut romeo);
    let mut first = server.login("juliet", "secret", "balcony");
    first.roster();
    first.expect_nothing();
    first.send("<presence/>");
    first.expect_in_any_order(&[REQUEST, "<presence from='{jid}' to='{jid}'/>"]);
    assert!(asked(&mut first).is_empty(), "the second presence is no initial one");
    let mut second = server.login("juliet", "secret", "chamber");
    assert_eq!(asked(&mut second), ["romeo@im.example"]);
    first.sync();
    first.send("<presence type='unavailable'/>");
    first.sync();
    assert_eq!(asked(&mut first), ["romeo@im.example"]);
    second.sync();
    second.send("<presence type='subscribed' to='romeo@im.example'/>");
    second.sync();
    first.sync();
    first.send("<presence type='unavailable'/>");
    first.sync();
    assert!(asked(&mut first).is_empty());
}

/// RFC 6121 §3.1.3: a negative priority does not make a resource unavailable.
#[test]
fn a_request_comes_whatever_the_priority() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    ask(&mut romeo);
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence><priority>-5</priority></presence>");
    assert_eq!(presences(&juliet.sync(), "subscribe"), ["romeo@im.example"]);
}

/// RFC 6121 §3.1.3: asking again neither repeats nor multiplies the request.
#[test]
fn asking_again_changes_nothing() {
    let (server, mut romeo, mut juliet) = strangers();
    ask(&mut romeo);
    juliet.expect(REQUEST);
    for _ in 0..3 {
        ask(&mut romeo);
        romeo.send("<presence type='subscribe' to='juliet@im.example'><status>pretty please</status></presence>");
    }
    settle(&mut romeo, &mut juliet);
    let mut again = server.login("juliet", "secret", "chamber");
    again.send("<presence/>");
    let seen = again.sync();
    let requests: Vec<_> = seen.iter().filter(|el| el.attr("type") == Some("subscribe")).collect();
    assert_eq!(requests.len(), 1, "{requests:?}");
}

/// RFC 6121 §3.1.3: "kept" means on disk.
#[test]
fn a_request_survives_a_restart() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='subscribe' id='&lt;1&gt;' to='juliet@im.example'><status>please</status></presence>");
    romeo.sync();
    server.restart();
    for resource in ["balcony", "chamber"] {
        let mut juliet = server.login("juliet", "secret", resource);
        juliet.roster();
        juliet.send("<presence/>");
        juliet.expect_in_any_order(&[REQUEST, "<presence from='{jid}' to='{jid}'/>"]);
        juliet.expect_roster(&[]);
        juliet.close();
    }
}

/// RFC 6121 §3.1.5, §3.2: approved or denied, it does not come back.
#[test]
fn an_answered_request_does_not_come_back() {
    for answer in ["subscribed", "unsubscribed"] {
        let mut server = TestServer::start();
        server.accounts(&["romeo", "juliet"]);
        let mut romeo = server.present("romeo", "orchard");
        ask(&mut romeo);
        let mut juliet = server.present("juliet", "balcony");
        juliet.send(&format!("<presence type='{answer}' to='romeo@im.example'/>"));
        juliet.sync();
        let mut again = server.login("juliet", "secret", "chamber");
        assert!(asked(&mut again).is_empty(), "{answer}");
        server.restart();
        let mut again = server.login("juliet", "secret", "chamber");
        assert!(asked(&mut again).is_empty(), "{answer} after a restart");
    }
}

/// RFC 6121 §3.3: a request that was withdrawn is gone.
#[test]
fn a_withdrawn_request_does_not_come_back() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    ask(&mut romeo);
    romeo.send("<presence type='unsubscribe' to='juliet@im.example'/>");
    romeo.sync();
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='none'/>"]);
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert!(asked(&mut juliet).is_empty());
}

/// RFC 6121 §3.2.2: the answer no may come long after.
#[test]
fn a_request_can_be_denied_later() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    ask(&mut romeo);
    let mut juliet = server.present("juliet", "balcony");
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.expect_nothing();
    romeo.expect("<presence type='unsubscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none'/>");
    romeo.expect_nothing();
    juliet.expect_roster(&[]);
    ask(&mut romeo);
    juliet.expect(REQUEST);
}

/// RFC 6121 §3.1.3: requests of several people, each its own.
#[test]
fn requests_of_several_users_wait_side_by_side() {
    let server = TestServer::start();
    server.accounts(&["romeo", "paris", "tybalt", "juliet"]);
    for name in ["romeo", "paris", "tybalt"] {
        ask(&mut server.login(name, "secret", "street"));
    }
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut all = asked(&mut juliet);
    all.sort();
    assert_eq!(all, ["paris@im.example", "romeo@im.example", "tybalt@im.example"]);
    juliet.send("<presence type='unsubscribed' to='paris@im.example'/>");
    juliet.sync();
    let mut again = server.login("juliet", "secret", "chamber");
    let mut rest = asked(&mut again);
    rest.sort();
    assert_eq!(rest, ["romeo@im.example", "tybalt@im.example"]);
}

/// The limit `subscription_requests_pending_max`: further requests are not kept or shown; the asker sees no difference;
/// room comes with every answer.
#[test]
fn only_so_many_requests_wait() {
    let server = TestServer::with(|c| c.limits.subscription_requests_pending_max = 2);
    server.accounts(&["a", "b", "c", "juliet"]);
    for name in ["a", "b", "c"] {
        let mut asker = server.present(name, "street");
        asker.send("<presence type='subscribe' to='juliet@im.example'/>");
        asker.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
        asker.expect_nothing();
    }
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert_eq!(asked(&mut juliet), ["a@im.example", "b@im.example"]);
    juliet.send("<presence type='unsubscribed' to='a@im.example'/>");
    juliet.sync();
    let mut asker = server.login("c", "secret", "street");
    asker.send("<presence type='subscribe' to='juliet@im.example'/>");
    asker.sync();
    juliet.expect("<presence type='subscribe' from='c@im.example' to='juliet@im.example'/>");
}

/// The limit `subscription_request_bytes_max`: of a large request only the request is kept.
#[test]
fn the_extensions_of_a_large_request_are_not_kept() {
    let server = TestServer::with(|c| c.limits.subscription_request_bytes_max = 1000);
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.login("romeo", "secret", "orchard");
    let status = format!("<status>{}</status>", "x".repeat(2000));
    romeo.send(&format!("<presence type='subscribe' to='juliet@im.example'>{status}</presence>"));
    romeo.sync();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    juliet.expect_in_any_order(&[
        "<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>",
        "<presence from='{jid}' to='{jid}'/>",
    ]);
}

/// The limit `roster_items_max`: a request that cannot be approved for want of room waits on.
#[test]
fn a_full_roster_cannot_approve() {
    let server = TestServer::with(|c| c.limits.roster_items_max = 1);
    server.accounts(&["romeo", "juliet"]);
    server.contact("juliet", "nurse", "None");
    let mut romeo = server.present("romeo", "orchard");
    ask(&mut romeo);
    let mut juliet = server.present("juliet", "balcony");
    juliet.send("<presence type='subscribed' id='s' to='romeo@im.example'/>");
    juliet.expect_stanza_error("presence", "s", "wait", "resource-constraint");
    juliet.expect_nothing();
    romeo.sync();
    let mut again = server.login("juliet", "secret", "chamber");
    assert_eq!(asked(&mut again), ["romeo@im.example"]);
    juliet.sync();
    let nurse = "<item jid='nurse@im.example' subscription='remove'/>";
    juliet.change_roster(nurse, nurse);
    juliet.send("<presence type='subscribed' id='s' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='from'/>");
}
