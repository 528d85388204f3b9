//! §8.6: subscriptions that wait for an owner.

use super::*;

const AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";

/// Romeo's node at this address, and Juliet, who wants to subscribe and has been told that it is pending.
fn pending(server: &TestServer, to: &str) -> (Client, Client) {
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, to, "n", &[("access_model", "authorize"), ("max_items", "max")]);
    publish(&mut romeo, to, "n", "1");
    ask(&mut juliet, "set", to, NS, "<subscribe node='n' jid='juliet@im.example'/>");
    juliet.expect(&format!(
        "<iq type='result' id='ps' from='{to}' to='{{jid}}'><pubsub xmlns='{NS}'>\
         <subscription node='n' jid='juliet@im.example' subscription='pending'/></pubsub></iq>"
    ));
    (romeo, juliet)
}

#[track_caller]
fn expect_request(client: &mut Client, from: &str, to: &str) {
    client.expect(&format!(
        "<message id='{{request}}' from='{from}' to='{to}'><body>{{any}}</body><x xmlns='jabber:x:data' type='form'>\
         <title>{{any}}</title><instructions>{{any}}</instructions>\
         <field var='FORM_TYPE' type='hidden'><value>{AUTHORIZATION}</value></field>\
         <field var='pubsub#node' type='text-single' label='{{any}}'><value>n</value></field>\
         <field var='pubsub#subscriber_jid' type='jid-single' label='{{any}}'><value>juliet@im.example</value></field>\
         <field var='pubsub#allow' type='boolean' label='{{any}}'><value>0</value></field></x></message>"
    ));
}

fn decision(to: &str, node: &str, allow: &str) -> String {
    let fields = [("node", node), ("subscriber_jid", "juliet@im.example"), ("allow", allow)];
    format!("<message to='{to}' id='d'>{}</message>", form(AUTHORIZATION, &fields))
}

fn told(from: &str, state: &str) -> String {
    event(
        from,
        "juliet@im.example",
        &format!("<subscription node='n' jid='juliet@im.example' subscription='{state}'/>"),
    )
}

/// Asked, approved, told; then the last item, and new ones. At a service and on an account.
#[test]
fn an_owner_approves() {
    for to in [SERVICE, "romeo@im.example"] {
        let server = server();
        let (mut romeo, mut juliet) = pending(&server, to);
        expect_request(&mut romeo, to, "romeo@im.example");
        // Until then nothing.
        refused(&mut juliet, "get", to, NS, "<items node='n'/>", ("auth", "not-authorized", "not-subscribed"));
        publish(&mut romeo, to, "n", "2");
        juliet.expect_nothing();
        let again = ("auth", "not-authorized", "pending-subscription");
        refused(&mut juliet, "set", to, NS, "<subscribe node='n' jid='juliet@im.example'/>", again);
        // §8.6: cancelled, it remains pending.
        romeo.send(&format!(
            "<message to='{to}'><x xmlns='jabber:x:data' type='cancel'><field var='FORM_TYPE'>\
            <value>{AUTHORIZATION}</value></field></x></message>"
        ));
        romeo.expect_nothing();
        juliet.expect_nothing();
        romeo.send(&decision(to, "n", "true"));
        romeo.expect_nothing();
        juliet.expect(&told(to, "subscribed"));
        assert_eq!(events(&juliet.sync()), ["n 2"]);
        assert_eq!(item_ids(&mut juliet, to, "<items node='n'/>"), ["1", "2"]);
        publish(&mut romeo, to, "n", "3");
        assert_eq!(events(&juliet.sync()), ["n 3"]);
        // There is nothing left to decide.
        romeo.send(&decision(to, "n", "1"));
        romeo.expect_stanza_error("message", "d", "cancel", "unexpected-request");
    }
}

/// Denied; then she may ask again.
#[test]
fn an_owner_denies() {
    for to in [SERVICE, "romeo@im.example"] {
        let server = server();
        let (mut romeo, mut juliet) = pending(&server, to);
        expect_request(&mut romeo, to, "romeo@im.example");
        romeo.send(&decision(to, "n", "false"));
        romeo.expect_nothing();
        juliet.expect(&told(to, "none"));
        subscribe(&mut juliet, to, "n", "juliet@im.example");
        romeo.var("request");
    }
}

/// Whoever withdraws the wish is asked for no longer.
#[test]
fn a_pending_subscription_is_withdrawn() {
    let server = server();
    let (mut romeo, mut juliet) = pending(&server, SERVICE);
    expect_request(&mut romeo, SERVICE, "romeo@im.example");
    set(&mut juliet, SERVICE, NS, "<unsubscribe node='n' jid='juliet@im.example'/>");
    romeo.send(&decision(SERVICE, "n", "true"));
    romeo.expect_stanza_error("message", "d", "cancel", "unexpected-request");
    publish(&mut romeo, SERVICE, "n", "2");
    juliet.expect_nothing();
}

/// The request waits for an owner who is not there; the subscription survives a restart.
#[test]
fn an_owner_is_asked_later() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[("access_model", "authorize")]);
    romeo.close();
    let mut juliet = server.online("juliet", "balcony");
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence/>");
    let request = std::iter::repeat_with(|| romeo.next()).find(|el| el.name == "message").expect("the request");
    assert!(request.raw.contains("juliet@im.example"), "{}", request.raw);
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.available();
    romeo.send(&decision(SERVICE, "n", "1"));
    romeo.expect_nothing();
    juliet.expect(&told(SERVICE, "subscribed"));
}

/// Only an owner decides, and only about what there is.
#[test]
fn decisions_that_are_refused() {
    for to in [SERVICE, "romeo@im.example"] {
        let server = server();
        let (mut romeo, mut juliet) = pending(&server, to);
        expect_request(&mut romeo, to, "romeo@im.example");
        juliet.send(&decision(to, "n", "true"));
        juliet.expect_stanza_error("message", "d", "auth", "forbidden");
        for (message, kind, condition) in [
            (decision(to, "x", "1"), "cancel", "item-not-found"),
            (decision(to, "n", "perhaps"), "modify", "bad-request"),
            (decision(to, "n", "1").replace("juliet@im.example", "paris@im.example"), "cancel", "unexpected-request"),
            (decision(to, "n", "1").replace("juliet@im.example", "@"), "modify", "bad-request"),
        ] {
            romeo.send(&message);
            romeo.expect_stanza_error("message", "d", kind, condition);
        }
        refused(&mut juliet, "get", to, NS, "<items node='n'/>", ("auth", "not-authorized", "not-subscribed"));
    }
}

/// Other messages to the service come back; to an account they go where they always go.
#[test]
fn messages_about_something_else() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    romeo.send("<message to='pubsub.im.example' id='m'><body>hello?</body></message>");
    romeo.expect_stanza_error("message", "m", "cancel", "service-unavailable");
    romeo.send("<message to='pubsub.im.example' id='m' type='error'><body>no</body></message>");
    romeo.expect_nothing();
    let other = format!(
        "<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE'><value>{AUTHORIZATION}</value></field></x>"
    );
    for x in [other, form("urn:x", &[])] {
        romeo.send(&format!("<message to='juliet@im.example'>{x}</message>"));
        juliet.expect(&format!("<message to='juliet@im.example' from='{{romeo}}'>{x}</message>"));
    }
}
