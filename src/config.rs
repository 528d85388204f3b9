//! The settings: one small TOML file in which everything is optional, the usual ones also by flag and by environment.
//!
//! Precedence: flag, environment, file, default. What is wrong is reported all at once, each with its place. Checks
//! that need the machine (ports, certificates, DNS) are not here but in `cli::check`.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

mod check;
mod diff;
mod external;
mod overrides;
mod print;
mod problem;
pub(crate) mod reader;
pub(crate) mod section;
mod sections;
#[cfg(test)]
mod tests;
pub(crate) mod value;
mod web;

pub use self::{
    diff::Change,
    external::{Access, ExternalService},
    overrides::{CONFIG_ENV, CONFIG_FILE, CONFIG_FLAG, Overrides, VARIABLES, Variable},
    problem::{ConfigErrors, Place, Problem},
    reader::Origin,
    sections::{
        Archive, ArchivePolicy, Auth, C2s, Contact, External, Inviters, Log, LogFormat, NodeCreation, Offline, Pubsub,
        Push, Registration, RegistrationMode, RoomCreation, Rooms, Software, StorageConfig, Tls,
    },
    value::Certificate,
    web::{Chat, Http, Metrics, Upload},
};
use self::{
    reader::{File, Reader},
    section::{Section, SectionView, section},
};
use crate::limits::Limits;

section! {
    /// Magpie's settings. Everything is optional: what is not set has the default shown here.
    pub struct Config in "" {
        /// Domains served: the part of an address after the @. `domain = "example.org"` means the same.
        restart domains: Vec<String> = vec!["localhost".to_owned()],
        /// Directory of the database and of the socket by which `magpie` commands reach the running server. A path in
        /// this file is relative to the file; everywhere else, and in a default, to the current directory.
        restart data_dir: PathBuf = PathBuf::from("data"),
        /// Addresses of the administrators, such as "romeo@example.org".
        live admins: Vec<String> = Vec::new(),
    }
    with {
        /// Section `[c2s]`.
        c2s: C2s,
        /// Section `[tls]`.
        tls: Tls,
        /// Section `[auth]`.
        auth: Auth,
        /// Section `[registration]`.
        registration: Registration,
        /// Section `[offline]`.
        offline: Offline,
        /// Section `[archive]`.
        archive: Archive,
        /// Section `[push]`.
        push: Push,
        /// Section `[external]`.
        external: External,
        /// Section `[pubsub]`.
        pubsub: Pubsub,
        /// Section `[rooms]`.
        rooms: Rooms,
        /// Section `[http]`.
        http: Http,
        /// Section `[upload]`.
        upload: Upload,
        /// Section `[chat]`.
        chat: Chat,
        /// Section `[metrics]`.
        metrics: Metrics,
        /// Section `[contact]`.
        contact: Contact,
        /// Section `[software]`.
        software: Software,
        /// Section `[storage]`.
        storage: StorageConfig,
        /// Section `[log]`.
        log: Log,
        /// Section `[limits]`.
        limits: Limits,
    }
}

/// Where the settings came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Source {
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// For each setting that is not a default, by its full key (`c2s.listen`).
    pub origins: std::collections::BTreeMap<String, Origin>,
}

/// Settings that passed all checks.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What is doubtful; to be logged at start and shown by `check`.
    pub warnings: Vec<Problem>,
    /// Where they came from.
    pub source: Source,
}

impl Config {
    /// Reads the settings from everywhere they may be.
    pub fn load(overrides: &Overrides) -> Result<Loaded, ConfigErrors> {
        let named = overrides.named_file();
        let path = match &named {
            Some((path, _)) => path.to_path_buf(),
            None => overrides.directory.join(CONFIG_FILE),
        };
        match fs::read_to_string(&path) {
            Ok(text) => Self::load_text(Some((path, &text)), overrides),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Self::load_text(None, overrides)
            }
            Err(error) => {
                let place = named.map_or_else(|| Place::WholeFile(CONFIG_FILE.into()), |(_, place)| place);
                let message = format!("cannot read {}: {error}", path.display());
                Err(ConfigErrors { problems: vec![Problem { place, message, help: None }] })
            }
        }
    }

    /// The same with the file already in memory.
    fn load_text(file: Option<(PathBuf, &str)>, overrides: &Overrides) -> Result<Loaded, ConfigErrors> {
        let path = file.as_ref().map(|(path, _)| path.clone());
        let file = file.map(|(path, text)| File {
            name: path.display().to_string(),
            text,
            directory: path.parent().map(PathBuf::from).unwrap_or_default(),
        });
        let mut reader = Reader::new(file, overrides.settings());
        let mut config = Self::default();
        reader.find_unknown_keys(&config.views());
        config.read(&mut reader);
        config.settle(&reader);
        check::check(&config, &mut reader);
        let Reader { mut errors, mut warnings, origins, .. } = reader;
        if errors.is_empty() {
            warnings.extend(overrides.unknown_variables());
            return Ok(Loaded { config, warnings, source: Source { file: path, origins } });
        }
        errors.sort();
        errors.dedup();
        Err(ConfigErrors { problems: errors })
    }

    /// Spelling, and defaults that depend on other settings.
    fn settle(&mut self, reader: &Reader<'_>) {
        // The JID type does the rest (RFC 7622); this is so that two spellings of one domain are noticed here.
        let certificates = self.tls.certificates.iter_mut().flat_map(|certificate| &mut certificate.domains);
        let names = self.domains.iter_mut().chain(&mut self.admins).chain(&mut self.auth.anonymous_domains);
        names.chain(certificates).for_each(|name| name.make_ascii_lowercase());
        let for_this_machine = self.domains.iter().all(|domain| is_this_machine(domain));
        let default = |port| if for_this_machine { loopback_listeners(port) } else { public_listeners(port) };
        if !reader.is_given("c2s.listen") {
            self.c2s.listen = default(5222);
        }
        if !reader.is_given("c2s.tls_listen") {
            self.c2s.tls_listen = default(5223);
        }
        if !reader.is_given("http.tls_listen") {
            self.http.tls_listen = default(5443);
        }
        if !reader.is_given("chat.directory") {
            self.chat.directory = self.data_dir.join("chat");
        }
        self.http.public_url.truncate(self.http.public_url.trim_end_matches('/').len());
    }

    /// Every setting with its documentation and value, in the order of the file.
    pub(crate) fn views(&self) -> Vec<SectionView> {
        let mut views = Vec::new();
        self.view(&mut views);
        views
    }

    /// Whether clients of this listener may log in without TLS. The test switch holds on loopback alone.
    pub fn plaintext_auth_at(&self, listener: SocketAddr) -> bool {
        self.c2s.allow_plaintext_auth && listener.ip().to_canonical().is_loopback()
    }

    /// The SQLite file.
    pub fn database_path(&self) -> PathBuf {
        self.data_dir.join("magpie.db")
    }

    /// The socket by which `magpie` commands reach the running server.
    pub fn control_socket_path(&self) -> PathBuf {
        self.data_dir.join("magpie.sock")
    }

    /// Whether this bare JID, normalised, is an administrator's.
    pub fn is_admin(&self, bare_jid: &str) -> bool {
        self.admins.iter().any(|admin| admin == bare_jid)
    }
}

fn is_this_machine(domain: &str) -> bool {
    let address = domain.trim_matches(['[', ']']).parse::<IpAddr>();
    domain == "localhost" || domain.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn loopback_listeners(port: u16) -> Vec<SocketAddr> {
    vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
}

fn public_listeners(port: u16) -> Vec<SocketAddr> {
    vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]
}
