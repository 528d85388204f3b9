//! Settings in the form in which the parts below take them.

use crate::clock;
use crate::config::Config;
use crate::net::budget::BudgetLimits;
use crate::net::cert::CertError;
use crate::net::selfsigned::{self, SelfSignedError};
use crate::net::tls::{CertSource, CertStore, CertWarning};
use crate::storage::StorageOptions;
use std::path::PathBuf;

/// Where the database is and how much it may use.
pub fn storage_options(config: &Config) -> StorageOptions {
    let mut options = StorageOptions::in_dir(&config.data_dir);
    options.path = config.database_path();
    options.readers = config.storage.readers;
    options.queue_max = config.limits.writer_queue_max;
    options.queue_bytes_max = config.limits.writer_queue_bytes_max;
    options.batch_max = config.limits.writer_batch_max;
    options.cache_kib = config.storage.cache_kib;
    let size_mib_max = config.storage.size_mib_max as u64;
    options.size_bytes_max = (size_mib_max > 0).then_some(size_mib_max << 20);
    options
}

/// The limits on connections.
pub fn budget_limits(config: &Config) -> BudgetLimits {
    BudgetLimits {
        connections_max: config.limits.connections_total_max,
        per_address_max: config.limits.connections_per_address_max,
        exempt: config.limits.exempt_addresses.clone(),
    }
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A configured one cannot be used.
    #[error(transparent)]
    Configured(#[from] CertError),
    /// The development certificate cannot be made.
    #[error("development certificate: {0}")]
    SelfSigned(#[from] SelfSignedError),
}

/// Certificates as the settings name them.
pub struct Certificates {
    /// In the order of the settings.
    pub sources: Vec<CertSource>,
    /// The authority clients must trust, if the certificates are those made for development.
    pub development_ca: Option<PathBuf>,
}

/// The configured certificates, or a development CA with one.
pub fn certificates(config: &Config) -> Result<Certificates, SelfSignedError> {
    let configured: Vec<CertSource> = config
        .tls
        .certificates
        .iter()
        .map(|c| CertSource { chain: c.cert.clone(), key: c.key.clone(), domains: c.domains.clone() })
        .collect();
    if !configured.is_empty() {
        return Ok(Certificates { sources: configured, development_ca: None });
    }
    let made = selfsigned::ensure(&config.tls.certs_dir, &config.domains, timestamp())?;
    let source = CertSource { chain: made.chain, key: made.key, domains: Vec::new() };
    Ok(Certificates { sources: vec![source], development_ca: Some(made.ca) })
}

/// Reads the certificates for the first time.
pub fn load_certificates(config: &Config) -> Result<(CertStore, Option<PathBuf>), CertificateError> {
    let Certificates { sources, development_ca } = certificates(config)?;
    let (store, warnings) = CertStore::load(&sources, &config.domains, timestamp())?;
    for warning in warnings {
        tracing::warn!(%warning, "certificate");
    }
    Ok((store, development_ca))
}

/// Reads them again; those in use stay if that fails.
pub fn reload_certificates(store: &CertStore, config: &Config) -> Result<Vec<CertWarning>, CertificateError> {
    let Certificates { sources, .. } = certificates(config)?;
    Ok(store.reload(&sources, &config.domains, timestamp())?)
}

fn timestamp() -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(clock::now_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
