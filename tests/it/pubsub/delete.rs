//! §8.4: deleting nodes.

use super::*;

/// §8.4.2, with a place to go instead.
#[test]
fn a_node_is_deleted() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for (node, redirect) in [("a", ""), ("b", "<redirect uri='xmpp:im.example?;node=blog'/>")] {
        create(&mut romeo, SERVICE, node, &[]);
        publish(&mut romeo, SERVICE, node, "1");
        subscribe(&mut juliet, SERVICE, node, "juliet@im.example");
        juliet.sync();
        ask(&mut romeo, "set", SERVICE, OWNER, &format!("<delete node='{node}'>{redirect}</delete>"));
        romeo.expect("<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'/>");
        juliet.expect(&event(SERVICE, "juliet@im.example", &format!("<delete node='{node}'>{redirect}</delete>")));
        let gone = ("cancel", "item-not-found", "");
        refused(&mut romeo, "get", SERVICE, NS, &format!("<items node='{node}'/>"), gone);
        refused(&mut romeo, "set", SERVICE, OWNER, &format!("<delete node='{node}'/>"), gone);
        // A new one of the same name is empty.
        create(&mut romeo, SERVICE, node, &[]);
        assert_eq!(item_ids(&mut romeo, SERVICE, &format!("<items node='{node}'/>")), [""; 0]);
        publish(&mut romeo, SERVICE, node, "2");
        juliet.expect_nothing();
    }
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='a'/>"), ["2"]);
}

/// §8.4.2: "which SHOULD include pending … subscriptions"; `notify_delete`.
#[test]
fn who_is_told() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for (node, notify, told) in [("loud", "1", 1), ("quiet", "0", 0)] {
        create(&mut romeo, SERVICE, node, &[("access_model", "authorize"), ("notify_delete", notify)]);
        subscribe(&mut juliet, SERVICE, node, "juliet@im.example");
        set(&mut romeo, SERVICE, OWNER, &format!("<delete node='{node}'/>"));
        assert_eq!(events(&juliet.sync()), vec![format!("{node} delete"); told]);
    }
}

/// §8.4.3.
#[test]
fn deletions_that_are_refused() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[]);
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "publisher");
    juliet.sync();
    refused(&mut juliet, "set", SERVICE, OWNER, "<delete node='n'/>", ("auth", "forbidden", ""));
    refused(&mut romeo, "set", SERVICE, OWNER, "<delete node='x'/>", ("cancel", "item-not-found", ""));
    refused(&mut romeo, "set", SERVICE, OWNER, "<delete/>", ("modify", "bad-request", "nodeid-required"));
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "owner");
    juliet.sync();
    set(&mut juliet, SERVICE, OWNER, "<delete node='n'/>");
}

/// With an account go its nodes, and whatever it had elsewhere: the next of that name begins anew.
#[test]
fn an_account_is_removed() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[("access_model", "whitelist")]);
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "member");
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    create(&mut juliet, "", "own", &[("access_model", "open")]);
    juliet.send("<iq type='set' id='go'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    juliet.expect("<iq type='result' id='go' any-attrs='true'/>");
    juliet.expect_stream_error("not-authorized");
    refused(&mut romeo, "get", "juliet@im.example", NS, "<items node='own'/>", ("cancel", "item-not-found", ""));
    let mut juliet = server.online("juliet", "balcony");
    refused(&mut juliet, "get", SERVICE, NS, "<items node='n'/>", ("cancel", "not-allowed", "closed-node"));
    refused(&mut juliet, "get", "", NS, "<items node='own'/>", ("cancel", "item-not-found", ""));
    publish(&mut romeo, SERVICE, "n", "1");
    juliet.expect_nothing();
}
