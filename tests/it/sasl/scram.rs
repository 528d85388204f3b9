//! SCRAM (RFC 5802, RFC 7677), its channel bindings (RFC 9266, RFC 5929) and downgrade protection (XEP-0474).

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use tokio_rustls::rustls::SupportedProtocolVersion;

use crate::support::login::mechanisms;
use crate::support::scram::{Hash, Scram};
use crate::support::transport::{TLS12_ONLY, TLS13_ONLY, TlsOptions};
use crate::support::{Client, DOMAIN, TestServer};

fn server() -> TestServer {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server
}

fn direct(server: &TestServer, versions: &'static [&'static SupportedProtocolVersion]) -> Client {
    let mut client = server.connect_for_tls();
    client.handshake(&TlsOptions { versions, ..TlsOptions::direct(DOMAIN) });
    client.open_to_features();
    client
}

/// An exchange that the server must refuse, at its first or second message.
#[track_caller]
fn refused(client: &mut Client, mechanism: &str, scram: &mut Scram) {
    client.auth(mechanism, &scram.first());
    let mut answer = client.next();
    if answer.name == "challenge" {
        let server_first = String::from_utf8(BASE64.decode(answer.text()).unwrap()).unwrap();
        let last = scram.last(&server_first);
        client.respond(&last);
        answer = client.next();
    }
    let condition = answer.elements().next().map(|el| el.name.clone()).unwrap_or_default();
    assert_eq!(answer.name, "failure", "{answer:?}");
    assert!(["not-authorized", "malformed-request"].contains(&&*condition), "{answer:?}");
}

/// RFC 9266 and RFC 5929, in both versions of TLS and both hashes.
#[test]
fn plus_binds_to_the_channel() {
    let server = server();
    for version in [TLS12_ONLY, TLS13_ONLY] {
        for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"] {
            let mut client = direct(&server, version);
            let mut scram = Scram::new(Hash::of(mechanism).unwrap(), "romeo", "secret");
            scram.gs2 = "p=tls-exporter,,".into();
            scram.binding = client.transport.tls_exporter();
            client.scram(mechanism, &mut scram);
            let mut client = direct(&server, version);
            let mut scram = Scram::new(Hash::of(mechanism).unwrap(), "romeo", "secret");
            scram.gs2 = "p=tls-server-end-point,,".into();
            // The certificates made here are signed with ECDSA and SHA-256, so that is the hash (RFC 5929 §4.1).
            scram.binding = Hash::Sha256.digest(&client.transport.peer_certificate());
            client.scram(mechanism, &mut scram);
        }
    }
}

/// RFC 5802 §6: somebody in the middle has another channel.
#[test]
fn another_channel_is_refused() {
    let server = server();
    let cases = [("p=tls-exporter,,", 32), ("p=tls-exporter,,", 0), ("p=tls-server-end-point,,", 32)];
    for (gs2, length) in cases {
        let mut client = direct(&server, TLS13_ONLY);
        let mut scram = Scram::new(Hash::Sha256, "romeo", "secret");
        scram.gs2 = gs2.into();
        scram.binding = vec![7; length];
        refused(&mut client, "SCRAM-SHA-256-PLUS", &mut scram);
    }
}

/// RFC 5802 §6, §5.1: bindings that are not offered, and headers that do not fit the mechanism.
#[test]
fn header_and_mechanism_have_to_fit() {
    let server = server();
    let cases = [
        ("SCRAM-SHA-256-PLUS", "p=tls-unique,,"),
        ("SCRAM-SHA-256-PLUS", "p=no-such-thing,,"),
        ("SCRAM-SHA-256-PLUS", "n,,"),
        ("SCRAM-SHA-256-PLUS", "y,,"),
        ("SCRAM-SHA-256", "p=tls-exporter,,"),
        // "y": I could, but you did not offer. We did: somebody removed it (RFC 5802 §6).
        ("SCRAM-SHA-256", "y,,"),
    ];
    for (mechanism, gs2) in cases {
        let mut client = direct(&server, TLS13_ONLY);
        let mut scram = Scram::new(Hash::Sha256, "romeo", "secret");
        scram.gs2 = gs2.into();
        if gs2.starts_with('p') {
            scram.binding = client.transport.tls_exporter();
        }
        refused(&mut client, mechanism, &mut scram);
    }
}

/// Without a channel to bind to, "y" is the truth.
#[test]
fn y_is_right_where_plus_is_not_offered() {
    let server = TestServer::with(|c| c.c2s.allow_plaintext_auth = true);
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.open_to_features();
    let mut scram = Scram::new(Hash::Sha256, "romeo", "secret");
    scram.gs2 = "y,,".into();
    client.scram("SCRAM-SHA-256", &mut scram);
}

/// RFC 5802 §5: the header must be repeated as it was.
#[test]
fn a_changed_header_is_refused() {
    let server = server();
    let mut client = direct(&server, TLS13_ONLY);
    let mut scram = Scram::new(Hash::Sha256, "romeo", "secret");
    client.auth("SCRAM-SHA-256", &scram.first());
    let server_first = client.expect_sasl("challenge");
    scram.gs2 = "y,,".into();
    let last = scram.last(&server_first);
    client.respond(&last);
    client.expect_sasl_failure("not-authorized");
}

/// RFC 5802 §5.1: an authorization identity in the header, own and foreign.
#[test]
fn an_authzid_in_the_header_is_checked() {
    let server = server();
    server.account("juliet", "secret");
    let mut client = direct(&server, TLS13_ONLY);
    let mut scram = Scram::new(Hash::Sha256, "romeo", "secret");
    scram.gs2 = "n,a=romeo@im.example,".into();
    client.scram("SCRAM-SHA-256", &mut scram);
    let mut client = direct(&server, TLS13_ONLY);
    let mut scram = Scram::new(Hash::Sha256, "romeo", "secret");
    scram.gs2 = "n,a=juliet@im.example,".into();
    client.auth("SCRAM-SHA-256", &scram.first());
    let mut answer = client.next();
    if answer.name == "challenge" {
        let server_first = String::from_utf8(BASE64.decode(answer.text()).unwrap()).unwrap();
        let last = scram.last(&server_first);
        client.respond(&last);
        answer = client.next();
    }
    client
        .matches("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><invalid-authzid/><any/></failure>", &answer)
        .unwrap();
}

/// XEP-0474 §6.1: the hash of what was offered, over the very lists of this stream.
#[test]
fn the_offer_is_protected_against_downgrades() {
    let server = server();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
        let mut client = server.connect();
        let features = client.secure();
        let mut offered = mechanisms(&features);
        offered.sort();
        let bindings = features.find("sasl-channel-binding", "urn:xmpp:sasl-cb:0").expect("announced");
        let mut types: Vec<&str> = bindings.elements().filter_map(|el| el.attr("type")).collect();
        types.sort_unstable();
        let hash = Hash::of(mechanism).unwrap();
        let expected =
            BASE64.encode(hash.digest(format!("{}\x1f{}", offered.join("\x1e"), types.join("\x1e")).as_bytes()));
        let mut scram = Scram::new(hash, "romeo", "secret");
        if mechanism.ends_with("-PLUS") {
            scram.gs2 = "p=tls-exporter,,".into();
            scram.binding = client.transport.tls_exporter();
        }
        client.scram(mechanism, &mut scram);
        assert_eq!(scram.server_said('h'), Some(expected.as_str()));
    }
}

/// The same without channel bindings: no delimiter, no list.
#[test]
fn the_plaintext_offer_is_protected_too() {
    let server = TestServer::with(|c| c.c2s.allow_plaintext_auth = true);
    server.account("romeo", "secret");
    let mut client = server.connect();
    let mut offered = mechanisms(&client.open_to_features());
    offered.sort();
    let mut scram = Scram::new(Hash::Sha1, "romeo", "secret");
    client.scram("SCRAM-SHA-1", &mut scram);
    let expected = BASE64.encode(Hash::Sha1.digest(offered.join("\x1e").as_bytes()));
    assert_eq!(scram.server_said('h'), Some(expected.as_str()));
}

/// RFC 5802 §7: nonces are printable, ours extends theirs and never repeats; the iteration count is the configured one.
#[test]
fn server_nonces_are_fresh() {
    let server = server();
    let mut nonces = std::collections::BTreeSet::new();
    let mut client = server.connect();
    client.secure();
    for _ in 0..4 {
        client.auth("SCRAM-SHA-256", "n,,n=romeo,r=abcdefgh");
        let first = client.expect_sasl("challenge");
        let nonce =
            first.split(',').next().unwrap().strip_prefix("r=abcdefgh").expect("ours extends theirs").to_owned();
        assert!(nonce.len() >= 16, "{nonce}");
        assert!(nonce.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b','), "{nonce}");
        assert!(first.contains(",i=4096"), "{first}");
        assert!(nonces.insert(nonce), "repeated");
        client.send("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        client.expect_sasl_failure("aborted");
    }
}

/// RFC 5802 §5.1 escapes: `=2C` and `=3D` are a comma and an equals sign.
#[test]
fn names_are_unescaped() {
    let server = server();
    server.account("a=b,c", "secret");
    let mut client = server.connect();
    client.log_in("SCRAM-SHA-256", "a=b,c", "secret", "orchard");
    assert_eq!(client.jid.as_deref(), Some("a=b,c@im.example/orchard"));
}
