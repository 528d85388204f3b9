//! The last published item: for new subscribers (§6.1.7), and for who comes online (XEP-0163 §4.3.4).

use super::*;

fn delayed(from: &str, to: &str, inside: &str) -> String {
    format!(
        "<message type='headline' id='{{any}}' from='{from}' to='{to}'><event xmlns='{EVENT}'>{inside}</event>\
         <delay xmlns='urn:xmpp:delay' from='{from}' stamp='{{any}}'/></message>"
    )
}

/// `pubsub#send_last_published_item`.
#[test]
fn a_new_subscriber_gets_the_last_item() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for when in ["on_sub", "on_sub_and_presence", "never"] {
        create(&mut romeo, SERVICE, when, &[("send_last_published_item", when), ("itemreply", "none")]);
        publish(&mut romeo, SERVICE, when, "1");
        publish(&mut romeo, SERVICE, when, "2");
        ask(&mut juliet, "set", SERVICE, NS, &format!("<subscribe node='{when}' jid='juliet@im.example'/>"));
        assert_eq!(juliet.next().attr("type"), Some("result"));
        if when != "never" {
            let inside = format!("<items node='{when}'><item id='2'><say xmlns='urn:say'>2</say></item></items>");
            juliet.expect(&delayed(SERVICE, "juliet@im.example", &inside));
        }
        juliet.expect_nothing();
    }
    create(&mut romeo, SERVICE, "empty", &[]);
    subscribe(&mut juliet, SERVICE, "empty", "juliet@im.example");
    juliet.expect_nothing();
}

/// What the engine does for who comes online; entity capabilities say when.
#[test]
fn who_comes_online_gets_what_they_may_see() {
    let server = server();
    server.accounts(&["romeo", "juliet", "paris"]);
    server.friends("romeo", "juliet");
    server.contact("paris", "juliet", "To");
    let mut romeo = server.present("romeo", "orchard");
    for (node, fields) in [
        ("presence", vec![]),
        ("open", vec![("access_model", "open")]),
        ("never", vec![("send_last_published_item", "never")]),
        ("on_sub", vec![("send_last_published_item", "on_sub")]),
        ("whitelist", vec![("access_model", "whitelist")]),
        ("group", vec![("access_model", "roster"), ("roster_groups_allowed", "Friends")]),
        ("unwanted", vec![]),
    ] {
        create(&mut romeo, "", node, &fields);
        publish(&mut romeo, "", node, "1");
    }
    romeo.close();
    let mut juliet = server.present("juliet", "balcony");
    create(&mut juliet, "", "whitelist", &[("access_model", "whitelist")]);
    publish(&mut juliet, "", "whitelist", "own");
    let mut paris = server.present("paris", "court");
    let core = server.server().core();
    let interest = Interest::new(["presence", "open", "never", "on_sub", "whitelist", "group"]);
    let send = |client: &mut Client, owners: &[&str]| {
        let jid = client.jid.clone().expect("bound");
        let (bare, part) = jid.split_once('/').expect("a full JID");
        let account = core.accounts.find(bare).expect("in memory");
        let resource = account.lock().resource(part).expect("bound").resource.clone();
        server.runtime().block_on(magpie::xep::pubsub::send_last_items(core, &resource, owners, &interest));
        let seen = client.sync();
        let mut got: Vec<_> = seen
            .iter()
            .map(|el| format!("{} {}", el.attr("from").unwrap(), events(std::slice::from_ref(el))[0]))
            .collect();
        got.sort();
        got
    };
    let got = send(&mut juliet, &["juliet@im.example", "romeo@im.example", "nobody@im.example"]);
    assert_eq!(got, ["juliet@im.example whitelist own", "romeo@im.example open 1", "romeo@im.example presence 1"]);
    // Paris' own roster is not enough.
    assert_eq!(send(&mut paris, &["juliet@im.example", "romeo@im.example"]), [""; 0]);
}
