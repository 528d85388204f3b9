//! Roster versions (RFC 6121 §2.6).

use crate::support::contacts::ROSTER;
use crate::support::{Client, TestServer};

/// What a get with this `ver` is answered with: the version and the number of items, or `None` for "not modified".
#[track_caller]
fn get(client: &mut Client, version: &str) -> Option<(String, usize)> {
    client.send(&format!("<iq type='get' id='v'><query xmlns='jabber:iq:roster' ver='{version}'/></iq>"));
    let answer = client.expect("<iq type='result' id='v' to='{jid}' from='{opt}'><any/></iq>");
    let query = answer.elements().next()?;
    assert!(query.is("query", ROSTER), "{answer:?}");
    let version = query.attr("ver").expect("a version for a client that asks for versions");
    Some((version.to_owned(), query.elements().count()))
}

#[track_caller]
fn pushed_version(client: &mut Client, item: &str) -> String {
    let push = client.expect_push(item);
    push.elements().next().unwrap().attr("ver").unwrap().to_owned()
}

/// RFC 6121 §2.6.1.
#[test]
fn the_feature_is_offered_behind_authentication() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.connect();
    assert!(romeo.secure().find("ver", "urn:xmpp:features:rosterver").is_none());
    romeo.authenticate("SCRAM-SHA-256", "romeo", "secret");
    assert!(romeo.open_to_features().find("ver", "urn:xmpp:features:rosterver").is_some());
}

/// RFC 6121 §2.6.2: an empty `ver` says that the client knows versions and has none; so does an unknown one.
#[test]
fn an_empty_or_unknown_version_brings_the_whole_roster() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server.contact("romeo", "a", "To");
    server.contact("romeo", "b", "None");
    let mut romeo = server.login("romeo", "secret", "orchard");
    let (version, _) = get(&mut romeo, "").unwrap();
    assert!(!version.is_empty());
    for unknown in ["", "nonsense", "-1", "999999", "18446744073709551617", "&lt;&amp;", " ", &format!(" {version}")] {
        assert_eq!(get(&mut romeo, unknown), Some((version.clone(), 2)), "{unknown}");
    }
}

/// RFC 6121 §2.6.2: the empty result, and the resource is interested all the same.
#[test]
fn the_current_version_brings_an_empty_result() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server.contact("romeo", "a", "To");
    let mut romeo = server.login("romeo", "secret", "orchard");
    let (version, _) = get(&mut romeo, "").unwrap();
    let mut other = server.login("romeo", "secret", "garden");
    assert_eq!(get(&mut other, &version), None);
    romeo.roster_set("s", "<item jid='b@im.example'/>");
    pushed_version(&mut other, "<item jid='b@im.example' subscription='none'/>");
}

/// RFC 6121 §2.6.2: the empty roster has a version, too.
#[test]
fn an_empty_roster_has_a_version() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    let (version, items) = get(&mut romeo, "").unwrap();
    assert_eq!(items, 0);
    assert_eq!(get(&mut romeo, &version), None);
}

/// RFC 6121 §2.6.3: every change brings a new version, which its push and the next list agree on; older ones are out of
/// date from then on.
#[test]
fn every_change_has_a_version_of_its_own() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.login("romeo", "secret", "orchard");
    let mut known = vec![get(&mut romeo, "").unwrap().0];
    for (set, pushed) in [
        ("<item jid='a@im.example'/>", "<item jid='a@im.example' subscription='none'/>"),
        ("<item jid='a@im.example' name='A'/>", "<item jid='a@im.example' name='A' subscription='none'/>"),
        ("<item jid='a@im.example'/>", "<item jid='a@im.example' subscription='none'/>"),
        ("<item jid='a@im.example' subscription='remove'/>", "<item jid='a@im.example' subscription='remove'/>"),
        ("<item jid='juliet@im.example'/>", "<item jid='juliet@im.example' subscription='none'/>"),
    ] {
        romeo.roster_set("s", set);
        known.push(pushed_version(&mut romeo, pushed));
        romeo.expect_result("s");
    }
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    known.push(pushed_version(&mut romeo, "<item jid='juliet@im.example' subscription='none' ask='subscribe'/>"));
    let last = known.pop().unwrap();
    assert_eq!(get(&mut romeo, &last), None);
    for old in &known {
        assert_ne!(*old, last);
        assert_eq!(get(&mut romeo, old), Some((last.clone(), 1)));
    }
    known.sort();
    known.dedup();
    assert_eq!(known.len(), 6, "no version twice");
}

/// RFC 6121 §2.6.2: changes made by the contact count as well.
#[test]
fn a_change_of_the_subscription_has_a_version() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = server.login("romeo", "secret", "orchard");
    let (before, _) = get(&mut romeo, "").unwrap();
    romeo.close();
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    juliet.sync();
    let mut romeo = server.login("romeo", "secret", "orchard");
    let (after, items) = get(&mut romeo, &before).expect("modified");
    assert_eq!(items, 1);
    assert_eq!(get(&mut romeo, &after), None);
}

/// RFC 6121 §2.6.3: what did not change the roster leaves its version alone.
#[test]
fn a_refused_set_makes_no_version() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server.contact("romeo", "a", "Both");
    let mut romeo = server.login("romeo", "secret", "orchard");
    let (version, _) = get(&mut romeo, "").unwrap();
    for bad in [
        "<item jid='b@im.example' subscription='remove'/>",
        "<item jid='a@im.example'><group/></item>",
        "<item jid='romeo@im.example'/>",
    ] {
        romeo.roster_set("s", bad);
        assert_eq!(romeo.next().attr("type"), Some("error"));
    }
    romeo.send("<presence type='subscribed' to='a@im.example'/>");
    romeo.send("<presence type='subscribe' to='a@im.example'/>");
    romeo.sync();
    assert_eq!(get(&mut romeo, &version), None);
}

/// RFC 6121 §2.6.2: clients keep versions for years; none may come to mean another roster.
#[test]
fn versions_survive_a_restart() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.roster();
    romeo.roster_set("s", "<item jid='a@im.example'/>");
    let first = pushed_version(&mut romeo, "<item jid='a@im.example' subscription='none'/>");
    romeo.expect_result("s");
    romeo.roster_set("s", "<item jid='a@im.example' subscription='remove'/>");
    let second = pushed_version(&mut romeo, "<item jid='a@im.example' subscription='remove'/>");
    romeo.expect_result("s");
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert_eq!(get(&mut romeo, &second), None);
    assert_eq!(get(&mut romeo, &first), Some((second.clone(), 0)));
    romeo.roster_set("s", "<item jid='b@im.example'/>");
    let third = pushed_version(&mut romeo, "<item jid='b@im.example' subscription='none'/>");
    assert!(third != second && third != first);
}

/// RFC 6121 §2.6.3, §3.1.3: a request that waits for an answer is no change of the roster, in it or not.
#[test]
fn a_request_makes_no_version() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse"]);
    server.contact("romeo", "juliet", "To");
    server.contact("juliet", "romeo", "From");
    let mut romeo = server.login("romeo", "secret", "orchard");
    let (version, _) = get(&mut romeo, "").unwrap();
    for asker in ["juliet", "nurse"] {
        let mut asker = server.login(asker, "secret", "hall");
        for kind in ["subscribe", "unsubscribe", "subscribe"] {
            asker.send(&format!("<presence type='{kind}' to='romeo@im.example'/>"));
        }
        asker.sync();
    }
    romeo.send("<presence type='unsubscribed' to='nurse@im.example'/>");
    romeo.sync();
    assert_eq!(get(&mut romeo, &version), None);
}
