//! Nobody learns the presence of somebody who has not allowed it (RFC 6121 §11, §13.10.2).

use super::{acquainted, friends};
use crate::support::contacts::presences;
use crate::support::{Client, TestServer};

/// Everything Juliet may do that could be noticed.
#[track_caller]
fn come_and_go(server: &TestServer, juliet: &mut Client) {
    juliet.send("<presence><show>away</show></presence>");
    juliet.send("<presence><priority>-3</priority></presence>");
    juliet.send("<presence type='unavailable'/>");
    juliet.send("<presence/>");
    juliet.sync();
    let mut chamber = server.login("juliet", "secret", "chamber");
    chamber.available();
    chamber.close();
    juliet.sync();
}

/// RFC 6121 §4.2.2: the states of the contact's roster in which the user hears nothing, whatever its own roster claims.
#[test]
fn without_from_nothing_is_shown() {
    for state in ["None", "None+In", "None+Out", "None+OutIn", "To", "To+In"] {
        let (server, mut romeo, mut juliet) = acquainted("Both", state);
        come_and_go(&server, &mut juliet);
        romeo.expect_nothing();
        let mut garden = server.login("romeo", "secret", "garden");
        let seen = presences(&garden.available(), "");
        assert!(seen.iter().all(|from| from.starts_with("romeo@")), "{state}: {seen:?}");
        romeo.sync();
    }
}

/// RFC 6121 §3.2.2, §3.3.3: after either end of a subscription there is silence.
#[test]
fn after_the_end_of_a_subscription_nothing_is_shown() {
    for (who, kind) in [("juliet", "unsubscribed"), ("romeo", "unsubscribe")] {
        let (server, mut romeo, mut juliet) = friends();
        match who {
            "juliet" => juliet.send(&format!("<presence type='{kind}' to='romeo@im.example'/>")),
            _ => romeo.send(&format!("<presence type='{kind}' to='juliet@im.example'/>")),
        }
        romeo.sync();
        juliet.sync();
        romeo.sync();
        come_and_go(&server, &mut juliet);
        let seen = presences(&romeo.sync(), "");
        assert!(seen.is_empty(), "{kind}: {seen:?}");
        romeo.expect_nothing();
        romeo.send("<presence type='unavailable'/><presence/>");
        let seen = presences(&romeo.sync(), "");
        assert_eq!(seen, [romeo.var("jid")], "{kind}");
    }
}

/// RFC 6121 §3.1.3: asking does not show anything, nor does waiting, nor being refused.
#[test]
fn asking_shows_nothing() {
    let (server, mut romeo, mut juliet) = acquainted("None", "None");
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    come_and_go(&server, &mut juliet);
    assert!(presences(&romeo.sync(), "").is_empty());
    let mut garden = server.login("romeo", "secret", "garden");
    let seen = presences(&garden.available(), "");
    assert!(seen.iter().all(|from| from.starts_with("romeo@")), "{seen:?}");
    romeo.sync();
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.sync();
    let seen = romeo.sync();
    assert!(seen.iter().all(|el| el.attr("from").is_none_or(|from| !from.contains("/balcony"))), "{seen:?}");
    come_and_go(&server, &mut juliet);
    romeo.expect_nothing();
}

/// RFC 6121 §3.1.4: letting somebody see me does not let me see them.
#[test]
fn one_direction_is_not_the_other() {
    let (server, mut romeo, mut juliet) = acquainted("From", "To");
    come_and_go(&server, &mut juliet);
    romeo.expect_nothing();
}

/// RFC 6121 §2.3.1: putting somebody into the roster shows nothing, in either direction.
#[test]
fn a_roster_item_alone_shows_nothing() {
    let (server, mut romeo, mut juliet) = super::strangers();
    romeo.change_roster(
        "<item jid='juliet@im.example' subscription='both'/>",
        "<item jid='juliet@im.example' subscription='none'/>",
    );
    come_and_go(&server, &mut juliet);
    romeo.expect_nothing();
    come_and_go_as_romeo(&mut romeo);
    juliet.expect_nothing();
}

fn come_and_go_as_romeo(romeo: &mut Client) {
    romeo.send("<presence type='unavailable'/><presence/>");
    romeo.sync();
}

/// RFC 6121 §4.5.2: the end of a session is not shown to strangers either, however it ends.
#[test]
fn leaving_is_not_shown_to_strangers() {
    for end in ["closed", "broken", "replaced"] {
        let (server, mut romeo, juliet) = super::strangers();
        match end {
            "closed" => juliet.close(),
            "broken" => drop(juliet),
            _ => drop(server.login("juliet", "secret", "balcony")),
        }
        // A session of Juliet's that can be asked shows that the other is gone.
        let mut again = server.login("juliet", "secret", "balcony");
        again.sync();
        romeo.expect_nothing();
    }
}
