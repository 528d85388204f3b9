//! Taking a subscription away (RFC 6121 §3.2) and giving it up (§3.3).

use super::acquainted;
use crate::support::{TestServer, settle};

/// RFC 6121 §3.2.2, §3.2.3: the contact's resources become unavailable to the user before it learns why, the
/// cancellation comes before the push, and the other direction goes on.
#[test]
fn cancelling_a_mutual_subscription_ends_one_direction() {
    let (_server, mut romeo, mut juliet) = acquainted("Both", "Both");
    juliet.send("<presence type='unsubscribed' id='u' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='to'/>");
    juliet.expect_nothing();
    romeo.expect("<presence type='unavailable' from='{juliet}' to='romeo@im.example'/>");
    romeo.expect("<presence type='unsubscribed' id='u' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='from'/>");
    romeo.expect_nothing();
    juliet.send("<presence><show>away</show></presence>");
    juliet.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    settle(&mut juliet, &mut romeo);
    romeo.send("<presence><show>away</show></presence>");
    romeo.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    romeo.expect_nothing();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'><show>away</show></presence>");
}

/// RFC 6121 §3.3.2, §3.3.3: the contact hears it before its push; the user sees the contact go.
#[test]
fn unsubscribing_from_a_mutual_subscription_ends_one_direction() {
    let (_server, mut romeo, mut juliet) = acquainted("Both", "Both");
    romeo.send("<presence type='unsubscribe' id='u' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='from'/>");
    romeo.expect("<presence type='unavailable' from='{juliet}' to='romeo@im.example'/>");
    romeo.expect_nothing();
    juliet.expect("<presence type='unsubscribe' id='u' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' subscription='to'/>");
    juliet.expect_nothing();
    juliet.send("<presence><show>away</show></presence>");
    juliet.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    settle(&mut juliet, &mut romeo);
    romeo.send("<presence><show>away</show></presence>");
    romeo.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    romeo.expect_nothing();
    juliet.expect("<presence from='{romeo}' to='juliet@im.example'><show>away</show></presence>");
}

/// RFC 6121 §3.2.2: every available resource of the contact goes, for every available resource of the user.
#[test]
fn cancelling_withdraws_every_resource() {
    let (server, mut romeo, mut juliet) = acquainted("To", "From");
    let mut chamber = server.login("juliet", "secret", "chamber");
    chamber.available();
    let mut garden = server.login("romeo", "secret", "garden");
    garden.available();
    let mut silent = server.login("romeo", "secret", "street");
    for client in [&mut juliet, &mut romeo, &mut garden] {
        client.sync();
    }
    chamber.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    chamber.sync();
    for client in [&mut romeo, &mut garden] {
        client.expect_in_any_order(&[
            "<presence type='unavailable' from='{juliet/balcony}' to='romeo@im.example'/>",
            "<presence type='unavailable' from='{juliet/chamber}' to='romeo@im.example'/>",
        ]);
    }
    romeo.expect("<presence type='unsubscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none'/>");
    for client in [&mut romeo, &mut garden, &mut silent] {
        client.expect_nothing();
    }
}

/// RFC 6121 §3.2.1, §3.1.6: no to a request.
#[test]
fn a_request_may_be_denied() {
    let (_server, mut romeo, mut juliet) = acquainted("None+Out", "None+In");
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.sync();
    romeo.expect("<presence type='unsubscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none'/>");
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §3.2.2, §3.3.3: the status and other children of the last word are passed on.
#[test]
fn the_last_word_is_passed_on_complete() {
    let (_server, mut romeo, mut juliet) = acquainted("Both", "Both");
    let farewell = "<status>O happy dagger!</status><x xmlns='urn:example'/>";
    juliet.send(&format!("<presence type='unsubscribed' to='romeo@im.example'>{farewell}</presence>"));
    juliet.send(&format!("<presence type='unsubscribe' to='romeo@im.example'>{farewell}</presence>"));
    juliet.sync();
    let mut seen = romeo.sync().into_iter().filter(|el| el.name == "presence" && !el.children.is_empty());
    for kind in ["unsubscribed", "unsubscribe"] {
        let el = seen.next().unwrap();
        let pattern =
            format!("<presence type='{kind}' from='juliet@im.example' to='romeo@im.example'>{farewell}</presence>");
        romeo.matches(&pattern, &el).unwrap();
    }
}

/// RFC 6121 §3.2.3, §3.3.3: whoever is away finds the state at the next login, and none of the stanzas.
#[test]
fn an_absent_user_finds_the_new_state() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse"]);
    server.friends("romeo", "juliet");
    server.friends("nurse", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.send("<presence type='unsubscribe' to='nurse@im.example'/>");
    juliet.sync();
    for (user, state) in [("romeo", "from"), ("nurse", "to")] {
        let mut client = server.login(user, "secret", "street");
        client.expect_roster(&[&format!("<item jid='juliet@im.example' subscription='{state}'/>")]);
        client.send("<presence/>");
        let seen = client.sync();
        assert!(seen.iter().all(|el| el.attr("type").is_none()), "{seen:?}");
        client.close();
    }
}

/// RFC 6121 §3.2, §3.3: what was ended can be begun again.
#[test]
fn a_subscription_can_be_renewed() {
    let (_server, mut romeo, mut juliet) = acquainted("To", "From");
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.sync();
    romeo.sync();
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.sync();
    romeo.expect("<presence type='subscribed' from='juliet@im.example' to='romeo@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='to'/>");
    romeo.expect("<presence from='{juliet}' to='romeo@im.example'/>");
}

/// RFC 6121 §3.2.2, §3.3.2: without a subscription there is nothing to end and nobody to tell.
#[test]
fn strangers_cannot_disturb_each_other() {
    let (_server, mut romeo, mut juliet) = super::strangers();
    for kind in ["subscribed", "unsubscribe", "unsubscribed"] {
        juliet.send(&format!("<presence type='{kind}' to='romeo@im.example'/>"));
        juliet.sync();
        romeo.expect_nothing();
    }
    romeo.expect_roster(&[]);
}

/// RFC 6121 Appendix A.3: answers to questions nobody asked do not touch a contact in the roster, nor make pushes.
#[test]
fn unasked_answers_are_ignored() {
    let (_server, mut romeo, mut juliet) = acquainted("None", "None");
    for kind in ["subscribed", "unsubscribe", "unsubscribed", "subscribed"] {
        juliet.send(&format!("<presence type='{kind}' to='romeo@im.example'/>"));
        juliet.sync();
        romeo.expect_nothing();
    }
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='none'/>"]);
}
