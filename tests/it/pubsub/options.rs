//! §7.1.5: publish-options are preconditions.

use super::*;

const OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";

fn with(node: &str, id: &str, fields: &[(&str, &str)]) -> String {
    format!("{}<publish-options>{}</publish-options>", publish_xml(node, id, &saying(id)), form(OPTIONS, fields))
}

/// Rule 3: the node is made with them. Rules 1 and 2: later they must be met.
#[test]
fn preconditions() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let private = [("persist_items", "true"), ("access_model", "whitelist"), ("max_items", "max")];
    set(&mut romeo, "", NS, &with("n", "1", &private));
    let config = get(&mut romeo, "", OWNER, "<configure node='n'/>");
    for (var, expected) in [("persist_items", "1"), ("access_model", "whitelist"), ("max_items", "max")] {
        assert_eq!(configure::value(&config, var), [expected]);
    }
    for met in [
        &private[..],
        &[],
        &[("max_items", "10000")],
        &[("access_model", "whitelist"), ("notify_retract", "1"), ("node_type", "leaf"), ("purge_offline", "0")],
    ] {
        set(&mut romeo, "", NS, &with("n", "2", met));
    }
    let unmet = ("cancel", "conflict", "precondition-not-met");
    for (var, value) in [
        ("access_model", "open"),
        ("max_items", "1"),
        ("persist_items", "false"),
        ("persist_items", "maybe"),
        ("purge_offline", "1"),
        ("unheard_of", "1"),
    ] {
        refused(&mut romeo, "set", "", NS, &with("n", "3", &[(var, value)]), unmet);
    }
    assert_eq!(item_ids(&mut romeo, "", "<items node='n'/>"), ["1", "2"]);
}

/// What cannot be makes no node.
#[test]
fn options_no_node_can_have() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let unmet = ("cancel", "conflict", "precondition-not-met");
    refused(&mut romeo, "set", "", NS, &with("n", "1", &[("unheard_of", "1")]), unmet);
    refused(&mut romeo, "set", "", NS, &with("n", "1", &[("tempsub", "1")]), unmet);
    let model = ("modify", "not-acceptable", "unsupported-access-model");
    refused(&mut romeo, "set", "", NS, &with("n", "1", &[("access_model", "secret")]), model);
    refused(&mut romeo, "set", "", NS, &with("n", "1", &[("max_items", "10001")]), ("modify", "not-acceptable", ""));
    for options in [
        "<publish-options/>".to_owned(),
        format!("<publish-options>{}</publish-options>", form(CONFIG, &[])),
        "<publish-options><x xmlns='jabber:x:data' type='submit'/></publish-options>".to_owned(),
    ] {
        let request = publish_xml("n", "1", &saying("x")) + &options;
        refused(&mut romeo, "set", "", NS, &request, ("modify", "bad-request", ""));
    }
    refused(&mut romeo, "get", "", NS, "<items node='n'/>", ("cancel", "item-not-found", ""));
    // Rule 4: a service makes none.
    refused(&mut romeo, "set", SERVICE, NS, &with("n", "1", &[]), ("cancel", "item-not-found", ""));
}

/// XEP-0223: data for nobody else. XEP-0222: for everybody.
#[test]
fn private_and_public_data() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    set(&mut romeo, "", NS, &with("private", "1", &[("persist_items", "true"), ("access_model", "whitelist")]));
    set(&mut romeo, "", NS, &with("public", "1", &[("access_model", "open"), ("send_last_published_item", "never")]));
    refused(
        &mut juliet,
        "get",
        "romeo@im.example",
        NS,
        "<items node='private'/>",
        ("cancel", "not-allowed", "closed-node"),
    );
    assert_eq!(item_ids(&mut juliet, "romeo@im.example", "<items node='public'/>"), ["1"]);
}
