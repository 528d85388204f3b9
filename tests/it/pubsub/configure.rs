//! §8.2, §8.3: configuring nodes.

use super::*;

/// The values of a field in the form of an answer.
pub(super) fn value(answer: &El, var: &str) -> Vec<String> {
    let form = answer.elements().find_map(|el| el.find("x", "jabber:x:data")).expect("a form");
    let wanted = format!("pubsub#{var}");
    let field = form.elements().find(|el| el.name == "field" && el.attr("var") == Some(wanted.as_str()));
    let field = field.unwrap_or_else(|| panic!("no {wanted} in {}", form.raw));
    field.elements().filter(|el| el.name == "value").map(El::text).collect()
}

fn options(answer: &El, var: &str) -> Vec<String> {
    let form = answer.elements().find_map(|el| el.find("x", "jabber:x:data")).expect("a form");
    let wanted = format!("pubsub#{var}");
    let field = form.elements().find(|el| el.attr("var") == Some(wanted.as_str())).expect("a field");
    let options = field.elements().filter(|el| el.name == "option");
    options.map(|el| el.find("value", "jabber:x:data").expect("a value").text()).collect()
}

fn configure(node: &str, fields: &[(&str, &str)]) -> String {
    format!("<configure node='{node}'>{}</configure>", form(CONFIG, fields))
}

/// §8.2.2, §8.2.5.1: what is shown, what is changed, and that it stays.
#[test]
fn a_node_is_configured() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    let shown = get(&mut romeo, SERVICE, OWNER, "<configure node='n'/>");
    let x = shown.find("configure", OWNER).and_then(|c| c.find("x", "jabber:x:data")).expect("a form");
    assert_eq!(x.attr("type"), Some("form"));
    assert_eq!(options(&shown, "access_model"), ["open", "authorize", "whitelist"]);
    assert_eq!(value(&shown, "max_items"), ["max"]);
    let fields = [("title", "T"), ("max_items", "5"), ("notify_config", "0"), ("itemreply", "none")];
    set(&mut romeo, SERVICE, OWNER, &configure("n", &fields));
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    let shown = get(&mut romeo, SERVICE, OWNER, "<configure node='n'/>");
    for (var, expected) in fields {
        assert_eq!(value(&shown, var), [expected]);
    }
    // What was not in the form is as before (XEP-0004 §3.2).
    assert_eq!(value(&shown, "access_model"), ["open"]);
    // §8.2.4: cancelled.
    let cancel = "<configure node='n'><x xmlns='jabber:x:data' type='cancel'/></configure>";
    set(&mut romeo, SERVICE, OWNER, cancel);
    assert_eq!(value(&get(&mut romeo, SERVICE, OWNER, "<configure node='n'/>"), "title"), ["T"]);
}

/// §8.2.3, §8.2.5.2.
#[test]
fn configurations_that_are_refused() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[]);
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "publisher");
    juliet.sync();
    for kind in ["get", "set"] {
        refused(&mut juliet, kind, SERVICE, OWNER, &configure("n", &[]), ("auth", "forbidden", ""));
        refused(&mut romeo, kind, SERVICE, OWNER, &configure("x", &[]), ("cancel", "item-not-found", ""));
        refused(&mut romeo, kind, SERVICE, OWNER, "<configure/>", ("modify", "bad-request", "nodeid-required"));
    }
    refused(&mut romeo, "set", SERVICE, OWNER, "<configure node='n'/>", ("modify", "bad-request", ""));
    let wrong = format!("<configure node='n'>{}</configure>", form("urn:x", &[]));
    refused(&mut romeo, "set", SERVICE, OWNER, &wrong, ("modify", "bad-request", ""));
    for (var, value) in [
        ("max_items", "0"),
        ("max_items", "many"),
        ("max_items", "10001"),
        ("persist_items", "maybe"),
        ("publish_model", "x"),
        ("purge_offline", "1"),
        ("presence_based_delivery", "true"),
        ("node_type", "collection"),
        ("send_last_published_item", "often"),
    ] {
        let error = ("modify", "not-acceptable", "");
        refused(&mut romeo, "set", SERVICE, OWNER, &configure("n", &[("title", "no"), (var, value)]), error);
    }
    let model = ("modify", "not-acceptable", "unsupported-access-model");
    refused(&mut romeo, "set", SERVICE, OWNER, &configure("n", &[("access_model", "presence")]), model);
    assert_eq!(value(&get(&mut romeo, SERVICE, OWNER, "<configure node='n'/>"), "title"), [""; 0]);
    // What other services offer and we do not know is passed over.
    set(&mut romeo, SERVICE, OWNER, &configure("n", &[("body_xslt", "x"), ("node_type", "leaf")]));
}

/// §8.2.5.3.
#[test]
fn subscribers_learn_of_it_if_the_node_says_so() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[]);
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    set(&mut romeo, SERVICE, OWNER, &configure("n", &[("title", "quiet")]));
    juliet.expect_nothing();
    set(&mut romeo, SERVICE, OWNER, &configure("n", &[("title", "loud"), ("notify_config", "1")]));
    let told = juliet.expect(&event(SERVICE, "juliet@im.example", "<configuration node='n'><one/></configuration>"));
    let configuration = told.find("event", EVENT).expect("an event");
    assert_eq!(value(configuration, "title"), ["loud"]);
    set(&mut romeo, SERVICE, OWNER, &configure("n", &[("deliver_payloads", "0")]));
    juliet.expect(&event(SERVICE, "juliet@im.example", "<configuration node='n'/>"));
}

/// What is kept follows the configuration.
#[test]
fn fewer_items_or_none() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    for id in ["1", "2", "3"] {
        publish(&mut romeo, SERVICE, "n", id);
    }
    set(&mut romeo, SERVICE, OWNER, &configure("n", &[("max_items", "2")]));
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["2", "3"]);
    set(&mut romeo, SERVICE, OWNER, &configure("n", &[("persist_items", "0")]));
    set(&mut romeo, SERVICE, OWNER, &configure("n", &[("persist_items", "1")]));
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), [""; 0]);
}

/// §8.3.
#[test]
fn the_defaults() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    for (to, model) in [(SERVICE, "open"), ("romeo@im.example", "presence")] {
        let shown = get(&mut romeo, to, OWNER, "<default/>");
        assert_eq!(value(&shown, "access_model"), [model]);
        assert_eq!(value(&get(&mut romeo, to, OWNER, "<default type='leaf'/>"), "access_model"), [model]);
    }
    let collections = ("cancel", "feature-not-implemented", "unsupported collections");
    refused(&mut romeo, "get", SERVICE, OWNER, "<default type='collection'/>", collections);
    server.account("juliet", "secret");
    for to in ["juliet@im.example", "nobody@im.example"] {
        refused(&mut romeo, "get", to, OWNER, "<default/>", ("auth", "forbidden", ""));
    }
}
