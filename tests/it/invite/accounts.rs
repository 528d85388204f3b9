//! XEP-0445, XEP-0401 §5.5: what becomes of an account that is made by invitation.

use magpie::config::RegistrationMode;
use magpie::storage::InviteKind;

use super::{accepted, refused, registered, stranger};
use crate::support::contacts::presences;
use crate::support::{Client, TestServer};

/// Romeo, who is online, invites.
fn invited(token: &str, uses: u32) -> (TestServer, Client) {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let romeo = server.present("romeo", "orchard");
    server.invite(token, |invite| {
        invite.kind = InviteKind::Both;
        invite.inviter = server.person("romeo");
        (invite.uses_max, invite.uses_left) = (uses, uses);
    });
    (server, romeo)
}

/// XEP-0401 §5.5: the inviter sees it at once, the invited when he logs in; and both see each other come.
#[test]
fn inviter_and_invited_are_contacts_at_once() {
    let (server, mut romeo) = invited("t0ken", 1);
    let mut juliet = stranger(&server);
    accepted(&mut juliet, "t0ken");
    registered(&mut juliet, "juliet");
    romeo.expect_push("<item jid='juliet@im.example' subscription='both'/>");
    juliet.authenticate("SCRAM-SHA-256", "juliet", "secret");
    juliet.open_to_features();
    juliet.bind("balcony");
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
    juliet.send("<presence/>");
    juliet.expect_in_any_order(&["<presence from='{juliet}' to='{opt}'/>", "<presence from='{romeo}' to='{any}'/>"]);
    romeo.expect("<presence from='{juliet}' to='{any}'/>");
    // Her client may ask as XEP-0379 §3.4 says: everything is as it should be already.
    juliet.send(
        "<presence type='subscribe' to='romeo@im.example'><preauth xmlns='urn:xmpp:pars:0' token='t0ken'/></presence>",
    );
    juliet.sync();
    assert!(presences(&romeo.sync(), "subscribe").is_empty());
}

/// It survives a restart on both sides, versions included (RFC 6121 §2.6).
#[test]
fn the_contacts_are_on_disk() {
    let (mut server, mut romeo) = invited("t0ken", 1);
    let mut juliet = stranger(&server);
    accepted(&mut juliet, "t0ken");
    registered(&mut juliet, "juliet");
    romeo.sync();
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
    romeo.change_roster(
        "<item jid='juliet@im.example' name='J'/>",
        "<item jid='juliet@im.example' subscription='both' name='J'/>",
    );
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
}

/// In the group the invitation names.
#[test]
fn a_group_is_set_on_both_sides() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    romeo.roster();
    server.invite("t0ken", |invite| {
        (invite.kind, invite.inviter) = (InviteKind::Both, server.person("romeo"));
        invite.group = Some("Verona".into());
    });
    let mut juliet = stranger(&server);
    accepted(&mut juliet, "t0ken");
    registered(&mut juliet, "juliet");
    let item = |jid: &str| format!("<item jid='{jid}@im.example' subscription='both'><group>Verona</group></item>");
    romeo.expect_push(&item("juliet"));
    server.login("juliet", "secret", "balcony").expect_roster(&[&item("romeo")]);
}

/// As many accounts as uses, however many connections have shown the token before.
#[test]
fn uses_are_accounts() {
    let (server, mut romeo) = invited("t0ken", 2);
    let mut clients: Vec<Client> = (0..4).map(|_| stranger(&server)).collect();
    clients.iter_mut().for_each(|client| accepted(client, "t0ken"));
    // All of them at once.
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&super::keys(&format!("guest{number}")));
    }
    let made = |client: &mut Client| client.next().attr("type") == Some("result");
    assert_eq!(clients.iter_mut().map(made).filter(|made| *made).count(), 2);
    assert_eq!(server.uses_left("t0ken"), 0);
    romeo.sync();
    assert_eq!(romeo.roster().len(), 2);
}

/// XEP-0445 §5: a name is kept also where everybody may register.
#[test]
fn a_name_is_kept() {
    let server = TestServer::with(|c| c.registration.mode = RegistrationMode::Open);
    server.invite("hers", |invite| invite.username = Some("juliet".into()));
    let mut anybody = stranger(&server);
    refused(&mut anybody, "juliet", "cancel", "conflict");
    registered(&mut anybody, "paris");
    let mut juliet = stranger(&server);
    accepted(&mut juliet, "hers");
    // The token is for this account; it is not used up by a mistake.
    refused(&mut juliet, "tybalt", "modify", "not-acceptable");
    registered(&mut juliet, "JULIET");
    juliet.authenticate("SCRAM-SHA-256", "juliet", "secret");
}

/// An invitation of somebody who is gone, or one that is not for accounts, opens nothing.
#[test]
fn tokens_that_make_no_account() {
    let (server, romeo) = invited("gone", 1);
    server.account("paris", "secret");
    server.invite("contact", |invite| {
        (invite.kind, invite.inviter) = (InviteKind::Contact, server.person("paris"));
    });
    let mut early = stranger(&server);
    accepted(&mut early, "gone");
    let mut romeo = romeo;
    romeo.send("<iq type='set' id='x'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    romeo.expect("<iq type='result' id='x' any-attrs='true'/>");
    refused(&mut early, "juliet", "cancel", "not-allowed");
    let mut client = stranger(&server);
    for token in ["gone", "contact"] {
        client.send(&super::show(token));
        client.expect_stanza_error("iq", "p", "cancel", "item-not-found");
    }
    refused(&mut client, "juliet", "cancel", "not-allowed");
}

/// A roster that is full, or an address that is blocked, costs the contact and not the account.
#[test]
fn without_room_there_is_an_account_all_the_same() {
    let server = TestServer::with(|c| c.limits.roster_items_max = 1);
    server.account("romeo", "secret");
    server.contact("romeo", "mercutio@im.example", "Both");
    let mut romeo = server.present("romeo", "orchard");
    server.invite("t0ken", |invite| {
        (invite.kind, invite.inviter) = (InviteKind::Both, server.person("romeo"));
    });
    let mut juliet = stranger(&server);
    accepted(&mut juliet, "t0ken");
    registered(&mut juliet, "juliet");
    romeo.expect_roster(&["<item jid='mercutio@im.example' subscription='both'/>"]);
    server.login("juliet", "secret", "balcony").expect_roster(&[]);
}
