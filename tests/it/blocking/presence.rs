//! Presence between a user and somebody blocked (§3.3, §3.4): for them the user is offline.

use super::{block, friends, unblock};
use crate::support::contacts::presences;

const GONE: &str = "<presence type='unavailable' from='{juliet/balcony}' to='romeo@im.example'/>";
const HERE: &str = "<presence from='{juliet/balcony}' to='romeo@im.example'><show>away</show></presence>";

/// §3.3, §3.4, on the side of who is blocked: gone, silent whatever the user does, and there again.
#[test]
fn who_is_blocked_sees_the_user_leave_and_come_back() {
    let (server, mut romeo, mut juliet) = friends();
    juliet.send("<presence><show>away</show></presence>");
    juliet.sync();
    romeo.sync();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.expect(GONE);
    // Changed presence, other resources that come and go, and a probe.
    juliet.send("<presence><show>dnd</show></presence><presence><show>away</show></presence>");
    let mut phone = server.present("juliet", "phone");
    phone.send("<presence type='unavailable'/>");
    phone.sync();
    juliet.sync();
    romeo.send("<presence type='probe' to='juliet@im.example'/><presence type='probe' to='{juliet/balcony}'/>");
    romeo.expect_nothing();
    let mut garden = server.login("romeo", "secret", "garden");
    assert!(presences(&garden.available(), "").iter().all(|from| !from.starts_with("juliet")));
    garden.close();
    romeo.sync();
    unblock(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.expect(HERE);
    juliet.send("<presence/>");
    juliet.sync();
    romeo.expect("<presence from='{juliet/balcony}' to='romeo@im.example'/>");
}

/// §3.3, §3.4, on the side of the user: nothing comes, and what was missed is learned again.
#[test]
fn the_user_sees_nothing_of_who_is_blocked() {
    let (server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    romeo.sync();
    romeo.send("<presence><show>dnd</show></presence>");
    romeo.send("<presence to='{juliet/balcony}'/><presence to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect_nothing();
    let mut phone = server.login("juliet", "secret", "phone");
    assert!(presences(&phone.available(), "").iter().all(|from| !from.starts_with("romeo")));
    juliet.sync();
    romeo.sync();
    unblock(&mut juliet, &[]);
    let now = "<presence from='{romeo}' to='juliet@im.example'><show>dnd</show></presence>";
    juliet.expect(now);
    phone.expect(now);
    juliet.expect_nothing();
}

/// Leaving tells nobody who is blocked, and a lost connection neither.
#[test]
fn who_is_blocked_does_not_hear_of_the_end() {
    let (server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.expect(GONE);
    juliet.close();
    romeo.expect_nothing();
    // And the user nothing of theirs.
    let mut juliet = server.present("juliet", "balcony");
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    juliet.expect_nothing();
}

/// Only who may see the user's presence is told.
#[test]
fn strangers_are_told_nothing() {
    let server = crate::support::TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.contact("juliet", "romeo", "To");
    server.contact("romeo", "juliet", "From");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    juliet.sync();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.expect_nothing();
    unblock(&mut juliet, &["romeo@im.example"]);
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    romeo.expect_nothing();
}

/// RFC 6121 §4.6.3: who got directed presence is told as well, once.
#[test]
fn directed_presence_ends() {
    let server = crate::support::TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    juliet.send("<presence to='{romeo/orchard}'/>");
    romeo.expect("<presence from='{juliet}' to='{jid}'/>");
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.expect("<presence type='unavailable' from='{juliet}' to='{jid}'/>");
    juliet.close();
    romeo.expect_nothing();
}

/// §6: one resource of a contact, the others not.
#[test]
fn one_resource_of_a_contact() {
    let (server, mut orchard, mut juliet) = friends();
    let mut garden = server.present("romeo", "garden");
    orchard.sync();
    juliet.sync();
    block(&mut juliet, &["romeo@im.example/garden"]);
    juliet.sync();
    garden.expect("<presence type='unavailable' from='{juliet}' to='{jid}'/>");
    orchard.expect_nothing();
    juliet.send("<presence><show>away</show></presence>");
    juliet.sync();
    orchard.expect(HERE);
    garden.send("<presence><show>dnd</show></presence>");
    garden.expect("<presence from='{jid}' to='{jid}'><show>dnd</show></presence>");
    garden.expect_nothing();
    juliet.expect_nothing();
    orchard.sync();
    unblock(&mut juliet, &["romeo@im.example/garden"]);
    juliet.sync();
    garden.expect("<presence from='{juliet}' to='{jid}'><show>away</show></presence>");
    orchard.expect_nothing();
}

/// What another entry still blocks stays blocked; what was blocked before is not told again.
#[test]
fn entries_that_overlap() {
    let (_server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.expect(GONE);
    block(&mut juliet, &["im.example", "romeo@im.example/orchard"]);
    juliet.sync();
    romeo.expect_nothing();
    unblock(&mut juliet, &["romeo@im.example", "romeo@im.example/orchard"]);
    juliet.sync();
    romeo.expect_nothing();
    unblock(&mut juliet, &["im.example"]);
    juliet.sync();
    romeo.expect("<presence from='{juliet/balcony}' to='romeo@im.example'/>");
}
