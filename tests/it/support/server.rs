//! The real server, in this process, on ports of its own and with a data directory of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use magpie::admin::protocol::{Reply, Request};
use magpie::config::Config;
use magpie::sasl::{Credentials, StoredKey};
use magpie::server::Server;
use magpie::storage::{Credential, ScramHash};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::client::Client;
use super::pattern::Vars;
use super::transport::TlsOptions;

/// The domain of a server that was not told otherwise.
pub(crate) const DOMAIN: &str = "im.example";

pub(crate) struct TestServer {
    /// `None` only while stopped.
    server: Option<Server>,
    runtime: Runtime,
    config: Config,
    data_dir: TempDir,
    vars: Arc<Mutex<Vars>>,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts with settings changed by `adjust`.
    pub(crate) fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let data_dir = TempDir::with_prefix("magpie-test-").expect("temporary directory");
        let mut config = Config::default();
        let any_port: SocketAddr = "127.0.0.1:0".parse().unwrap();
        config.domains = vec![DOMAIN.to_owned()];
        config.data_dir = data_dir.path().join("data");
        config.tls.certs_dir = data_dir.path().join("certs");
        config.c2s.listen = vec![any_port];
        config.c2s.tls_listen = vec![any_port];
        // Its tests turn it on.
        config.http.listen.clear();
        config.http.tls_listen.clear();
        config.auth.scram_iterations = 4096;
        // Its tests turn it on; in all others a message is what was sent.
        config.archive.enabled = false;
        adjust(&mut config);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let mut this = Self { server: None, runtime, config, data_dir, vars: Arc::default() };
        this.start_again();
        this
    }

    fn start_again(&mut self) {
        let server = self.runtime.block_on(Server::start(self.config.clone())).expect("the server starts");
        self.server = Some(server);
    }

    /// Stops gracefully; `start_again` may follow. Connections get `system-shutdown`.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }

    /// A graceful stop and a start on the same data, possibly with other settings. Ports change.
    pub(crate) fn restart_with(&mut self, adjust: impl FnOnce(&mut Config)) {
        self.stop();
        adjust(&mut self.config);
        self.start_again();
    }

    pub(crate) fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    /// What a `kill -9` at this moment leaves behind is what a server starts on now. Nothing may be under way to the disk.
    pub(crate) fn crash(&mut self) {
        self.crash_with(|_| {});
    }

    pub(crate) fn crash_with(&mut self, adjust: impl FnOnce(&mut Config)) {
        let barrier = self.server().core().storage.barrier();
        self.runtime.block_on(barrier).expect("the writer runs");
        let copy = self.config.data_dir.with_extension(format!("{}", magpie::clock::now_micros()));
        std::fs::create_dir(&copy).expect("a directory");
        for file in std::fs::read_dir(&self.config.data_dir).expect("the data").flatten() {
            if file.file_type().expect("a type").is_file() {
                std::fs::copy(file.path(), copy.join(file.file_name())).expect("a copy");
            }
        }
        // It goes on with its own files for as long as it takes.
        let old = self.server.take().expect("the server runs");
        self.runtime.spawn(old.stop());
        self.config.data_dir = copy;
        adjust(&mut self.config);
        self.start_again();
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// By what the sessions of this account are connected, as an operator sees it.
    pub(crate) fn transports(&self, account: &str) -> Vec<Option<String>> {
        let request = Request::SessionList { jid: Some(format!("{account}@{DOMAIN}")) };
        match self.runtime.block_on(self.server().admin().handle(request)) {
            Ok(Reply::Sessions(rows)) => rows.into_iter().map(|row| row.transport).collect(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Data directory and certificates live below it.
    pub(crate) fn directory(&self) -> &Path {
        self.data_dir.path()
    }

    pub(crate) fn domain(&self) -> &str {
        &self.config.domains[0]
    }

    /// Makes an account at the first domain (or elsewhere: `romeo@other.example`).
    pub(crate) fn account(&self, user: &str, password: &str) {
        let jid = if user.contains('@') { user.to_owned() } else { format!("{user}@{}", self.domain()) };
        let keys = Credentials::derive(password, self.config.auth.scram_iterations).expect("a usable password");
        let credential = |hash, key: Option<StoredKey>| {
            let StoredKey { salt, iterations, stored_key, server_key } = key.expect("both hashes");
            Credential { hash, salt, iterations, stored_key, server_key }
        };
        let credentials = vec![credential(ScramHash::Sha1, keys.sha1), credential(ScramHash::Sha256, keys.sha256)];
        let created = self.server().core().storage.account_create(&jid, magpie::clock::now_micros(), credentials);
        self.runtime.block_on(created).unwrap_or_else(|e| panic!("cannot create {jid}: {e}"));
    }

    pub(crate) fn c2s_addr(&self) -> SocketAddr {
        self.server().c2s_addrs()[0]
    }

    pub(crate) fn c2s_tls_addr(&self) -> SocketAddr {
        self.server().c2s_tls_addrs()[0]
    }

    /// The HTTP listener in the clear.
    pub(crate) fn http_addr(&self) -> SocketAddr {
        self.server().core().site.listening().expect("the server listens").http[0]
    }

    /// The HTTPS listener.
    pub(crate) fn https_addr(&self) -> SocketAddr {
        self.server().core().site.listening().expect("the server listens").https[0]
    }

    /// Plain TCP, nothing sent yet.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.c2s_addr(), self.domain(), Arc::clone(&self.vars))
    }

    /// The same to another listener.
    pub(super) fn connect_to(&self, address: SocketAddr) -> Client {
        Client::connect(address, self.domain(), Arc::clone(&self.vars))
    }

    /// Direct TLS (XEP-0368), nothing sent yet.
    pub(crate) fn connect_tls(&self) -> Client {
        let mut client = self.connect_for_tls();
        client.handshake(&TlsOptions::direct(self.domain()));
        client
    }

    /// The direct TLS port before the handshake.
    pub(crate) fn connect_for_tls(&self) -> Client {
        Client::connect(self.c2s_tls_addr(), self.domain(), Arc::clone(&self.vars))
    }

    /// The HTTPS listener, before the handshake: it takes client streams as well.
    pub(crate) fn connect_to_https(&self) -> Client {
        Client::connect(self.https_addr(), self.domain(), Arc::clone(&self.vars))
    }

    /// A bound session over STARTTLS and SCRAM-SHA-256. No presence was sent.
    #[track_caller]
    pub(crate) fn login(&self, user: &str, password: &str, resource: &str) -> Client {
        let mut client = self.connect();
        client.log_in("SCRAM-SHA-256", user, password, resource);
        client
    }

    /// A new account (password `secret`), logged in and available; what its initial presence brought is dropped.
    #[track_caller]
    pub(crate) fn online(&self, user: &str, resource: &str) -> Client {
        self.account(user, "secret");
        let mut client = self.login(user, "secret", resource);
        client.available();
        client
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}
