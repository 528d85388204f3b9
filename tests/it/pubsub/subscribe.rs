//! §6.1, §6.2, §5.6: subscribing and unsubscribing.

use super::*;

/// §6.1.2, §6.2.2.
#[test]
fn somebody_subscribes_and_unsubscribes() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[("send_last_published_item", "never")]);
    for jid in ["juliet@im.example", "{juliet}"] {
        // §6.1.6: a second time it is as if it had just been approved.
        for _ in 0..2 {
            ask(&mut juliet, "set", SERVICE, NS, &format!("<subscribe node='n' jid='{jid}'/>"));
            juliet.expect(&format!(
                "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{NS}'>\
                 <subscription node='n' jid='{jid}' subscription='subscribed'/></pubsub></iq>"
            ));
        }
    }
    publish(&mut romeo, SERVICE, "n", "1");
    assert_eq!(events(&juliet.sync()), ["n 1", "n 1"]);
    ask(&mut juliet, "set", SERVICE, NS, "<unsubscribe node='n' jid='juliet@im.example' subid='ignored'/>");
    juliet.expect(&format!(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{NS}'>\
         <subscription node='n' jid='juliet@im.example' subscription='none'/></pubsub></iq>"
    ));
    publish(&mut romeo, SERVICE, "n", "2");
    assert_eq!(events(&juliet.sync()), ["n 2"]);
}

/// §6.1.3, §6.2.3, §6.3, §6.4.
#[test]
fn requests_that_are_refused() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    create(&mut romeo, SERVICE, "closed", &[("subscribe", "0")]);
    create(&mut romeo, SERVICE, "banned", &[]);
    let mut juliet = server.online("juliet", "balcony");
    affiliate(&mut romeo, SERVICE, "banned", "juliet@im.example", "outcast");
    let me = "juliet@im.example";
    let bad = |app| ("modify", "bad-request", app);
    for (request, error) in [
        ("<subscribe node='n' jid='romeo@im.example'/>".to_owned(), bad("invalid-jid")),
        ("<subscribe node='n' jid='im.example'/>".to_owned(), bad("invalid-jid")),
        ("<subscribe node='n' jid='@'/>".to_owned(), bad("invalid-jid")),
        ("<subscribe node='n'/>".to_owned(), bad("jid-required")),
        (format!("<subscribe jid='{me}'/>"), bad("nodeid-required")),
        (format!("<subscribe node='x' jid='{me}'/>"), ("cancel", "item-not-found", "")),
        (
            format!("<subscribe node='closed' jid='{me}'/>"),
            ("cancel", "feature-not-implemented", "unsupported subscribe"),
        ),
        (format!("<subscribe node='banned' jid='{me}'/>"), ("auth", "forbidden", "")),
        (format!("<unsubscribe node='n' jid='{me}'/>"), ("cancel", "unexpected-request", "not-subscribed")),
        ("<unsubscribe node='n' jid='romeo@im.example'/>".to_owned(), ("auth", "forbidden", "")),
        (format!("<unsubscribe node='x' jid='{me}'/>"), ("cancel", "item-not-found", "")),
        ("<unsubscribe node='n'/>".to_owned(), bad("jid-required")),
        (format!("<unsubscribe jid='{me}'/>"), bad("nodeid-required")),
        (
            format!("<options node='n' jid='{me}'/>"),
            ("cancel", "feature-not-implemented", "unsupported subscription-options"),
        ),
    ] {
        refused(&mut juliet, "set", SERVICE, NS, &request, error);
    }
    for (request, feature) in [
        (format!("<options node='n' jid='{me}'/>"), "unsupported subscription-options"),
        ("<default node='n'/>".to_owned(), "unsupported retrieve-default-sub"),
    ] {
        refused(&mut juliet, "get", SERVICE, NS, &request, ("cancel", "feature-not-implemented", feature));
    }
}

/// §5.6.
#[test]
fn ones_own_subscriptions() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for node in ["a", "b"] {
        create(&mut romeo, SERVICE, node, &[]);
    }
    create(&mut romeo, SERVICE, "c", &[("access_model", "authorize")]);
    ask(&mut juliet, "get", SERVICE, NS, "<subscriptions/>");
    juliet.expect(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub'><subscriptions/></pubsub></iq>",
    );
    subscribe(&mut juliet, SERVICE, "a", "{juliet}");
    subscribe(&mut juliet, SERVICE, "b", "juliet@im.example");
    subscribe(&mut juliet, SERVICE, "c", "juliet@im.example");
    subscribe(&mut romeo, SERVICE, "a", "romeo@im.example");
    let old = juliet.jid.clone().expect("bound");
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    let a = format!("<subscription node='a' jid='{old}' subscription='subscribed'/>");
    ask(&mut juliet, "get", SERVICE, NS, "<subscriptions/>");
    juliet.expect(&format!(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{NS}'>\
         <subscriptions any-order='true'>{a}<subscription node='b' jid='juliet@im.example' subscription='subscribed'/>\
         <subscription node='c' jid='juliet@im.example' subscription='pending'/></subscriptions></pubsub></iq>"
    ));
    ask(&mut juliet, "get", SERVICE, NS, "<subscriptions node='a'/>");
    juliet.expect(&format!(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{NS}'>\
         <subscriptions node='a'>{a}</subscriptions></pubsub></iq>"
    ));
    // There are none with anybody else, whether they exist or not.
    for to in ["romeo@im.example", "nobody@im.example"] {
        let none = get(&mut juliet, to, NS, "<subscriptions/>");
        assert_eq!(none.find("subscriptions", NS).expect("a list").elements().count(), 0);
    }
}
