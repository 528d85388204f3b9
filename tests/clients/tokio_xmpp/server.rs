//! The server under test, and the process the client runs in.

use magpie::config::Config;
use magpie::sasl::{Credentials, StoredKey};
use magpie::server::Server;
use magpie::storage::{Credential, ScramHash};
use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// The domain served.
pub(crate) const DOMAIN: &str = "localhost";
/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse";
/// The development CA, relative to the server's directory.
pub(crate) const CA_FILE: &str = "certs/ca.pem";

const STARTTLS: &str = "TEST_STARTTLS";
const DIRECT_TLS: &str = "TEST_DIRECT_TLS";

/// Where a client can come in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: String,
    pub(crate) starttls: bool,
}

/// What the client's process knows about the server.
pub(crate) struct Addresses {
    starttls: String,
    direct_tls: String,
}

impl Addresses {
    pub(crate) fn door(&self, starttls: bool) -> Door {
        let address = if starttls { &self.starttls } else { &self.direct_tls };
        Door { address: address.clone(), starttls }
    }
}

/// Runs a server for romeo and juliet here, and `client` in a process of its own: this test, started once more.
///
/// tokio-xmpp takes whom it trusts from `SSL_CERT_FILE` and nowhere else, and the environment of a running process
/// with threads cannot be changed safely. `trusted` is relative to the server's directory.
pub(crate) fn as_client(test: &str, trusted: &str, client: impl AsyncFnOnce(Addresses)) {
    if let (Ok(starttls), Ok(direct_tls)) = (env::var(STARTTLS), env::var(DIRECT_TLS)) {
        // On one thread: with several, tokio-xmpp 6.0.0 loses a wake-up when a stanza comes in while another is being
        // given to it (`StanzaReceiver::poll_next` is pending without a waker while `StanzaSender` has the lock).
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(client(Addresses { starttls, direct_tls }));
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let server = runtime.block_on(serve(directory.path()));
    let output = Command::new(env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env("SSL_CERT_FILE", directory.path().join(trusted))
        .env_remove("SSL_CERT_DIR")
        .env(STARTTLS, server.c2s_addrs()[0].to_string())
        .env(DIRECT_TLS, server.c2s_tls_addrs()[0].to_string())
        .output()
        .expect("this program runs");
    runtime.block_on(server.stop());
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "the client failed:\n{said}\n{complained}");
}

async fn serve(directory: &Path) -> Server {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config { domains: vec![DOMAIN.to_owned()], data_dir: directory.join("data"), ..Config::default() };
    config.tls.certs_dir = directory.join("certs");
    config.c2s.listen = vec![any_port];
    config.c2s.tls_listen = vec![any_port];
    config.http.listen.clear();
    config.http.tls_listen.clear();
    config.auth.scram_iterations = 4096;
    config.auth.mechanisms_disabled = vec!["PLAIN".to_owned()];
    let server = Server::start(config).await.expect("the server starts");
    for user in ["romeo", "juliet"] {
        let jid = format!("{user}@{DOMAIN}");
        let created = server.core().storage.account_create(&jid, magpie::clock::now_micros(), credentials());
        created.await.expect("a new account");
    }
    let stranger = directory.join("stranger");
    magpie::net::selfsigned::ensure(&stranger, &[DOMAIN.to_owned()], jiff::Timestamp::now()).expect("another CA");
    server
}

fn credentials() -> Vec<Credential> {
    let keys = Credentials::derive(PASSWORD, 4096).expect("a usable password");
    let credential = |hash, key: Option<StoredKey>| {
        let StoredKey { salt, iterations, stored_key, server_key } = key.expect("a key for each hash");
        Credential { hash, salt, iterations, stored_key, server_key }
    };
    vec![credential(ScramHash::Sha1, keys.sha1), credential(ScramHash::Sha256, keys.sha256)]
}
