//! Certificates for a first start: a development authority and one certificate for all served domains, so that TLS is
//! there from the first minute. Nobody trusts them until told to; a server people use gets real ones.
//!
//! In the directory: `ca.pem`, `ca.key`, `<first domain>.pem`, `<first domain>.key`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension, prelude::FromDer};

use super::{
    cert::{CertEntry, CertError, parse_chain},
    dns::ascii_domain,
};

const DAY_SECONDS: i64 = 86_400;
const CA_DAYS: i64 = 3650;
/// Below the 825 days that Apple's systems allow at most.
const LEAF_DAYS: i64 = 365;
/// A certificate closer to its end is made anew.
const RENEW_DAYS: i64 = 30;
/// The name by which we know our own work.
const CA_NAME: &str = "Magpie development CA";
/// Always in the certificate besides the served domains.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Upper bound of a common name (RFC 5280, appendix A.1).
const COMMON_NAME_BYTES_MAX: usize = 64;

/// Where the certificate for a first start is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevCertificate {
    /// The certificate.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority, for clients to trust.
    pub ca: PathBuf,
    /// Whether it was made just now, first or anew.
    pub made: bool,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A file or directory cannot be read or written.
    #[error("cannot {action} {}: {source}", .file.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The authority's files are there but of no use. They are not replaced: clients may trust them.
    #[error("the development authority cannot be used ({reason}); remove {} and its key to have a new one made", .file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate of somebody else is where ours would be.
    #[error("{} was not made by this server; name it in the configuration or move it away", .0.display())]
    Foreign(PathBuf),
    /// A domain that cannot be in a certificate.
    #[error("\"{0}\" cannot be put into a certificate")]
    Domain(String),
    /// Making or signing failed.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// Finds the certificate for these domains in the directory, or makes it: if there is none, if it lacks a domain, if it
/// ends soon, or if the authority is another. Keys are readable by the owner only. Starts at the same time wait for
/// each other. Blocks on the file system.
pub fn ensure(dir: &Path, domains: &[String], now: Timestamp) -> Result<DevCertificate, SelfSignedError> {
    let names = names(domains)?;
    let stem = file_stem(&names[0]);
    let found = |made| DevCertificate {
        chain: dir.join(format!("{stem}.pem")),
        key: dir.join(format!("{stem}.key")),
        ca: dir.join("ca.pem"),
        made,
    };
    let files = found(false);
    fs::create_dir_all(dir).map_err(failed("create", dir))?;
    // Locks this file, for the length of the function.
    let lock_path = dir.join(".lock");
    let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
    lock.lock().map_err(failed("lock", &lock_path))?;

    let authority = Authority::load_or_make(&files.ca, &dir.join("ca.key"), now)?;
    if leaf_is_good(&files, &authority, &names, now)? {
        return Ok(files);
    }
    let key = KeyPair::generate()?;
    let leaf = leaf_params(&names, now)?.signed_by(&key, &authority.issuer)?;
    write(&files.key, &key.serialize_pem(), Access::Owner)?;
    write(&files.chain, &leaf.pem(), Access::Everybody)?;
    Ok(found(true))
}

/// What the certificate is for, first the domains, each once.
fn names(domains: &[String]) -> Result<Vec<String>, SelfSignedError> {
    let mut names: Vec<String> = Vec::with_capacity(domains.len() + LOCAL_NAMES.len());
    for domain in domains.iter().map(String::as_str).chain(LOCAL_NAMES) {
        let name = ascii_domain(domain.trim_start_matches('[').trim_end_matches(']'))
            .ok_or_else(|| SelfSignedError::Domain(domain.to_owned()))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// A file name that stays in the directory and is not the authority's.
fn file_stem(name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    match safe.as_str() {
        "ca" => "ca_".to_owned(),
        dotted if dotted.starts_with('.') => format!("_{dotted}"),
        _ => safe,
    }
}

/// The authority's certificate and what signs with its key.
struct Authority {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn load_or_make(cert_path: &Path, key_path: &Path, now: Timestamp) -> Result<Self, SelfSignedError> {
        match (read(cert_path)?, read(key_path)?) {
            (None, None) => Self::make(cert_path, key_path, now),
            (Some(cert), Some(key)) => match Self::load(cert_path, &cert, &key, now) {
                Ok(Some(authority)) => Ok(authority),
                Ok(None) => Self::make(cert_path, key_path, now),
                Err(reason) => Err(SelfSignedError::Authority { file: cert_path.to_owned(), reason }),
            },
            // Stopped between the two files: nobody can trust a certificate that never was.
            (None, Some(_)) => Self::make(cert_path, key_path, now),
            (Some(_), None) => {
                let reason = format!("{} is missing", key_path.display());
                Err(SelfSignedError::Authority { file: cert_path.to_owned(), reason })
            }
        }
    }

    /// `None` if it ends before the certificates it would sign.
    fn load(path: &Path, cert: &str, key: &str, now: Timestamp) -> Result<Option<Self>, String> {
        let der = parse_chain(path, cert.as_bytes()).map_err(|error| error.to_string())?.remove(0).to_vec();
        let key = KeyPair::from_pem(key).map_err(|error| format!("its key: {error}"))?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err("the key does not belong to it".to_owned());
        }
        if !is_ours(parsed.subject()) {
            return Err(format!("it is not called \"{CA_NAME}\""));
        }
        if parsed.validity().not_after.timestamp() - now.as_second() < RENEW_DAYS * DAY_SECONDS {
            return Ok(None);
        }
        // What a signature needs of the certificate (name, key identifier) follows from our parameters and the key.
        Ok(Some(Self { issuer: Issuer::new(ca_params(now), key), der }))
    }

    fn make(cert_path: &Path, key_path: &Path, now: Timestamp) -> Result<Self, SelfSignedError> {
        let key = KeyPair::generate()?;
        let params = ca_params(now);
        let cert = params.self_signed(&key)?;
        write(key_path, &key.serialize_pem(), Access::Owner)?;
        write(cert_path, &cert.pem(), Access::Everybody)?;
        Ok(Self { der: cert.der().to_vec(), issuer: Issuer::new(params, key) })
    }
}

fn is_ours(name: &x509_parser::x509::X509Name<'_>) -> bool {
    name.iter_common_name().any(|cn| cn.as_str() == Ok(CA_NAME))
}

fn ca_params(now: Timestamp) -> CertificateParams {
    let mut params = valid(now, CA_DAYS);
    params.distinguished_name.push(DnType::CommonName, CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(names: &[String], now: Timestamp) -> Result<CertificateParams, SelfSignedError> {
    let mut params = valid(now, LEAF_DAYS);
    if names[0].len() <= COMMON_NAME_BYTES_MAX {
        params.distinguished_name.push(DnType::CommonName, names[0].as_str());
    }
    for name in names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Parameters valid from a day ago (clocks differ) for so many days.
fn valid(now: Timestamp, days: i64) -> CertificateParams {
    let time =
        |seconds: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = time(now.as_second() - DAY_SECONDS);
    params.not_after = time(now.as_second() + days * DAY_SECONDS);
    params
}

/// Whether the certificate in these files will do. An error if it is not ours to replace.
fn leaf_is_good(
    files: &DevCertificate,
    authority: &Authority,
    names: &[String],
    now: Timestamp,
) -> Result<bool, SelfSignedError> {
    let Some(text) = read(&files.chain)? else { return Ok(false) };
    let foreign = || SelfSignedError::Foreign(files.chain.clone());
    let leaf = parse_chain(&files.chain, text.as_bytes()).map_err(|_| foreign())?.remove(0);
    let (_, parsed) = X509Certificate::from_der(&leaf).map_err(|_| foreign())?;
    if !is_ours(parsed.issuer()) {
        return Err(foreign());
    }
    if authority_key_id(&parsed) != subject_key_id(&authority.der) {
        return Ok(false);
    }
    match CertEntry::load(&files.chain, &files.key, now) {
        Ok(entry) => Ok(names.iter().all(|name| entry.names().contains(name))
            && entry.not_after().as_second() - now.as_second() >= RENEW_DAYS * DAY_SECONDS),
        Err(CertError::Read { file, source }) if source.kind() != io::ErrorKind::NotFound => {
            Err(SelfSignedError::File { action: "read", file, source })
        }
        Err(_) => Ok(false),
    }
}

fn authority_key_id(cert: &X509Certificate<'_>) -> Option<Vec<u8>> {
    cert.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    })
}

fn subject_key_id(der: &[u8]) -> Option<Vec<u8>> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    cert.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

fn read(path: &Path) -> Result<Option<String>, SelfSignedError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Who may read a file.
#[derive(Clone, Copy)]
enum Access {
    Owner = 0o600,
    Everybody = 0o644,
}

/// All of the file or nothing of it, also when the power goes. Only one process writes at a time (the lock), so a
/// temporary file that is there was left by one that died.
fn write(path: &Path, text: &str, access: Access) -> Result<(), SelfSignedError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(access as u32)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(failed("write", path))
}

fn failed(action: &'static str, file: &Path) -> impl FnOnce(io::Error) -> SelfSignedError {
    let file = file.to_owned();
    move |source| SelfSignedError::File { action, file, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{Authority as OtherAuthority, TempDir, now};
    use std::os::unix::fs::PermissionsExt;

    fn domains(list: &[&str]) -> Vec<String> {
        list.iter().map(|&domain| domain.to_owned()).collect()
    }

    fn later(days: i64) -> Timestamp {
        Timestamp::from_second(now().as_second() + days * DAY_SECONDS).unwrap()
    }

    #[test]
    fn a_first_start_makes_what_later_starts_find() {
        let dir = TempDir::new();
        let list = domains(&["example.org", "bücher.example"]);
        let made = ensure(dir.path(), &list, now()).unwrap();
        assert!(made.made && made.chain.ends_with("example.org.pem"));
        let entry = CertEntry::load(&made.chain, &made.key, now()).unwrap();
        for name in ["example.org", "bücher.example", "localhost", "127.0.0.1", "::1"] {
            assert!(entry.covers(name), "{name}");
        }
        let again = ensure(dir.path(), &list, later(300)).unwrap();
        assert_eq!(again, DevCertificate { made: false, ..made });
    }

    #[test]
    fn keys_are_for_the_owner_only() {
        let dir = TempDir::new();
        let made = ensure(dir.path(), &domains(&["example.org"]), now()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&made.key), 0o600);
        assert_eq!(mode(&dir.path().join("ca.key")), 0o600);
        assert_eq!(mode(&made.ca) & 0o077, 0o044);
    }

    #[test]
    fn it_is_renewed_before_it_ends_and_when_a_domain_is_missing_and_the_authority_stays() {
        let dir = TempDir::new();
        let made = ensure(dir.path(), &domains(&["example.org"]), now()).unwrap();
        let ca = fs::read_to_string(&made.ca).unwrap();
        assert!(ensure(dir.path(), &domains(&["example.org", "example.net"]), now()).unwrap().made);
        assert!(!ensure(dir.path(), &domains(&["example.org"]), now()).unwrap().made);
        assert!(ensure(dir.path(), &domains(&["example.org"]), later(LEAF_DAYS - RENEW_DAYS + 1)).unwrap().made);
        assert_eq!(fs::read_to_string(&made.ca).unwrap(), ca);
    }

    #[test]
    fn a_lost_authority_or_key_is_made_anew() {
        let dir = TempDir::new();
        let list = domains(&["example.org"]);
        let made = ensure(dir.path(), &list, now()).unwrap();
        fs::remove_file(&made.key).unwrap();
        assert!(ensure(dir.path(), &list, now()).unwrap().made);
        fs::remove_file(&made.ca).unwrap();
        fs::remove_file(dir.path().join("ca.key")).unwrap();
        assert!(ensure(dir.path(), &list, now()).unwrap().made);
    }

    #[test]
    fn what_is_not_ours_is_not_overwritten() {
        let dir = TempDir::new();
        let list = domains(&["example.org"]);
        let made = ensure(dir.path(), &list, now()).unwrap();
        let (foreign, _) = OtherAuthority::new().leaf(&["example.org"]);
        fs::write(&made.chain, &foreign).unwrap();
        assert!(matches!(ensure(dir.path(), &list, now()), Err(SelfSignedError::Foreign(_))));
        assert_eq!(fs::read_to_string(&made.chain).unwrap(), foreign);
        fs::write(&made.ca, &foreign).unwrap();
        assert!(matches!(ensure(dir.path(), &list, now()), Err(SelfSignedError::Authority { .. })));
        fs::remove_file(dir.path().join("ca.key")).unwrap();
        assert!(matches!(ensure(dir.path(), &list, now()), Err(SelfSignedError::Authority { .. })));
    }

    #[test]
    fn starts_at_the_same_time_agree() {
        let dir = TempDir::new();
        let list = domains(&["example.org"]);
        let made = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| ensure(dir.path(), &list, now()).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap().made).filter(|made| *made).count()
        });
        assert_eq!(made, 1);
    }

    #[test]
    fn odd_domains_stay_in_the_directory() {
        assert_eq!(file_stem("ca"), "ca_");
        assert_eq!(file_stem("../x"), "_.._x");
        assert_eq!(file_stem("::1"), "__1");
        let dir = TempDir::new();
        assert!(ensure(dir.path(), &domains(&["[::1]"]), now()).unwrap().made);
        assert!(ensure(dir.path(), &[], now()).unwrap().chain.ends_with("localhost.pem"));
        assert!(matches!(ensure(dir.path(), &domains(&[""]), now()), Err(SelfSignedError::Domain(_))));
    }
}
