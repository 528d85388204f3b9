//! XEP-0388 §2: mechanisms, exchanges and their ends.

use super::{in_with, secured, server};
use crate::support::login::mechanisms;
use crate::support::sasl2::{PHONE, SASL2, header_from, user_agent};
use crate::support::scram::{Hash, Scram};
use crate::support::xml::El;
use crate::support::{DOMAIN, TestServer};

const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

fn offered(features: &El) -> Vec<String> {
    let list = features.find("authentication", SASL2);
    list.map(|m| m.elements().filter(|el| el.is("mechanism", SASL2)).map(El::text).collect()).unwrap_or_default()
}

/// §2.1, §3: inside TLS only, and the same mechanisms as in the other profile. XEP-0440 §2: the types of channel binding
/// stand beside both.
#[test]
fn what_is_offered() {
    let server = server();
    let mut romeo = server.connect();
    assert!(offered(&romeo.open_to_features()).is_empty());
    romeo.starttls();
    let features = romeo.open_to_features();
    assert_eq!(offered(&features), mechanisms(&features));
    assert!(offered(&features).contains(&"SCRAM-SHA-256-PLUS".to_owned()));
    assert!(features.find("sasl-channel-binding", "urn:xmpp:sasl-cb:0").is_some());
    romeo
        .matches(
            "<stream:features><any/><authentication xmlns='urn:xmpp:sasl:2'><any/><inline><sm xmlns='urn:xmpp:sm:3'/>\
         <bind xmlns='urn:xmpp:bind:0'><inline><any/><feature var='urn:xmpp:sm:3'/></inline></bind>\
         <fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-ENDP</mechanism>\
         <mechanism>HT-SHA-256-NONE</mechanism></fast></inline>\
         <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>\
         <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-1</upgrade></authentication><any/>\
         <config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='{any}'/></stream:features>",
            &features,
        )
        .unwrap();
}

/// The settings hold for both profiles, and for tokens.
#[test]
fn what_is_switched_off_is_not_offered() {
    let server = TestServer::with(|c| {
        c.auth.mechanisms_disabled = ["PLAIN", "SCRAM-SHA-1", "HT-SHA-256-NONE"].map(str::to_owned).to_vec();
    });
    server.account("romeo", "secret");
    let mut romeo = server.connect_tls();
    let features = romeo.open_to_features();
    assert!(!offered(&features).iter().any(|m| m == "PLAIN" || m == "SCRAM-SHA-1"));
    assert!(!features.raw.contains("HT-SHA-256-NONE") && features.raw.contains("HT-SHA-256-EXPR"));
    assert!(!features.raw.contains("UPGR-SCRAM-SHA-1<"));
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
    romeo.expect_failure2("invalid-mechanism");
}

/// §5.1: one message, success with the bare JID, features at once and no new stream; then binding as ever.
#[test]
fn plain_then_binding_on_the_same_stream() {
    let server = server();
    let mut romeo = secured(&server);
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
    romeo.expect(&format!(
        "<success xmlns='{SASL2}'><authorization-identifier>romeo@{DOMAIN}</authorization-identifier></success>"
    ));
    let features = romeo.features();
    assert!(features.find("bind", BIND).is_some() && features.find("authentication", SASL2).is_none());
    assert_eq!(romeo.bind("orchard"), format!("romeo@{DOMAIN}/orchard"));
    romeo.expect_nothing();
}

/// §2.5, with all mechanisms of that kind.
#[test]
fn scram_in_all_its_forms() {
    let server = server();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let mut romeo = secured(&server);
        assert_eq!(romeo.scram2_by(mechanism, "romeo", "secret", "").name, "success");
    }
    for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"] {
        let mut romeo = secured(&server);
        let mut exchange = Scram::new(Hash::of(mechanism).unwrap(), "romeo", "secret");
        exchange.gs2 = "p=tls-exporter,,".into();
        exchange.binding = romeo.transport.tls_exporter();
        romeo.authenticate2(mechanism, Some(exchange.first().as_bytes()), "");
        let first = romeo.expect_challenge2();
        romeo.respond2(&exchange.last(&first));
        romeo.expect_success2();
    }
}

/// §2.3: the initial response may be left out; then an empty challenge asks for it.
#[test]
fn without_an_initial_response() {
    let server = server();
    let mut romeo = secured(&server);
    romeo.authenticate2("PLAIN", None, "");
    romeo.expect(&format!("<challenge xmlns='{SASL2}'/>"));
    romeo.respond2("\0romeo\0secret");
    romeo.expect_success2();
}

/// XEP-0474 §6.1, XEP-0515 §4.1: what was offered and the version of TLS are part of what SCRAM signs.
#[test]
fn scram_protects_what_was_offered() {
    use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
    let server = server();
    let mut romeo = server.connect_tls();
    let mut names = offered(&romeo.open_to_features());
    names.sort();
    let lists = names.join("\x1e") + "\x1ftls-exporter\x1etls-server-end-point";
    let exchange = Scram::new(Hash::Sha256, "romeo", "secret");
    romeo.authenticate2("SCRAM-SHA-256", Some(exchange.first().as_bytes()), "");
    let first = romeo.expect_challenge2();
    let hash = BASE64.encode(Hash::Sha256.digest(lists.as_bytes()));
    assert!(first.ends_with(&format!(",h={hash},t=0304")), "{first}");
}

/// §2.6.2, RFC 6120 §6.4.5: after a failure everything is as before.
#[test]
fn a_failure_leaves_the_stream_as_it_was() {
    let server = server();
    let mut romeo = secured(&server);
    assert_eq!(romeo.scram2("romeo", "wrong", "<bind xmlns='urn:xmpp:bind:0'/>").name, "failure");
    romeo.authenticate2("SCRAM-SHA-256", Some(b"n,,n=romeo,r=abcdefgh"), "");
    romeo.expect_challenge2();
    romeo.send(&format!("<abort xmlns='{SASL2}'><text>never mind</text></abort>"));
    romeo.expect_failure2("aborted");
    in_with(&mut romeo, "secret", "");
    romeo.bind("orchard");
}

/// The two profiles stand beside each other.
#[test]
fn after_a_failure_the_older_profile_can_be_used() {
    let server = server();
    let mut romeo = secured(&server);
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0wrong"), "");
    romeo.expect_failure2("not-authorized");
    romeo.authenticate("SCRAM-SHA-256", "romeo", "secret");
    romeo.open_to_features();
    romeo.bind("orchard");
}

/// §2.3, §4.4: whoever says in the header who comes must be the one.
#[test]
fn the_header_has_to_name_the_user() {
    let server = server();
    server.account("juliet", "secret");
    let mut romeo = server.connect_tls();
    romeo.open_with(&header_from("juliet", DOMAIN));
    romeo.features();
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
    romeo.expect_failure2("invalid-authzid");
    romeo.authenticate2("PLAIN", Some(b"\0juliet\0secret"), "");
    romeo.expect_success2();
    let mut romeo = server.connect_tls();
    romeo.open_with(&header_from("romeo", DOMAIN));
    romeo.features();
    romeo.authenticate2("PLAIN", Some(format!("romeo@{DOMAIN}\0romeo\0secret").as_bytes()), "");
    romeo.expect_success2();
}

/// §2.1: "the server SHOULD respond with an invalid-from error".
#[test]
fn a_header_from_another_domain_is_refused() {
    let server = server();
    let mut romeo = server.connect_tls();
    romeo.open_with(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         from='romeo@elsewhere.example' to='im.example' version='1.0'>",
    );
    romeo.expect_stream_error("invalid-from");
}

/// RFC 4505: a guest is somebody else each time and has no devices.
#[test]
fn guests_come_in_this_way_too() {
    let server = TestServer::with(|c| c.auth.anonymous_domains = vec![DOMAIN.to_owned()]);
    let mut guest = secured(&server);
    let inside = format!(
        "{}<bind xmlns='urn:xmpp:bind:0'><tag>X</tag></bind>\
         <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>",
        user_agent(PHONE)
    );
    guest.authenticate2("ANONYMOUS", Some(b""), &inside);
    let success = guest.expect_success2();
    assert!(crate::support::sasl2::token(&success).is_none());
    guest.features();
    guest.send("<iq type='get' id='1'><list xmlns='urn:xmpp:cam:0'/></iq>");
    guest.expect_stanza_error("iq", "1", "cancel", "not-allowed");
}

/// RFC 6120 §4.13: large stanzas are for those who are known.
#[test]
fn after_login_stanzas_may_be_larger() {
    let server = server();
    let mut romeo = secured(&server);
    in_with(&mut romeo, "secret", "<bind xmlns='urn:xmpp:bind:0'/>");
    romeo.send(&format!("<message to='{{bare}}' id='m'><body>{}</body></message>", "x".repeat(100_000)));
    romeo.expect_nothing();
}
