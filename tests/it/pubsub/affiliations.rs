//! §5.7, §8.9: affiliations.

use super::*;

fn list(rows: &str) -> String {
    format!("<affiliations node='n'>{rows}</affiliations>")
}

/// §8.9.1, §8.9.2, §8.9.3, §5.7.
#[test]
fn affiliations_are_given_and_taken() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[]);
    let romeos = "<affiliation jid='romeo@im.example' affiliation='owner'/>";
    let shown = |client: &mut Client, rows: &str| {
        ask(client, "get", SERVICE, OWNER, "<affiliations node='n'/>");
        client.expect(&format!(
            "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{OWNER}'>\
             <affiliations node='n' any-order='true'>{rows}</affiliations></pubsub></iq>"
        ));
    };
    shown(&mut romeo, romeos);
    let given = "<affiliation jid='juliet@im.example' affiliation='publisher'/>\
        <affiliation jid='paris@im.example' affiliation='outcast'/>\
        <affiliation jid='nurse@elsewhere.example' affiliation='member'/>";
    // A full JID stands for its bare one; without an affiliation nothing changes.
    let asked = given.replace("juliet@im.example", "juliet@im.example/x");
    let unchanged = "<affiliation jid='tybalt@im.example'/>";
    ask(&mut romeo, "set", SERVICE, OWNER, &list(&(asked + unchanged)));
    let answer = answer(&mut romeo);
    assert_eq!((answer.attr("type"), answer.elements().count()), (Some("result"), 0), "{}", answer.raw);
    shown(&mut romeo, &format!("{romeos}{given}"));
    server.account("juliet", "secret");
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    shown(&mut romeo, &format!("{romeos}{given}"));
    let mut juliet = server.login("juliet", "secret", "balcony");
    for request in ["<affiliations/>", "<affiliations node='n'/>"] {
        ask(&mut juliet, "get", SERVICE, NS, request);
        juliet.expect(&format!(
            "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{NS}'>\
             <affiliations><affiliation node='n' affiliation='publisher'/></affiliations></pubsub></iq>"
        ));
    }
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "none");
    juliet.available();
    ask(&mut juliet, "get", SERVICE, NS, "<affiliations/>");
    juliet.expect(&format!(
        "<iq type='result' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{NS}'><affiliations/></pubsub></iq>"
    ));
}

/// §8.9.1.3, §8.9.2.3, §8.9.2.4.
#[test]
fn changes_that_are_refused() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[]);
    let row = |jid: &str, affiliation: &str| format!("<affiliation jid='{jid}' affiliation='{affiliation}'/>");
    for kind in ["get", "set"] {
        refused(&mut juliet, kind, SERVICE, OWNER, "<affiliations node='n'/>", ("auth", "forbidden", ""));
        refused(&mut romeo, kind, SERVICE, OWNER, "<affiliations node='x'/>", ("cancel", "item-not-found", ""));
        refused(&mut romeo, kind, SERVICE, OWNER, "<affiliations/>", ("modify", "bad-request", "nodeid-required"));
    }
    let twice = list(&(row("a@im.example", "member") + &row("a@im.example/x", "owner")));
    refused(&mut romeo, "set", SERVICE, OWNER, &twice, ("modify", "bad-request", ""));
    refused(&mut romeo, "set", SERVICE, OWNER, &list(&row("@", "member")), ("modify", "bad-request", "invalid-jid"));
    // The last owner stays; what is possible happens.
    let some = row("romeo@im.example", "none") + &row("juliet@im.example", "member") + &row("paris@im.example", "king");
    ask(&mut romeo, "set", SERVICE, OWNER, &list(&some));
    romeo.expect(&format!(
        "<iq type='error' id='ps' from='pubsub.im.example' to='{{jid}}'><pubsub xmlns='{OWNER}'><affiliations node='n'>{}{}\
         </affiliations></pubsub><error type='modify'><not-acceptable xmlns='{STANZAS}'/></error></iq>",
        row("paris@im.example", "none"),
        row("romeo@im.example", "owner"),
    ));
    let left = get(&mut romeo, SERVICE, OWNER, "<affiliations node='n'/>");
    assert_eq!(left.find("affiliations", OWNER).expect("a list").elements().count(), 2, "{}", left.raw);
    // One owner makes another and goes.
    let handed_over = row("romeo@im.example", "none") + &row("juliet@im.example", "owner");
    set(&mut romeo, SERVICE, OWNER, &list(&handed_over));
    refused(&mut romeo, "get", SERVICE, OWNER, "<affiliations node='n'/>", ("auth", "forbidden", ""));
}

/// The owner of an account is the owner of its nodes, always (XEP-0163 §2.2).
#[test]
fn the_owner_of_an_account_stays_one() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, "", "n", &[]);
    let resign = list("<affiliation jid='romeo@im.example' affiliation='none'/>");
    refused(&mut romeo, "set", "", OWNER, &resign, ("modify", "not-acceptable", ""));
    let own = get(&mut romeo, "", NS, "<affiliations/>");
    assert!(own.raw.contains("<affiliation node='n' affiliation='owner'/>"), "{}", own.raw);
    affiliate(&mut romeo, "", "n", "juliet@im.example", "owner");
    set(&mut romeo, "", OWNER, &list("<affiliation jid='juliet@im.example' affiliation='none'/>"));
}

/// §8.9.4, and §8.7: what it means for subscriptions.
#[test]
fn who_is_concerned_learns_of_it() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, SERVICE, "n", &[("access_model", "authorize")]);
    publish(&mut romeo, SERVICE, "n", "1");
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    let change = |affiliation: &str| {
        format!(
            "<message type='headline' id='{{any}}' from='pubsub.im.example' to='juliet@im.example'>\
             <pubsub xmlns='{NS}'><affiliations node='n'>\
             <affiliation jid='juliet@im.example' affiliation='{affiliation}'/></affiliations></pubsub></message>"
        )
    };
    let subscription = |state: &str| {
        event(
            SERVICE,
            "juliet@im.example",
            &format!("<subscription node='n' jid='juliet@im.example' subscription='{state}'/>"),
        )
    };
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "member");
    juliet.expect(&change("member"));
    juliet.expect(&subscription("subscribed"));
    assert_eq!(events(&juliet.sync()), ["n 1"]);
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "outcast");
    juliet.expect(&change("outcast"));
    juliet.expect(&subscription("none"));
    publish(&mut romeo, SERVICE, "n", "2");
    juliet.expect_nothing();
}
