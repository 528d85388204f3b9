//! §7.2, §8.5: removing items.

use super::*;

/// §7.2.2.
#[test]
fn an_item_is_retracted() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[("notify_retract", "0")]);
    subscribe(&mut romeo, SERVICE, "n", "{romeo}");
    publish(&mut romeo, SERVICE, "n", "1");
    publish(&mut romeo, SERVICE, "n", "2");
    ask(&mut romeo, "set", SERVICE, NS, "<retract node='n'><item id='1'/></retract>");
    romeo.expect("<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'/>");
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["2"]);
    // §7.2.2.1: whoever retracts it may have everybody told.
    for (notify, told) in [("false", false), ("true", true), ("1", true)] {
        publish(&mut romeo, SERVICE, "n", "3");
        ask(&mut romeo, "set", SERVICE, NS, &format!("<retract node='n' notify='{notify}'><item id='3'/></retract>"));
        if told {
            romeo.expect(&event(SERVICE, "{jid}", "<items node='n'><retract id='3'/></items>"));
        }
        romeo.expect("<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'/>");
    }
}

/// `pubsub#notify_retract`.
#[test]
fn subscribers_are_told_if_the_node_says_so() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[("notify_retract", "1")]);
    subscribe(&mut romeo, SERVICE, "n", "{romeo}");
    publish(&mut romeo, SERVICE, "n", "1");
    ask(&mut romeo, "set", SERVICE, NS, "<retract node='n'><item id='1'/></retract>");
    romeo.expect(&event(SERVICE, "{jid}", "<items node='n'><retract id='1'/></items>"));
    romeo.expect("<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'/>");
}

/// §7.2.3.
#[test]
fn retractions_that_are_refused() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[("publish_model", "open")]);
    create(&mut romeo, SERVICE, "transient", &[("persist_items", "0")]);
    publish(&mut romeo, SERVICE, "n", "romeos");
    publish(&mut juliet, SERVICE, "n", "juliets");
    let retract = |node: &str, id: &str| format!("<retract node='{node}'><item id='{id}'/></retract>");
    for (retract, error) in [
        (retract("n", "romeos"), ("auth", "forbidden", "")),
        (retract("n", "x"), ("cancel", "item-not-found", "")),
        (retract("x", "romeos"), ("cancel", "item-not-found", "")),
        ("<retract><item id='romeos'/></retract>".into(), ("modify", "bad-request", "nodeid-required")),
        ("<retract node='n'/>".into(), ("modify", "bad-request", "item-required")),
        ("<retract node='n'><item/></retract>".into(), ("modify", "bad-request", "item-required")),
        (retract("transient", "1"), ("auth", "forbidden", "")),
    ] {
        refused(&mut juliet, "set", SERVICE, NS, &retract, error);
    }
    let unsupported = ("cancel", "feature-not-implemented", "unsupported persistent-items");
    refused(&mut romeo, "set", SERVICE, NS, &retract("transient", "1"), unsupported);
    set(&mut juliet, SERVICE, NS, &retract("n", "juliets"));
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "outcast");
    publish(&mut romeo, SERVICE, "n", "juliets");
    refused(&mut juliet, "set", SERVICE, NS, &retract("n", "juliets"), ("auth", "forbidden", ""));
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["romeos", "juliets"]);
    // An owner removes what others have published.
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "none");
    publish(&mut juliet, SERVICE, "n", "more");
    set(&mut romeo, SERVICE, NS, &retract("n", "more"));
}

/// §8.5.
#[test]
fn a_node_is_purged() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[]);
    create(&mut romeo, SERVICE, "transient", &[("persist_items", "0")]);
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    for id in ["1", "2"] {
        publish(&mut romeo, SERVICE, "n", id);
    }
    set(&mut romeo, SERVICE, OWNER, "<purge node='n'/>");
    assert_eq!(events(&juliet.sync()), ["n 1", "n 2", "n purge"]);
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), [""; 0]);
    let unsupported = ("cancel", "feature-not-implemented", "unsupported persistent-items");
    refused(&mut romeo, "set", SERVICE, OWNER, "<purge node='transient'/>", unsupported);
    refused(&mut romeo, "set", SERVICE, OWNER, "<purge node='x'/>", ("cancel", "item-not-found", ""));
    refused(&mut romeo, "set", SERVICE, OWNER, "<purge/>", ("modify", "bad-request", "nodeid-required"));
    refused(&mut juliet, "set", SERVICE, OWNER, "<purge node='n'/>", ("auth", "forbidden", ""));
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "publisher");
    refused(&mut juliet, "set", SERVICE, OWNER, "<purge node='n'/>", ("auth", "forbidden", ""));
    publish(&mut romeo, SERVICE, "n", "3");
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert_eq!(item_ids(&mut romeo, SERVICE, "<items node='n'/>"), ["3"]);
}
