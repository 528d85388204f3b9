//! Which certificate is shown to whom (RFC 6120 §13.7.1, RFC 6066 §3).

use std::fs;
use std::path::Path;

use magpie::config::Certificate;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::support::TestServer;
use crate::support::transport::TlsOptions;

/// Writes a self-signed certificate for the names, `name.pem` and `name.key`; returns it as DER, too.
fn make(dir: &Path, file: &str, names: &[&str]) -> (Certificate, CertificateDer<'static>) {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let cert = dir.join(format!("{file}.pem"));
    let key = dir.join(format!("{file}.key"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (Certificate { cert, key, domains: Vec::new() }, made.cert.der().clone())
}

fn shown_directly(server: &TestServer, sni: Option<&str>) -> CertificateDer<'static> {
    let mut client = server.connect_for_tls();
    client.handshake(&TlsOptions { sni: sni.map(str::to_owned), ..TlsOptions::direct("unused.example") });
    client.transport.peer_certificate()
}

fn shown_by_starttls(server: &TestServer, to: &str, sni: Option<&str>) -> CertificateDer<'static> {
    let mut client = server.connect();
    client.domain = to.to_owned();
    client.open_to_features();
    client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.handshake(&TlsOptions { sni: sni.map(str::to_owned), ..TlsOptions::new("unused.example") });
    client.transport.peer_certificate()
}

/// SNI decides; without it the stream's `to` does (STARTTLS) or the first certificate is shown (direct TLS).
#[test]
fn the_certificate_is_chosen_by_sni_then_by_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (capulet_files, capulet) = make(dir.path(), "capulet", &["capulet.example"]);
    let (montague_files, montague) = make(dir.path(), "montague", &["montague.example", "*.montague.example"]);
    let server = TestServer::with(|c| {
        c.domains = vec!["capulet.example".into(), "montague.example".into(), "im.montague.example".into()];
        c.tls.certificates = vec![capulet_files, montague_files];
    });
    assert_eq!(shown_directly(&server, Some("capulet.example")), capulet);
    assert_eq!(shown_directly(&server, Some("montague.example")), montague);
    assert_eq!(shown_directly(&server, Some("Montague.Example")), montague);
    assert_eq!(shown_directly(&server, Some("im.montague.example")), montague, "by the wildcard");
    assert_eq!(shown_directly(&server, None), capulet, "the first one is the default");
    assert_eq!(shown_directly(&server, Some("unknown.example")), capulet);
    assert_eq!(shown_by_starttls(&server, "montague.example", Some("montague.example")), montague);
    assert_eq!(shown_by_starttls(&server, "montague.example", None), montague, "by the stream header");
    assert_eq!(shown_by_starttls(&server, "capulet.example", None), capulet);
}

/// Without a certificate a development CA and a leaf for every domain are made once, and kept.
#[test]
fn development_certificates_are_made_at_first_start_and_kept() {
    let mut server = TestServer::with(|c| c.domains.push("other.example".into()));
    let first = shown_directly(&server, Some("im.example"));
    let (_, parsed) = x509_parser::parse_x509_certificate(&first).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap().value.general_names.clone();
    for domain in ["im.example", "other.example"] {
        assert!(names.contains(&x509_parser::extensions::GeneralName::DNSName(domain)), "{names:?}");
    }
    assert!(parsed.validity().is_valid());
    assert_ne!(parsed.issuer(), parsed.subject(), "signed by the development CA, not by itself");
    server.restart();
    assert_eq!(shown_directly(&server, Some("im.example")), first);
}

/// Several domains are separate worlds: the same name is another account.
#[test]
fn each_domain_has_its_own_accounts() {
    let server = TestServer::with(|c| c.domains = vec!["capulet.example".into(), "montague.example".into()]);
    server.account("romeo@montague.example", "secret");
    let mut client = server.connect();
    client.domain = "capulet.example".into();
    client.secure();
    client.auth("PLAIN", "\0romeo\0secret");
    client.expect_sasl_failure("not-authorized");
    let mut client = server.connect();
    client.domain = "montague.example".into();
    client.log_in("SCRAM-SHA-256", "romeo", "secret", "orchard");
    assert_eq!(client.jid.as_deref(), Some("romeo@montague.example/orchard"));
}

/// A reload shows the new certificate to newcomers, and takes nothing from those who are connected.
#[test]
fn a_reload_of_certificates_keeps_the_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let (files, before) = make(dir.path(), "im", &["im.example"]);
    let server = TestServer::with(|c| c.tls.certificates = vec![files]);
    let mut romeo = server.online("romeo", "orchard");
    let mut negotiating = server.connect_tls();
    negotiating.open_to_features();
    assert_eq!(shown_directly(&server, Some("im.example")), before);
    let (_, after) = make(dir.path(), "im", &["im.example"]);
    let reload = || magpie::apply::reload_certificates(server.server().certs(), server.config());
    reload().unwrap();
    assert_eq!(shown_directly(&server, Some("im.example")), after);
    assert_eq!(shown_by_starttls(&server, "im.example", None), after);
    romeo.expect_nothing();
    negotiating.authenticate("SCRAM-SHA-256-PLUS", "romeo", "secret");
    fs::write(dir.path().join("im.pem"), "no certificate").unwrap();
    assert!(reload().is_err());
    assert_eq!(shown_directly(&server, Some("im.example")), after, "a broken file changes nothing");
    romeo.expect_nothing();
}
