//! XEP-0402 §5.3 and XEP-0411: old and new clients see the same bookmarks.

use super::{event, expect_event, features, items, no_items, options, publish, result, wanting};
use crate::caps::soon;
use crate::support::xml::El;
use crate::support::{Client, TestServer};

const NATIVE: &str = "urn:xmpp:bookmarks:1";
const LIST: &str = "storage:bookmarks";

fn native(jid: &str, inside: &str) -> String {
    format!("<item id='{jid}'><conference xmlns='{NATIVE}' {inside}</conference></item>")
}

/// The list in private storage.
#[track_caller]
fn list(client: &mut Client) -> El {
    client.send(
        "<iq type='get' id='list'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query></iq>",
    );
    let answer = result(client, "list");
    let query = answer.find("query", "jabber:iq:private").expect("a query");
    query.find("storage", LIST).expect("a list").clone()
}

#[track_caller]
fn set_list(client: &mut Client, inside: &str) {
    client.send(&format!(
        "<iq type='set' id='list'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>{inside}</storage>\
         </query></iq>"
    ));
    result(client, "list");
}

fn ids(items: &[El]) -> Vec<&str> {
    items.iter().filter_map(|item| item.attr("id")).collect()
}

/// XEP-0402 §6, XEP-0411 §2.
#[test]
fn the_account_says_so() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let features = features(&mut romeo);
    for feature in ["urn:xmpp:bookmarks:1#compat", "urn:xmpp:bookmarks:1#compat-pep", "urn:xmpp:bookmarks-conversion:0"]
    {
        assert!(features.contains(&feature.to_owned()), "{feature}");
    }
}

/// §5.3.1: private storage shows the items at once, the list in an item follows.
#[test]
fn new_bookmarks_for_old_clients() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut old = wanting(&server, "romeo", "old", &[LIST]);
    let mut new = server.login("romeo", "secret", "new");
    assert_eq!(list(&mut new).elements().count(), 0);
    publish(&mut new, NATIVE, &native("a@rooms.example", "name='A' autojoin='1'><nick>R</nick>"), "");
    let expected = "<storage xmlns='storage:bookmarks'><conference jid='a@rooms.example' name='A' autojoin='1'>\
        <nick>R</nick></conference></storage>";
    let found = list(&mut new);
    new.matches(expected, &found).unwrap();
    expect_event(&mut old, &event("romeo", LIST, &format!("<item id='current'>{expected}</item>"), false));
    new.send(&format!(
        "<iq type='set' id='r'><pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='{NATIVE}'>\
         <item id='a@rooms.example'/></retract></pubsub></iq>"
    ));
    result(&mut new, "r");
    expect_event(
        &mut old,
        &event("romeo", LIST, "<item id='current'><storage xmlns='storage:bookmarks'/></item>", false),
    );
    assert_eq!(list(&mut old).elements().count(), 0);
}

/// §5.3.2: what has changed is published or retracted, the rest is left alone; what only the new format knows stays, and
/// what only the old one knows as well.
#[test]
fn the_list_in_private_storage_for_new_clients() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut new = wanting(&server, "romeo", "new", &[NATIVE]);
    let mut old = server.login("romeo", "secret", "old");
    for (jid, inside) in [
        ("a@rooms.example", "name='A'><extensions><e xmlns='urn:x'/></extensions>"),
        ("b@rooms.example", "name='B'>"),
        ("c@rooms.example", "name='C'>"),
    ] {
        publish(&mut new, NATIVE, &native(jid, inside), "");
    }
    new.sync();
    set_list(
        &mut old,
        "<conference jid='a@rooms.example' name='A2' autojoin='true'/><conference jid='b@rooms.example' name='B'/>\
         <conference jid='D@rooms.example'><nick>R</nick></conference><url name='W' url='http://example.org/'/>",
    );
    let changed = native("a@rooms.example", "name='A2' autojoin='true'><extensions><e xmlns='urn:x'/></extensions>");
    expect_event(&mut new, &event("romeo", NATIVE, &changed, false));
    expect_event(&mut new, &event("romeo", NATIVE, &native("d@rooms.example", "><nick>R</nick>"), false));
    expect_event(&mut new, &event("romeo", NATIVE, "<retract id='c@rooms.example'/>", false));
    new.expect_nothing();
    assert_eq!(ids(&items(&mut new, "romeo", NATIVE)), ["b@rooms.example", "a@rooms.example", "d@rooms.example"]);
    let found = list(&mut old);
    assert_eq!(
        found.elements().map(|el| el.name.as_str()).collect::<Vec<_>>(),
        ["conference", "conference", "conference", "url"]
    );
    let of_item = items(&mut new, "romeo", LIST);
    assert!(of_item[0].raw.contains("d@rooms.example") && of_item[0].raw.contains("example.org"), "{}", of_item[0].raw);
}

/// XEP-0411 §3, XEP-0402 §5.3.2: the same for the list in an item.
#[test]
fn the_list_in_an_item_for_new_clients() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut new = wanting(&server, "romeo", "new", &[NATIVE]);
    let mut old = server.login("romeo", "secret", "old");
    let storage =
        |inside: &str| format!("<item id='current'><storage xmlns='storage:bookmarks'>{inside}</storage></item>");
    let private = options(&[("persist_items", "true"), ("access_model", "whitelist")]);
    publish(&mut old, LIST, &storage("<conference jid='a@rooms.example' name='A'/>"), &private);
    expect_event(&mut new, &event("romeo", NATIVE, &native("a@rooms.example", "name='A'>"), false));
    publish(&mut old, LIST, &storage("<conference jid='b@rooms.example' name='B'/>"), &private);
    expect_event(&mut new, &event("romeo", NATIVE, &native("b@rooms.example", "name='B'>"), false));
    expect_event(&mut new, &event("romeo", NATIVE, "<retract id='a@rooms.example'/>", false));
    assert!(list(&mut old).raw.contains("b@rooms.example"));
    // Whoever has moved on deletes the list, and not the bookmarks.
    old.send(&format!(
        "<iq type='set' id='d'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='{LIST}'/></pubsub></iq>"
    ));
    result(&mut old, "d");
    new.expect_nothing();
    assert_eq!(ids(&items(&mut new, "romeo", NATIVE)), ["b@rooms.example"]);
}

/// XEP-0411 §5: nothing is put where others could see it.
#[test]
fn bookmarks_that_others_see_are_not_converted() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut new = wanting(&server, "romeo", "new", &[NATIVE]);
    let mut old = server.login("romeo", "secret", "old");
    let open = options(&[("access_model", "open"), ("max_items", "max")]);
    publish(&mut new, NATIVE, &native("a@rooms.example", "name='A'>"), &open);
    new.sync();
    set_list(&mut old, "<conference jid='secret@rooms.example'/>");
    new.expect_nothing();
    let found = list(&mut old);
    assert!(found.raw.contains("secret@rooms.example") && !found.raw.contains("a@rooms.example"), "{}", found.raw);
}

/// XEP-0402 §3.3: private, whatever the client says or forgets to say.
#[test]
fn nobody_else_reads_them() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut romeo = server.present("romeo", "orchard");
    set_list(&mut romeo, "<conference jid='a@rooms.example'/>");
    let mut juliet = server.present("juliet", "balcony");
    for node in [NATIVE, LIST] {
        no_items(&mut juliet, "romeo", node, "not-allowed");
    }
}

/// XEP-0411 §4: what was there before is for everybody when the server starts.
#[test]
fn bookmarks_from_before() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    let (id, _) = server.account_id("romeo");
    let storage = &server.server().core().storage;
    let list = "<storage xmlns='storage:bookmarks'><conference jid='a@rooms.example' name='A'/>\
        <url url='http://example.org/'/></storage>";
    server.runtime().block_on(storage.private_set(id, "{storage:bookmarks}storage", list)).unwrap();
    server.runtime().block_on(storage.meta_set("bookmarks converted", Vec::new())).unwrap();
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    soon(|| !all_items(&mut romeo, NATIVE).is_empty());
    assert_eq!(ids(&items(&mut romeo, "romeo", NATIVE)), ["a@rooms.example"]);
    soon(|| !all_items(&mut romeo, LIST).is_empty());
    let found = self::list(&mut romeo);
    assert!(found.raw.contains("a@rooms.example") && found.raw.contains("http://example.org/"), "{}", found.raw);
}

/// The same for a node that may not be there yet.
fn all_items(client: &mut Client, node: &str) -> Vec<El> {
    client.send(&format!(
        "<iq type='get' id='all'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub></iq>"
    ));
    let answer = client.next();
    let pubsub = answer.find("pubsub", "http://jabber.org/protocol/pubsub");
    let items = pubsub.and_then(|pubsub| pubsub.find("items", "http://jabber.org/protocol/pubsub"));
    items.map(|items| items.elements().cloned().collect()).unwrap_or_default()
}

/// Limits of private storage hold, and then nothing is done.
#[test]
fn a_list_that_is_too_long() {
    let server = TestServer::with(|c| c.limits.private_bytes_max = 200);
    let mut romeo = server.online("romeo", "orchard");
    let conference = format!("<conference jid='a@rooms.example' name='{}'/>", "x".repeat(200));
    romeo.send(&format!(
        "<iq type='set' id='l'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>{conference}</storage>\
         </query></iq>"
    ));
    romeo.expect_stanza_error("iq", "l", "wait", "resource-constraint");
    no_items(&mut romeo, "romeo", NATIVE, "item-not-found");
}

/// More than a list can hold is not converted: reading it all for every change of one would be anybody's way to keep the
/// server busy.
#[test]
fn too_many_are_not_converted() {
    let server = TestServer::with(|c| c.limits.pubsub_item_bytes_max = 1_000);
    let mut romeo = server.online("romeo", "orchard");
    let long = "x".repeat(700);
    for n in 0..5 {
        publish(&mut romeo, NATIVE, &native(&format!("{n}@rooms.example"), &format!("name='{long}'>")), "");
    }
    assert_eq!(list(&mut romeo).elements().count(), 0);
    set_list(&mut romeo, "<conference jid='old@rooms.example'/>");
    assert_eq!(list(&mut romeo).elements().count(), 1);
    assert_eq!(items(&mut romeo, "romeo", NATIVE).len(), 5, "one format does not touch the other");
}
