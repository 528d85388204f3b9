//! Subscription stanzas that lead nowhere.

use super::strangers;
use crate::support::{TestServer, settle};

const KINDS: [&str; 4] = ["subscribe", "subscribed", "unsubscribe", "unsubscribed"];

/// RFC 6121 §8.5.1 with §3.1.3: silence; who asks learns nothing about which accounts exist.
#[test]
fn a_request_to_nobody_looks_like_one_to_somebody() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    for contact in ["nobody@im.example", "juliet@im.example"] {
        romeo.send(&format!("<presence type='subscribe' to='{contact}'/>"));
        romeo.expect_push(&format!("<item jid='{contact}' subscription='none' ask='subscribe'/>"));
        romeo.expect_nothing();
        romeo.send(&format!("<presence type='unsubscribe' to='{contact}'/>"));
        romeo.expect_push(&format!("<item jid='{contact}' subscription='none'/>"));
        romeo.expect_nothing();
        romeo.send(&format!("<presence type='unsubscribed' to='{contact}'/>"));
        romeo.expect_nothing();
    }
}

/// RFC 6121 §4.2.2: a user sees itself without a subscription.
#[test]
fn a_user_does_not_subscribe_to_itself() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let mut other = server.present("romeo", "garden");
    romeo.sync();
    for kind in KINDS {
        for to in ["romeo@im.example", "ROMEO@im.example/garden"] {
            romeo.send(&format!("<presence type='{kind}' to='{to}'/>"));
            settle(&mut romeo, &mut other);
        }
    }
    romeo.expect_roster(&[]);
}

/// RFC 6121 §3.1.1: without an addressee it is nothing. RFC 6120 §8.3.3.1.
#[test]
fn a_subscription_stanza_needs_an_addressee() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    for kind in KINDS {
        romeo.send(&format!("<presence type='{kind}' id='{kind}'/>"));
        romeo.expect_stanza_error("presence", kind, "modify", "bad-request");
    }
    romeo.expect_nothing();
}

/// RFC 6120 §8.3.3.8.
#[test]
fn the_addressee_must_be_a_jid() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='subscribe' id='s' to='a@b@im.example'/>");
    romeo.expect_stanza_error("presence", "s", "modify", "jid-malformed");
    romeo.expect_roster(&[]);
}

/// RFC 6120 §10.4, §8.3.3.19: what cannot be reached cannot be asked; the roster does not pretend otherwise.
#[test]
fn the_server_itself_and_unreachable_servers_refuse() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    for (to, condition) in [
        ("im.example", "service-unavailable"),
        ("im.example/announce", "service-unavailable"),
        ("juliet@elsewhere.example", "remote-server-not-found"),
        ("elsewhere.example", "remote-server-not-found"),
    ] {
        romeo.send(&format!("<presence type='subscribe' id='s' to='{to}'/>"));
        let error = romeo.expect_stanza_error("presence", "s", "cancel", condition);
        assert_eq!(error.attr("to").map(|to| to.split('/').next().unwrap()), Some("romeo@im.example"));
    }
    romeo.expect_nothing();
    romeo.expect_roster(&[]);
}

/// RFC 6120 §8.3.1: errors about subscriptions change nothing.
#[test]
fn an_error_is_no_answer() {
    let (_server, mut romeo, mut juliet) = strangers();
    romeo.send("<presence type='subscribe' id='s' to='juliet@im.example'/>");
    romeo.sync();
    juliet.sync();
    juliet.send(
        "<presence type='error' id='s' to='romeo@im.example'><error type='cancel'>\
         <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
    );
    juliet.sync();
    romeo.sync();
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='none' ask='subscribe'/>"]);
}

/// RFC 6120 §8.1.2.1: nobody asks, answers or cancels in another's name.
#[test]
fn subscriptions_cannot_be_forged() {
    for kind in KINDS {
        let (_server, mut romeo, mut juliet) = super::acquainted("Both", "Both");
        romeo.send(&format!("<presence type='{kind}' from='nurse@im.example' to='juliet@im.example'/>"));
        romeo.expect_stream_error("invalid-from");
        let seen = juliet.sync();
        assert!(seen.iter().all(|el| el.attr("type") == Some("unavailable")), "{seen:?}");
        juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
    }
}

/// XEP-0175 §3: an anonymous account is gone with its session; it cannot have contacts.
#[test]
fn anonymous_users_cannot_subscribe() {
    let server = TestServer::with(|c| {
        c.domains.push("guests.example".into());
        c.auth.anonymous_domains = vec!["guests.example".into()];
    });
    server.account("juliet", "secret");
    let mut juliet = server.present("juliet", "balcony");
    let mut guest = server.connect();
    guest.domain = "guests.example".into();
    guest.secure();
    guest.auth("ANONYMOUS", "");
    guest.expect_sasl("success");
    guest.open_to_features();
    guest.bind("");
    guest.roster();
    guest.available();
    for kind in KINDS {
        guest.send(&format!("<presence type='{kind}' id='{kind}' to='juliet@im.example'/>"));
        guest.expect_stanza_error("presence", kind, "cancel", "not-allowed");
    }
    settle(&mut guest, &mut juliet);
    guest.expect_roster(&[]);
}
