//! One certificate with its key: read from PEM files, checked, and explained when something is wrong with it.

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use tokio_rustls::rustls::{
    self, ServerConfig,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, signature_algorithm::SignatureAlgorithm,
};

use super::{
    dns::ascii_domain,
    tls::{self, Purpose},
};

/// What is wrong with a certificate or its key. The text names the file.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// PEM with a flaw.
    #[error("{} is not valid PEM: {reason}", .file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// The flaw.
        reason: String,
    },
    /// A file without what it is there for.
    #[error("{} holds no {wanted} in PEM form", .file.display())]
    Nothing {
        /// The file.
        file: PathBuf,
        /// "certificate" or "private key".
        wanted: &'static str,
    },
    /// A certificate that cannot be understood.
    #[error("certificate {position} in {} is damaged: {reason}", .file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        position: usize,
        /// The damage.
        reason: String,
    },
    /// A key that cannot be used.
    #[error("the private key in {} cannot be used: {reason}", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Two files that do not belong together.
    #[error("the private key in {} does not belong to the first certificate in {}", .key.display(), .chain.display())]
    Mismatch {
        /// The certificate file.
        chain: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// Too old.
    #[error("the certificate in {} expired at {since}", .file.display())]
    Expired {
        /// The file.
        file: PathBuf,
        /// The end of its validity.
        since: Timestamp,
    },
    /// Too new, or our clock is wrong.
    #[error("the certificate in {} is not valid before {from}", .file.display())]
    NotYetValid {
        /// The file.
        file: PathBuf,
        /// The start of its validity.
        from: Timestamp,
    },
    /// A store of nothing.
    #[error("no certificate configured")]
    NoSource,
    /// The TLS library refused.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A certificate chain, its key, and what is needed to use and to describe it. Immutable; a renewed one is another.
#[derive(Debug)]
pub struct CertEntry {
    chain_path: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    facts: Facts,
    start_tls: Arc<ServerConfig>,
    direct_tls: Arc<ServerConfig>,
    shared: Arc<ServerConfig>,
}

/// What the end-entity certificate says.
#[derive(Debug)]
struct Facts {
    names: Vec<String>,
    subject: String,
    issuer: String,
    not_before: Timestamp,
    not_after: Timestamp,
    server_end_point: Option<Box<[u8]>>,
}

impl CertEntry {
    /// Reads a chain (end-entity certificate first) and its key; both may be in one file. `now` is checked against its
    /// validity. Blocks on the file system.
    pub fn load(chain: &Path, key: &Path, now: Timestamp) -> Result<Self, CertError> {
        let entry = Self::read(chain, key)?;
        entry.check_validity(now)?;
        Ok(entry)
    }

    /// The same, whatever its validity.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, CertError> {
        let read =
            |file: &Path| std::fs::read(file).map_err(|source| CertError::Read { file: file.to_owned(), source });
        Self::from_pem((chain, &read(chain)?), (key, &read(key)?))
    }

    /// The same from texts; the paths only serve the error messages.
    pub(crate) fn from_pem(chain: (&Path, &[u8]), key: (&Path, &[u8])) -> Result<Self, CertError> {
        let (chain_path, key_path) = (chain.0, key.0);
        let chain = parse_chain(chain_path, chain.1)?;
        let key = parse_key(key_path, key.1)?;
        let facts = Facts::read(chain_path, &chain)?;
        let provider = tls::provider();
        let signer = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| CertError::Key { file: key_path.to_owned(), reason: error.to_string() })?;
        let certified = CertifiedKey::new(chain.clone(), signer);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                CertError::Mismatch { chain: chain_path.to_owned(), key: key_path.to_owned() }
            }
            other => damaged(chain_path, 0, &other),
        })?;
        let certified = Arc::new(certified);
        Ok(Self {
            chain_path: chain_path.to_owned(),
            chain,
            facts,
            start_tls: tls::server_config(certified.clone(), Purpose::StartTls)?,
            direct_tls: tls::server_config(certified.clone(), Purpose::DirectTls)?,
            shared: tls::server_config(certified, Purpose::Shared)?,
        })
    }

    /// Is the certificate outside its validity?
    pub fn check_validity(&self, now: Timestamp) -> Result<(), CertError> {
        let file = || self.chain_path.clone();
        if now > self.facts.not_after {
            return Err(CertError::Expired { file: file(), since: self.facts.not_after });
        }
        if now < self.facts.not_before {
            return Err(CertError::NotYetValid { file: file(), from: self.facts.not_before });
        }
        Ok(())
    }

    /// The subject alternative names: domains in lower case, wildcards as they are, IP addresses. The common name does
    /// not count (RFC 9525 §2).
    pub fn names(&self) -> &[String] {
        &self.facts.names
    }

    /// Start of the validity.
    pub fn not_before(&self) -> Timestamp {
        self.facts.not_before
    }

    /// End of the validity.
    pub fn not_after(&self) -> Timestamp {
        self.facts.not_after
    }

    /// Distinguished name of the issuer, for people.
    pub fn issuer(&self) -> &str {
        &self.facts.issuer
    }

    /// Distinguished name of the subject, for people.
    pub fn subject(&self) -> &str {
        &self.facts.subject
    }

    /// The file it came from.
    pub fn chain_path(&self) -> &Path {
        &self.chain_path
    }

    /// Whether a client that connects to this domain accepts the names (RFC 9525 §6.3): the same name, or a wildcard in
    /// place of the whole left-most label.
    pub fn covers(&self, domain: &str) -> bool {
        let Some(domain) = ascii_domain(domain.trim_start_matches('[').trim_end_matches(']')) else { return false };
        let wildcard = tls::wildcard_for(&domain);
        self.names().iter().any(|name| *name == domain || Some(name) == wildcard.as_ref())
    }

    /// Channel binding data of type `tls-server-end-point` (RFC 5929 §4), if it is defined for this certificate.
    pub fn server_end_point(&self) -> Option<&[u8]> {
        self.facts.server_end_point.as_deref()
    }

    /// The configuration for a handshake with this certificate. Its session tickets are good for this certificate only,
    /// so that a resumed session, too, is bound to the certificate we think it is.
    pub fn config(&self, purpose: Purpose) -> Arc<ServerConfig> {
        match purpose {
            Purpose::StartTls => self.start_tls.clone(),
            Purpose::DirectTls => self.direct_tls.clone(),
            Purpose::Shared => self.shared.clone(),
        }
    }

    /// Whether both are the same certificates from the same file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.chain_path == other.chain_path && self.chain == other.chain
    }
}

/// The certificates of a PEM file, of which there is at least one.
pub(crate) fn parse_chain(file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|error| bad_pem(file, error))?;
    if chain.is_empty() {
        return Err(CertError::Nothing { file: file.to_owned(), wanted: "certificate" });
    }
    Ok(chain)
}

fn parse_key(file: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, CertError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound if memchr::memmem::find(text, b"ENCRYPTED PRIVATE KEY").is_some() => {
            CertError::Key { file: file.to_owned(), reason: "it is protected by a passphrase".to_owned() }
        }
        pem::Error::NoItemsFound => CertError::Nothing { file: file.to_owned(), wanted: "private key" },
        other => bad_pem(file, other),
    })
}

fn bad_pem(file: &Path, error: pem::Error) -> CertError {
    CertError::Pem { file: file.to_owned(), reason: error.to_string() }
}

fn damaged(file: &Path, index: usize, reason: &dyn ToString) -> CertError {
    CertError::Certificate { file: file.to_owned(), position: index + 1, reason: reason.to_string() }
}

impl Facts {
    fn read(file: &Path, chain: &[CertificateDer<'static>]) -> Result<Self, CertError> {
        // A damaged intermediate certificate is noticed here, not by some of the clients.
        for (index, der) in chain.iter().enumerate().skip(1) {
            X509Certificate::from_der(der).map_err(|error| damaged(file, index, &error))?;
        }
        let der = &chain[0];
        let (_, leaf) = X509Certificate::from_der(der).map_err(|error| damaged(file, 0, &error))?;
        let time = |seconds| Timestamp::from_second(seconds).map_err(|error| damaged(file, 0, &error));
        Ok(Self {
            names: names(&leaf).map_err(|error| damaged(file, 0, &error))?,
            subject: leaf.subject().to_string(),
            issuer: leaf.issuer().to_string(),
            not_before: time(leaf.validity().not_before.timestamp())?,
            not_after: time(leaf.validity().not_after.timestamp())?,
            server_end_point: server_end_point(&leaf, der),
        })
    }
}

fn names(leaf: &X509Certificate<'_>) -> Result<Vec<String>, x509_parser::error::X509Error> {
    let Some(extension) = leaf.subject_alternative_name()? else { return Ok(Vec::new()) };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
            .ok()
            .map(|address| address.to_string()),
        _ => None,
    };
    Ok(extension.value.general_names.iter().filter_map(name).collect())
}

/// The hash of the certificate with the hash function of its signature, but SHA-256 for MD5 and SHA-1 (RFC 5929 §4.1).
/// Signatures without one hash function of their own (Ed25519) have no such channel binding.
fn server_end_point(leaf: &X509Certificate<'_>, der: &[u8]) -> Option<Box<[u8]>> {
    let mut oid = leaf.signature_algorithm.algorithm.to_id_string();
    if let Ok(SignatureAlgorithm::RSASSA_PSS(params)) = SignatureAlgorithm::try_from(&leaf.signature_algorithm) {
        oid = params.hash_algorithm_oid().to_id_string();
    }
    Some(match oid.as_str() {
        // RSA and ECDSA with the hash, then the hash itself (as in the parameters of RSASSA-PSS): MD5, SHA-1, SHA-256
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.3.14.3.2.26" => hash::<Sha256>(der),
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" | "2.16.840.1.101.3.4.2.1" => hash::<Sha256>(der),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => hash::<Sha384>(der),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => hash::<Sha512>(der),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => hash::<Sha224>(der),
        _ => return None,
    })
}

fn hash<D: Digest>(der: &[u8]) -> Box<[u8]> {
    D::digest(der).to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{Authority, NOW_SECONDS, now};

    const CHAIN: &str = "chain.pem";
    const KEY: &str = "key.pem";

    fn entry(chain: &str, key: &str, now: Timestamp) -> Result<CertEntry, CertError> {
        let entry = CertEntry::from_pem((Path::new(CHAIN), chain.as_bytes()), (Path::new(KEY), key.as_bytes()))?;
        entry.check_validity(now)?;
        Ok(entry)
    }

    fn refusal(chain: &str, key: &str) -> String {
        entry(chain, key, now()).unwrap_err().to_string()
    }

    #[test]
    fn a_certificate_tells_its_names_and_validity() {
        let authority = Authority::new();
        let (chain, key) = authority.leaf(&["Example.ORG", "*.example.net", "127.0.0.1", "::1"]);
        let entry = entry(&chain, &key, now()).unwrap();
        assert_eq!(entry.names(), ["example.org", "*.example.net", "127.0.0.1", "::1"]);
        assert!(entry.not_before() < now() && now() < entry.not_after());
        assert!(entry.issuer().contains("test authority"));
        for domain in ["example.org", "EXAMPLE.org.", "chat.example.net", "127.0.0.1", "[::1]"] {
            assert!(entry.covers(domain), "{domain}");
        }
        for domain in ["example.net", "a.b.example.net", "chat.example.org", "", "net"] {
            assert!(!entry.covers(domain), "{domain}");
        }
    }

    #[test]
    fn chain_and_key_may_be_in_one_file() {
        let (chain, key) = Authority::new().leaf(&["example.org"]);
        let both = format!("{key}{chain}");
        assert!(entry(&both, &both, now()).is_ok());
    }

    #[test]
    fn errors_name_the_file_and_the_fault() {
        let authority = Authority::new();
        let (chain, key) = authority.leaf(&["example.org"]);
        let (_, other_key) = authority.leaf(&["example.org"]);
        assert_eq!(refusal("hello", &key), "chain.pem holds no certificate in PEM form");
        assert_eq!(refusal(&key, &key), "chain.pem holds no certificate in PEM form");
        assert_eq!(refusal(&chain, &chain), "key.pem holds no private key in PEM form");
        assert_eq!(
            refusal(&chain, &other_key),
            "the private key in key.pem does not belong to the first certificate in chain.pem"
        );
        assert!(refusal(&chain.replace("-----END", "!-----END"), &key).starts_with("chain.pem is not valid PEM"));
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refusal(nonsense, &key).starts_with("certificate 1 in chain.pem is damaged"));
        assert!(refusal(&format!("{chain}{nonsense}"), &key).starts_with("certificate 2 in chain.pem is damaged"));
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(refusal(&chain, locked).contains("passphrase"));
        let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(refusal(&chain, no_key).starts_with("the private key in key.pem cannot be used"));
    }

    #[test]
    fn validity_is_checked() {
        let (chain, key) = Authority::new().leaf(&["example.org"]);
        let at = |seconds| entry(&chain, &key, Timestamp::from_second(seconds).unwrap());
        assert!(matches!(at(NOW_SECONDS + 86_400 * 400), Err(CertError::Expired { .. })));
        assert!(matches!(at(NOW_SECONDS - 86_400 * 400), Err(CertError::NotYetValid { .. })));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = CertEntry::load(Path::new("/nonexistent/chain.pem"), Path::new("/nonexistent/key.pem"), now());
        assert!(error.unwrap_err().to_string().starts_with("cannot read /nonexistent/chain.pem: "));
    }

    #[test]
    fn the_end_point_binding_hashes_as_the_signature_does() {
        for (algorithm, length) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let (chain, key) = Authority::with(algorithm).leaf(&["example.org"]);
            let entry = entry(&chain, &key, now()).unwrap();
            assert_eq!(entry.server_end_point().map(<[u8]>::len), length);
            if length == Some(32) {
                assert_eq!(entry.server_end_point().unwrap(), Sha256::digest(&entry.chain[0]).as_slice());
            }
        }
    }
}
