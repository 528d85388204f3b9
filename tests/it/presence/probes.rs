//! Probes sent by clients (RFC 6121 §4.3): answered like a server's, to those who may know.

use super::{acquainted, friends, strangers};
use crate::support::{TestServer, settle};

/// RFC 6121 §4.3.2 rule 4: the last presence of every available resource, as it was sent.
#[test]
fn a_subscriber_gets_the_presence_of_every_resource() {
    let (server, mut romeo, mut juliet) = friends();
    let mut chamber = server.login("juliet", "secret", "chamber");
    chamber.send("<presence id='p'><show>xa</show><status>asleep</status></presence>");
    chamber.sync();
    let _silent = server.login("juliet", "secret", "tomb");
    romeo.sync();
    juliet.sync();
    romeo.send("<presence type='probe' to='juliet@im.example'/>");
    romeo.expect_in_any_order(&[
        "<presence from='{juliet/balcony}' to='{jid}'/>",
        "<presence id='p' from='{juliet/chamber}' to='{jid}'><show>xa</show><status>asleep</status></presence>",
    ]);
    romeo.send("<presence type='probe' to='{juliet/chamber}'/>");
    romeo.expect(
        "<presence id='p' from='{juliet/chamber}' to='{jid}'><show>xa</show><status>asleep</status></presence>",
    );
    // The probe itself is the server's business.
    for client in [&mut romeo, &mut juliet, &mut chamber] {
        client.expect_nothing();
    }
}

/// RFC 6121 §4.3.2 rule 1: who is not subscribed is told so, in the same words whether the account is online, away or
/// does not exist.
#[test]
fn a_stranger_is_told_unsubscribed() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "away"]);
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    for to in [
        "juliet@im.example",
        "juliet@im.example/balcony",
        "juliet@im.example/nowhere",
        "away@im.example",
        "nobody@im.example",
        "nobody@im.example/x",
    ] {
        let bare = to.split('/').next().unwrap();
        romeo.send(&format!("<presence type='probe' id='p' to='{to}'/>"));
        romeo.expect(&format!("<presence type='unsubscribed' id='{{opt}}' from='{bare}' to='{{jid}}'/>"));
        settle(&mut romeo, &mut juliet);
    }
}

/// RFC 6121 §4.3.2 rule 1: only "From" and "Both" on the contact's side let one know; what the asker's roster says counts
/// for nothing.
#[test]
fn the_contacts_roster_decides() {
    for (state, allowed) in
        [("None", false), ("To", false), ("From", true), ("Both", true), ("None+In", false), ("From+Out", true)]
    {
        let (_server, mut romeo, mut juliet) = acquainted("Both", state);
        romeo.send("<presence type='probe' to='juliet@im.example'/>");
        if allowed {
            romeo.expect("<presence from='{juliet}' to='{jid}'/>");
        } else {
            romeo.expect("<presence type='unsubscribed' from='juliet@im.example' to='{jid}'/>");
        }
        settle(&mut romeo, &mut juliet);
    }
}

/// RFC 6121 §4.3.2 rule 3: nobody at home: unavailable, from the bare JID, for those who may know.
#[test]
fn an_absent_contact_is_unavailable() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut romeo = server.present("romeo", "orchard");
    let unavailable = "<presence type='unavailable' from='juliet@im.example' to='{jid}'/>";
    romeo.send("<presence type='probe' to='juliet@im.example'/>");
    romeo.expect(unavailable);
    let invisible = server.login("juliet", "secret", "balcony");
    romeo.send("<presence type='probe' to='juliet@im.example'/>");
    romeo.expect(unavailable);
    romeo.expect_nothing();
    drop(invisible);
}

/// RFC 6121 §4.2.2: a user may ask about itself.
#[test]
fn a_user_sees_itself() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='probe' to='romeo@im.example'/>");
    romeo.expect("<presence from='{jid}' to='{jid}'/>");
}

/// A probe needs somebody to ask about; domains have no presence to tell.
#[test]
fn probes_of_nobody_and_of_servers() {
    let (_server, mut romeo, mut juliet) = strangers();
    romeo.send("<presence type='probe'/>");
    settle(&mut romeo, &mut juliet);
    for to in ["im.example", "elsewhere.example", "x@elsewhere.example"] {
        romeo.send(&format!("<presence type='probe' id='p' to='{to}'/>"));
        let answer = romeo.next();
        assert_eq!(answer.attr("type"), Some("error"), "{answer:?}");
    }
    settle(&mut romeo, &mut juliet);
}
