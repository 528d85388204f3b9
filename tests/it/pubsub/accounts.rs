//! XEP-0163: what is particular to the nodes of accounts.

use super::*;

/// §4.1: without `to`, and to one's own bare JID, it is one's own account.
#[test]
fn with_and_without_an_address() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, "", "n", &[]);
    refused(&mut romeo, "set", "romeo@im.example", NS, "<create node='n'/>", ("cancel", "conflict", ""));
    publish(&mut romeo, "romeo@im.example", "n", "1");
    assert_eq!(item_ids(&mut romeo, "", "<items node='n'/>"), ["1"]);
    // A full JID is the client's business, the domain has no nodes.
    ask(&mut romeo, "get", "im.example", NS, "<items node='n'/>");
    romeo.expect_stanza_error("iq", "ps", "cancel", "service-unavailable");
}

/// An acknowledged item survives, and so does everything else that was answered.
#[test]
fn what_is_acknowledged_stays() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, "", "n", &[("access_model", "open"), ("max_items", "10")]);
    for n in 0..10 {
        publish(&mut romeo, "", "n", &n.to_string());
    }
    affiliate(&mut romeo, "", "n", "juliet@im.example", "publisher");
    server.restart();
    let mut juliet = server.online("juliet", "balcony");
    publish(&mut juliet, "romeo@im.example", "n", "10");
    let ids: Vec<_> = (1..=10).map(|n: u8| n.to_string()).collect();
    assert_eq!(item_ids(&mut juliet, "romeo@im.example", "<items node='n'/>"), ids);
}

/// A stranger learns nothing of who exists.
#[test]
fn nobody_has_no_nodes() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    for (kind, ns, inside) in [
        ("get", NS, "<items node='n'/>"),
        ("get", NS, "<affiliations/>"),
        ("get", NS, "<subscriptions/>"),
        ("get", OWNER, "<configure node='n'/>"),
        ("get", OWNER, "<default/>"),
        ("set", NS, "<subscribe node='n' jid='romeo@im.example'/>"),
        ("set", NS, "<create node='n'/>"),
        ("set", NS, "<publish node='n'><item id='1'/></publish>"),
        ("set", OWNER, "<delete node='n'/>"),
    ] {
        let mut answers = Vec::new();
        for name in ["juliet", "nobody"] {
            ask(&mut romeo, kind, &format!("{name}@im.example"), ns, inside);
            answers.push(answer(&mut romeo).raw.replace(name, "somebody"));
        }
        assert_eq!(answers[0], answers[1]);
    }
}

/// XEP-0163 §7.1: with the presence of the owner goes the subscription, and with that the right of subscribers to publish.
#[test]
fn who_has_lost_access_publishes_no_more() {
    let server = server();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = server.login("romeo", "secret", "orchard");
    create(&mut juliet, "", "n", &[("access_model", "presence"), ("publish_model", "subscribers")]);
    subscribe(&mut romeo, "juliet@im.example", "n", "romeo@im.example");
    publish(&mut romeo, "juliet@im.example", "n", "1");
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.sync();
    let inside = publish_xml("n", "2", &saying("2"));
    refused(&mut romeo, "set", "juliet@im.example", NS, &inside, ("auth", "forbidden", ""));
    assert_eq!(item_ids(&mut juliet, "", "<items node='n'/>"), ["1"]);
}
