//! What is offered and what succeeds (RFC 6120 §6.3, RFC 4616, RFC 4505, XEP-0440).

use crate::support::login::{SASL, mechanisms};
use crate::support::{DOMAIN, TestServer};

const CHANNEL: &str = "urn:xmpp:sasl-cb:0";

/// RFC 6120 §6.4.6: whatever the mechanism, the outcome is a new stream on which one can bind.
#[test]
fn every_mechanism_leads_to_a_session() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "PLAIN"] {
        let mut client = server.connect();
        client.log_in(mechanism, "romeo", "secret", "orchard");
        assert_eq!(client.jid.as_deref(), Some("romeo@im.example/orchard"));
        client.expect_nothing();
        client.close();
    }
}

/// RFC 6120 §6.3.3: offered once, the strongest first, and exactly what works.
#[test]
fn the_offer_behind_tls_is_complete_and_ordered() {
    let server = TestServer::start();
    let features = server.connect().secure();
    assert_eq!(
        mechanisms(&features),
        ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
    );
    assert_eq!(mechanisms(&server.connect_tls().open_to_features()), mechanisms(&features));
}

/// XEP-0440 §2, §3: both types are announced next to the mechanisms, and never without TLS.
#[test]
fn channel_binding_types_are_announced() {
    let server = TestServer::with(|c| c.c2s.allow_plaintext_auth = true);
    let mut client = server.connect();
    let plain = client.open_to_features();
    assert!(plain.find("sasl-channel-binding", CHANNEL).is_none());
    client.starttls();
    let features = client.open_to_features();
    let types = features.find("sasl-channel-binding", CHANNEL).expect("announced");
    let types: Vec<&str> = types.elements().filter_map(|el| el.attr("type")).collect();
    assert!(types.contains(&"tls-exporter") && types.contains(&"tls-server-end-point"), "{types:?}");
    assert_eq!(types.len(), 2);
}

/// RFC 6120 §6.4.6, §6.3.2: the stream behind success offers neither TLS nor SASL but what a session needs.
#[test]
fn success_is_followed_by_a_new_stream_with_other_features() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    let before = client.header.clone().unwrap().attr("id").unwrap().to_owned();
    client.authenticate("SCRAM-SHA-256", "romeo", "secret");
    let features = client.open_to_features();
    assert_ne!(client.header.clone().unwrap().attr("id"), Some(before.as_str()));
    assert!(features.find("mechanisms", SASL).is_none());
    assert!(features.find("sasl-channel-binding", CHANNEL).is_none());
    assert!(features.find("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none());
    assert!(features.find("bind", "urn:ietf:params:xml:ns:xmpp-bind").is_some());
}

/// RFC 6120 §6.4.6: without the new header the old stream is over, nothing can be said on it.
#[test]
fn the_stream_must_be_restarted_after_success() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    client.authenticate("PLAIN", "romeo", "secret");
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    client.expect_header();
    client.expect("<stream:error><any/></stream:error>");
    client.expect_closed();
}

/// RFC 6120 §6.4.3: no initial response is an empty challenge, `=` is an empty response.
#[test]
fn plain_without_an_initial_response_is_asked_for_one() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    client.send(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'/>"));
    assert_eq!(client.expect_sasl("challenge"), "");
    client.respond("\0romeo\0secret");
    client.expect_sasl("success");
    client.open_to_features();
}

/// RFC 5802 §5 in the same situation.
#[test]
fn scram_without_an_initial_response_is_asked_for_one() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.secure();
    client.send(&format!("<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'/>"));
    assert_eq!(client.expect_sasl("challenge"), "");
    client.respond("n,,n=romeo,r=abcdefgh");
    assert!(client.expect_sasl("challenge").starts_with("r=abcdefgh"));
}

/// RFC 7622 §3.3: names are mapped before they are compared; passwords are not.
#[test]
fn names_are_prepared_and_passwords_are_exact() {
    let server = TestServer::start();
    server.account("romeo", "Secret ñ");
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let mut client = server.connect();
        client.log_in(mechanism, "ROMEO", "Secret ñ", "orchard");
        assert_eq!(client.jid.as_deref(), Some("romeo@im.example/orchard"));
        client.close();
    }
    let mut client = server.connect();
    client.secure();
    client.auth("PLAIN", "\0romeo\0secret ñ");
    client.expect_sasl_failure("not-authorized");
}

/// RFC 6120 §6.3.8: an authorization identity of one's own is allowed in any spelling.
#[test]
fn an_own_authzid_is_accepted() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    for authzid in ["romeo@im.example", "Romeo@IM.example"] {
        let mut client = server.connect();
        client.secure();
        client.auth("PLAIN", &format!("{authzid}\0romeo\0secret"));
        client.expect_sasl("success");
        client.open_to_features();
        client.bind("orchard");
    }
}

/// RFC 4505: off unless a domain has it on; then everybody is a new somebody.
#[test]
fn anonymous_is_off_unless_switched_on() {
    let server = TestServer::start();
    let mut client = server.connect();
    let features = client.secure();
    assert!(!mechanisms(&features).contains(&"ANONYMOUS".to_owned()));
    client.auth("ANONYMOUS", "");
    client.expect_sasl_failure("invalid-mechanism");
}

#[test]
fn anonymous_gives_each_session_an_account_of_its_own() {
    let server = TestServer::with(|c| {
        c.domains.push("guests.example".into());
        c.auth.anonymous_domains = vec!["guests.example".into()];
    });
    let mut bare = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect();
        client.domain = "guests.example".into();
        let features = client.secure();
        assert!(mechanisms(&features).contains(&"ANONYMOUS".to_owned()));
        client.authenticate("ANONYMOUS", "", "");
        client.open_to_features();
        let jid = client.bind("");
        assert!(jid.split('/').next().unwrap().ends_with("@guests.example"), "{jid}");
        client.expect_nothing();
        bare.push(client.var("bare"));
    }
    assert_ne!(bare[0], bare[1]);
    let features = server.connect().secure();
    assert!(!mechanisms(&features).contains(&"ANONYMOUS".to_owned()), "not at {DOMAIN}");
}

/// A mechanism that an operator has disabled is neither offered nor accepted.
#[test]
fn disabled_mechanisms_are_gone() {
    let server = TestServer::with(|c| c.auth.mechanisms_disabled = vec!["PLAIN".into(), "SCRAM-SHA-1".into()]);
    server.account("romeo", "secret");
    let mut client = server.connect();
    let offered = mechanisms(&client.secure());
    assert!(!offered.contains(&"PLAIN".to_owned()) && !offered.contains(&"SCRAM-SHA-1".to_owned()), "{offered:?}");
    client.auth("PLAIN", "\0romeo\0secret");
    client.expect_sasl_failure("invalid-mechanism");
    client.auth("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh");
    client.expect_sasl_failure("invalid-mechanism");
    client.authenticate("SCRAM-SHA-256", "romeo", "secret");
}
