//! Certificates: readable, the key theirs, valid today and for a while, and a name in them for every domain served.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tokio_rustls::rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::{Finding, Outcome};
use crate::config::{Certificate, Config};

const AREA: &str = "certificates";
/// Renewal usually happens a month before the end; within two weeks of it something is broken.
const WARN_DAYS: i64 = 14;

/// What the leaf says.
struct Leaf {
    names: Vec<String>,
    not_before: i64,
    not_after: i64,
}

/// Checks all certificates of the settings at this time (seconds since 1970).
pub(super) fn check(config: &Config, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.tls.certificates.is_empty() {
        let local = config.domains.iter().all(|domain| domain == "localhost" || domain.ends_with(".localhost"));
        let (outcome, rest) = match local {
            true => (Outcome::Ok, ""),
            false => (Outcome::Warning, ", which no client trusts: set tls.certificates"),
        };
        let made =
            format!("none set: those of the development CA in {} are used{rest}", config.tls.certs_dir.display());
        return vec![Finding::new(AREA, outcome, made)];
    }
    let mut readable = Vec::new();
    for certificate in &config.tls.certificates {
        match read(certificate) {
            Ok(leaf) => {
                findings.push(validity(&certificate.cert, &leaf, now));
                readable.push((certificate, leaf));
            }
            Err(message) => findings.push(Finding::new(AREA, Outcome::Error, message)),
        }
        findings.extend(key_permissions(&certificate.key));
    }
    findings.extend(config.domains.iter().filter_map(|domain| coverage(domain, &readable)));
    findings
}

fn read(certificate: &Certificate) -> Result<Leaf, String> {
    let Certificate { cert, key, .. } = certificate;
    let bytes = |path: &Path| fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&bytes(cert)?)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{} is not a PEM file: {error}", cert.display()))?;
    let first = chain.first().ok_or_else(|| format!("{} holds no certificate", cert.display()))?;
    let leaf =
        parse_leaf(first).ok_or_else(|| format!("{} does not begin with an X.509 certificate", cert.display()))?;
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?)
        .map_err(|error| format!("{} holds no usable private key: {error}", key.display()))?;
    CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())
        .map_err(|error| format!("{} is not the key of {}: {error}", key.display(), cert.display()))?;
    Ok(leaf)
}

fn parse_leaf(der: &[u8]) -> Option<Leaf> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let validity = certificate.validity();
    Some(Leaf {
        names: names.collect(),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}

fn validity(path: &Path, leaf: &Leaf, now: i64) -> Finding {
    let days = |seconds: i64| match seconds / 86_400 {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let path = path.display();
    if now < leaf.not_before {
        let message = format!("{path} is not valid for another {}: is the clock right?", days(leaf.not_before - now));
        return Finding::new(AREA, Outcome::Error, message);
    }
    if now > leaf.not_after {
        return Finding::new(AREA, Outcome::Error, format!("{path} expired {} ago", days(now - leaf.not_after)));
    }
    let left = leaf.not_after - now;
    let outcome = if left < WARN_DAYS * 86_400 { Outcome::Warning } else { Outcome::Ok };
    Finding::new(AREA, outcome, format!("{path} for {}, valid for {}", leaf.names.join(", "), days(left)))
}

fn key_permissions(path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    let message = || format!("{} can be read by everybody: chmod o-rwx {}", path.display(), path.display());
    (mode & 0o007 != 0).then(|| Finding::new(AREA, Outcome::Warning, message()))
}

/// Whether some certificate is good for this domain; `None` if so.
fn coverage(domain: &str, readable: &[(&Certificate, Leaf)]) -> Option<Finding> {
    if !domain.is_ascii() {
        let message = format!("{domain}: look yourself for its xn-- form in the certificate");
        return Some(Finding::new(AREA, Outcome::Warning, message));
    }
    if readable.iter().any(|(_, leaf)| leaf.names.iter().any(|name| matches(name, domain))) {
        return None;
    }
    let assigned =
        readable.iter().find(|(certificate, _)| certificate.domains.iter().any(|one| one.eq_ignore_ascii_case(domain)));
    let message = match assigned {
        Some((certificate, _)) => format!("{} is set for {domain}, but does not name it", certificate.cert.display()),
        None => format!("none names {domain}: clients will refuse to connect to it"),
    };
    Some(Finding::new(AREA, Outcome::Error, message))
}

/// RFC 6125 §6.4: equal, or a wildcard for exactly the first label.
fn matches(name: &str, domain: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(rest) => domain.split_once('.').is_some_and(|(first, parent)| !first.is_empty() && parent == rest),
        None => name == domain,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    /// A directory of its own, removed at the end.
    struct Files(PathBuf);

    impl Files {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("magpie-certificates-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        /// A certificate for these names, from `from` to `until` in seconds relative to `NOW`.
        fn make(&self, file: &str, names: &[&str], from: i64, until: i64) -> Certificate {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = rcgen::CertificateParams::new(names).unwrap();
            let base = rcgen::date_time_ymd(2027, 1, 15) - std::time::Duration::ZERO;
            let seconds = |offset: i64| std::time::Duration::from_secs(offset.unsigned_abs());
            let at = |offset: i64| if offset < 0 { base - seconds(offset) } else { base + seconds(offset) };
            (params.not_before, params.not_after) = (at(from), at(until));
            let key = rcgen::KeyPair::generate().unwrap();
            let made = params.self_signed(&key).unwrap();
            let (cert, key_file) = (self.0.join(format!("{file}.crt")), self.0.join(format!("{file}.key")));
            fs::write(&cert, made.pem()).unwrap();
            fs::write(&key_file, key.serialize_pem()).unwrap();
            fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
            Certificate { cert, key: key_file, domains: Vec::new() }
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn findings(domains: &[&str], certificates: Vec<Certificate>) -> Vec<(Outcome, String)> {
        let mut config =
            Config { domains: domains.iter().map(|domain| (*domain).to_owned()).collect(), ..Config::default() };
        config.tls.certificates = certificates;
        check(&config, NOW).into_iter().map(|finding| (finding.outcome, finding.message)).collect()
    }

    #[test]
    fn a_good_certificate_is_good() {
        let files = Files::new("good");
        let one = files.make("a", &["example.org", "*.example.net"], -86_400, 90 * 86_400);
        let found = findings(&["example.org", "chat.example.net"], vec![one]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, Outcome::Ok);
        assert!(found[0].1.ends_with("a.crt for example.org, *.example.net, valid for 89 days"), "{found:?}");
    }

    #[test]
    fn dates_are_judged() {
        let files = Files::new("dates");
        for (from, until, outcome, expected) in [
            (-90, -3, Outcome::Error, "expired 3 days ago"),
            (5, 90, Outcome::Error, "is not valid for another"),
            (-80, 10, Outcome::Warning, "valid for 9 days"),
        ] {
            let found =
                findings(&["example.org"], vec![files.make("d", &["example.org"], from * 86_400, until * 86_400)]);
            assert_eq!(found[0].0, outcome, "{found:?}");
            assert!(found[0].1.contains(expected), "{found:?}");
        }
    }

    #[test]
    fn names_and_keys_must_fit() {
        let files = Files::new("names");
        let one = files.make("a", &["example.org"], -86_400, 90 * 86_400);
        let other = files.make("b", &["example.org"], -86_400, 90 * 86_400);
        let found = findings(&["a.example.org"], vec![one.clone()]);
        assert_eq!(found[1], (Outcome::Error, "none names a.example.org: clients will refuse to connect to it".into()));
        let crossed = Certificate { key: other.key.clone(), ..one.clone() };
        assert!(findings(&["example.org"], vec![crossed])[0].1.contains("is not the key of"), "crossed");
        let missing = Certificate { cert: "/nowhere/c.pem".into(), ..one.clone() };
        assert!(findings(&["example.org"], vec![missing])[0].1.starts_with("cannot read /nowhere/c.pem"));
        fs::set_permissions(&one.key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(findings(&["example.org"], vec![one])[1].1.contains("can be read by everybody"));
    }

    #[test]
    fn without_certificates_only_localhost_is_content() {
        assert_eq!(findings(&["localhost"], Vec::new())[0].0, Outcome::Ok);
        assert_eq!(findings(&["example.org"], Vec::new())[0].0, Outcome::Warning);
    }
}
