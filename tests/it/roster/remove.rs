//! Removing items (RFC 6121 §2.5), and the subscriptions that go with them.

use crate::support::contacts::presences;
use crate::support::{TestServer, settle};

const REMOVE_JULIET: &str = "<item jid='juliet@im.example' subscription='remove'/>";

fn online(romeo: &str, juliet: &str) -> (TestServer, crate::support::Client, crate::support::Client) {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.contact("romeo", "juliet", romeo);
    server.contact("juliet", "romeo", juliet);
    let juliet = server.present("juliet", "balcony");
    let romeo = server.present("romeo", "orchard");
    let (mut romeo, mut juliet) = (romeo, juliet);
    romeo.sync();
    juliet.sync();
    (server, romeo, juliet)
}

/// RFC 6121 §2.5.2: pushed to every interested resource with `remove` and nothing else, then confirmed, then gone.
#[test]
fn a_removal_is_pushed_and_confirmed() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let mut other = server.login("romeo", "secret", "garden");
    romeo.change_roster(
        "<item jid='juliet@im.example' name='J'><group>G</group></item>",
        "<item jid='juliet@im.example' name='J' subscription='none'><group>G</group></item>",
    );
    other.roster();
    romeo.roster_set("r", "<item jid='juliet@im.example' name='K' subscription='remove'><group>H</group></item>");
    romeo.expect_push(REMOVE_JULIET);
    romeo.expect_result("r");
    other.expect_push(REMOVE_JULIET);
    for client in [&mut romeo, &mut other] {
        client.expect_roster(&[]);
    }
    romeo.roster_set("r", REMOVE_JULIET);
    romeo.expect_stanza_error("iq", "r", "cancel", "item-not-found");
    settle(&mut romeo, &mut other);
}

/// RFC 6121 §2.5.3, Appendix A.1: somebody who has only asked is no item; asking goes on.
#[test]
fn a_mere_request_cannot_be_removed() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    juliet.send("<presence type='subscribe' to='romeo@im.example'/>");
    juliet.sync();
    romeo.expect("<presence type='subscribe' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.roster_set("r", REMOVE_JULIET);
    romeo.expect_stanza_error("iq", "r", "cancel", "item-not-found");
    let mut again = server.login("romeo", "secret", "garden");
    assert_eq!(presences(&again.available(), "subscribe"), ["juliet@im.example"]);
}

/// RFC 6121 §2.5.2: with subscriptions in both directions the contact gets `unsubscribe` and `unsubscribed`, and both see
/// the other become unavailable, the contact before it is told that its subscription is over.
#[test]
fn removal_ends_both_subscriptions() {
    let (_server, mut romeo, mut juliet) = online("Both", "Both");
    romeo.roster_set("r", REMOVE_JULIET);
    let gone = "<presence type='unavailable' from='{juliet}' to='romeo@im.example'/>";
    romeo.expect_push(REMOVE_JULIET);
    romeo.expect(gone);
    romeo.expect_result("r");
    juliet.expect("<presence type='unsubscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='to'/>");
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    juliet.expect("<presence type='unsubscribed' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='none'/>");
    settle(&mut romeo, &mut juliet);
    romeo.send("<presence><show>away</show></presence>");
    romeo.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    settle(&mut romeo, &mut juliet);
    juliet.send("<presence><show>away</show></presence>");
    juliet.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    settle(&mut juliet, &mut romeo);
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='none'/>"]);
    romeo.expect_roster(&[]);
}

/// RFC 6121 §2.5.2: only what there was is ended.
#[test]
fn removal_ends_the_users_own_subscription() {
    let (_server, mut romeo, mut juliet) = online("To", "From");
    romeo.roster_set("r", REMOVE_JULIET);
    romeo.expect_push(REMOVE_JULIET);
    romeo.expect("<presence type='unavailable' from='{juliet}' to='romeo@im.example'/>");
    romeo.expect_result("r");
    juliet.expect("<presence type='unsubscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='none'/>");
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §2.5.2.
#[test]
fn removal_ends_the_contacts_subscription() {
    let (_server, mut romeo, mut juliet) = online("From", "To");
    romeo.roster_set("r", REMOVE_JULIET);
    romeo.expect_push(REMOVE_JULIET);
    romeo.expect_result("r");
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    juliet.expect("<presence type='unsubscribed' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='none'/>");
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §2.5.2: a request that is not answered yet is withdrawn; without a subscription the contact hears nothing.
#[test]
fn removal_withdraws_a_request() {
    let (server, mut romeo, mut juliet) = online("None+Out", "None+In");
    romeo.roster_set("r", REMOVE_JULIET);
    romeo.expect_push(REMOVE_JULIET);
    romeo.expect_result("r");
    juliet.expect("<presence type='unsubscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_nothing();
    let mut again = server.login("juliet", "secret", "garden");
    assert!(presences(&again.available(), "subscribe").is_empty());
    juliet.sync();
    romeo.change_roster("<item jid='juliet@im.example'/>", "<item jid='juliet@im.example' subscription='none'/>");
    romeo.change_roster(REMOVE_JULIET, REMOVE_JULIET);
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §2.5.2 with §3.2: removing a contact that waits for an answer is a no.
#[test]
fn removal_denies_a_pending_request() {
    let (server, mut romeo, mut juliet) = online("None+In", "None+Out");
    romeo.roster_set("r", REMOVE_JULIET);
    romeo.expect_push(REMOVE_JULIET);
    romeo.expect_result("r");
    juliet.expect("<presence type='unsubscribed' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='none'/>");
    settle(&mut romeo, &mut juliet);
    let mut again = server.login("romeo", "secret", "garden");
    assert!(presences(&again.available(), "subscribe").is_empty());
}

/// RFC 6121 §2.5.2: every available resource of the user disappears for the contact.
#[test]
fn every_resource_becomes_unavailable_to_a_removed_contact() {
    let (server, mut romeo, mut juliet) = online("From", "To");
    let mut garden = server.login("romeo", "secret", "garden");
    garden.available();
    let invisible = server.login("romeo", "secret", "street");
    romeo.sync();
    juliet.sync();
    romeo.roster_set("r", REMOVE_JULIET);
    romeo.sync();
    juliet.expect_in_any_order(&[
        "<presence type='unavailable' from='{romeo/orchard}' to='juliet@im.example'/>",
        "<presence type='unavailable' from='{romeo/garden}' to='juliet@im.example'/>",
    ]);
    juliet.expect("<presence type='unsubscribed' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='none'/>");
    drop(invisible);
    juliet.expect_nothing();
}

/// RFC 6121 §2.5.2 for a contact that is not online: its roster is right when it comes, also after a restart.
#[test]
fn an_absent_contact_finds_its_subscriptions_ended() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse"]);
    for contact in ["juliet", "nurse"] {
        server.friends("romeo", contact);
    }
    let mut romeo = server.present("romeo", "orchard");
    romeo.change_roster(REMOVE_JULIET, REMOVE_JULIET);
    romeo.change_roster(
        "<item jid='nurse@im.example' subscription='remove'/>",
        "<item jid='nurse@im.example' subscription='remove'/>",
    );
    romeo.sync();
    let none = "<item jid='romeo@im.example' subscription='none'/>";
    let mut juliet = server.present("juliet", "balcony");
    juliet.expect_roster(&[none]);
    settle(&mut juliet, &mut romeo);
    server.restart();
    let mut romeo = server.present("romeo", "orchard");
    romeo.expect_roster(&[]);
    let mut nurse = server.present("nurse", "hall");
    nurse.expect_roster(&[none]);
    settle(&mut nurse, &mut romeo);
}

/// RFC 6121 §2.5.2: contacts that do not exist, or live where we cannot reach them, are removed all the same.
#[test]
fn contacts_that_cannot_be_told_are_removed() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    for contact in ["ghost@im.example", "juliet@elsewhere.example", "elsewhere.example", "im.example"] {
        let row = magpie::storage::RosterRow {
            contact: contact.into(),
            subscription: 3,
            in_roster: true,
            ..Default::default()
        };
        server.roster_row("romeo", row);
    }
    let mut romeo = server.present("romeo", "orchard");
    for contact in ["ghost@im.example", "juliet@elsewhere.example", "elsewhere.example", "im.example"] {
        let item = format!("<item jid='{contact}' subscription='remove'/>");
        romeo.change_roster(&item, &item);
    }
    romeo.expect_nothing();
    romeo.expect_roster(&[]);
}

/// RFC 6121 §2.5.2, §3.4: with the item goes the approval given in advance.
#[test]
fn removal_takes_a_pre_approval_back() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='subscribed' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none' approved='true'/>");
    romeo.change_roster(REMOVE_JULIET, REMOVE_JULIET);
    let mut juliet = server.present("juliet", "balcony");
    juliet.send("<presence type='subscribe' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='none' ask='subscribe'/>");
    juliet.expect_nothing();
    romeo.expect("<presence type='subscribe' from='juliet@im.example' to='romeo@im.example'/>");
}
