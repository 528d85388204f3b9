//! §8.8: owners manage subscriptions.

use super::*;

fn list(rows: &str) -> String {
    format!("<subscriptions node='n'>{rows}</subscriptions>")
}

fn row(jid: &str, state: &str) -> String {
    format!("<subscription jid='{jid}' subscription='{state}'/>")
}

/// §8.8.1, §8.8.2, §8.8.3, §8.8.4.
#[test]
fn subscriptions_are_listed_and_changed() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let mut paris = server.online("paris", "court");
    create(&mut romeo, SERVICE, "n", &[("access_model", "authorize")]);
    publish(&mut romeo, SERVICE, "n", "1");
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    subscribe(&mut paris, SERVICE, "n", "{paris}");
    romeo.sync();
    let shown = |client: &mut Client, rows: &str| {
        ask(client, "get", SERVICE, OWNER, "<subscriptions node='n'/>");
        client.expect(&format!(
            "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{OWNER}'>\
             <subscriptions node='n' any-order='true'>{rows}</subscriptions></pubsub></iq>"
        ));
    };
    // "SHOULD NOT return entities whose subscription state is pending".
    shown(&mut romeo, "");
    let told = |jid: &str, state: &str| {
        event(SERVICE, jid, &format!("<subscription node='n' jid='{jid}' subscription='{state}'/>"))
    };
    let changes =
        row("juliet@im.example", "subscribed") + &row("{paris}", "none") + "<subscription jid='nurse@im.example'/>";
    set(&mut romeo, SERVICE, OWNER, &list(&changes));
    shown(&mut romeo, &row("juliet@im.example", "subscribed"));
    juliet.expect(&told("juliet@im.example", "subscribed"));
    assert_eq!(events(&juliet.sync()), ["n 1"]);
    paris.expect(&told("{paris}", "none"));
    // Nothing has changed: nobody is told.
    set(&mut romeo, SERVICE, OWNER, &list(&row("juliet@im.example", "subscribed")));
    juliet.expect_nothing();
    set(&mut romeo, SERVICE, OWNER, &list(&row("juliet@im.example", "none")));
    juliet.expect(&told("juliet@im.example", "none"));
    shown(&mut romeo, "");
    // An owner can unsubscribe somebody by the other way, too.
    set(&mut romeo, SERVICE, OWNER, &list(&row("{paris}", "subscribed")));
    set(&mut romeo, SERVICE, NS, "<unsubscribe node='n' jid='{paris}'/>");
    paris.expect(&told("{paris}", "subscribed"));
    assert_eq!(events(&paris.sync()), ["n 1", "n subscription"]);
}

/// §8.8.1.3, §8.8.2.3, §8.8.2.4.
#[test]
fn changes_that_are_refused() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[]);
    for kind in ["get", "set"] {
        refused(&mut juliet, kind, SERVICE, OWNER, "<subscriptions node='n'/>", ("auth", "forbidden", ""));
        refused(&mut romeo, kind, SERVICE, OWNER, "<subscriptions node='x'/>", ("cancel", "item-not-found", ""));
        refused(&mut romeo, kind, SERVICE, OWNER, "<subscriptions/>", ("modify", "bad-request", "nodeid-required"));
    }
    refused(&mut romeo, "set", SERVICE, OWNER, &list(&row("@", "none")), ("modify", "bad-request", "invalid-jid"));
    affiliate(&mut romeo, SERVICE, "n", "paris@im.example", "outcast");
    let wishes = row("juliet@im.example", "subscribed")
        + &row("paris@im.example", "subscribed")
        + &row("nurse@im.example", "unconfigured")
        + &row("tybalt@im.example", "none");
    ask(&mut romeo, "set", SERVICE, OWNER, &list(&wishes));
    romeo.expect(&format!(
        "<iq type='error' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{OWNER}'><subscriptions node='n'>{}{}\
         </subscriptions></pubsub><error type='modify'><not-acceptable xmlns='{STANZAS}'/></error></iq>",
        row("paris@im.example", "none"),
        row("nurse@im.example", "none"),
    ));
    juliet.sync();
    publish(&mut romeo, SERVICE, "n", "1");
    assert_eq!(events(&juliet.sync()), ["n 1"]);
}

/// §8.8.2: all in one step, which has room for those that fit when others have left.
#[test]
fn many_changes_at_once() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.limits.pubsub_subscriptions_per_node_max = 2;
    });
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    let all = |names: &[(&str, &str)]| {
        list(&names.iter().map(|(name, state)| row(&format!("{name}@im.example"), state)).collect::<String>())
    };
    set(&mut romeo, SERVICE, OWNER, &all(&[("a", "subscribed"), ("b", "subscribed")]));
    ask(&mut romeo, "set", SERVICE, OWNER, &all(&[("c", "subscribed"), ("a", "none"), ("d", "subscribed")]));
    let refused_one = answer(&mut romeo);
    assert!(refused_one.raw.contains("not-acceptable") && refused_one.raw.contains("jid='d@im.example'"));
    let shown = get(&mut romeo, SERVICE, OWNER, "<subscriptions node='n'/>");
    let shown = shown.find("subscriptions", OWNER).expect("a list");
    let jids: Vec<_> = shown.elements().filter_map(|el| el.attr("jid")).collect();
    assert_eq!(jids, ["b@im.example", "c@im.example"]);
    let twice = all(&[("b", "none"), ("b", "subscribed")]);
    // The second changes nothing, as she is subscribed.
    set(&mut romeo, SERVICE, OWNER, &twice);
    let twice = all(&[("d", "none"), ("e", "subscribed"), ("e", "subscribed")]);
    refused(&mut romeo, "set", SERVICE, OWNER, &twice, ("modify", "bad-request", ""));
}
