//! Subscriptions and the roster (§3.3, §4): blocking changes neither.

use super::{block, expect_blocked, friends, unblock};
use crate::support::{TestServer, settle};

/// §4: "polite blocking".
#[test]
fn blocking_changes_no_roster() {
    let (_server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
    romeo.sync();
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
}

/// §3.3: "MUST NOT respond and MUST NOT return an error".
#[test]
fn requests_of_somebody_blocked_are_dropped() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    block(&mut juliet, &["romeo@im.example"]);
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
    settle(&mut romeo, &mut juliet);
    let mut phone = server.present("juliet", "phone");
    phone.expect_nothing();
    juliet.sync();
    unblock(&mut juliet, &[]);
    juliet.expect_roster(&[]);
}

/// A request that waited is not shown while its sender is blocked.
#[test]
fn a_waiting_request_is_not_repeated() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.contact("juliet", "romeo", "None+In");
    let mut juliet = server.login("juliet", "secret", "balcony");
    block(&mut juliet, &["romeo@im.example"]);
    assert!(juliet.available().iter().all(|el| el.attr("type") != Some("subscribe")));
    unblock(&mut juliet, &["romeo@im.example"]);
    juliet.send("<presence type='unavailable'/>");
    juliet.sync();
    assert!(juliet.available().iter().any(|el| el.attr("type") == Some("subscribe")));
}

/// §3.3, the other way.
#[test]
fn requests_to_somebody_blocked_are_refused() {
    let (_server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    romeo.sync();
    for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
        juliet.send(&format!("<presence type='{kind}' id='p' to='romeo@im.example'/>"));
        expect_blocked_by_account(&mut juliet, "p", "romeo@im.example");
    }
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
    settle(&mut juliet, &mut romeo);
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
}

/// Such a stanza is sent by the account (RFC 6121 §3.1.2), and so its error goes there.
#[track_caller]
fn expect_blocked_by_account(client: &mut crate::support::Client, id: &str, from: &str) {
    client.expect(&format!(
        "<presence type='error' id='{id}' from='{from}' to='{{any}}'><error type='cancel'>\
         <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><blocked xmlns='urn:xmpp:blocking:errors'/>\
         </error></presence>"
    ));
}

/// Who is blocked ends a subscription: nothing of that is delivered, but the rosters do not disagree.
#[test]
fn a_subscription_that_ends_does_so_silently() {
    let (_server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.sync();
    romeo.change_roster(
        "<item jid='juliet@im.example' subscription='remove'/>",
        "<item jid='juliet@im.example' subscription='remove'/>",
    );
    romeo.expect_nothing();
    let seen = juliet.sync();
    assert!(seen.iter().all(|el| el.name == "iq"), "{seen:?}");
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='none'/>"]);
    unblock(&mut juliet, &["romeo@im.example"]);
    juliet.expect_nothing();
    romeo.expect_nothing();
}

/// The user may take somebody blocked out of the roster like anybody else.
#[test]
fn somebody_blocked_can_be_removed() {
    let (_server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.sync();
    juliet.change_roster(
        "<item jid='romeo@im.example' subscription='remove'/>",
        "<item jid='romeo@im.example' subscription='remove'/>",
    );
    romeo.sync();
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='none'/>"]);
    // Still blocked.
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    juliet.send("<message to='romeo@im.example' type='chat' id='1'><body>hi</body></message>");
    expect_blocked(&mut juliet, "message", "1", "romeo@im.example");
}
