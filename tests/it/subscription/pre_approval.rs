//! Approving before being asked (RFC 6121 §3.4).

use super::{acquainted, strangers};
use crate::support::contacts::presences;
use crate::support::{TestServer, settle};

const APPROVE: &str = "<presence type='subscribed' to='romeo@im.example'/>";
const APPROVED: &str = "<item jid='romeo@im.example' subscription='none' approved='true'/>";

/// RFC 6121 §3.4.1.
#[test]
fn the_feature_is_offered_behind_authentication() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut juliet = server.connect();
    assert!(juliet.secure().find("sub", "urn:xmpp:features:pre-approval").is_none());
    juliet.authenticate("SCRAM-SHA-256", "juliet", "secret");
    assert!(juliet.open_to_features().find("sub", "urn:xmpp:features:pre-approval").is_some());
}

/// RFC 6121 §3.4.2: noted in the roster, pushed, and told to nobody.
#[test]
fn a_pre_approval_is_noted_and_not_routed() {
    let (_server, mut romeo, mut juliet) = strangers();
    juliet.send(APPROVE);
    juliet.expect_push(APPROVED);
    settle(&mut juliet, &mut romeo);
    juliet.expect_roster(&[APPROVED]);
    juliet.send(APPROVE);
    settle(&mut juliet, &mut romeo);
    juliet.expect_roster(&[APPROVED]);
}

/// RFC 6121 §3.4.2: the request, when it comes, is answered by the server; the user is not asked, but sees the push.
#[test]
fn a_pre_approved_request_is_answered_by_the_server() {
    let (_server, mut romeo, mut juliet) = strangers();
    juliet.send(APPROVE);
    juliet.expect_push(APPROVED);
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
    romeo.expect("<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='to'/>");
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='from' approved='{opt}'/>");
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §3.4.2: while the user is away, and after a restart.
#[test]
fn a_pre_approval_works_in_absence() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut juliet = server.present("juliet", "balcony");
    juliet.send(APPROVE);
    juliet.sync();
    server.restart();
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
    romeo.expect("<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='to'/>");
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='from' approved='{opt}'/>"]);
    assert!(presences(&juliet.available(), "subscribe").is_empty());
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
}

/// RFC 6121 §3.4.2: in "To" and "None + Pending Out" it is noted, in "From", "From + Pending Out" and "Both" ignored,
/// and to a pending request it is a plain answer.
#[test]
fn the_state_decides_what_subscribed_means() {
    for (state, pushed) in [
        ("None", Some("subscription='none' approved='true'")),
        ("None+Out", Some("subscription='none' ask='subscribe' approved='true'")),
        ("To", Some("subscription='to' approved='true'")),
        ("From", None),
        ("From+Out", None),
        ("Both", None),
        ("None+In", Some("subscription='from'")),
        ("None+OutIn", Some("subscription='from' ask='subscribe'")),
        ("To+In", Some("subscription='both'")),
    ] {
        let server = TestServer::start();
        server.accounts(&["juliet"]);
        server.contact("juliet", "romeo", state);
        let mut juliet = server.present("juliet", "balcony");
        juliet.send(APPROVE);
        if let Some(pushed) = pushed {
            juliet.expect_push(&format!("<item jid='romeo@im.example' {pushed}/>"));
        }
        juliet.expect_nothing();
    }
}

/// RFC 6121 §3.4.2: `unsubscribed` takes it back, silently for the other side.
#[test]
fn a_pre_approval_can_be_taken_back() {
    let (_server, mut romeo, mut juliet) = strangers();
    juliet.send(APPROVE);
    juliet.expect_push(APPROVED);
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='none'/>");
    settle(&mut juliet, &mut romeo);
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_nothing();
}

/// RFC 6121 §3.4: approval is given to one address, and once: whoever was thrown out afterwards has to ask.
#[test]
fn a_pre_approval_does_not_outlive_the_subscription() {
    let (_server, mut romeo, mut juliet) = strangers();
    juliet.send(APPROVE);
    juliet.sync();
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.sync();
    romeo.sync();
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='none'/>"]);
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
}

/// RFC 6121 §3.4.2: a change of name or groups leaves the approval in place.
#[test]
fn an_update_keeps_a_pre_approval() {
    let (_server, mut juliet, _) = acquainted("None", "None");
    juliet.send("<presence type='subscribed' to='nurse@im.example'/>");
    juliet.expect_push("<item jid='nurse@im.example' subscription='none' approved='true'/>");
    juliet.change_roster(
        "<item jid='nurse@im.example' name='N'/>",
        "<item jid='nurse@im.example' name='N' subscription='none' approved='true'/>",
    );
}
