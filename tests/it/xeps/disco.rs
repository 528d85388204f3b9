//! XEP-0030: who answers whom, and what.

use super::subscribe;
use crate::support::xml::El;
use crate::support::{Client, TestServer};

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

#[track_caller]
fn ask(client: &mut Client, to: &str, ns: &str) -> El {
    client.send(&format!("<iq type='get' id='d' {to}><query xmlns='{ns}'/></iq>"));
    let answer = client.expect("<iq type='result' id='d' any-attrs='true'><one/></iq>");
    answer.find("query", ns).expect("a query").clone()
}

#[track_caller]
fn refused(client: &mut Client, to: &str, query: &str, error_type: &str, condition: &str) {
    client.send(&format!("<iq type='get' id='d' {to}>{query}</iq>"));
    client.expect_stanza_error("iq", "d", error_type, condition);
}

fn features(query: &El) -> Vec<&str> {
    query.elements().filter(|el| el.name == "feature").filter_map(|el| el.attr("var")).collect()
}

fn jids(query: &El) -> Vec<&str> {
    query.elements().filter_map(|el| el.attr("jid")).collect()
}

/// XEP-0030 §3.1: at least one identity and disco#info itself; every feature once, and each of them true.
#[test]
fn the_server_says_what_it_is() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let info = ask(&mut romeo, "to='im.example'", INFO);
    let identity = info.find("identity", INFO).expect("an identity");
    assert_eq!((identity.attr("category"), identity.attr("type")), (Some("server"), Some("im")));
    let mut got = features(&info);
    for expected in [
        INFO,
        ITEMS,
        "urn:xmpp:ping",
        "urn:xmpp:time",
        "jabber:iq:version",
        "jabber:iq:last",
        "jabber:iq:private",
        "vcard-temp",
        "jabber:iq:register",
        "msgoffline",
        "jid\\20escaping",
    ] {
        assert!(got.contains(&expected), "{expected} is missing in {got:?}");
    }
    let count = got.len();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.len(), count, "twice the same");
}

/// XEP-0030 §4.1: what has an address of its own.
#[test]
fn the_items_of_the_server_are_its_services() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let items = ask(&mut romeo, "to='im.example'", ITEMS);
    assert_eq!(jids(&items), ["conference.im.example", "pubsub.im.example"]);
    for jid in jids(&items) {
        let info = ask(&mut romeo, &format!("to='{jid}'"), INFO);
        assert!(info.find("identity", INFO).is_some() && features(&info).contains(&ITEMS), "{jid}");
    }
}

/// XEP-0030 §3.2, §7: `item-not-found`, whoever is asked; a node that was asked for is in the answer.
#[test]
fn unknown_nodes_are_not_found() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for to in ["to='im.example'", "", "to='romeo@im.example'"] {
        for ns in [INFO, ITEMS] {
            refused(&mut romeo, to, &format!("<query xmlns='{ns}' node='urn:example:x'/>"), "cancel", "item-not-found");
        }
    }
    romeo.expect_nothing();
}

/// XEP-0030 §3.1: an account is a registered account.
#[test]
fn the_own_account() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for to in ["", "to='romeo@im.example'"] {
        let info = ask(&mut romeo, to, INFO);
        let identity = info.find("identity", INFO).expect("an identity");
        assert_eq!((identity.attr("category"), identity.attr("type")), (Some("account"), Some("registered")));
        assert!(features(&info).contains(&INFO));
        assert_eq!(jids(&ask(&mut romeo, to, ITEMS)), ["romeo@im.example/orchard"]);
    }
}

/// XEP-0030 §8 rule 1 and 2: who may see the presence learns it, nobody else does, whether there is an account or not.
#[test]
fn other_accounts_only_for_those_who_see_their_presence() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    for to in ["to='juliet@im.example'", "to='nobody@im.example'"] {
        refused(&mut romeo, to, &format!("<query xmlns='{INFO}'/>"), "cancel", "service-unavailable");
        refused(&mut romeo, to, &format!("<query xmlns='{INFO}' node='x'/>"), "cancel", "service-unavailable");
        assert!(ask(&mut romeo, to, ITEMS).elements().next().is_none());
    }
    subscribe(&mut romeo, &mut juliet);
    let info = ask(&mut romeo, "to='juliet@im.example'", INFO);
    assert!(info.find("identity", INFO).is_some());
    assert_eq!(jids(&ask(&mut romeo, "to='juliet@im.example'", ITEMS)), ["juliet@im.example/balcony"]);
    refused(
        &mut romeo,
        "to='juliet@im.example'",
        &format!("<query xmlns='{INFO}' node='x'/>"),
        "cancel",
        "item-not-found",
    );
    // The other direction was not allowed.
    refused(&mut juliet, "to='romeo@im.example'", &format!("<query xmlns='{INFO}'/>"), "cancel", "service-unavailable");
    assert!(ask(&mut juliet, "to='romeo@im.example'", ITEMS).elements().next().is_none());
    juliet.send("<presence type='unavailable'/>");
    juliet.sync();
    romeo.sync();
    assert!(jids(&ask(&mut romeo, "to='juliet@im.example'", ITEMS)).is_empty(), "available ones only");
}

/// XEP-0030 §3: to a full address it is the client's own affair.
#[test]
fn a_full_address_answers_itself() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send(&format!("<iq type='get' id='d' to='juliet@im.example/balcony'><query xmlns='{INFO}'/></iq>"));
    juliet.expect(&format!("<iq type='get' id='d' to='{{jid}}' from='{{romeo}}'><query xmlns='{INFO}'/></iq>"));
    juliet.send(&format!("<iq type='result' id='d' to='{{romeo}}'><query xmlns='{INFO}'/></iq>"));
    romeo.expect(&format!("<iq type='result' id='d' to='{{jid}}' from='{{juliet}}'><query xmlns='{INFO}'/></iq>"));
    refused(
        &mut romeo,
        "to='juliet@im.example/gone'",
        &format!("<query xmlns='{INFO}'/>"),
        "cancel",
        "service-unavailable",
    );
}
