//! XEP-0163 §4.2: who is notified, as their capabilities say.

use super::{LAST, TUNE, block, event, expect_event, item, publish, wanting};
use crate::support::TestServer;

#[test]
fn contacts_and_own_resources_that_want_it() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "paris"]);
    server.friends("romeo", "juliet");
    let mut juliet = wanting(&server, "juliet", "balcony", &[TUNE]);
    let mut chamber = wanting(&server, "juliet", "chamber", &[LAST]);
    let mut paris = wanting(&server, "paris", "x", &[TUNE]);
    let mut garden = wanting(&server, "romeo", "garden", &[TUNE]);
    let mut romeo = server.present("romeo", "orchard");
    for client in [&mut juliet, &mut chamber, &mut paris, &mut garden] {
        client.sync();
    }
    publish(&mut romeo, TUNE, &item("1", TUNE, "a"), "");
    for client in [&mut juliet, &mut garden] {
        expect_event(client, &event("romeo", TUNE, &item("1", TUNE, "a"), false));
    }
    for client in [&mut romeo, &mut chamber, &mut paris] {
        assert!(client.sync().iter().all(|el| el.name == "presence"), "who does not want it");
    }
    juliet.send("<presence type='unavailable'/>");
    juliet.sync();
    publish(&mut romeo, TUNE, &item("2", TUNE, "b"), "");
    expect_event(&mut garden, &event("romeo", TUNE, &item("2", TUNE, "b"), false));
    juliet.expect_nothing();
}

/// §4.3.3: "MUST NOT send notifications to a subscriber if the user has blocked the subscriber"; and the other way round.
#[test]
fn nobody_who_is_blocked_or_has_blocked() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "paris", "nurse"]);
    let mut clients = Vec::new();
    for contact in ["juliet", "paris", "nurse"] {
        server.friends("romeo", contact);
        clients.push(wanting(&server, contact, "x", &[TUNE]));
    }
    let mut romeo = server.present("romeo", "orchard");
    block(&mut romeo, "juliet@im.example");
    block(&mut clients[1], "romeo@im.example");
    clients.iter_mut().for_each(|client| drop(client.sync()));
    publish(&mut romeo, TUNE, &item("1", TUNE, "a"), "");
    expect_event(&mut clients[2], &event("romeo", TUNE, &item("1", TUNE, "a"), false));
    clients.iter_mut().for_each(|client| client.expect_nothing());
}
