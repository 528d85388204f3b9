//! Asking and being answered (RFC 6121 §3.1).

use super::{acquainted, strangers};
use crate::support::contacts::presences;
use crate::support::{TestServer, settle};

/// RFC 6121 §3.1.2 to §3.1.6, twice: a mutual subscription, with every stanza each side sees and in which order. The
/// answer comes before the push that follows from it (§3.1.6 step 1).
#[test]
fn a_full_handshake_in_both_directions() {
    let (_server, mut romeo, mut juliet) = strangers();

    romeo.send("<presence type='subscribe' id='s1' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
    romeo.expect_nothing();
    juliet.expect("<presence type='subscribe' id='s1' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_nothing();

    juliet.send("<presence type='subscribed' id='s2' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='from'/>");
    juliet.expect_nothing();
    romeo.expect("<presence type='subscribed' id='s2' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='to'/>");
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
    romeo.expect_nothing();

    juliet.send("<presence type='subscribe' id='s3' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='from' ask='subscribe'/>");
    juliet.expect_nothing();
    romeo.expect("<presence type='subscribe' id='s3' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_nothing();

    romeo.send("<presence type='subscribed' id='s4' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='both'/>");
    romeo.expect_nothing();
    juliet.expect("<presence type='subscribed' id='s4' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='both'/>");
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    settle(&mut juliet, &mut romeo);

    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
}

/// RFC 6121 §3.1.2: bare on both sides, whatever the client wrote, and normalised.
#[test]
fn addresses_are_made_bare() {
    let (_server, mut romeo, mut juliet) = strangers();
    for from in ["", "from='romeo@im.example'", "from='romeo@im.example/orchard'"] {
        romeo.send(&format!("<presence type='subscribe' {from} to='JULIET@im.example/balcony'/>"));
        romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
        romeo.expect_nothing();
        juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
        romeo.send("<presence type='unsubscribe' to='juliet@im.example/nowhere'/>");
        romeo.expect_push("<item jid='juliet@im.example' subscription='none'/>");
        romeo.expect_nothing();
        juliet.expect("<presence type='unsubscribe' from='romeo@im.example' to='juliet@im.example'/>");
    }
    juliet.expect_nothing();
}

/// RFC 6121 §3.1.2, §3.1.3: what a request carries (a status, XEP-0172's nick) reaches the contact.
#[test]
fn a_request_is_delivered_with_its_children() {
    let (_server, mut romeo, mut juliet) = strangers();
    let children = "<status xml:lang='en'>It is I &amp; nobody else</status><nick \
                    xmlns='http://jabber.org/protocol/nick'>Romeo</nick><x xmlns='urn:example:a'><y xmlns=''/></x>";
    romeo.send(&format!("<presence type='subscribe' id='a' to='juliet@im.example'>{children}</presence>"));
    romeo.sync();
    juliet.expect(&format!(
        "<presence type='subscribe' id='a' from='romeo@im.example' to='juliet@im.example'>{children}</presence>"
    ));
}

/// RFC 6121 §3.1.3: every available resource gets a request, whatever its priority and whether it is interested; one
/// that is merely connected does not.
#[test]
fn a_request_goes_to_available_resources() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut first = server.login("juliet", "secret", "balcony");
    first.available();
    let mut second = server.login("juliet", "secret", "chamber");
    second.send("<presence><priority>-1</priority></presence>");
    let mut connected = server.login("juliet", "secret", "tomb");
    connected.roster();
    second.sync();
    first.sync();
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    for client in [&mut first, &mut second] {
        client.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
        client.expect_nothing();
    }
    connected.expect_nothing();
}

/// RFC 6121 §3.1.6: the answer is for interested resources, the presence that follows for available ones, the push for
/// interested ones.
#[test]
fn an_approval_goes_to_interested_resources() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut juliet = server.present("juliet", "balcony");
    let mut both = server.present("romeo", "orchard");
    let mut interested = server.login("romeo", "secret", "garden");
    interested.roster();
    let mut available = server.login("romeo", "secret", "street");
    available.available();
    both.send("<presence type='subscribe' to='juliet@im.example'/>");
    for client in [&mut both, &mut interested, &mut available] {
        client.sync();
    }
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.sync();
    let subscribed = "<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>";
    let presence = "<presence from='{juliet}' to='romeo@im.example'/>";
    let item = "<item jid='juliet@im.example' subscription='to'/>";
    both.expect(subscribed);
    both.expect_push(item);
    both.expect(presence);
    interested.expect(subscribed);
    interested.expect_push(item);
    available.expect(presence);
    for client in [&mut both, &mut interested, &mut available] {
        client.expect_nothing();
    }
}

/// RFC 6121 §3.1.5: the presence of every available resource follows an approval, as it was last sent.
#[test]
fn an_approval_brings_the_presence_of_every_resource() {
    let (server, mut romeo, mut juliet) = acquainted("None+Out", "None+In");
    let mut chamber = server.login("juliet", "secret", "chamber");
    chamber.send("<presence><show>dnd</show><priority>3</priority></presence>");
    chamber.sync();
    let _silent = server.login("juliet", "secret", "tomb");
    juliet.sync();
    romeo.expect_nothing();
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.sync();
    romeo.expect("<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='to'/>");
    romeo.expect_in_any_order(&[
        "<presence from='{juliet/balcony}' to='romeo@im.example'/>",
        "<presence from='{juliet/chamber}' to='romeo@im.example'><show>dnd</show><priority>3</priority></presence>",
    ]);
    romeo.expect_nothing();
}

/// RFC 6121 §3.1.5: a contact that approves without being online shows nothing; its presence comes when it comes.
#[test]
fn an_approval_by_an_invisible_contact_shows_nothing() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.contact("romeo", "juliet", "None+Out");
    server.contact("juliet", "romeo", "None+In");
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.sync();
    romeo.expect("<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='to'/>");
    romeo.expect_nothing();
    juliet.available();
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
}

/// RFC 6121 §3.1.3 rule 2: who is subscribed already (and has lost its own record) is answered for the contact, which
/// is not bothered.
#[test]
fn a_request_of_a_subscriber_is_answered_by_the_server() {
    for juliet_state in ["From", "Both", "From+Out"] {
        let (_server, mut romeo, mut juliet) = acquainted("None", juliet_state);
        romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
        romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
        romeo.expect("<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>");
        romeo.expect_push("<item jid='juliet@im.example' subscription='to'/>");
        romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
        settle(&mut romeo, &mut juliet);
    }
}

/// RFC 6121 §3.1.2: both may ask at the same time; each answers, and both see each other.
#[test]
fn requests_may_cross() {
    let (_server, mut romeo, mut juliet) = strangers();
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    juliet.send("<presence type='subscribe' to='romeo@im.example'/>");
    romeo.sync();
    juliet.sync();
    romeo.sync();
    romeo.send("<presence type='subscribed' to='juliet@im.example'/>");
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    let (mut romeo_saw, mut juliet_saw) = (romeo.sync(), juliet.sync());
    romeo_saw.extend(romeo.sync());
    juliet_saw.extend(juliet.sync());
    assert_eq!(presences(&romeo_saw, ""), [juliet.var("jid")]);
    assert_eq!(presences(&juliet_saw, ""), [romeo.var("jid")]);
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
}

/// RFC 6121 §3.1.4: a user that never sent presence or asked for the roster may subscribe, too.
#[test]
fn asking_takes_neither_presence_nor_roster() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.expect_nothing();
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.sync();
    romeo.expect_nothing();
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='to'/>"]);
}

/// RFC 6121 §3.1: two domains of one server are no different from one.
#[test]
fn users_of_another_served_domain_subscribe_alike() {
    let server = TestServer::with(|c| c.domains.push("other.example".into()));
    server.accounts(&["romeo", "juliet@other.example"]);
    let mut juliet = server.connect();
    juliet.domain = "other.example".into();
    juliet.log_in("SCRAM-SHA-256", "juliet", "secret", "balcony");
    juliet.roster();
    juliet.available();
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='subscribe' to='juliet@other.example'/>");
    romeo.expect_push("<item jid='juliet@other.example' subscription='none' ask='subscribe'/>");
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@other.example'/>");
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='from'/>");
    romeo.expect("<presence type='subscribed' from='juliet@other.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@other.example' subscription='to'/>");
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
    settle(&mut juliet, &mut romeo);
}
