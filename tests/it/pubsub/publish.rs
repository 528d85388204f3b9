//! §7.1: publishing items.

use super::*;

/// §7.1.2, Examples: the answers, with an id and without.
#[test]
fn an_item_is_published() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    ask(&mut romeo, "set", SERVICE, NS, &publish_xml("n", "1", &saying("one")));
    romeo.expect(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item id='1'/></publish></pubsub></iq>",
    );
    ask(&mut romeo, "set", SERVICE, NS, &publish_xml("n", "", &saying("two")));
    romeo.expect(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item id='{made}'/></publish></pubsub></iq>",
    );
    ask(&mut romeo, "get", SERVICE, NS, "<items node='n'/>");
    romeo.expect(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'>\
         <item id='1' publisher='romeo@im.example'><say xmlns='urn:say'>one</say></item>\
         <item id='{made}' publisher='romeo@im.example'><say xmlns='urn:say'>two</say></item></items></pubsub></iq>",
    );
}

/// What comes back is what was published, whatever its namespaces and characters.
#[test]
fn payloads_survive() {
    let mut server = server();
    let payloads = [
        "<a xmlns=''><b/></a>",
        "<a xmlns='http://jabber.org/protocol/pubsub'><item id='x'/></a>",
        "<a xmlns='http://jabber.org/protocol/pubsub#event'>&lt;&amp;&gt; \u{1F426} ]]&gt;</a>",
        "<message xmlns='jabber:client'><body>a client's own</body></message>",
        "<p:a xmlns:p='urn:p' p:b='&apos;&quot;&#10;'><c xmlns='urn:c' xml:lang='de'/><p:d/></p:a>",
        "<a xmlns='urn:a'> white  space\n kept </a>",
    ];
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, "", "n", &[("max_items", "max")]);
    wants(&server, &romeo, &["n"]);
    let found = |client: &mut Client, n: usize, payload: &str| {
        let items = get(client, "", NS, &format!("<items node='n'><item id='{n}'/></items>"));
        let item = items.find("items", NS).and_then(|items| items.find("item", NS)).expect("an item");
        client.matches(payload, item.elements().next().expect("a payload")).expect(payload);
    };
    for (n, payload) in payloads.iter().enumerate() {
        ask(&mut romeo, "set", "", NS, &publish_xml("n", &n.to_string(), payload));
        let message = romeo.next();
        let items = message.find("event", EVENT).and_then(|event| event.find("items", EVENT)).expect("an event");
        let item = items.find("item", EVENT).expect("an item");
        romeo.matches(payload, item.elements().next().expect("a payload")).expect(payload);
        assert_eq!(romeo.next().attr("type"), Some("result"));
        found(&mut romeo, n, payload);
    }
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    for (n, payload) in payloads.iter().enumerate() {
        found(&mut romeo, n, payload);
    }
}

/// §7.1.2: an item with the same id takes the place of the old one, and is the newest.
#[test]
fn an_item_is_overwritten() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    for id in ["1", "2", "1"] {
        publish(&mut romeo, SERVICE, "n", id);
    }
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["2", "1"]);
    set(&mut romeo, SERVICE, NS, &publish_xml("n", "1", &saying("again")));
    let items = get(&mut romeo, SERVICE, NS, "<items node='n'><item id='1'/></items>");
    assert!(items.raw.contains("again"), "{}", items.raw);
}

/// §7.1.3.1, and who overwrites what.
#[test]
fn who_may_publish() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let forbidden = ("auth", "forbidden", "");
    for model in ["publishers", "subscribers", "open"] {
        create(&mut romeo, SERVICE, model, &[("publish_model", model)]);
        publish(&mut romeo, SERVICE, model, "romeos");
    }
    let mine = |node: &str| publish_xml(node, "juliets", &saying("x"));
    refused(&mut juliet, "set", SERVICE, NS, &mine("publishers"), forbidden);
    refused(&mut juliet, "set", SERVICE, NS, &mine("subscribers"), forbidden);
    set(&mut juliet, SERVICE, NS, &mine("open"));
    // Somebody else's item is not theirs to replace.
    refused(&mut juliet, "set", SERVICE, NS, &publish_xml("open", "romeos", &saying("x")), forbidden);
    publish(&mut romeo, SERVICE, "open", "juliets");
    refused(&mut juliet, "set", SERVICE, NS, &mine("open"), forbidden);
    subscribe(&mut juliet, SERVICE, "subscribers", "juliet@im.example");
    set(&mut juliet, SERVICE, NS, &mine("subscribers"));
    for affiliation in ["publisher", "publish-only", "owner"] {
        affiliate(&mut romeo, SERVICE, "publishers", "juliet@im.example", affiliation);
        set(&mut juliet, SERVICE, NS, &mine("publishers"));
    }
    create(&mut romeo, SERVICE, "other", &[("publish_model", "open")]);
    affiliate(&mut romeo, SERVICE, "other", "juliet@im.example", "outcast");
    refused(&mut juliet, "set", SERVICE, NS, &mine("other"), forbidden);
    affiliate(&mut romeo, SERVICE, "other", "juliet@im.example", "member");
    set(&mut juliet, SERVICE, NS, &mine("other"));
}

/// §7.1.3.3: the service makes no node by itself, and nobody makes one on somebody else's account.
#[test]
fn publishing_where_there_is_no_node() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    let gone = ("cancel", "item-not-found", "");
    for to in [SERVICE, "juliet@im.example", "nobody@im.example"] {
        refused(&mut romeo, "set", to, NS, &publish_xml("n", "1", &saying("x")), gone);
    }
    refused(&mut romeo, "set", "", NS, "<publish><item/></publish>", ("modify", "bad-request", "nodeid-required"));
}

/// §7.1.2.5, §7.1.3.4.
#[test]
fn a_node_that_is_full() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let full = ("cancel", "conflict", "node-full");
    for (model, left) in [("retract-oldest", ["2", "3"]), ("discard-oldest", ["2", "3"]), ("reject", ["1", "2"])] {
        create(&mut romeo, SERVICE, model, &[("max_items", "2"), ("publish_node_full", model)]);
        subscribe(&mut romeo, SERVICE, model, "{romeo}");
        publish(&mut romeo, SERVICE, model, "1");
        publish(&mut romeo, SERVICE, model, "2");
        ask(&mut romeo, "set", SERVICE, NS, &publish_xml(model, "3", &saying("x")));
        let seen = romeo.sync();
        let expected: Vec<String> = match model {
            "retract-oldest" => vec![format!("{model} 3"), format!("{model} -1")],
            "discard-oldest" => vec![format!("{model} 3")],
            _ => Vec::new(),
        };
        assert_eq!(events(&seen), expected);
        if model == "reject" {
            refused(&mut romeo, "set", SERVICE, NS, &publish_xml(model, "3", &saying("x")), full);
            // "re-publication is equivalent to modification".
            publish(&mut romeo, SERVICE, model, "1");
            assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='reject'/>"), ["2", "1"]);
        } else {
            assert_eq!(item_ids(&mut romeo, SERVICE, &format!("<items node='{model}'/>")), left);
        }
    }
}

/// §7.1.3.5, §7.1.3.6.
#[test]
fn payloads_that_are_refused() {
    let server = TestServer::with(|c| c.limits.pubsub_item_bytes_max = 1000);
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, "", "small", &[("max_payload_size", "50")]);
    create(&mut romeo, "", "n", &[]);
    let big = ("modify", "not-acceptable", "payload-too-big");
    for (node, bytes) in [("small", 30), ("n", 1000)] {
        refused(&mut romeo, "set", "", NS, &publish_xml(node, "1", &saying(&"x".repeat(bytes))), big);
        set(&mut romeo, "", NS, &publish_xml(node, "1", &saying(&"x".repeat(bytes - 30))));
    }
    let two = format!("{}{}", saying("a"), saying("b"));
    refused(&mut romeo, "set", "", NS, &publish_xml("n", "1", &two), ("modify", "bad-request", "invalid-payload"));
    let items =
        "<publish node='n'><item id='1'><a xmlns='urn:a'/></item><item id='2'><a xmlns='urn:a'/></item></publish>";
    refused(&mut romeo, "set", "", NS, items, ("modify", "bad-request", ""));
    refused(
        &mut romeo,
        "set",
        "",
        NS,
        &publish_xml("n", &"i".repeat(1024), &saying("x")),
        ("modify", "not-acceptable", ""),
    );
    let name = "n".repeat(1024);
    refused(&mut romeo, "set", "", NS, &publish_xml(&name, "1", &saying("x")), ("modify", "not-acceptable", ""));
}

/// §4.3, §7.1.3.7: what is published has to match the node.
#[test]
fn items_and_payloads_by_the_type_of_events() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let no_item = |node: &str| format!("<publish node='{node}'/>");
    let bare = |node: &str| publish_xml(node, "1", "");
    let full = |node: &str| publish_xml(node, "1", &saying("x"));
    let bad = |app| ("modify", "bad-request", app);
    for (node, persist, payloads) in [("pp", "1", "1"), ("pn", "1", "0"), ("tp", "0", "1"), ("tn", "0", "0")] {
        create(&mut romeo, SERVICE, node, &[("persist_items", persist), ("deliver_payloads", payloads)]);
        subscribe(&mut romeo, SERVICE, node, "{romeo}");
    }
    refused(&mut romeo, "set", SERVICE, NS, &no_item("pp"), bad("item-required"));
    refused(&mut romeo, "set", SERVICE, NS, &bare("pp"), bad("payload-required"));
    refused(&mut romeo, "set", SERVICE, NS, &no_item("pn"), bad("item-required"));
    refused(&mut romeo, "set", SERVICE, NS, &no_item("tp"), bad("item-required"));
    refused(&mut romeo, "set", SERVICE, NS, &bare("tp"), bad("payload-required"));
    refused(&mut romeo, "set", SERVICE, NS, &bare("tn"), bad("item-forbidden"));
    refused(&mut romeo, "set", SERVICE, NS, &full("tn"), bad("item-forbidden"));
    romeo.expect_nothing();
    for (publish, expected) in [
        (full("pp"), "<items node='pp'><item id='1' publisher='{any}'><say xmlns='urn:say'>x</say></item></items>"),
        (bare("pn"), "<items node='pn'><item id='1' publisher='{any}'/></items>"),
        // "even if publish request contains a payload, pubsub service MUST NOT include the payload".
        (full("pn"), "<items node='pn'><item id='1' publisher='{any}'/></items>"),
        (full("tp"), "<items node='tp'><item id='1' publisher='{any}'><say xmlns='urn:say'>x</say></item></items>"),
        (no_item("tn"), "<items node='tn'/>"),
    ] {
        ask(&mut romeo, "set", SERVICE, NS, &publish);
        romeo.expect(&event(SERVICE, "{jid}", expected));
        assert_eq!(romeo.next().attr("type"), Some("result"));
    }
}

/// §7.1.4, XEP-0163 §3: an account makes its nodes when they are needed.
#[test]
fn an_account_makes_its_nodes_by_itself() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    set(&mut romeo, "", NS, &publish_xml("urn:tune", "", &saying("x")));
    set(&mut romeo, "romeo@im.example", NS, &publish_xml("urn:tune", "current", &saying("y")));
    // One thing at a time is the default.
    assert_eq!(item_ids(&mut romeo, "", "<items node='urn:tune'/>"), ["current"]);
    let config = get(&mut romeo, "", OWNER, "<configure node='urn:tune'/>");
    for (var, value) in [
        ("access_model", "presence"),
        ("max_items", "1"),
        ("deliver_notifications", "1"),
        ("deliver_payloads", "1"),
        ("send_last_published_item", "on_sub_and_presence"),
    ] {
        assert_eq!(configure::value(&config, var), [value], "{var}");
    }
    // What would be refused makes none.
    refused(&mut romeo, "set", "", NS, &publish_xml("n", "1", ""), ("modify", "bad-request", "payload-required"));
    refused(&mut romeo, "get", "", NS, "<items node='n'/>", ("cancel", "item-not-found", ""));
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert_eq!(item_ids(&mut romeo, "", "<items node='urn:tune'/>"), ["current"]);
}
