//! §5.1 to §5.5: services, nodes and items in service discovery.

use super::*;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

#[track_caller]
fn query(client: &mut Client, to: &str, ns: &str, node: &str) -> El {
    let node = if node.is_empty() { String::new() } else { format!("node='{node}'") };
    client.send(&format!("<iq type='get' id='d' to='{to}'><query xmlns='{ns}' {node}/></iq>"));
    let answer = client.next();
    assert_eq!(answer.attr("type"), Some("result"), "{}", answer.raw);
    answer.find("query", ns).expect("a query").clone()
}

#[track_caller]
fn no_query(client: &mut Client, to: &str, ns: &str, node: &str, condition: &str) {
    client.send(&format!("<iq type='get' id='d' to='{to}'><query xmlns='{ns}' node='{node}'/></iq>"));
    client.expect_stanza_error("iq", "d", "cancel", condition);
}

fn identities(info: &El) -> Vec<String> {
    let identities = info.elements().filter(|el| el.name == "identity");
    identities.map(|el| format!("{}/{}", el.attr("category").unwrap(), el.attr("type").unwrap())).collect()
}

fn features(info: &El) -> Vec<String> {
    let features = info.elements().filter(|el| el.name == "feature").map(|el| el.attr("var").unwrap());
    features.filter_map(|var| var.strip_prefix("http://jabber.org/protocol/pubsub#")).map(str::to_owned).collect()
}

fn names(items: &El, attr: &str) -> Vec<String> {
    items.elements().filter_map(|el| el.attr(attr)).map(str::to_owned).collect()
}

/// §5.1, §10; the service is among the items of the domain.
#[test]
fn services_say_what_they_are() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    assert!(names(&query(&mut romeo, "im.example", ITEMS, ""), "jid").contains(&SERVICE.to_owned()));
    let info = query(&mut romeo, SERVICE, INFO, "");
    assert_eq!(identities(&info), ["pubsub/service"]);
    let of_service = features(&info);
    let info = query(&mut romeo, "romeo@im.example", INFO, "");
    assert_eq!(identities(&info), ["account/registered", "pubsub/pep"]);
    let of_account = features(&info);
    for both in
        ["publish", "subscribe", "publish-options", "config-node-max", "persistent-items", "retrieve-items", "rsm"]
    {
        assert!(of_service.contains(&both.to_owned()) && of_account.contains(&both.to_owned()), "{both}");
    }
    for (feature, service, account) in [
        ("access-open", true, false),
        ("access-presence", false, true),
        ("auto-create", false, true),
        ("pubsub-on-a-jid", false, true),
        ("subscription-options", false, false),
        ("collections", false, false),
        ("get-pending", false, false),
    ] {
        assert_eq!(of_service.contains(&feature.to_owned()), service, "{feature}");
        assert_eq!(of_account.contains(&feature.to_owned()), account, "{feature}");
    }
    // XEP-0222 §5, XEP-0223 §5.
    let info = query(&mut romeo, "im.example", INFO, "");
    assert!(identities(&info).contains(&"pubsub/pep".to_owned()));
    assert!(features(&info).contains(&"publish-options".to_owned()));
}

/// §5.3, §5.4.
#[test]
fn a_node_has_metadata() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(
        &mut romeo,
        SERVICE,
        "n",
        &[("title", "Musings"), ("description", "D"), ("type", "urn:say"), ("max_items", "9")],
    );
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    affiliate(&mut romeo, SERVICE, "n", "nurse@im.example", "publisher");
    juliet.send("<iq type='get' id='d' to='pubsub.im.example'><query xmlns='http://jabber.org/protocol/disco#info' node='n'/></iq>");
    let field = |var: &str, kind: &str, value: &str| {
        format!("<field var='pubsub#{var}' type='{kind}' label='{{any}}'><value>{value}</value></field>")
    };
    let fields = [
        field("title", "text-single", "Musings"),
        field("description", "text-single", "D"),
        field("type", "text-single", "urn:say"),
        field("access_model", "list-single", "open"),
        field("publish_model", "list-single", "publishers"),
        field("max_items", "text-single", "9"),
        field("creator", "jid-single", "romeo@im.example"),
        field("creation_date", "text-single", "{any}Z"),
        field("owner", "jid-multi", "romeo@im.example"),
        field("publisher", "jid-multi", "nurse@im.example"),
        field("num_subscribers", "text-single", "1"),
    ];
    juliet.expect(&format!(
        "<iq type='result' id='d' from='pubsub.im.example' to='{{jid}}'><query xmlns='{INFO}' node='n'>\
         <identity category='pubsub' type='leaf' name='Musings'/><feature var='{NS}'/>\
         <x xmlns='jabber:x:data' type='result'>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#meta-data</value></field>{}</x>\
         </query></iq>",
        fields.concat()
    ));
    no_query(&mut juliet, SERVICE, INFO, "x", "item-not-found");
}

/// §5.2, §5.5 at a service: what one may see.
#[test]
fn nodes_and_items_of_a_service() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for (node, model) in [("a", "open"), ("b", "authorize"), ("c", "whitelist"), ("d", "open")] {
        create(&mut romeo, SERVICE, node, &[("access_model", model)]);
        publish(&mut romeo, SERVICE, node, "1");
        publish(&mut romeo, SERVICE, node, "2");
    }
    affiliate(&mut romeo, SERVICE, "d", "juliet@im.example", "outcast");
    juliet.sync();
    assert_eq!(names(&query(&mut romeo, SERVICE, ITEMS, ""), "node"), ["a", "b", "c", "d"]);
    assert_eq!(names(&query(&mut juliet, SERVICE, ITEMS, ""), "node"), ["a", "b"]);
    let items = query(&mut juliet, SERVICE, ITEMS, "a");
    assert_eq!((names(&items, "name"), names(&items, "jid")), (vec!["1".into(), "2".into()], vec![SERVICE.into(); 2]));
    assert_eq!(names(&query(&mut juliet, SERVICE, ITEMS, "b"), "name"), [""; 0]);
    for ns in [INFO, ITEMS] {
        for node in ["c", "d", "x"] {
            no_query(&mut juliet, SERVICE, ns, node, "item-not-found");
        }
    }
    affiliate(&mut romeo, SERVICE, "c", "juliet@im.example", "member");
    juliet.sync();
    assert_eq!(names(&query(&mut juliet, SERVICE, ITEMS, ""), "node"), ["a", "b", "c"]);
}

/// XEP-0163 §6.2: nodes of accounts for those who may see them; a stranger cannot tell an account without open nodes from
/// none.
#[test]
fn nodes_of_accounts() {
    let server = server();
    server.accounts(&["romeo", "juliet", "paris"]);
    server.friends("romeo", "juliet");
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    let mut paris = server.present("paris", "court");
    for model in ["presence", "whitelist"] {
        create(&mut romeo, "", model, &[("access_model", model)]);
        publish(&mut romeo, "", model, "1");
    }
    let stranger = query(&mut paris, "romeo@im.example", ITEMS, "");
    assert_eq!(stranger.elements().count(), query(&mut paris, "nobody@im.example", ITEMS, "").elements().count());
    for node in ["presence", "whitelist", "x"] {
        no_query(&mut paris, "romeo@im.example", INFO, node, "service-unavailable");
        no_query(&mut paris, "nobody@im.example", INFO, node, "service-unavailable");
        assert_eq!(query(&mut paris, "romeo@im.example", ITEMS, node).elements().count(), 0);
    }
    create(&mut romeo, "", "open", &[("access_model", "open")]);
    assert_eq!(names(&query(&mut romeo, "romeo@im.example", ITEMS, ""), "node"), ["open", "presence", "whitelist"]);
    assert_eq!(names(&query(&mut juliet, "romeo@im.example", ITEMS, ""), "node"), ["open", "presence"]);
    assert_eq!(names(&query(&mut paris, "romeo@im.example", ITEMS, ""), "node"), ["open"]);
    assert_eq!(identities(&query(&mut paris, "romeo@im.example", INFO, "open")), ["pubsub/leaf"]);
    assert_eq!(names(&query(&mut juliet, "romeo@im.example", ITEMS, "presence"), "name"), ["1"]);
    no_query(&mut juliet, "romeo@im.example", INFO, "whitelist", "item-not-found");
    // Resources are still there, for those who see them.
    assert!(names(&query(&mut juliet, "romeo@im.example", ITEMS, ""), "jid").contains(&romeo.jid.clone().unwrap()));
}

/// XEP-0059 for a service with many nodes.
#[test]
fn many_nodes_come_in_pages() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.limits.pubsub_page_items_max = 2;
    });
    let mut romeo = server.online("romeo", "orchard");
    for node in ["a", "b", "c"] {
        create(&mut romeo, SERVICE, node, &[]);
    }
    let first = query(&mut romeo, SERVICE, ITEMS, "");
    assert_eq!(names(&first, "node"), ["a", "b"]);
    let rsm = "http://jabber.org/protocol/rsm";
    let last = first.find("set", rsm).and_then(|set| set.find("last", rsm)).expect("a set").text();
    romeo.send(&format!(
        "<iq type='get' id='d' to='{SERVICE}'><query xmlns='{ITEMS}'><set xmlns='{rsm}'><max>9</max><after>{last}</after></set>\
         </query></iq>"
    ));
    let answer = romeo.next();
    assert_eq!(names(answer.find("query", ITEMS).expect("a query"), "node"), ["c"]);
}
