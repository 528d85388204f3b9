//! Who is notified, in which order, and how (XEP-0060 §7.1.2, §12; XEP-0163 §4.3).

use super::*;

/// §7.1.2.1 to §7.1.2.3.
#[test]
fn what_a_notification_looks_like() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for (node, fields, inside) in [
        ("a", vec![], "<item id='1' publisher='romeo@im.example'><say xmlns='urn:say'>1</say></item>"),
        ("b", vec![("itemreply", "none")], "<item id='1'><say xmlns='urn:say'>1</say></item>"),
        ("c", vec![("deliver_payloads", "0")], "<item id='1' publisher='romeo@im.example'/>"),
    ] {
        create(&mut romeo, SERVICE, node, &fields);
        subscribe(&mut juliet, SERVICE, node, "juliet@im.example");
        publish(&mut romeo, SERVICE, node, "1");
        juliet.expect(&event(SERVICE, "juliet@im.example", &format!("<items node='{node}'>{inside}</items>")));
    }
    create(&mut romeo, SERVICE, "silent", &[("deliver_notifications", "0")]);
    subscribe(&mut juliet, SERVICE, "silent", "juliet@im.example");
    publish(&mut romeo, SERVICE, "silent", "1");
    juliet.expect_nothing();
}

/// §12.3: to the subscribed address. Headlines are for those who are there.
#[test]
fn to_whom_it_goes() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    let mut balcony = server.online("juliet", "balcony");
    let mut chamber = server.login("juliet", "secret", "chamber");
    subscribe(&mut balcony, SERVICE, "n", "{juliet/chamber}");
    publish(&mut romeo, SERVICE, "n", "1");
    assert_eq!(events(&chamber.sync()), ["n 1"]);
    balcony.expect_nothing();
    set(&mut balcony, SERVICE, NS, "<unsubscribe node='n' jid='{juliet/chamber}'/>");
    subscribe(&mut balcony, SERVICE, "n", "juliet@im.example");
    balcony.sync();
    publish(&mut romeo, SERVICE, "n", "2");
    // The other one has not sent presence.
    assert_eq!(events(&balcony.sync()), ["n 2"]);
    chamber.expect_nothing();
    chamber.available();
    balcony.sync();
    publish(&mut romeo, SERVICE, "n", "3");
    assert_eq!((events(&balcony.sync()), events(&chamber.sync())), (vec!["n 3".into()], vec!["n 3".into()]));
    balcony.close();
    chamber.close();
    publish(&mut romeo, SERVICE, "n", "4");
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert_eq!(events(&juliet.available()), [""; 0]);
}

/// `pubsub#notification_type`: a normal message waits.
#[test]
fn normal_notifications_are_kept() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    let mut juliet = server.login("juliet", "secret", "balcony");
    create(&mut romeo, SERVICE, "n", &[("notification_type", "normal")]);
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    publish(&mut romeo, SERVICE, "n", "1");
    juliet.send("<presence/>");
    let kept = std::iter::repeat_with(|| juliet.next()).find(|el| el.name == "message").expect("a notification");
    assert_eq!(events(&[kept]), ["n 1"]);
}

/// Publications of several people reach everybody in one order.
#[test]
fn in_the_order_of_publication() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let mut nurse = server.online("nurse", "hall");
    create(&mut romeo, SERVICE, "n", &[("publish_model", "open")]);
    for client in [&mut romeo, &mut juliet, &mut nurse] {
        let bare = client.var("bare");
        subscribe(client, SERVICE, "n", &bare);
        client.sync();
    }
    for n in 0..20 {
        for (client, name) in [(&mut romeo, "r"), (&mut juliet, "j")] {
            ask(client, "set", SERVICE, NS, &publish_xml("n", &format!("{name}{n}"), &saying("x")));
        }
    }
    let answered = [romeo.sync(), juliet.sync()];
    let later = [romeo.sync(), juliet.sync()];
    let seen = [0, 1].map(|n| [events(&answered[n]), events(&later[n])].concat());
    let order = events(&nurse.sync());
    assert_eq!(order.len(), 40);
    assert_eq!(seen, [order.clone(), order.clone()]);
    let stored: Vec<_> =
        item_ids(&mut nurse, SERVICE, "<items node='n'/>").iter().map(|id| format!("n {id}")).collect();
    assert_eq!(stored, order);
}

/// XEP-0163 §4.3.1, §4.3.2: those who want it, each of their resources once, and nobody else.
#[test]
fn contacts_and_own_resources_that_want_it() {
    let server = server();
    server.accounts(&["romeo", "juliet", "paris", "nurse"]);
    server.friends("romeo", "juliet");
    // Paris sees Romeo's presence by Romeo's roster alone; the nurse is shown by hers alone.
    server.contact("romeo", "paris", "From");
    server.contact("nurse", "romeo", "To");
    let mut orchard = server.present("romeo", "orchard");
    let mut street = server.present("romeo", "street");
    let mut balcony = server.present("juliet", "balcony");
    let mut chamber = server.present("juliet", "chamber");
    let mut paris = server.present("paris", "court");
    let mut nurse = server.present("nurse", "hall");
    for client in [&orchard, &balcony, &paris, &nurse] {
        wants(&server, client, &["other", "tune"]);
    }
    wants(&server, &chamber, &["mood"]);
    for client in [&mut orchard, &mut street, &mut balcony, &mut chamber] {
        client.sync();
    }
    ask(&mut orchard, "set", "", NS, &publish_xml("tune", "1", &saying("la")));
    let inside = "<items node='tune'><item id='1'><say xmlns='urn:say'>la</say></item></items>";
    orchard.expect(&event("romeo@im.example", "{jid}", inside));
    assert_eq!(orchard.next().attr("type"), Some("result"));
    balcony.expect(&event("romeo@im.example", "{jid}", inside));
    for client in [&mut orchard, &mut street, &mut balcony, &mut chamber, &mut paris, &mut nurse] {
        client.expect_nothing();
    }
    // Who has subscribed as well gets it once, as the resources want it (§4.3.2); others at their address.
    subscribe(&mut balcony, "romeo@im.example", "tune", "juliet@im.example");
    subscribe(&mut balcony, "romeo@im.example", "tune", "{juliet/balcony}");
    subscribe(&mut chamber, "romeo@im.example", "tune", "{juliet/chamber}");
    balcony.sync();
    chamber.sync();
    publish(&mut orchard, "", "tune", "2");
    assert_eq!(events(&balcony.sync()), ["tune 2"]);
    assert_eq!(events(&chamber.sync()), ["tune 2"]);
    set(&mut orchard, "", NS, "<retract node='tune' notify='1'><item id='2'/></retract>");
    assert_eq!(events(&balcony.sync()), ["tune -2"]);
}

/// The access model decides whose wishes count (XEP-0060 §9.1.2).
#[test]
fn access_models_bound_the_audience() {
    let server = server();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    wants(&server, &juliet, &["n"]);
    wants(&server, &romeo, &["n"]);
    for (model, sees) in
        [("open", true), ("presence", true), ("roster", false), ("whitelist", false), ("authorize", false)]
    {
        create(&mut romeo, "", "n", &[("access_model", model), ("roster_groups_allowed", "Friends")]);
        ask(&mut romeo, "set", "", NS, &publish_xml("n", model, &saying("x")));
        assert_eq!(events(&romeo.sync()), [format!("n {model}")], "the owner always");
        assert_eq!(events(&juliet.sync()).len(), usize::from(sees), "{model}");
        affiliate(&mut romeo, "", "n", "juliet@im.example", "member");
        publish(&mut romeo, "", "n", "member");
        assert_eq!(events(&juliet.sync()), ["n member"], "{model}");
        affiliate(&mut romeo, "", "n", "juliet@im.example", "outcast");
        publish(&mut romeo, "", "n", "outcast");
        assert_eq!(events(&juliet.sync()), [""; 0], "{model}");
        set(&mut romeo, "", OWNER, "<delete node='n'/>");
        romeo.sync();
        juliet.sync();
    }
    create(&mut romeo, "", "n", &[("access_model", "roster"), ("roster_groups_allowed", "Friends")]);
    romeo.roster_set("r", "<item jid='juliet@im.example'><group>Friends</group></item>");
    romeo.sync();
    publish(&mut romeo, "", "n", "1");
    assert_eq!(events(&juliet.sync()), ["n 1"]);
}

/// XEP-0163 §7.1: a subscription ends when what it was granted for does.
#[test]
fn subscriptions_without_access_end() {
    let server = server();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    create(&mut romeo, "", "n", &[]);
    subscribe(&mut juliet, "romeo@im.example", "n", "juliet@im.example");
    publish(&mut romeo, "", "n", "1");
    assert_eq!(events(&juliet.sync()), ["n 1"]);
    romeo.send("<presence to='juliet@im.example' type='unsubscribed'/>");
    romeo.sync();
    juliet.sync();
    publish(&mut romeo, "", "n", "2");
    juliet.expect(&event(
        "romeo@im.example",
        "juliet@im.example",
        "<subscription node='n' jid='juliet@im.example' subscription='none'/>",
    ));
    juliet.expect_nothing();
    let left = get(&mut romeo, "", OWNER, "<subscriptions node='n'/>");
    assert_eq!(left.find("subscriptions", OWNER).expect("a list").elements().count(), 0);
}

/// XEP-0163 §4.3.3, XEP-0191 §3.3: nothing from or to somebody blocked, whoever has blocked whom.
#[test]
fn nobody_hears_of_somebody_blocked() {
    let server = server();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    create(&mut romeo, "", "n", &[("access_model", "open")]);
    create(&mut romeo, SERVICE, "n", &[]);
    wants(&server, &juliet, &["n"]);
    subscribe(&mut juliet, "romeo@im.example", "n", "juliet@im.example/elsewhere");
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    let block = |client: &mut Client, what: &str, jid: &str| {
        client.send(&format!(
            "<iq type='set' id='b'><{what} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{what}></iq>"
        ));
        client.sync();
    };
    let heard = |romeo: &mut Client, juliet: &mut Client, of_account: usize, of_service: usize| {
        publish(romeo, "", "n", "a");
        publish(romeo, SERVICE, "n", "s");
        let seen = juliet.sync();
        // Who is unblocked shows its last items as well.
        let live = |el: &&El| el.name == "message" && el.find("delay", "urn:xmpp:delay").is_none();
        let from = |from: &str| seen.iter().filter(live).filter(|el| el.attr("from") == Some(from)).count();
        assert_eq!((from("romeo@im.example"), from(SERVICE)), (of_account, of_service));
    };
    heard(&mut romeo, &mut juliet, 1, 1);
    for jid in ["romeo@im.example", SERVICE] {
        block(&mut juliet, "block", jid);
        juliet.sync();
        heard(&mut romeo, &mut juliet, usize::from(jid == SERVICE), usize::from(jid != SERVICE));
        block(&mut juliet, "unblock", jid);
    }
    juliet.sync();
    for jid in ["juliet@im.example", "{juliet/balcony}"] {
        block(&mut romeo, "block", jid);
        juliet.sync();
        heard(&mut romeo, &mut juliet, 0, 1);
        block(&mut romeo, "unblock", jid);
        juliet.sync();
    }
    heard(&mut romeo, &mut juliet, 1, 1);
}
