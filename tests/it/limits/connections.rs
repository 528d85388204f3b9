//! How many connections one address and one account may have.

use crate::support::{Client, TestServer};

/// Refused with `policy-violation` (RFC 6120 §4.9.3.14), or without a word.
#[track_caller]
fn expect_refused(client: &mut Client) {
    while let Some(event) = client.next_event() {
        let text = format!("{event:?}");
        assert!(!text.contains("<stream:features"), "let in: {text}");
    }
}

/// Any of them that ends makes room, whatever it had reached.
#[test]
fn connections_of_one_address_have_a_limit() {
    let server = TestServer::with(|c| {
        c.limits.connections_per_address_max = 3;
        c.limits.exempt_addresses.clear();
    });
    server.account("romeo", "secret");
    let romeo = server.login("romeo", "secret", "orchard");
    let mut second = server.connect();
    second.open_to_features();
    let mut third = server.connect();
    third.secure();
    expect_refused(&mut server.connect());
    expect_refused(&mut server.connect_for_tls());
    romeo.close();
    wait_for(&server, 2);
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.expect_nothing();
    expect_refused(&mut server.connect());
    second.close();
    wait_for(&server, 2);
    let mut second = server.connect();
    second.open_to_features();
}

/// A connection is given back after its last byte; the client sees its end a moment before.
fn wait_for(server: &TestServer, connections: usize) {
    while server.server().budget().connections() > connections {
        std::thread::yield_now();
    }
}

/// RFC 6120 §7.6.2.1: `resource-constraint`; each session of the limit works, and one that ends makes room.
#[test]
fn sessions_of_one_account_have_a_limit() {
    let server = TestServer::with(|c| c.limits.resources_per_account_max = 3);
    let first = server.online("romeo", "r0");
    let mut others: Vec<Client> = (1..3).map(|n| server.login("romeo", "secret", &format!("r{n}"))).collect();
    let mut fourth = server.connect();
    fourth.secure();
    fourth.authenticate("SCRAM-SHA-1", "romeo", "secret");
    fourth.open_to_features();
    let wish = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    fourth.send(wish);
    fourth.expect_stanza_error("iq", "b", "wait", "resource-constraint");
    others.iter_mut().for_each(Client::expect_nothing);
    // Another account is not concerned.
    server.online("juliet", "balcony").expect_nothing();
    first.close();
    assert_eq!(fourth.bind("r3"), "romeo@im.example/r3");
}
