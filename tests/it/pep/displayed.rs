//! XEP-0490: how far a chat was read, and markers that carry it.

use super::{event, expect_event, features, items, no_items, options, publish, wanting};
use crate::support::TestServer;

const NODE: &str = "urn:xmpp:mds:displayed:0";

fn displayed(id: &str) -> String {
    format!(
        "<displayed xmlns='{NODE}'><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@im.example' id='{id}'/></displayed>"
    )
}

const MARKER: &str = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>";

/// §4.5: taken out of the message, published for the sender's devices, kept.
#[test]
fn a_marker_carries_it() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    let mut chamber = wanting(&server, "juliet", "chamber", &[NODE]);
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert!(features(&mut juliet).contains(&"urn:xmpp:mds:server-assist:0".to_owned()));
    juliet.send(&format!("<message to='Romeo@im.example'>{MARKER}{}</message>", displayed("1")));
    romeo.expect(&format!(
        "<message from='{{juliet/balcony}}' to='romeo@im.example' any-attrs='true'>{MARKER}<any/></message>"
    ));
    let item = format!("<item id='romeo@im.example'>{}</item>", displayed("1"));
    expect_event(&mut chamber, &event("juliet", NODE, &item, false));
    // Durable when what comes next is answered.
    juliet.send(&format!("<message to='romeo@im.example'>{MARKER}{}</message>", displayed("2")));
    juliet.send(&format!("<message to='paris@im.example'><body>x</body>{}</message>", displayed("3")));
    juliet.sync();
    let found = items(&mut juliet, "juliet", NODE);
    let ids: Vec<_> = found.iter().filter_map(|item| item.attr("id")).collect();
    assert_eq!(ids, ["romeo@im.example", "paris@im.example"]);
    assert!(found[0].raw.contains("id='2'"), "{}", found[0].raw);
    let seen = romeo.sync();
    assert!(seen.iter().all(|el| !el.raw.contains(NODE)), "§7: {seen:?}");
    // §5.2, §7: for nobody else.
    no_items(&mut romeo, "juliet", NODE, "not-");
}

/// Many in a row: the last one stays.
#[test]
fn the_last_one_stays() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut juliet = server.online("juliet", "balcony");
    for id in 0..50 {
        juliet.send(&format!("<message to='romeo@im.example'>{MARKER}{}</message>", displayed(&id.to_string())));
    }
    juliet.sync();
    let found = items(&mut juliet, "juliet", NODE);
    assert!(found.len() == 1 && found[0].raw.contains("id='49'"), "{found:?}");
}

/// §5.2: before the archive and carbons. The archive has it nowhere.
#[test]
fn it_is_not_archived_and_not_copied() {
    let server = TestServer::with(|c| c.archive.enabled = true);
    server.account("romeo", "secret");
    let mut chamber = server.online("juliet", "chamber");
    chamber.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    chamber.sync();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send(&format!(
        "<message to='romeo@im.example' type='chat'><body>x</body>{MARKER}{}</message>",
        displayed("1")
    ));
    juliet.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>");
    let archived = juliet.sync();
    assert!(archived.iter().any(|el| el.raw.contains("<body>x</body>")), "{archived:?}");
    let copied = chamber.sync();
    assert!(copied.iter().any(|el| el.raw.contains("<body>x</body>")), "{copied:?}");
    assert!(archived.iter().chain(&copied).all(|el| !el.raw.contains(NODE)));
}

/// §4.2: published as every item; another marker leaves it alone.
#[test]
fn published_by_the_client() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut juliet = server.online("juliet", "balcony");
    let private = options(&[
        ("persist_items", "true"),
        ("max_items", "max"),
        ("send_last_published_item", "never"),
        ("access_model", "whitelist"),
    ]);
    for (chat, id) in [("romeo@im.example", "1"), ("room@rooms.example", "2"), ("romeo@im.example", "3")] {
        publish(&mut juliet, NODE, &format!("<item id='{chat}'>{}</item>", displayed(id)), &private);
    }
    juliet.send(&format!("<message to='romeo@im.example'>{MARKER}</message>"));
    juliet.sync();
    let found = items(&mut juliet, "juliet", NODE);
    assert_eq!(found.len(), 2);
    assert!(found[1].raw.contains("id='3'"));
}
