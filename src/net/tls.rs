//! How we speak TLS, and which certificate is shown to whom.
//!
//! TLS 1.2 (with AEAD suites and extended master secret only) and 1.3 (RFC 7590, RFC 9325). No client certificates, no
//! early data. One stateless session ticket per connection, so resumption costs no memory here.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};

use super::{
    cert::{CertEntry, CertError},
    dns::ascii_domain,
};

/// The ALPN name of a client stream over direct TLS (XEP-0368 §4).
pub const ALPN_CLIENT: &[u8] = b"xmpp-client";

/// The ALPN names of HTTP/2 and HTTP/1.1 (RFC 9113 §3.2, RFC 7301 §6), the better one first.
pub const ALPN_HTTP: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What a handshake is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// After STARTTLS (RFC 6120 §5): no ALPN, what is spoken is settled.
    StartTls,
    /// From the first byte (XEP-0368): a client that offers ALPN must offer `xmpp-client`, one that offers none is let
    /// in.
    DirectTls,
    /// Everything on one port: a client that offers ALPN must offer client streams or HTTP; of one that offers none the
    /// first bytes tell (XEP-0368 §5: not every one does).
    Shared,
}

/// Where a certificate is and for whom.
#[derive(Clone, Debug)]
pub struct CertSource {
    /// PEM file, end-entity certificate first.
    pub chain: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
    /// Domains for which this one is used whatever other certificates say; may be empty.
    pub domains: Vec<String>,
}

/// Something an operator should know, though the server can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertWarning {
    /// Clients of this domain will refuse the certificate they get.
    NotCovered {
        /// The domain.
        domain: String,
        /// The certificate that would be used.
        file: PathBuf,
        /// The names it has.
        names: Vec<String>,
    },
    /// It has expired, or is not valid yet. Clients will refuse it; a server that does not start would be worse.
    NotValid(String),
}

impl fmt::Display for CertWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (domain, file, names) = match self {
            Self::NotCovered { domain, file, names } => (domain, file, names),
            Self::NotValid(problem) => return f.write_str(problem),
        };
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        write!(f, "no certificate covers {domain}; {} would be used, which is for {names}", file.display())
    }
}

/// All certificates, found by domain. Swapped as a whole on reload; running connections keep what they have.
#[derive(Debug)]
pub struct CertStore {
    table: ArcSwap<Table>,
}

#[derive(Debug)]
struct Table {
    entries: Vec<Arc<CertEntry>>,
    /// Domains and wildcards in their ASCII form.
    by_name: HashMap<String, Arc<CertEntry>>,
    default: Arc<CertEntry>,
}

impl CertStore {
    /// Reads all sources; the first is the default. Warns about each served domain without a covering certificate, and
    /// about certificates outside their validity.
    pub fn load(
        sources: &[CertSource],
        served: &[String],
        now: Timestamp,
    ) -> Result<(Self, Vec<CertWarning>), CertError> {
        let table = Table::load(sources, &[])?;
        let outside = table.entries.iter().filter_map(|entry| entry.check_validity(now).err());
        let mut warnings: Vec<_> = outside.map(|problem| CertWarning::NotValid(problem.to_string())).collect();
        warnings.extend(table.warnings(served));
        Ok((Self { table: ArcSwap::from_pointee(table) }, warnings))
    }

    /// Reads all sources anew. Takes effect with the next handshake; on an error everything stays as it was.
    /// Certificates that have not changed keep their session tickets.
    pub fn reload(
        &self,
        sources: &[CertSource],
        served: &[String],
        now: Timestamp,
    ) -> Result<Vec<CertWarning>, CertError> {
        let table = Table::load(sources, &self.table.load().entries)?;
        table.entries.iter().try_for_each(|entry| entry.check_validity(now))?;
        let warnings = table.warnings(served);
        self.table.store(Arc::new(table));
        Ok(warnings)
    }

    /// The certificate for a domain: the one configured for it, else one with that name, else one with a wildcard for
    /// it, else (and without a domain) the default.
    pub fn cert_for(&self, sni: Option<&str>) -> Arc<CertEntry> {
        self.cert_for_either(sni, None)
    }

    /// The certificate for SNI if we know that domain, else for the domain of the stream header, else the default.
    pub(crate) fn cert_for_either(&self, sni: Option<&str>, to: Option<&str>) -> Arc<CertEntry> {
        let table = self.table.load();
        [sni, to].into_iter().flatten().find_map(|domain| table.find(domain)).unwrap_or(&table.default).clone()
    }

    /// The TLS configuration for a domain, see [`Self::cert_for`].
    pub fn config_for(&self, domain: Option<&str>, purpose: Purpose) -> Arc<ServerConfig> {
        self.cert_for(domain).config(purpose)
    }

    /// All certificates, in the order of their sources.
    pub fn entries(&self) -> Vec<Arc<CertEntry>> {
        self.table.load().entries.clone()
    }
}

impl Table {
    fn load(sources: &[CertSource], known: &[Arc<CertEntry>]) -> Result<Self, CertError> {
        let mut entries = Vec::with_capacity(sources.len());
        for source in sources {
            let entry = CertEntry::read(&source.chain, &source.key)?;
            let known = known.iter().find(|known| known.is_same(&entry)).cloned();
            entries.push(known.unwrap_or_else(|| Arc::new(entry)));
        }
        let default = entries.first().ok_or(CertError::NoSource)?.clone();
        let mut by_name = HashMap::new();
        for (source, entry) in sources.iter().zip(&entries) {
            for domain in source.domains.iter().filter_map(|domain| ascii_domain(domain)) {
                by_name.entry(domain).or_insert_with(|| entry.clone());
            }
        }
        for entry in &entries {
            for name in entry.names() {
                by_name.entry(name.clone()).or_insert_with(|| entry.clone());
            }
        }
        Ok(Self { entries, by_name, default })
    }

    fn find(&self, domain: &str) -> Option<&Arc<CertEntry>> {
        let domain = ascii_domain(domain)?;
        self.by_name.get(&domain).or_else(|| self.by_name.get(&wildcard_for(&domain)?))
    }

    fn warnings(&self, served: &[String]) -> Vec<CertWarning> {
        let warning = |domain: &String| {
            let entry = self.find(domain).unwrap_or(&self.default);
            (!entry.covers(domain)).then(|| CertWarning::NotCovered {
                domain: domain.clone(),
                file: entry.chain_path().to_owned(),
                names: entry.names().to_vec(),
            })
        };
        served.iter().filter_map(warning).collect()
    }
}

/// The wildcard name that covers an ASCII domain.
pub(crate) fn wildcard_for(domain: &str) -> Option<String> {
    let (_, parent) = domain.split_once('.')?;
    Some(format!("*.{parent}"))
}

/// The one crypto provider. Always named, since a second one in the dependency tree would make the implicit choice
/// panic.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())).clone()
}

/// The configuration for handshakes with one certificate.
pub(crate) fn server_config(key: Arc<CertifiedKey>, purpose: Purpose) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = match purpose {
        Purpose::StartTls => Vec::new(),
        Purpose::DirectTls => vec![ALPN_CLIENT.to_vec()],
        // A client that has XMPP in its list wants nothing else.
        Purpose::Shared => [&[ALPN_CLIENT], &ALPN_HTTP[..]].concat().into_iter().map(<[u8]>::to_vec).collect(),
    };
    // RFC 9266 §2: `tls-exporter` is a channel binding in TLS 1.2 only with extended master secret (RFC 7627), and the
    // library does not tell whether a connection has it. RFC 9325 §3.5 asks for it anyway.
    config.require_ems = true;
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Early data can be replayed (RFC 8446 §8), and a stanza must not be.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
