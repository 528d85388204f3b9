//! Directed presence (RFC 6121 §4.6) and where presence with an addressee goes (§8.5).

use super::{acquainted, friends, strangers};
use crate::support::contacts::presences;
use crate::support::{TestServer, settle};

/// RFC 6121 §4.6.1, §8.5.2.1.2: to a bare JID: every available resource, children included; nothing is said back.
#[test]
fn directed_presence_reaches_every_available_resource() {
    let (server, mut romeo, mut balcony) = strangers();
    let mut chamber = server.present("juliet", "chamber");
    let mut tomb = server.login("juliet", "secret", "tomb");
    balcony.sync();
    romeo.send("<presence id='d' to='juliet@im.example'><show>chat</show><x xmlns='urn:x'/></presence>");
    romeo.expect_nothing();
    for client in [&mut balcony, &mut chamber] {
        client.expect(
            "<presence id='d' from='{romeo}' to='juliet@im.example'><show>chat</show><x xmlns='urn:x'/></presence>",
        );
        client.expect_nothing();
    }
    tomb.expect_nothing();
}

/// RFC 6121 §8.5.3.1, §8.5.3.2.2: to a full JID: that resource, available or not, or nobody.
#[test]
fn directed_presence_to_a_full_jid_reaches_that_resource_only() {
    let (server, mut romeo, mut balcony) = strangers();
    let mut chamber = server.present("juliet", "chamber");
    let mut tomb = server.login("juliet", "secret", "tomb");
    balcony.sync();
    romeo.send("<presence to='{juliet/balcony}'/>");
    settle(&mut romeo, &mut chamber);
    balcony.expect("<presence from='{romeo}' to='{jid}'/>");
    romeo.send("<presence to='{juliet/tomb}'/>");
    settle(&mut romeo, &mut chamber);
    tomb.expect("<presence from='{romeo}' to='{jid}'/>");
    for kind in ["", "type='unavailable'"] {
        romeo.send(&format!("<presence {kind} to='juliet@im.example/nowhere'/>"));
        settle(&mut romeo, &mut chamber);
    }
    balcony.expect_nothing();
    tomb.expect_nothing();
}

/// RFC 6121 §8.5.1, §8.5.2.2.2: silence about accounts that do not exist or are away, without any difference.
#[test]
fn directed_presence_to_nobody_is_silent() {
    let server = TestServer::start();
    server.accounts(&["romeo", "away"]);
    let mut romeo = server.present("romeo", "orchard");
    for to in ["nobody@im.example", "nobody@im.example/x", "away@im.example", "away@im.example/x", "im.example"] {
        for kind in ["", "type='unavailable'"] {
            romeo.send(&format!("<presence {kind} to='{to}'><status>hello</status></presence>"));
            romeo.expect_nothing();
        }
    }
}

/// RFC 6120 §10.4.
#[test]
fn directed_presence_to_an_unreachable_server_is_refused() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence id='d' to='room@muc.elsewhere.example/romeo'/>");
    romeo.expect_stanza_error("presence", "d", "cancel", "remote-server-not-found");
}

/// RFC 6121 §4.6.3 rule 2: later broadcasts do not go to somebody who is not subscribed, and its presence does not come.
#[test]
fn directed_presence_is_not_a_subscription() {
    let (_server, mut romeo, mut juliet) = strangers();
    romeo.send("<presence to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    romeo.send("<presence><show>away</show></presence>");
    romeo.sync();
    juliet.expect_nothing();
    juliet.send("<presence><show>away</show></presence>");
    juliet.sync();
    romeo.expect_nothing();
}

/// RFC 6121 §4.6.3 rule 2: whoever got it learns of the end, with the status, however the end comes; also at a full JID.
#[test]
fn recipients_of_directed_presence_learn_of_the_end() {
    let spoken = "<presence type='unavailable' from='{romeo}' to='{to}'><status>bye</status></presence>";
    let noticed = "<presence type='unavailable' from='{romeo}' to='{to}'/>";
    for to in ["juliet@im.example", "juliet@im.example/balcony"] {
        for end in ["said", "closed", "broken", "replaced", "error"] {
            let (server, mut romeo, mut juliet) = strangers();
            juliet.set_var("to", to);
            romeo.send(&format!("<presence to='{to}'/>"));
            romeo.sync();
            juliet.expect("<presence from='{romeo}' to='{to}'/>");
            match end {
                "said" => romeo.send("<presence type='unavailable'><status>bye</status></presence>"),
                "closed" => romeo.close(),
                "broken" => drop(romeo),
                "replaced" => drop(server.login("romeo", "secret", "orchard")),
                _ => romeo.send("<bogus/>"),
            }
            juliet.expect(if end == "said" { spoken } else { noticed });
            juliet.expect_nothing();
        }
    }
}

/// RFC 6121 §4.6.3 rule 3: a session that never was available is in the same position.
#[test]
fn an_invisible_session_may_send_directed_presence() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse"]);
    server.friends("romeo", "nurse");
    let mut juliet = server.present("juliet", "balcony");
    let mut nurse = server.present("nurse", "hall");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence to='juliet@im.example'/>");
    settle(&mut romeo, &mut nurse);
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    romeo.close();
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    nurse.expect_nothing();
}

/// RFC 6121 §4.6.3: "if the user has not yet sent directed unavailable presence to that entity".
#[test]
fn directed_unavailable_presence_settles_the_matter() {
    let (_server, mut romeo, mut juliet) = strangers();
    romeo.send("<presence to='juliet@im.example'/>");
    romeo.send("<presence type='unavailable' to='juliet@im.example'><status>bye</status></presence>");
    romeo.sync();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'><status>bye</status></presence>");
    romeo.close();
    juliet.sync();
    juliet.expect_nothing();
}

/// RFC 6121 §4.6.3: presence sent to somebody several times ends once.
#[test]
fn the_end_is_told_once() {
    let (_server, mut romeo, mut juliet) = strangers();
    for n in 0..3 {
        romeo.send(&format!("<presence to='juliet@im.example'><status>{n}</status></presence>"));
    }
    romeo.sync();
    assert_eq!(juliet.sync().len(), 3);
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    romeo.close();
    juliet.expect_nothing();
}

/// RFC 6121 §4.6.3 rule 1: to a subscriber it changes nothing about broadcasts, "unavailable" included.
#[test]
fn directed_presence_to_a_subscriber_leaves_broadcasts_alone() {
    let (_server, mut romeo, mut juliet) = friends();
    romeo.send("<presence type='unavailable' to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    romeo.send("<presence><show>away</show></presence>");
    romeo.sync();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'><show>away</show></presence>");
    romeo.send("<presence to='juliet@im.example'><show>dnd</show></presence>");
    romeo.sync();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'><show>dnd</show></presence>");
    romeo.close();
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    juliet.expect_nothing();
}

/// RFC 6121 §4.6.3 rules 1 and 3: a subscriber that got directed presence before the initial one is told of the end.
#[test]
fn a_subscriber_told_by_hand_hears_of_the_end() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence to='juliet@im.example'/><presence/>");
    romeo.sync();
    assert_eq!(presences(&juliet.sync(), "").len(), 2);
    romeo.close();
    let end = "<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>";
    juliet.expect(end);
    let seen = juliet.sync();
    assert!(seen.iter().all(|el| juliet.matches(end, el).is_ok()), "{seen:?}");
}

/// RFC 6121 §4.6.3: the directed presence of one resource does not speak for another.
#[test]
fn directed_presence_belongs_to_one_resource() {
    let (server, mut romeo, mut juliet) = strangers();
    let mut garden = server.present("romeo", "garden");
    romeo.sync();
    romeo.send("<presence to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence from='{romeo/orchard}' to='juliet@im.example'/>");
    garden.send("<presence type='unavailable'/>");
    settle_after(&mut garden, &mut juliet);
    romeo.close();
    juliet.expect("<presence type='unavailable' from='{romeo/orchard}' to='juliet@im.example'/>");
}

#[track_caller]
fn settle_after(sender: &mut crate::support::Client, receiver: &mut crate::support::Client) {
    sender.sync();
    receiver.expect_nothing();
}

/// RFC 6121 §4.6.3 with §3.2: the end of a subscription does not end what was sent by hand.
#[test]
fn an_approval_withdrawn_and_presence_by_hand() {
    let (_server, mut romeo, mut juliet) = acquainted("From", "To");
    romeo.send("<presence type='unsubscribed' to='juliet@im.example'/>");
    romeo.sync();
    juliet.sync();
    romeo.send("<presence to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    romeo.close();
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
}

/// The limit `directed_presence_max`: what could not be taken back is not sent. Those already told may be told again, and
/// one taken back makes room.
#[test]
fn directed_presence_has_a_limit() {
    let server = TestServer::with(|c| c.limits.directed_presence_max = 2);
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    juliet.sync();
    romeo.send("<presence to='a@im.example'/><presence to='b@im.example'/>");
    romeo.expect_nothing();
    romeo.send("<presence id='c' to='c@im.example'/>");
    romeo.expect_stanza_error("presence", "c", "wait", "resource-constraint");
    romeo.send("<presence to='a@im.example'><show>away</show></presence>");
    romeo.send("<presence to='juliet@im.example'><show>away</show></presence>");
    romeo.expect_nothing();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'><show>away</show></presence>");
    romeo.send("<presence type='unavailable' to='a@im.example'/><presence to='c@im.example'/>");
    romeo.expect_nothing();
}
