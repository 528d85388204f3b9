//! XEP-0077 after login: what is on file, a new password, the end of the account.

use super::subscribe;
use crate::support::{Client, TestServer};

fn query(inside: &str) -> String {
    format!("<iq type='set' id='r'><query xmlns='jabber:iq:register'>{inside}</query></iq>")
}

fn keys(username: &str, password: &str) -> String {
    query(&format!("<username>{username}</username><password>{password}</password>"))
}

#[track_caller]
fn ok(client: &mut Client, request: &str) {
    client.send(request);
    client.expect("<iq type='result' id='r' from='{opt}' to='{opt}'/>");
}

#[track_caller]
fn refused(client: &mut Client, request: &str, error_type: &str, condition: &str) {
    client.send(request);
    let error = client.expect_stanza_error("iq", "r", error_type, condition);
    // §3.3: "SHOULD NOT return the original XML".
    assert!(!error.raw.contains("s3cret"), "the password comes back: {error:?}");
}

#[track_caller]
fn cannot_log_in(server: &TestServer, user: &str, password: &str) {
    let mut client = server.connect();
    client.secure();
    client.auth("PLAIN", &format!("\0{user}\0{password}"));
    client.expect_sasl_failure("not-authorized");
}

/// XEP-0077 §3.1: `<registered/>` and the name, not the password; whatever the mode of registration.
#[test]
fn who_is_registered_learns_that() {
    let server = TestServer::start();
    let mut bill = server.online("bill", "globe");
    for to in ["", "to='im.example'", "to='bill@im.example'"] {
        bill.send(&format!("<iq type='get' id='r' {to}><query xmlns='jabber:iq:register'/></iq>"));
        bill.expect(
            "<iq type='result' id='r' from='{opt}' to='{jid}'><query xmlns='jabber:iq:register' any-order='true'>\
             <registered/><username>bill</username><password/><any/></query></iq>",
        );
    }
}

/// XEP-0077 §3.3: the new one works, the old one does not, also after a restart; the other sessions of the account have to
/// come again (RFC 6120 §4.9.3.16).
#[test]
fn a_new_password_replaces_the_old_one() {
    let mut server = TestServer::start();
    let mut bill = server.online("bill", "globe");
    let mut other = server.login("bill", "secret", "swan");
    ok(&mut bill, &keys("bill", "n3w &lt;s3cret&gt;"));
    bill.expect_nothing();
    other.expect_stream_error("reset");
    cannot_log_in(&server, "bill", "secret");
    server.login("bill", "n3w <s3cret>", "rose").expect_nothing();
    server.restart();
    cannot_log_in(&server, "bill", "secret");
    server.login("bill", "n3w <s3cret>", "rose").expect_nothing();
}

/// XEP-0077 §3.3: to the server by name, and with the name in other spellings.
#[test]
fn the_password_may_be_changed_by_whatever_name_the_own_account_has() {
    let server = TestServer::start();
    let mut bill = server.online("bill", "globe");
    for (to, name, password) in
        [("to='im.example'", "bill", "one"), ("to='bill@im.example'", "BILL", "two"), ("", "bill@im.example", "three")]
    {
        ok(&mut bill, &keys(name, password).replace("id='r'", &format!("id='r' {to}")));
        cannot_log_in(&server, "bill", "secret");
        server.login("bill", password, "other").expect_nothing();
    }
}

/// XEP-0077 §3.3: incomplete, empty, somebody else's: refused, and the password stays.
#[test]
fn a_password_is_not_changed_by_half() {
    let server = TestServer::start();
    server.account("will", "other");
    let mut bill = server.online("bill", "globe");
    for inside in [
        "",
        "<username>bill</username>",
        "<username>bill</username><password/>",
        "<username>bill</username><password></password>",
        "<password>s3cret</password>",
    ] {
        refused(&mut bill, &query(inside), "modify", "bad-request");
    }
    for name in ["will", "will@im.example", "bill@other.example", "nobody"] {
        refused(&mut bill, &keys(name, "s3cret"), "cancel", "not-allowed");
    }
    refused(&mut bill, &keys("bill", "s3cret\u{7f}"), "modify", "not-acceptable");
    server.login("bill", "secret", "other").expect_nothing();
    server.login("will", "other", "other").expect_nothing();
}

/// XEP-0077 §3.2, §3.3: another account is not one's own.
#[test]
fn other_accounts_are_out_of_reach() {
    let server = TestServer::start();
    server.account("will", "other");
    let mut bill = server.online("bill", "globe");
    for to in ["will@im.example", "nobody@im.example"] {
        for inside in ["<remove/>", "<username>will</username><password>s3cret</password>"] {
            let request = query(inside).replace("id='r'", &format!("id='r' to='{to}'"));
            refused(&mut bill, &request, "cancel", "service-unavailable");
        }
    }
    server.login("will", "other", "x").expect_nothing();
}

/// XEP-0077 §3.2: `<remove/>` stands alone.
#[test]
fn remove_with_something_else_is_a_bad_request() {
    let server = TestServer::start();
    let mut bill = server.online("bill", "globe");
    for inside in ["<remove/><username>bill</username>", "<username>bill</username><remove/>", "<remove/><remove/>"] {
        refused(&mut bill, &query(inside), "modify", "bad-request");
    }
    bill.expect_nothing();
}

/// XEP-0077 §3.2: the answer, then `not-authorized`, on every stream of the account; nobody can log in any more.
#[test]
fn a_removed_account_is_gone() {
    let mut server = TestServer::start();
    let mut bill = server.online("bill", "globe");
    let mut other = server.login("bill", "secret", "swan");
    ok(&mut bill, &query("<remove/>"));
    bill.expect_stream_error("not-authorized");
    other.expect_stream_error("not-authorized");
    cannot_log_in(&server, "bill", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for kind in ["chat", "normal"] {
        romeo.send(&format!("<message to='bill@im.example' type='{kind}' id='1'><body>hi</body></message>"));
        romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    }
    server.restart();
    cannot_log_in(&server, "bill", "secret");
}

/// XEP-0077 §3.2, RFC 6121 §3.2, §3.3: whoever saw the account learns that it is gone, and may not show itself any more.
#[test]
fn contacts_of_a_removed_account_are_told() {
    let server = TestServer::start();
    let mut bill = server.online("bill", "globe");
    let mut romeo = server.online("romeo", "orchard");
    subscribe(&mut romeo, &mut bill);
    subscribe(&mut bill, &mut romeo);
    romeo.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    romeo.expect("<iq type='result' id='roster' any-attrs='true'><query xmlns='jabber:iq:roster' ver='{opt}'><item any-attrs='true' jid='bill@im.example' subscription='both'><any/></item></query></iq>");
    bill.sync();
    bill.send(&query("<remove/>"));
    while bill.next().name != "iq" {}
    bill.expect_stream_error("not-authorized");
    let told = romeo.sync();
    let presences = || told.iter().filter(|el| el.name == "presence");
    assert!(
        presences()
            .any(|el| el.attr("type") == Some("unavailable") && el.attr("from") == Some("bill@im.example/globe")),
        "{told:?}"
    );
    romeo.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = romeo.expect("<iq type='result' id='roster' any-attrs='true'><query xmlns='jabber:iq:roster' ver='{opt}'><any/></query></iq>");
    let items: Vec<_> = roster.elements().flat_map(|query| query.elements()).collect();
    assert!(items.iter().all(|item| item.attr("subscription") == Some("none")), "{roster:?}");
    // Somebody who takes the name is a stranger.
    server.account("bill", "secret");
    let mut new = server.login("bill", "secret", "globe");
    let seen = new.available();
    assert!(seen.iter().all(|el| el.attr("from") == new.jid.as_deref()), "{seen:?}");
    settle_without(&mut new, &mut romeo);
}

/// Nothing of the one reaches the other.
#[track_caller]
fn settle_without(sender: &mut Client, other: &mut Client) {
    sender.expect_nothing();
    other.expect_nothing();
}

/// Nothing that was kept for the old account is there for a new one of the same name.
#[test]
fn nothing_of_a_removed_account_is_inherited() {
    let server = TestServer::start();
    let mut bill = server.online("bill", "globe");
    bill.send("<iq type='set' id='r'><vCard xmlns='vcard-temp'><FN>Bill</FN></vCard></iq>");
    bill.expect("<iq type='result' id='r' any-attrs='true'/>");
    bill.send("<iq type='set' id='r'><query xmlns='jabber:iq:private'><a xmlns='urn:a'>old</a></query></iq>");
    bill.expect("<iq type='result' id='r' any-attrs='true'/>");
    bill.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='x@im.example'/></query></iq>");
    bill.expect("<iq type='result' id='r' any-attrs='true'/>");
    bill.send("<presence type='unavailable'/>");
    bill.sync();
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='bill@im.example' type='chat'><body>for the old one</body></message>");
    romeo.expect_nothing();
    ok(&mut bill, &query("<remove/>"));
    bill.expect_stream_error("not-authorized");
    server.account("bill", "secret");
    let mut new = server.login("bill", "secret", "globe");
    assert_eq!(new.available().len(), 1, "its own presence and no kept message");
    new.send("<iq type='get' id='r'><vCard xmlns='vcard-temp'/></iq>");
    new.expect("<iq type='result' id='r' any-attrs='true'><vCard xmlns='vcard-temp'/></iq>");
    new.send("<iq type='get' id='r'><query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query></iq>");
    new.expect(
        "<iq type='result' id='r' any-attrs='true'><query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query></iq>",
    );
    new.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    new.expect("<iq type='result' id='r' any-attrs='true'><query xmlns='jabber:iq:roster' ver='{opt}'/></iq>");
    new.expect_nothing();
}

/// What is pipelined behind the removal is not done any more.
#[test]
fn nothing_behind_a_removal_is_looked_at() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut bill = server.online("bill", "globe");
    let request = query("<remove/>");
    bill.send(&format!("{request}<message to='romeo@im.example'><body>a ghost</body></message>"));
    bill.expect("<iq type='result' id='r' from='{opt}' to='{opt}'/>");
    bill.expect_stream_error("not-authorized");
    romeo.expect_nothing();
}
