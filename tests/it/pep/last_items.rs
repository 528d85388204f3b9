//! XEP-0163 §4.3.4: the last item of each node for who has come online.

use super::{LAST, TUNE, block, event, expect_event, item, options, publish, wanting};
use crate::caps::{Software, introduce};
use crate::support::TestServer;

/// The own account: at each of its resources, with the time of publication, and once.
#[test]
fn own_nodes() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    publish(&mut romeo, TUNE, &item("1", TUNE, "a"), "");
    let mut garden = wanting(&server, "romeo", "garden", &[TUNE]);
    expect_event(&mut garden, &event("romeo", TUNE, &item("1", TUNE, "a"), true));
    for show in ["away", "xa"] {
        let c = Software::wants("romeo garden", &[TUNE]).c();
        garden.send(&format!("<presence><show>{show}</show>{c}</presence>"));
        assert!(garden.sync().iter().all(|el| el.name == "presence"), "not at every change");
    }
    // Unavailable and back: as if it were new. What it wants is known already.
    garden.send("<presence type='unavailable'/>");
    garden.send(&format!("<presence>{}</presence>", Software::wants("romeo garden", &[TUNE]).c()));
    expect_event(&mut garden, &event("romeo", TUNE, &item("1", TUNE, "a"), true));
    assert!(romeo.sync().iter().all(|el| el.name == "presence"), "who wants nothing gets nothing");
}

/// Contacts, also those that nobody has been logged in to since the server started.
#[test]
fn nodes_of_contacts() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.login("juliet", "secret", "balcony");
    publish(&mut juliet, TUNE, &item("1", TUNE, "a"), "");
    publish(&mut juliet, TUNE, &item("2", TUNE, "b"), "");
    publish(&mut juliet, LAST, &item("3", LAST, "c"), "");
    let mut nurse = server.login("nurse", "secret", "x");
    publish(&mut nurse, TUNE, &item("n", TUNE, "n"), &options(&[("access_model", "open")]));
    server.restart();
    let mut romeo = wanting(&server, "romeo", "orchard", &[TUNE, LAST, "nothing"]);
    expect_event(&mut romeo, &event("juliet", TUNE, &item("2", TUNE, "b"), true));
    expect_event(&mut romeo, &event("juliet", LAST, &item("3", LAST, "c"), true));
    romeo.expect_nothing();
}

/// XEP-0060 §4.5: what the access model does not allow is not sent.
#[test]
fn access_models() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.login("juliet", "secret", "balcony");
    for (node, fields) in [
        ("whitelist", &[("access_model", "whitelist")][..]),
        ("authorize", &[("access_model", "authorize")]),
        ("roster", &[("access_model", "roster"), ("roster_groups_allowed", "Friends")]),
        ("open", &[("access_model", "open")]),
        ("never", &[("send_last_published_item", "never")]),
        ("on_sub", &[("send_last_published_item", "on_sub")]),
        ("transient", &[("persist_items", "false")]),
        (LAST, &[]),
    ] {
        publish(&mut juliet, node, &item("1", node, "a"), &options(fields));
    }
    let all = ["whitelist", "authorize", "roster", "open", "never", "on_sub", "transient", LAST];
    let mut romeo = wanting(&server, "romeo", "orchard", &all);
    for node in ["open", LAST] {
        expect_event(&mut romeo, &event("juliet", node, &item("1", node, "a"), true));
    }
    romeo.expect_nothing();
    // The owner herself gets those that are sent at all.
    let mut chamber = wanting(&server, "juliet", "chamber", &all);
    for node in ["authorize", "open", "roster", "whitelist", LAST] {
        expect_event(&mut chamber, &event("juliet", node, &item("1", node, "a"), true));
    }
}

/// XEP-0163 §4.1: the subscription to presence decides, and which way it goes.
#[test]
fn only_from_those_whose_presence_one_sees() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "paris"]);
    for (user, contact, state) in
        [("romeo", "juliet", "To"), ("juliet", "romeo", "From"), ("romeo", "paris", "From"), ("paris", "romeo", "To")]
    {
        server.contact(user, contact, state);
    }
    for user in ["juliet", "paris"] {
        let mut client = server.login(user, "secret", "x");
        publish(&mut client, TUNE, &item("1", TUNE, user), "");
    }
    let mut romeo = server.login("romeo", "secret", "orchard");
    publish(&mut romeo, LAST, &item("1", LAST, "own"), "");
    let mut romeo = wanting(&server, "romeo", "garden", &[TUNE, LAST]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let element = romeo.next();
        if element.name == "message" {
            seen.push(element.attr("from").unwrap().to_owned());
        }
    }
    seen.sort();
    assert_eq!(seen, ["juliet@im.example", "romeo@im.example"]);
    romeo.expect_nothing();
}

/// §4.3.4: a new subscriber is told as soon as it is one.
#[test]
fn a_new_subscriber() {
    let server = TestServer::start();
    server.accounts(&["juliet", "romeo"]);
    let mut juliet = server.present("juliet", "balcony");
    publish(&mut juliet, TUNE, &item("1", TUNE, "a"), "");
    let mut romeo = wanting(&server, "romeo", "orchard", &[TUNE]);
    romeo.sync();
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    juliet.sync();
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    expect_event(&mut romeo, &event("juliet", TUNE, &item("1", TUNE, "a"), true));
    juliet.sync();
    romeo.expect_nothing();
}

/// What a client learns to want later on is sent then, and nothing a second time.
#[test]
fn interest_that_grows() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    publish(&mut romeo, TUNE, &item("1", TUNE, "a"), "");
    publish(&mut romeo, LAST, &item("2", LAST, "b"), "");
    let mut garden = wanting(&server, "romeo", "garden", &[TUNE]);
    expect_event(&mut garden, &event("romeo", TUNE, &item("1", TUNE, "a"), true));
    introduce(&mut garden, &Software::wants("more", &[TUNE, LAST]));
    expect_event(&mut garden, &event("romeo", LAST, &item("2", LAST, "b"), true));
    garden.expect_nothing();
}

/// §4.3.3: neither from whom one has blocked nor from who has blocked one (XEP-0191), not in memory either.
#[test]
fn nothing_passes_between_those_who_have_blocked() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet", "paris", "nurse"]);
    for contact in ["juliet", "paris", "nurse"] {
        server.friends("romeo", contact);
        let mut client = server.login(contact, "secret", "x");
        publish(&mut client, TUNE, &item("1", TUNE, contact), "");
        publish(&mut client, LAST, &item("1", LAST, contact), "");
        if contact != "nurse" {
            let who = if contact == "juliet" { "romeo@im.example" } else { "romeo@im.example/orchard" };
            block(&mut client, who);
        }
    }
    server.restart();
    let mut romeo = wanting(&server, "romeo", "orchard", &[TUNE, LAST]);
    for node in [TUNE, LAST] {
        expect_event(&mut romeo, &event("nurse", node, &item("1", node, "nurse"), true));
    }
    romeo.expect_nothing();
    // Another resource than the blocked one, and a contact blocked by him.
    block(&mut romeo, "nurse@im.example");
    let mut garden = wanting(&server, "romeo", "garden", &[TUNE, LAST]);
    for node in [TUNE, LAST] {
        expect_event(&mut garden, &event("paris", node, &item("1", node, "paris"), true));
    }
    garden.expect_nothing();
}

/// Contacts may have more to tell than fits into an outbox: it is sent as fast as it is taken, and nobody can keep another
/// one from logging in by publishing much.
#[test]
fn more_than_fits_into_an_outbox() {
    let server = TestServer::with(|c| c.limits.outbox_bytes_max = 150_000);
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let nodes: Vec<String> = (10..22).map(|n| format!("urn:node:{n}")).collect();
    let text = "x".repeat(60_000);
    let mut juliet = server.login("juliet", "secret", "balcony");
    for node in &nodes {
        publish(&mut juliet, node, &item("1", node, &text), "");
    }
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut romeo = wanting(&server, "romeo", "orchard", &nodes);
    for node in nodes {
        expect_event(&mut romeo, &event("juliet", node, &item("1", node, &text), true));
    }
    romeo.expect_nothing();
}
