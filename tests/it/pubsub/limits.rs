//! What happens at the limits.

use super::*;

const TOO_MANY_NODES: (&str, &str, &str) = ("wait", "policy-violation", "max-nodes-exceeded");
const TOO_MANY_SUBSCRIPTIONS: (&str, &str, &str) = ("wait", "policy-violation", "too-many-subscriptions");

#[test]
fn nodes() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.limits.pubsub_nodes_per_account_max = 2;
        c.limits.pubsub_nodes_per_service_max = 3;
    });
    let mut romeo = server.online("romeo", "orchard");
    for (to, most) in [("", 2), (SERVICE, 3)] {
        for n in 0..most {
            create(&mut romeo, to, &format!("n{n}"), &[]);
        }
        refused(&mut romeo, "set", to, NS, "<create node='more'/>", TOO_MANY_NODES);
        refused(&mut romeo, "set", to, NS, "<create node='n1'/>", ("cancel", "conflict", ""));
        set(&mut romeo, to, OWNER, "<delete node='n0'/>");
        set(&mut romeo, to, NS, "<create node='more'/>");
    }
    refused(&mut romeo, "set", "", NS, &publish_xml("another", "1", &saying("x")), TOO_MANY_NODES);
}

#[test]
fn items_and_their_bytes() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.limits.pubsub_items_per_node_max = 3;
        c.limits.pubsub_bytes_per_node_max = 1_000;
        c.limits.pubsub_bytes_per_account_max = 1_500;
    });
    let mut romeo = server.online("romeo", "orchard");
    // `max_items=max` is what the server allows.
    create(&mut romeo, SERVICE, "n", &[("max_items", "max")]);
    for id in ["1", "2", "3", "4"] {
        publish(&mut romeo, SERVICE, "n", id);
    }
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["2", "3", "4"]);
    let big = saying(&"x".repeat(600));
    let no_room = ("wait", "resource-constraint", "");
    for node in ["a", "b", "c"] {
        create(&mut romeo, "", node, &[("max_items", "max")]);
    }
    set(&mut romeo, "", NS, &publish_xml("a", "1", &big));
    refused(&mut romeo, "set", "", NS, &publish_xml("a", "2", &big), no_room);
    // In the place of the old one there is room.
    set(&mut romeo, "", NS, &publish_xml("a", "1", &big));
    set(&mut romeo, "", NS, &publish_xml("b", "1", &big));
    refused(&mut romeo, "set", "", NS, &publish_xml("c", "1", &big), no_room);
    set(&mut romeo, "", NS, "<retract node='a'><item id='1'/></retract>");
    set(&mut romeo, "", NS, &publish_xml("c", "1", &big));
}

#[test]
fn subscriptions() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.limits.pubsub_subscriptions_per_node_max = 2;
        c.limits.pubsub_subscriptions_per_user_max = 3;
    });
    let mut romeo = server.online("romeo", "orchard");
    for node in ["a", "b", "c", "d"] {
        create(&mut romeo, SERVICE, node, &[]);
    }
    let request = |node: &str, jid: &str| format!("<subscribe node='{node}' jid='{jid}'/>");
    let me = "romeo@im.example";
    subscribe(&mut romeo, SERVICE, "a", me);
    subscribe(&mut romeo, SERVICE, "a", "romeo@im.example/1");
    refused(&mut romeo, "set", SERVICE, NS, &request("a", "romeo@im.example/2"), TOO_MANY_SUBSCRIPTIONS);
    subscribe(&mut romeo, SERVICE, "b", me);
    refused(&mut romeo, "set", SERVICE, NS, &request("c", me), TOO_MANY_SUBSCRIPTIONS);
    // Another place, other subscriptions.
    create(&mut romeo, "", "own", &[]);
    subscribe(&mut romeo, "", "own", me);
    set(&mut romeo, SERVICE, NS, "<unsubscribe node='a' jid='romeo@im.example/1'/>");
    subscribe(&mut romeo, SERVICE, "c", me);
}

#[test]
fn affiliations() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.limits.pubsub_affiliations_per_node_max = 2;
    });
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    affiliate(&mut romeo, SERVICE, "n", "a@im.example", "member");
    let another = "<affiliations node='n'><affiliation jid='b@im.example' affiliation='member'/></affiliations>";
    refused(&mut romeo, "set", SERVICE, OWNER, another, ("wait", "resource-constraint", ""));
    affiliate(&mut romeo, SERVICE, "n", "a@im.example", "publisher");
    affiliate(&mut romeo, SERVICE, "n", "a@im.example", "none");
    affiliate(&mut romeo, SERVICE, "n", "b@im.example", "member");
}

/// The cache holds one node here, and everything works as with many.
#[test]
fn nodes_in_memory() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.limits.pubsub_cached_max = 2;
    });
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for node in ["a", "b", "c"] {
        create(&mut romeo, SERVICE, node, &[]);
        subscribe(&mut juliet, SERVICE, node, "juliet@im.example");
    }
    for node in ["a", "b", "c", "a", "b"] {
        publish(&mut romeo, SERVICE, node, "1");
    }
    assert_eq!(events(&juliet.sync()), ["a 1", "b 1", "c 1", "a 1", "b 1"]);
}
