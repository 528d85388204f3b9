//! §4 to §6, §8: finding out, enabling, disabling, and what is refused.

use super::*;

/// §4.1
#[test]
fn the_account_says_whether_it_can() {
    let mut server = TestServer::start();
    let has = |client: &mut Client| {
        client.send("<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
        let answer = client.next();
        let info = answer.elements().next().expect("a payload");
        info.elements().any(|el| el.attr("var") == Some(PUSH))
    };
    let mut juliet = server.online("juliet", "balcony");
    assert!(has(&mut juliet));
    server.restart_with(|c| c.push.enabled = false);
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert!(!has(&mut juliet));
    juliet.send(&format!("<iq type='set' id='e'><enable xmlns='{PUSH}' jid='push.example' node='n'/></iq>"));
    juliet.expect_stanza_error("iq", "e", "cancel", "service-unavailable");
}

/// §5, §7: the examples; the options go with every notification, as they are.
#[test]
fn a_notification_as_in_the_examples() {
    let (server, mut service, mut romeo) = with_service(|c| c.push.include_content = false);
    let mut juliet = server.login("juliet", "secret", "mobile");
    let options = "<x xmlns='jabber:x:data' type='submit'>\
        <field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
        <field var='secret'><value>eruio234vzxc2kla-91</value></field></x>";
    enable(&mut juliet, "jid='{push}' node='yxs32uqsflafdk3iuqo'", options);
    juliet.close();
    say(&mut romeo, "Wherefore art thou?");
    service.expect(&format!(
        "<iq type='set' from='juliet@im.example' to='{{jid}}' id='{{any}}'>
           <pubsub xmlns='http://jabber.org/protocol/pubsub'>
             <publish node='yxs32uqsflafdk3iuqo'><item><notification xmlns='urn:xmpp:push:0'>
               <x xmlns='jabber:x:data' type='submit'>
                 <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>
                 <field var='message-count' type='text-single'><value>1</value></field>
                 <field var='pending-subscription-count' type='text-single'><value>0</value></field>
                 <field var='last-message-body' type='text-single'><value>New message</value></field>
               </x></notification></item></publish>
             <publish-options>{options}</publish-options>
           </pubsub></iq>"
    ));
}

/// §5: the combination of JID and node counts once, with its last options.
#[test]
fn enabling_again_replaces_the_options() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let options = |secret: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
             <field var='secret'><value>{secret}</value></field></x>"
        )
    };
    let mut juliet = server.login("juliet", "secret", "mobile");
    for secret in ["old", "new"] {
        enable(&mut juliet, "jid='{push}' node='phone'", &options(secret));
    }
    juliet.close();
    say(&mut romeo, "1");
    let told = notified(&mut service);
    assert!(told.iq.raw.contains(">new<") && !told.iq.raw.contains(">old<"), "{}", told.iq.raw);
    accept(&mut service, &told);
    say(&mut romeo, "2");
    expect_told(&mut service, "phone", "2");
}

/// §6: one node, or all nodes of a service; others stay.
#[test]
fn disabled_services_are_not_told() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut juliet = server.login("juliet", "secret", "mobile");
    for node in ["a", "b", "c"] {
        enable(&mut juliet, &format!("jid='{{push}}' node='{node}'"), "");
    }
    enable(&mut juliet, "jid='elsewhere.example' node='a'", "");
    disable(&mut juliet, "jid='{push}' node='a'");
    assert_eq!(registered(&server), ["a", "b", "c"], "the first of another service");
    disable(&mut juliet, "jid='{push}' node='no-such-node'");
    disable(&mut juliet, "jid='{push}'");
    assert_eq!(registered(&server), ["a"]);
    enable(&mut juliet, "jid='{push}' node='d'", "");
    juliet.close();
    say(&mut romeo, "hi");
    expect_told(&mut service, "d", "hi");
}

/// §5: what a registration needs.
#[test]
fn enabling_that_is_refused() {
    let (server, _service, _romeo) = with_service(|c| c.limits.push_options_bytes_max = 300);
    let mut juliet = server.login("juliet", "secret", "mobile");
    let form = |form_type: &str, value: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{form_type}</value></field>\
             <field var='secret'><value>{value}</value></field></x>"
        )
    };
    let options = "http://jabber.org/protocol/pubsub#publish-options";
    let good = form(options, "x");
    for (attrs, inside, condition) in [
        ("node='n'", String::new(), "bad-request"),
        ("jid='@' node='n'", String::new(), "jid-malformed"),
        ("jid='push.example' node='n'", form("urn:x", "x"), "bad-request"),
        ("jid='push.example' node='n'", "<x xmlns='jabber:x:data' type='submit'/>".to_owned(), "bad-request"),
        ("jid='push.example' node='n'", good.replace("submit", "form"), "bad-request"),
        ("jid='push.example' node='n'", "<y xmlns='urn:y'/>".to_owned(), "bad-request"),
        ("jid='push.example' node='n'", [&*good, &*good].concat(), "bad-request"),
        ("jid='push.example' node='n'", form(options, &"x".repeat(300)), "not-acceptable"),
        (&format!("jid='push.example' node='{}'", "n".repeat(1_024)), String::new(), "not-acceptable"),
    ] {
        juliet.send(&format!("<iq type='set' id='e'><enable xmlns='{PUSH}' {attrs}>{inside}</enable></iq>"));
        juliet.expect_stanza_error("iq", "e", "modify", condition);
    }
    juliet.send(&format!("<iq type='set' id='e'><disable xmlns='{PUSH}'/></iq>"));
    juliet.expect_stanza_error("iq", "e", "modify", "bad-request");
    juliet.send(&format!("<iq type='get' id='e'><enable xmlns='{PUSH}' jid='push.example' node='n'/></iq>"));
    juliet.expect_stanza_error("iq", "e", "cancel", "not-allowed");
    juliet.send(&format!(
        "<iq type='set' id='e' to='romeo@im.example'><enable xmlns='{PUSH}' jid='push.example' node='n'/></iq>"
    ));
    juliet.expect_stanza_error("iq", "e", "cancel", "service-unavailable");
    assert_eq!(registered(&server), [""; 0]);
}

/// Somebody without an account is somebody else the next time.
#[test]
fn guests_cannot_register() {
    let server = TestServer::with(|c| c.auth.anonymous_domains = vec!["im.example".to_owned()]);
    let mut guest = server.connect();
    guest.log_in("ANONYMOUS", "", "", "mask");
    guest.send(&format!("<iq type='set' id='e'><enable xmlns='{PUSH}' jid='push.example' node='n'/></iq>"));
    guest.expect_stanza_error("iq", "e", "cancel", "not-allowed");
}

/// `push_registrations_max`: phones that are no more leave registrations behind, which must not keep a new phone out.
#[test]
fn the_oldest_registration_gives_way() {
    let (server, mut service, mut romeo) = with_service(|c| c.limits.push_registrations_max = 2);
    let mut juliet = server.login("juliet", "secret", "mobile");
    for node in ["a", "b", "a", "c"] {
        enable(&mut juliet, &format!("jid='{{push}}' node='{node}'"), "");
    }
    assert_eq!(registered(&server), ["a", "c"], "'a' was enabled anew");
    juliet.close();
    say(&mut romeo, "hi");
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let told = notified(&mut service);
        nodes.push(told.node().to_owned());
        accept(&mut service, &told);
    }
    nodes.sort();
    assert_eq!(nodes, ["a", "c"]);
}

/// §8: the push service takes the right to publish away; nobody else can.
#[test]
fn a_push_service_ends_a_registration() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut juliet = enabled(&server, "mobile", "phone");
    juliet.available();
    let end = |jid: &str, node: &str, affiliation: &str| {
        format!(
            "<message to='juliet@im.example'><pubsub xmlns='http://jabber.org/protocol/pubsub' node='{node}'>\
             <affiliation jid='{jid}' affiliation='{affiliation}'/></pubsub></message>"
        )
    };
    romeo.send(&end("juliet@im.example", "phone", "none"));
    romeo.sync();
    for (jid, node, affiliation) in [
        ("juliet@im.example", "phone", "publish-only"),
        ("juliet@im.example", "tablet", "none"),
        ("romeo@im.example", "phone", "none"),
    ] {
        service.send(&end(jid, node, affiliation));
    }
    service.sync();
    assert_eq!(juliet.sync().len(), 4, "messages like any other");
    assert_eq!(registered(&server), ["phone"]);
    service.send(&end("juliet@im.example", "phone", "none"));
    service.sync();
    juliet.expect_nothing();
    assert_eq!(registered(&server), [""; 0]);
}
