//! Initial and changed presence (RFC 6121 §4.2, §4.4), and what a login brings (§4.3).

use super::friends;
use crate::support::contacts::presences;
use crate::support::{TestServer, settle};

/// RFC 6121 §4.2.2, §4.2.3: to every available resource of every subscriber; `to` is the contact's bare JID. A subscriber
/// that is merely connected gets nothing.
#[test]
fn initial_presence_goes_to_every_available_resource_of_subscribers() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse"]);
    server.friends("romeo", "juliet");
    server.contact("romeo", "nurse", "From");
    server.contact("nurse", "romeo", "To");
    let mut balcony = server.present("juliet", "balcony");
    let mut chamber = server.present("juliet", "chamber");
    let mut tomb = server.login("juliet", "secret", "tomb");
    tomb.roster();
    let mut hall = server.present("nurse", "hall");
    balcony.sync();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence/>");
    romeo.sync();
    for client in [&mut balcony, &mut chamber] {
        client.expect("<presence from='{romeo}' to='juliet@im.example'/>");
        client.expect_nothing();
    }
    hall.expect("<presence from='{romeo}' to='nurse@im.example'/>");
    hall.expect_nothing();
    tomb.expect_nothing();
}

/// RFC 6121 §4.2.2, §4.3.1: which presence goes where, by the state of both rosters. Both must agree: a subscription only
/// one side knows of shows nothing.
#[test]
fn both_rosters_must_agree() {
    let states = ["None", "To", "From", "Both", "None+Out", "None+In"];
    let server = TestServer::start();
    for (n, user) in states.into_iter().enumerate() {
        for (m, contact) in states.into_iter().enumerate() {
            let (u, c) = (format!("u{n}{m}"), format!("c{n}{m}"));
            server.accounts(&[&u, &c]);
            server.contact(&u, &c, user);
            server.contact(&c, &u, contact);
            let mut there = server.present(&c, "there");
            let mut comes = server.login(&u, "secret", "comes");
            let seen = comes.available();
            let (has_from, has_to) = (|s: &str| matches!(s, "From" | "Both"), |s: &str| matches!(s, "To" | "Both"));
            let context = format!("{u}: {user}, {c}: {contact}");
            let (comes_jid, there_jid) = (comes.var("jid"), there.var("jid"));
            let told = has_from(user) && has_to(contact);
            assert_eq!(presences(&there.sync(), "").contains(&comes_jid), told, "told: {context}");
            let learns = has_to(user) && has_from(contact);
            assert_eq!(presences(&seen, "").contains(&there_jid), learns, "learns: {context}");
            // The same for later presence, in both directions, and for the end.
            comes.send("<presence><show>xa</show></presence>");
            comes.sync();
            assert_eq!(presences(&there.sync(), "").contains(&comes_jid), told, "changed: {context}");
            there.send("<presence><show>xa</show></presence>");
            there.sync();
            assert_eq!(presences(&comes.sync(), "").contains(&there_jid), learns, "changed back: {context}");
            there.send("<presence type='unavailable'/>");
            there.sync();
            assert_eq!(presences(&comes.sync(), "unavailable").contains(&there_jid), learns, "gone back: {context}");
            comes.send("<presence type='unavailable'/>");
            comes.sync();
            there.expect_nothing();
        }
    }
}

/// RFC 6121 §4.3.1, §4.3.2: a login brings the last presence of every available resource of each contact, once, and
/// nothing of those who are away.
#[test]
fn a_login_brings_the_contacts_presence() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse", "tybalt"]);
    for contact in ["juliet", "nurse", "tybalt"] {
        server.friends("romeo", contact);
    }
    let mut balcony = server.present("juliet", "balcony");
    balcony.send("<presence><show>away</show><status>sighing</status></presence>");
    balcony.sync();
    let chamber = server.present("juliet", "chamber");
    let mut hall = server.present("nurse", "hall");
    hall.send("<presence type='unavailable'/>");
    hall.sync();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence/>");
    romeo.expect_in_any_order(&[
        "<presence from='{jid}' to='{jid}'/>",
        "<presence from='{juliet/balcony}' to='{jid}'><show>away</show><status>sighing</status></presence>",
        "<presence from='{juliet/chamber}' to='{jid}'/>",
    ]);
    romeo.expect_nothing();
    drop(chamber);
}

/// RFC 6121 §4.4.2: changed presence goes where the initial one went, and probes nobody again.
#[test]
fn changed_presence_is_broadcast_and_asks_nothing() {
    let (_server, mut romeo, mut juliet) = friends();
    for n in 0..3 {
        romeo.send(&format!("<presence id='p{n}'><status>{n}</status></presence>"));
        romeo.expect(&format!("<presence id='p{n}' from='{{jid}}' to='{{jid}}'><status>{n}</status></presence>"));
        romeo.expect_nothing();
        juliet.expect(&format!(
            "<presence id='p{n}' from='{{romeo}}' to='juliet@im.example'><status>{n}</status></presence>"
        ));
        juliet.expect_nothing();
    }
}

/// RFC 6121 §4.2: after "unavailable" the next presence is an initial one again, with all that belongs to it.
#[test]
fn presence_after_unavailable_is_initial_again() {
    let (_server, mut romeo, mut juliet) = friends();
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    juliet.send("<presence><show>dnd</show></presence>");
    juliet.sync();
    romeo.expect_nothing();
    romeo.send("<presence/>");
    romeo.expect_in_any_order(&[
        "<presence from='{jid}' to='{jid}'/>",
        "<presence from='{juliet}' to='{jid}'><show>dnd</show></presence>",
    ]);
    romeo.expect_nothing();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
}

/// RFC 6121 §4.2.2: presence and roster do not depend on each other's order.
#[test]
fn presence_may_come_before_the_roster() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert_eq!(presences(&romeo.available(), "").len(), 2);
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §4.1: a session without presence is invisible, and learns nothing either.
#[test]
fn a_resource_is_invisible_until_it_sends_presence() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.roster();
    settle(&mut romeo, &mut juliet);
    juliet.send("<presence><show>away</show></presence>");
    juliet.sync();
    romeo.expect_nothing();
    let mut again = server.login("juliet", "secret", "chamber");
    assert!(!presences(&again.available(), "").contains(&romeo.var("jid")));
    romeo.close();
    juliet.sync();
    juliet.expect_nothing();
}

/// RFC 6121 §4.2: pipelined presence arrives in order, and the last one stays.
#[test]
fn presence_keeps_its_order() {
    let (server, mut romeo, mut juliet) = friends();
    let all: String = (0..50).map(|n| format!("<presence><status>{n}</status></presence>")).collect();
    romeo.send(&all);
    romeo.sync();
    let statuses: Vec<String> = juliet.sync().iter().map(|el| el.elements().next().unwrap().text()).collect();
    assert_eq!(statuses, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    let mut late = server.login("juliet", "secret", "chamber");
    late.send("<presence/>");
    let last = "<presence from='{romeo}' to='{jid}'><status>49</status></presence>";
    let seen = late.sync();
    assert!(seen.iter().any(|el| late.matches(last, el).is_ok()), "{seen:?}");
}

/// RFC 6121 §3.1.2: a subscription taken up while both are online works from the next presence on, over a restart.
#[test]
fn subscriptions_made_and_kept_carry_presence() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    {
        let mut romeo = server.present("romeo", "orchard");
        let mut juliet = server.present("juliet", "balcony");
        romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
        romeo.sync();
        juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
        juliet.sync();
        romeo.sync();
        juliet.send("<presence><show>chat</show></presence>");
        juliet.sync();
        romeo.expect("<presence from='{juliet}' to='romeo@im.example'><show>chat</show></presence>");
    }
    server.restart();
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
    romeo.send("<presence><show>chat</show></presence>");
    romeo.sync();
    juliet.expect_nothing();
}
