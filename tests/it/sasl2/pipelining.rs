//! XEP-0509, and everything in one flight.

use super::{get_token, secured, server};
use crate::support::sasl2::{FAST, PHONE, authenticate, header_from, user_agent};
use crate::support::xml::El;
use crate::support::{DOMAIN, TestServer};

const BIND: &str = "<bind xmlns='urn:xmpp:bind:0'><tag>Dino</tag><enable xmlns='urn:xmpp:sm:3'/></bind>";

fn version(features: &El) -> String {
    let version = features.find("config-version", "urn:xmpp:iap:0").expect("offered");
    assert_eq!(version.attr("scheme"), Some("opaque"));
    version.attr("value").expect("a value").to_owned()
}

fn expecting(version: &str) -> String {
    format!("<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='{version}'/>")
}

/// §2.1: the same for the same offer.
#[test]
fn the_version_changes_with_the_offer() {
    let mut server = server();
    let seen = |server: &TestServer| version(&server.connect_tls().open_to_features());
    let first = seen(&server);
    assert_eq!(first, seen(&server));
    server.restart();
    assert_eq!(first, seen(&server));
    server.restart_with(|c| c.auth.mechanisms_disabled = vec!["PLAIN".into()]);
    assert_ne!(first, seen(&server));
}

/// Header, authentication, binding, presence and a request in one write: one round trip.
#[test]
fn everything_in_one_flight() {
    let server = server();
    let agent = user_agent(PHONE);
    let token = get_token(&server, "HT-SHA-256-EXPR", &agent);
    let known = version(&server.connect_tls().open_to_features());
    let mut romeo = server.connect_tls();
    let proof = romeo.token_proof("HT-SHA-256-EXPR", "romeo", &token);
    let inside = format!("{agent}{BIND}<fast xmlns='{FAST}'/>{}", expecting(&known));
    let flight = format!(
        "{}{}<presence/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>",
        header_from("romeo", DOMAIN),
        authenticate("HT-SHA-256-EXPR", Some(&proof), &inside)
    );
    romeo.send_bytes(flight.as_bytes());
    romeo.expect_header();
    romeo.features();
    romeo.expect_success2();
    romeo.features();
    romeo.expect("<presence from='{jid}' to='{jid}'/>");
    romeo.expect("<iq type='result' id='p' to='{jid}' from='{opt}'/>");
}

/// The same with the password, which needs one more round trip at most.
#[test]
fn plain_in_one_flight() {
    let server = server();
    let mut romeo = server.connect_tls();
    let request = authenticate("PLAIN", Some(b"\0romeo\0secret"), BIND);
    romeo.send_bytes(format!("{}{request}<presence/>", header_from("romeo", DOMAIN)).as_bytes());
    romeo.expect_header();
    romeo.features();
    romeo.expect_success2();
    romeo.features();
    romeo.expect("<presence from='{jid}' to='{jid}'/>");
}

/// §2.2: what was expected is not what is offered; that is nobody's fault and costs no attempt.
#[test]
fn an_old_version_fails_without_prejudice() {
    let server = TestServer::with(|c| {
        c.limits.auth_attempts_per_stream_max = 1;
        c.limits.failed_logins_per_account_max = 1;
    });
    server.account("romeo", "secret");
    let mut romeo = secured(&server);
    for _ in 0..3 {
        romeo.authenticate2("PLAIN", Some(b"\0romeo\0wrong"), &format!("{BIND}{}", expecting("b2xk")));
        let failure = romeo.expect_failure2("aborted");
        assert!(failure.find("config-version-mismatch", "urn:xmpp:iap:0").is_some(), "{failure:?}");
    }
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), BIND);
    romeo.expect_success2();
}

/// But nobody does that for ever, at a line in the log each time.
#[test]
fn an_old_version_again_and_again() {
    let server = TestServer::with(|c| c.limits.auth_attempts_per_stream_max = 1);
    let mut romeo = secured(&server);
    for _ in 0..9 {
        romeo.authenticate2("PLAIN", Some(b"\0romeo\0wrong"), &expecting("b2xk"));
        romeo.expect_failure2("aborted");
    }
    romeo.expect_stream_error("policy-violation");
}
