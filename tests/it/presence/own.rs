//! A user's own resources see each other (RFC 6121 §4.2.2, §4.4.2, §4.5.2).

use crate::support::TestServer;
use crate::support::contacts::presences;

/// RFC 6121 §4.2.2: initial presence comes back to the resource that sent it.
#[test]
fn a_resource_sees_its_own_presence() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence id='p'><show>chat</show></presence>");
    romeo.expect("<presence id='p' from='{jid}' to='{jid}'><show>chat</show></presence>");
    romeo.expect_nothing();
}

/// RFC 6121 §4.2.2, §4.3: a second resource and the first see each other; those without presence see and show nothing.
#[test]
fn resources_of_a_user_see_each_other() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut first = server.login("romeo", "secret", "orchard");
    first.send("<presence><priority>-1</priority></presence>");
    first.sync();
    let mut silent = server.login("romeo", "secret", "street");
    silent.roster();
    let mut second = server.login("romeo", "secret", "garden");
    second.send("<presence><status>here</status></presence>");
    second.expect_in_any_order(&[
        "<presence from='{jid}' to='{jid}'><status>here</status></presence>",
        "<presence from='{romeo/orchard}' to='{jid}'><priority>-1</priority></presence>",
    ]);
    first.expect("<presence from='{romeo/garden}' to='{jid}'><status>here</status></presence>");
    first.send("<presence><show>away</show></presence>");
    first.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    second.expect("<presence from='{romeo/orchard}' to='{jid}'><show>away</show></presence>");
    for client in [&mut first, &mut second, &mut silent] {
        client.expect_nothing();
    }
}

/// RFC 6121 §4.5.2: unavailable presence goes to all available resources, and to the one that sent it as well.
#[test]
fn unavailable_presence_reaches_all_own_resources() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut first = server.login("romeo", "secret", "orchard");
    first.available();
    let mut second = server.login("romeo", "secret", "garden");
    second.available();
    first.sync();
    second.send("<presence type='unavailable'><status>gone</status></presence>");
    second.expect("<presence type='unavailable' from='{jid}' to='{jid}'><status>gone</status></presence>");
    first.expect("<presence type='unavailable' from='{romeo/garden}' to='{jid}'><status>gone</status></presence>");
    first.send("<presence><show>away</show></presence>");
    first.sync();
    second.expect_nothing();
}

/// RFC 6121 §4.5.2: a resource that was not available has nothing to take back.
#[test]
fn unavailable_without_having_been_available_says_nothing() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    let mut silent = server.login("romeo", "secret", "street");
    juliet.sync();
    silent.send("<presence type='unavailable'/>");
    silent.sync();
    romeo.expect_nothing();
    juliet.expect_nothing();
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    juliet.expect("<presence type='unavailable' from='{romeo/orchard}' to='juliet@im.example'/>");
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    juliet.expect_nothing();
}

/// RFC 6121 §4.4.3: a contact sees each resource by itself; one going does not take the other along.
#[test]
fn a_contact_sees_every_resource_by_itself() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut first = server.login("romeo", "secret", "orchard");
    first.available();
    let mut second = server.login("romeo", "secret", "garden");
    second.available();
    juliet.expect("<presence from='{romeo/orchard}' to='juliet@im.example'/>");
    juliet.expect("<presence from='{romeo/garden}' to='juliet@im.example'/>");
    first.send("<presence type='unavailable'/>");
    first.sync();
    juliet.expect("<presence type='unavailable' from='{romeo/orchard}' to='juliet@im.example'/>");
    juliet.expect_nothing();
    let mut late = server.login("juliet", "secret", "chamber");
    let seen = presences(&late.available(), "");
    assert!(seen.contains(&"romeo@im.example/garden".to_owned()));
    assert!(!seen.contains(&"romeo@im.example/orchard".to_owned()));
}
