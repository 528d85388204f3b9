//! What the tests of this folder share: an authority, a client that trusts it, a directory that goes away.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SignatureAlgorithm};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, UnixTime},
    time_provider::TimeProvider,
};

use super::tls::{CertSource, provider};

/// The time of all tests.
pub(crate) const NOW_SECONDS: i64 = 1_800_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW_SECONDS).unwrap()
}

/// Signs certificates valid for a year before and after `NOW_SECONDS`.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::with(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn with(algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// Certificate and key in PEM form.
    pub(crate) fn leaf(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (params(names).signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// The same in files.
    pub(crate) fn source(&self, dir: &TempDir, file: &str, names: &[&str]) -> CertSource {
        let (chain, key) = self.leaf(names);
        let source = CertSource {
            chain: dir.path().join(format!("{file}.pem")),
            key: dir.path().join(format!("{file}.key")),
            domains: Vec::new(),
        };
        std::fs::write(&source.chain, chain).unwrap();
        std::fs::write(&source.key, key).unwrap();
        source
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        ClientConfig::builder_with_details(provider(), Arc::new(TestTime))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let time = |seconds: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds as u64);
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = time(NOW_SECONDS - 365 * 86_400);
    params.not_after = time(NOW_SECONDS + 365 * 86_400);
    params
}

#[derive(Debug)]
struct TestTime;

impl TimeProvider for TestTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW_SECONDS as u64)))
    }
}

/// A directory of its own for a test.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("magpie-net-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
