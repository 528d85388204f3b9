//! XEP-0379: a subscription request with a token of the server's.

use magpie::storage::InviteKind;

use crate::support::contacts::presences;
use crate::support::{Client, TestServer, settle};

/// Romeo has invited with `t0ken`; juliet is online with an account of her own.
fn acquainting() -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "paris"]);
    invite(&server, "t0ken", InviteKind::Contact);
    let (romeo, juliet) = (server.present("romeo", "orchard"), server.present("juliet", "balcony"));
    (server, romeo, juliet)
}

fn invite(server: &TestServer, token: &str, kind: InviteKind) {
    server.invite(token, |invite| (invite.kind, invite.inviter) = (kind, server.person("romeo")));
}

fn ask(token: &str) -> String {
    format!(
        "<presence type='subscribe' to='romeo@im.example'><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></presence>"
    )
}

/// §3.5: granted for the inviter, who asks in turn; with one word of hers they are friends.
#[test]
fn a_token_opens_the_roster_of_the_inviter() {
    let (server, mut romeo, mut juliet) = acquainting();
    juliet.send(&ask("t0ken"));
    juliet.expect_push("<item jid='romeo@im.example' subscription='none' ask='subscribe'/>");
    juliet.expect("<presence type='subscribed' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='to'/>");
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
    // Romeo is asked nothing.
    romeo.expect_push("<item jid='juliet@im.example' subscription='from' ask='subscribe'/>");
    settle(&mut juliet, &mut romeo);
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='both'/>");
    romeo.expect("<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='both'/>");
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
    assert_eq!(server.uses_left("t0ken"), 0);
}

/// §3.4, §3.6: who has approved in advance is asked nothing either.
#[test]
fn with_a_pre_approval_nobody_is_asked() {
    let (_server, mut romeo, mut juliet) = acquainting();
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.send(&ask("t0ken"));
    assert!(presences(&juliet.sync(), "subscribe").is_empty());
    assert!(presences(&romeo.sync(), "subscribe").is_empty());
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both' approved='{opt}'/>"]);
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
}

/// It works while the inviter is away, and over a restart.
#[test]
fn the_inviter_may_be_away() {
    let (mut server, romeo, mut juliet) = acquainting();
    romeo.close();
    juliet.send(&ask("t0ken"));
    juliet.sync();
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='from' ask='subscribe'/>"]);
    assert!(presences(&romeo.available(), "subscribe").is_empty());
}

/// §4.1, §5.2: whatever is wrong with a token, the request is one like any other.
#[test]
fn a_token_that_is_not_good_changes_nothing() {
    let (server, mut romeo, mut juliet) = acquainting();
    let now_us = magpie::clock::now_micros();
    invite(&server, "account", InviteKind::Account);
    server.invite("expired", |invite| {
        (invite.kind, invite.inviter) = (InviteKind::Contact, server.person("romeo"));
        (invite.created_us, invite.expires_us) = (now_us - 2, now_us - 1);
    });
    server.invite("other", |invite| {
        (invite.kind, invite.inviter) = (InviteKind::Contact, server.person("paris"));
    });
    for token in ["unknown", "", "account", "expired", "other", "T0KEN"] {
        juliet.send(&ask(token));
        juliet.sync();
        let seen = romeo.sync();
        assert_eq!(presences(&seen, "subscribe").len(), 1, "{token}");
        // What was sent comes as it was sent (RFC 6121 §3.1.3).
        assert!(seen.iter().any(|el| el.raw.contains("urn:xmpp:pars:0")));
        romeo.send("<presence type='unsubscribed' to='juliet@im.example'/>");
        romeo.sync();
        juliet.sync();
    }
    assert_eq!((server.uses_left("account"), server.uses_left("other"), server.uses_left("t0ken")), (1, 1, 1));
}

/// §5.2: once.
#[test]
fn a_token_is_used_once() {
    let (server, mut romeo, mut juliet) = acquainting();
    juliet.send(&ask("t0ken"));
    juliet.sync();
    romeo.sync();
    // Asking again spends nothing: she has what it is for.
    juliet.send(&ask("t0ken"));
    juliet.sync();
    assert!(presences(&romeo.sync(), "subscribe").is_empty());
    let mut paris = server.present("paris", "street");
    paris.send(&ask("t0ken"));
    paris.sync();
    assert_eq!(presences(&romeo.sync(), "subscribe").len(), 1);
}

/// XEP-0191 §3.3 stands above it.
#[test]
fn whom_the_inviter_blocks_gets_nothing() {
    let (server, mut romeo, mut juliet) = acquainting();
    romeo.send("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='juliet@im.example'/></block></iq>");
    romeo.sync();
    juliet.send(&ask("t0ken"));
    juliet.sync();
    romeo.expect_nothing();
    romeo.expect_roster(&[]);
    assert_eq!(server.uses_left("t0ken"), 1);
}

/// In the group the invitation names, beside those the contact is in.
#[test]
fn a_contact_comes_into_its_group() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.invite("t0ken", |invite| {
        (invite.kind, invite.inviter) = (InviteKind::Both, server.person("romeo"));
        invite.group = Some("Verona".into());
    });
    let (mut romeo, mut juliet) = (server.present("romeo", "orchard"), server.present("juliet", "balcony"));
    romeo.change_roster(
        "<item jid='juliet@im.example' name='J'><group>Love</group></item>",
        "<item jid='juliet@im.example' subscription='none' name='J'><group>Love</group></item>",
    );
    juliet.send(&ask("t0ken"));
    juliet.sync();
    romeo.expect_push(
        "<item jid='juliet@im.example' subscription='from' ask='subscribe' name='J'><group>Love</group>\
         <group>Verona</group></item>",
    );
}
