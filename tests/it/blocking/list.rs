//! The list: read, changed, pushed, kept (§3.1 to §3.5).

use super::{block, expect_list, items, unblock};
use crate::support::{Client, TestServer};

/// §3.1; XEP-0377 §3.
#[test]
fn the_feature_is_announced() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    juliet.send("<iq type='get' id='1' to='im.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    let info = juliet.next().raw;
    assert!(info.contains("'urn:xmpp:blocking'") && info.contains("'urn:xmpp:reporting:1'"), "{info}");
}

/// §3.2 to §3.5. Addresses are compared in their normal form, blocking twice is no error, and neither is unblocking
/// somebody who is not blocked.
#[test]
fn the_list_is_what_was_asked_for() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    expect_list(&mut juliet, &[]);
    let mut other = server.login("juliet", "secret", "other");
    block(&mut other, &["romeo@im.example", "Iago@Shakespeare.LIT/Resource"]);
    expect_list(&mut other, &["romeo@im.example", "iago@shakespeare.lit/Resource"]);
    block(&mut other, &["ROMEO@im.example", "spam.example"]);
    expect_list_pushed(&mut other, "block", &["romeo@im.example", "spam.example"]);
    expect_list(&mut other, &["romeo@im.example", "iago@shakespeare.lit/Resource", "spam.example"]);
    unblock(&mut other, &["romeo@IM.example", "nobody@im.example"]);
    expect_list_pushed(&mut other, "unblock", &["romeo@im.example", "nobody@im.example"]);
    expect_list(&mut other, &["iago@shakespeare.lit/Resource", "spam.example"]);
    unblock(&mut other, &[]);
    expect_list_pushed(&mut other, "unblock", &[]);
    expect_list(&mut other, &[]);
}

#[track_caller]
fn expect_list_pushed(client: &mut Client, name: &str, jids: &[&str]) {
    client.expect(&format!(
        "<iq type='set' id='{{any}}' to='{{jid}}'><{name} xmlns='urn:xmpp:blocking'>{}</{name}></iq>",
        items(jids)
    ));
}

/// §3.3 to §3.5: pushed to those that asked for the list, and to nobody else.
#[test]
fn changes_are_pushed_to_those_who_know_the_list() {
    let server = TestServer::start();
    let mut balcony = server.online("juliet", "balcony");
    let mut chamber = server.login("juliet", "secret", "chamber");
    let mut tomb = server.login("juliet", "secret", "tomb");
    expect_list(&mut balcony, &[]);
    expect_list(&mut chamber, &[]);
    for (name, jids) in
        [("block", &["romeo@im.example", "iago@im.example"][..]), ("unblock", &["romeo@im.example"]), ("unblock", &[])]
    {
        super::command(&mut tomb, name, jids);
        tomb.expect_nothing();
        expect_list_pushed(&mut balcony, name, jids);
        expect_list_pushed(&mut chamber, name, jids);
    }
    // The one that asks, too, if it knows the list.
    block(&mut chamber, &["romeo@im.example"]);
    expect_list_pushed(&mut chamber, "block", &["romeo@im.example"]);
    chamber.expect_nothing();
}

/// The answer says that it is on disk.
#[test]
fn the_list_survives_a_restart() {
    let mut server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    block(&mut juliet, &["romeo@im.example", "iago@im.example", "a/b"]);
    unblock(&mut juliet, &["iago@im.example"]);
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    expect_list(&mut juliet, &["romeo@im.example", "a/b"]);
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    unblock(&mut juliet, &[]);
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    expect_list(&mut juliet, &[]);
}

/// The list of an account that is removed does not come back with its name.
#[test]
fn the_list_goes_with_its_account() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    block(&mut juliet, &["romeo@im.example"]);
    juliet.send("<iq type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    juliet.expect("<iq type='result' id='1' to='{jid}' from='{opt}'/>");
    juliet.expect_stream_error("not-authorized");
    let mut juliet = server.online("juliet", "balcony");
    expect_list(&mut juliet, &[]);
}

/// §3.3 and what else makes no sense. Nothing of a refused request is done.
#[test]
fn requests_that_are_refused() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut juliet = server.online("juliet", "balcony");
    for (inside, condition) in [
        ("<block xmlns='urn:xmpp:blocking'/>", "bad-request"),
        ("<block xmlns='urn:xmpp:blocking'><item/></block>", "bad-request"),
        ("<block xmlns='urn:xmpp:blocking'><item jid='a@b'/><x/></block>", "bad-request"),
        ("<block xmlns='urn:xmpp:blocking'><item jid='a@b'/><item jid='@'/></block>", "jid-malformed"),
        ("<block xmlns='urn:xmpp:blocking'><item jid=''/></block>", "jid-malformed"),
        ("<unblock xmlns='urn:xmpp:blocking'><item/></unblock>", "bad-request"),
        ("<unblock xmlns='urn:xmpp:blocking'><item jid='a@b/'/></unblock>", "jid-malformed"),
    ] {
        juliet.send(&format!("<iq type='set' id='1'>{inside}</iq>"));
        juliet.expect_stanza_error("iq", "1", "modify", condition);
    }
    for (kind, name) in [("get", "block"), ("get", "unblock"), ("set", "blocklist")] {
        juliet.send(&format!("<iq type='{kind}' id='1'><{name} xmlns='urn:xmpp:blocking'/></iq>"));
        juliet.expect_stanza_error("iq", "1", "cancel", "not-allowed");
    }
    for (kind, name) in [("set", "block"), ("set", "unblock"), ("get", "blocklist")] {
        juliet
            .send(&format!("<iq type='{kind}' id='1' to='romeo@im.example'><{name} xmlns='urn:xmpp:blocking'/></iq>"));
        juliet.expect_stanza_error("iq", "1", "auth", "forbidden");
    }
    expect_list(&mut juliet, &[]);
}

/// `limits.blocklist_items_max` and `blocklist_bytes_max`: refused whole; at the limit one can still unblock.
#[test]
fn a_full_list() {
    let server = TestServer::with(|c| {
        c.limits.blocklist_items_max = 3;
        c.limits.blocklist_bytes_max = 100;
    });
    let mut juliet = server.online("juliet", "balcony");
    let mut refused = |jids: &[&str]| {
        let items = items(jids);
        juliet.send(&format!("<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'>{items}</block></iq>"));
        juliet.expect_stanza_error("iq", "1", "wait", "resource-constraint");
        expect_list(&mut juliet, &[]);
    };
    refused(&["a@b", "b@b", "c@b", "d@b"]);
    refused(&[&format!("{}@b", "x".repeat(90))]);
    let mut juliet = server.login("juliet", "secret", "chamber");
    block(&mut juliet, &["a@b", "b@b", "c@b"]);
    block(&mut juliet, &["c@b", "a@b"]);
    unblock(&mut juliet, &["c@b"]);
    block(&mut juliet, &["d@b"]);
    expect_list(&mut juliet, &["a@b", "b@b", "d@b"]);
}
