//! §6.5 and XEP-0059: retrieving items.

use super::*;

const RSM: &str = "http://jabber.org/protocol/rsm";

/// Romeo, with a node of so many items named "1", "2" …
fn node_of(server: &TestServer, count: usize) -> Client {
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    for n in 1..=count {
        publish(&mut romeo, SERVICE, "n", &n.to_string());
    }
    romeo
}

/// A page: the ids, the index of the first, the number of all.
fn page(client: &mut Client, set: &str) -> (Vec<String>, Option<String>, String) {
    let answer = get(client, SERVICE, NS, &format!("<items node='n'/><set xmlns='{RSM}'>{set}</set>"));
    let set = answer.find("set", RSM).expect("a set");
    let items: Vec<_> =
        answer.find("items", NS).expect("items").elements().map(|i| i.attr("id").unwrap().to_owned()).collect();
    let text = |name| set.find(name, RSM).map(El::text);
    assert_eq!((text("first"), text("last")), (items.first().cloned(), items.last().cloned()));
    let index = set.find("first", RSM).and_then(|first| first.attr("index")).map(str::to_owned);
    (items, index, text("count").expect("a count"))
}

/// §6.5.2, §6.5.6, §6.5.7, §6.5.8, §6.5.9.12.
#[test]
fn all_some_and_none() {
    let server = server();
    let mut romeo = node_of(&server, 4);
    for (items, ids) in [
        ("<items node='n'/>", &["1", "2", "3", "4"][..]),
        ("<items node='n' max_items='2'/>", &["3", "4"]),
        ("<items node='n' max_items='9'/>", &["1", "2", "3", "4"]),
        ("<items node='n'><item id='3'/><item id='1'/><item id='x'/></items>", &["1", "3"]),
        ("<items node='n'><item id='x'/></items>", &[]),
        ("<items node='n' subid='ignored'><item id='2'/></items>", &["2"]),
    ] {
        assert_eq!(item_ids(&mut romeo, SERVICE, items), ids, "{items}");
    }
    set(&mut romeo, SERVICE, OWNER, "<purge node='n'/>");
    ask(&mut romeo, "get", SERVICE, NS, "<items node='n'/>");
    romeo.expect(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'/></pubsub></iq>",
    );
}

/// §6.5.4, XEP-0059 §2.
#[test]
fn pages() {
    let server = server();
    let mut romeo = node_of(&server, 5);
    let s = |ids: &[&str], index: Option<&str>| {
        (ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), index.map(str::to_owned), "5".to_owned())
    };
    assert_eq!(page(&mut romeo, "<max>2</max>"), s(&["1", "2"], Some("0")));
    assert_eq!(page(&mut romeo, "<max>2</max><after>2</after>"), s(&["3", "4"], Some("2")));
    assert_eq!(page(&mut romeo, "<max>2</max><after>4</after>"), s(&["5"], Some("4")));
    assert_eq!(page(&mut romeo, "<max>2</max><after>5</after>"), s(&[], None));
    assert_eq!(page(&mut romeo, "<max>2</max><before/>"), s(&["4", "5"], Some("3")));
    assert_eq!(page(&mut romeo, "<max>2</max><before>4</before>"), s(&["2", "3"], Some("1")));
    assert_eq!(page(&mut romeo, "<max>0</max>"), s(&[], None));
    assert_eq!(page(&mut romeo, ""), s(&["1", "2", "3", "4", "5"], Some("0")));
    let request = |set: &str| format!("<items node='n'/><set xmlns='{RSM}'>{set}</set>");
    // XEP-0059 §2.5: the item is not there any more.
    refused(&mut romeo, "get", SERVICE, NS, &request("<after>x</after>"), ("cancel", "item-not-found", ""));
    refused(&mut romeo, "get", SERVICE, NS, &request("<before>x</before>"), ("cancel", "item-not-found", ""));
    refused(&mut romeo, "get", SERVICE, NS, &request("<max>x</max>"), ("modify", "bad-request", ""));
    refused(&mut romeo, "get", SERVICE, NS, &request("<index>1</index>"), ("cancel", "feature-not-implemented", ""));
}

/// §6.5.4: whoever asks for everything gets what fits, and learns that there is more.
#[test]
fn what_is_too_much_comes_in_pages() {
    for (items_max, bytes_max) in [(2, 1_000_000), (100, 2 * "<say xmlns='urn:say'>1</say>1".len())] {
        let server = TestServer::with(|c| {
            c.pubsub.create = NodeCreation::Everybody;
            c.limits.pubsub_page_items_max = items_max;
            c.limits.pubsub_page_bytes_max = bytes_max;
        });
        let mut romeo = node_of(&server, 3);
        let answer = get(&mut romeo, SERVICE, NS, "<items node='n'/>");
        let set = answer.find("set", RSM).expect("a set");
        assert_eq!(set.find("last", RSM).map(El::text).as_deref(), Some("2"), "{}", answer.raw);
        assert_eq!(set.find("count", RSM).map(El::text).as_deref(), Some("3"));
        assert_eq!(page(&mut romeo, "<after>2</after>").0, ["3"]);
        assert_eq!(page(&mut romeo, "<max>50</max><before/>").0, ["2", "3"]);
    }
}

/// §6.5.9.
#[test]
fn requests_that_are_refused() {
    let server = server();
    let mut romeo = node_of(&server, 1);
    create(&mut romeo, SERVICE, "transient", &[("persist_items", "0")]);
    let unsupported = ("cancel", "feature-not-implemented", "unsupported persistent-items");
    for (items, error) in [
        ("<items node='transient'/>", unsupported),
        ("<items node='x'/>", ("cancel", "item-not-found", "")),
        ("<items/>", ("modify", "bad-request", "nodeid-required")),
        ("<items node='n' max_items='0'/>", ("modify", "bad-request", "")),
        ("<items node='n' max_items='few'/>", ("modify", "bad-request", "")),
        ("<items node='n'><item/></items>", ("modify", "bad-request", "item-required")),
    ] {
        refused(&mut romeo, "get", SERVICE, NS, items, error);
    }
    refused(&mut romeo, "get", "nobody@im.example", NS, "<items node='n'/>", ("cancel", "item-not-found", ""));
}

/// `pubsub#item_expire`: gone at once when the time has come, which here is in the past.
#[test]
fn items_expire() {
    let server = server();
    let mut romeo = node_of(&server, 2);
    let configure = |fields| format!("<configure node='n'>{}</configure>", form(CONFIG, fields));
    set(&mut romeo, SERVICE, OWNER, &configure(&[("item_expire", "3600")]));
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["1", "2"]);
    let storage = &server.server().core().storage;
    let node = server.runtime().block_on(storage.pubsub_node(SERVICE, "n")).unwrap().expect("a node");
    // Behind the server's back: they were published long ago.
    let config = storage.pubsub_configure(node.id, node.config, Some(Some(-1)));
    server.runtime().block_on(config).unwrap();
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), [""; 0]);
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'><item id='1'/></items>"), [""; 0]);
    publish(&mut romeo, SERVICE, "n", "3");
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["3"]);
    let left = server.runtime().block_on(storage.pubsub_expire(magpie::clock::now_micros())).unwrap();
    assert_eq!(left, 0, "publishing has removed them");
}
