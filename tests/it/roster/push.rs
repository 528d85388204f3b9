//! Roster pushes (RFC 6121 §2.1.6): to whom, when, and that nobody else's are believed.

use crate::support::contacts::push;
use crate::support::{TestServer, settle};

const SET: &str = "<item jid='juliet@im.example' name='Juliet'/>";
const PUSHED: &str = "<item jid='juliet@im.example' name='Juliet' subscription='none'/>";

/// RFC 6121 §2.1.6, §2.3.2: every interested resource, the one that made the change included, before its result. One
/// that never asked for the roster is left alone, available or not; being interested takes no presence.
#[test]
fn a_change_is_pushed_to_interested_resources_only() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut setter = server.present("romeo", "orchard");
    let mut silent = server.login("romeo", "secret", "garden");
    silent.roster();
    let mut uninterested = server.login("romeo", "secret", "street");
    uninterested.available();
    setter.sync();
    setter.roster_set("s", SET);
    setter.expect_push(PUSHED);
    setter.expect_result("s");
    silent.expect_push(PUSHED);
    for client in [&mut setter, &mut silent, &mut uninterested] {
        client.expect_nothing();
    }
}

/// RFC 6121 §2.2: whoever has not asked for the roster may change it, and gets the result alone.
#[test]
fn a_setter_that_never_asked_gets_the_result_only() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut setter = server.login("romeo", "secret", "orchard");
    let mut other = server.login("romeo", "secret", "garden");
    other.roster();
    setter.roster_set("s", SET);
    setter.expect_result("s");
    setter.expect_nothing();
    other.expect_push(PUSHED);
    other.expect_nothing();
}

/// RFC 6121 §2.1.6: what resources do with a push concerns nobody: results and errors end at the server.
#[test]
fn answers_to_pushes_are_swallowed() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut setter = server.present("romeo", "orchard");
    let mut other = server.login("romeo", "secret", "garden");
    other.roster();
    setter.change_roster(SET, PUSHED);
    let pushed = other.expect_push(PUSHED);
    let id = pushed.attr("id").unwrap();
    other.send(&format!("<iq type='result' id='{id}'/>"));
    other.send(&format!("<iq type='result' id='{id}' to='romeo@im.example'/>"));
    other.send(&format!(
        "<iq type='error' id='{id}'><error type='cancel'>\
         <feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    settle(&mut other, &mut setter);
    setter.change_roster("<item jid='juliet@im.example'/>", "<item jid='juliet@im.example' subscription='none'/>");
    other.expect_push("<item jid='juliet@im.example' subscription='none'/>");
}

/// RFC 6121 §2.2: interest belongs to the session, not to the name of the resource.
#[test]
fn a_new_session_is_not_interested_by_inheritance() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut setter = server.present("romeo", "orchard");
    let mut old = server.login("romeo", "secret", "garden");
    old.roster();
    old.close();
    let mut new = server.login("romeo", "secret", "garden");
    setter.change_roster(SET, PUSHED);
    settle(&mut setter, &mut new);
}

/// RFC 6121 §2.2: an interested resource stays one when it becomes unavailable.
#[test]
fn interest_does_not_end_with_availability() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    romeo.change_roster(SET, PUSHED);
}

/// RFC 6121 §2.3.2: a set that changes nothing is a set, and pushed.
#[test]
fn a_set_of_the_same_is_pushed_as_well() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let first = (romeo.roster_set("s", SET), romeo.expect_push(PUSHED)).1;
    romeo.expect_result("s");
    romeo.roster_set("t", SET);
    let second = romeo.expect_push(PUSHED);
    romeo.expect_result("t");
    let version = |el: &crate::support::xml::El| el.elements().next().unwrap().attr("ver").map(str::to_owned);
    assert_eq!(version(&first), version(&second), "nothing changed, so the version did not");
}

/// RFC 6121 §2.1.6: contacts learn nothing of changes to a roster they are in.
#[test]
fn nobody_elses_resources_get_pushes() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    juliet.sync();
    romeo.change_roster(
        "<item jid='juliet@im.example' name='My love'><group>Secret</group></item>",
        "<item jid='juliet@im.example' name='My love' subscription='both'><group>Secret</group></item>",
    );
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §2.1.6 (security warning): a push made by somebody else says who made it, so that clients can tell.
#[test]
fn a_forged_push_carries_its_sender() {
    let server = TestServer::start();
    server.accounts(&["romeo", "tybalt"]);
    let mut romeo = server.present("romeo", "orchard");
    let mut tybalt = server.present("tybalt", "street");
    let item = "<item jid='tybalt@im.example' subscription='both'/>";
    tybalt.send(&format!(
        "<iq type='set' id='p' to='{{romeo}}'><query xmlns='jabber:iq:roster' ver='9'>{item}</query></iq>"
    ));
    tybalt.send("<iq type='get' id='q' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    let got = romeo.expect(&format!(
        "<iq type='set' id='p' from='{{tybalt}}' to='{{jid}}'><query xmlns='jabber:iq:roster' ver='9'>{item}</query></iq>"
    ));
    assert!(romeo.matches(&push(item), &got).is_err());
    romeo.expect_roster(&[]);
}
