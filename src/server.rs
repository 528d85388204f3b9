//! Builds everything from the settings in one visible order, runs it, and takes it down in the opposite order.

mod secrets;

use crate::account::capabilities::Capabilities;
use crate::account::push::PushLog;
use crate::account::resumable::ResumeTable;
use crate::account::table::AccountTable;
use crate::account::turns::Turns;
use crate::admin::{Admin, Rereading, Running, Stopping};
use crate::apply::{self, CertificateError};
use crate::attempts::Attempts;
use crate::c2s::{self, Door, Service};
use crate::catalogue;
use crate::clock;
use crate::close::CloseReason;
use crate::config::Config;
use crate::control::Control;
use crate::core::{Core, RecentChanges};
use crate::counters::Counters;
use crate::extension::Registry;
use crate::hosts::Hosts;
use crate::housekeeping;
use crate::http::{self, Web};
use crate::journal::{Journal, RestoredSession};
use crate::net::budget::AddressBudget;
use crate::net::listener::{BindError, Listener};
use crate::net::tls::CertStore;
use crate::pubsub::Nodes;
use crate::requests::Requests;
use crate::rooms::Rooms;
use crate::sasl::{Decoy, Remembered, limit_hashing};
use crate::site::{Listening, Site};
use crate::storage::{self, DirLock, LockError, Storage};
use crate::uploads;
use crate::web_client;
use crate::xep::muc::surviving;
use arc_swap::ArcSwap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use xep_support::jid::{Jid, JidError};

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A domain is not one.
    #[error("'{0}' cannot be served: {1}")]
    Domain(String, JidError),
    /// The data directory is in use or not usable.
    #[error("{}: {}", .0.display(), .1)]
    DataDir(PathBuf, LockError),
    /// The database.
    #[error("database {}: {}", .0.display(), .1)]
    Storage(PathBuf, storage::Error),
    /// The journal of sessions.
    #[error("session journal {}: {}", .0.display(), .1)]
    Journal(PathBuf, io::Error),
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A listening address.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The socket for `magpie` commands.
    #[error("control socket {}: {}", .0.display(), .1)]
    Control(PathBuf, io::Error),
    /// The secret that tokens are derived from.
    #[error("secret of the devices {}: {}", .0.display(), .1)]
    DeviceSecret(PathBuf, io::Error),
    /// The directory of uploaded files.
    #[error("uploads in {}: {}", .0.display(), .1)]
    Uploads(PathBuf, io::Error),
    /// No randomness for the server's secret.
    #[error("no random numbers from the system")]
    Random,
}

/// A running server.
pub struct Server {
    base: Base,
    admin: Arc<Admin>,
    certs: Arc<CertStore>,
    budget: Arc<AddressBudget>,
    c2s_addrs: Vec<SocketAddr>,
    c2s_tls_addrs: Vec<SocketAddr>,
    ca: Option<PathBuf>,
    data_dir: PathBuf,
    stop: watch::Sender<bool>,
    tasks: TaskTracker,
    control: Control,
    stopping: Stopping,
}

/// What a server is without its listeners: enough for commands on a stopped one.
struct Base {
    core: Arc<Core>,
    _lock: DirLock,
}

impl Base {
    /// `running`: clients will come, and those of the last process may resume their sessions.
    async fn open(config: Config, running: bool) -> Result<(Self, Vec<RestoredSession>), StartError> {
        let registry = Registry::new(catalogue::extensions());
        let hosts = Hosts::new(domains(&config)?, &registry.services());
        let data_dir = config.data_dir.clone();
        let lock = DirLock::acquire(&data_dir).map_err(|e| StartError::DataDir(data_dir, e))?;
        let no_storage = |e| StartError::Storage(config.database_path(), e);
        let storage = Storage::open(apply::storage_options(&config)).await.map_err(no_storage)?;
        let (journal, restored) =
            if running { sessions(&storage, &config).await? } else { (Journal::off(), Vec::new()) };
        let journal = Arc::new(journal);
        storage.note_effects(journal.clone());
        limit_hashing(config.limits.password_hashes_max);
        let decoy = Decoy::new(secrets::decoy(&storage).await?, config.auth.scram_iterations);
        let core = Arc::new(Core {
            hosts,
            accounts: AccountTable::new(storage.clone()),
            resumable: ResumeTable::default(),
            nodes: Nodes::default(),
            rooms: Rooms::default(),
            journal,
            storage,
            registry,
            push_log: PushLog::default(),
            requests: Requests::default(),
            conversions: Turns::default(),
            capabilities: Capabilities::new(config.limits.caps_questions_max),
            decoy: Arc::new(decoy),
            device_secret: secrets::device(&config.data_dir)?,
            site: Site::default(),
            remembered: Remembered::default(),
            attempts: Attempts::default(),
            work: TaskTracker::new(),
            changed: RecentChanges::default(),
            counters: Counters::default(),
            started_us: clock::now_micros(),
            config: ArcSwap::from_pointee(config),
        });
        Ok((Self { core, _lock: lock }, restored))
    }
}

/// The data of a server that does not run, held for one command.
pub struct Standalone {
    base: Base,
    admin: Admin,
}

impl Standalone {
    /// What can be done with it.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The server as its handlers see it.
    pub fn core(&self) -> &Arc<Core> {
        &self.base.core
    }

    /// Writes what is queued and lets go of the directory.
    pub async fn close(self) -> Result<(), storage::Error> {
        self.base.core.storage.close().await
    }
}

impl Server {
    /// Starts a server on the current runtime. It is ready when this returns. Its settings live in memory only: there is
    /// nothing to read again.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, Rereading::default()).await
    }

    /// The same for settings that can be read again.
    pub async fn start_with(config: Config, rereading: Rereading) -> Result<Self, StartError> {
        let data_dir = config.data_dir.clone();
        let (base, restored) = Base::open(config, true).await?;
        let core = &base.core;
        let config = core.config.load_full();
        let (certs, ca) = apply::load_certificates(&config)?;
        uploads::prepare(&config).map_err(|e| StartError::Uploads(uploads::directory(&config), e))?;
        let certs = Arc::new(certs);
        let budget = AddressBudget::new(apply::budget_limits(&config));
        let listeners = listeners(&config)?;
        let web_listeners = web_listeners(&config)?;
        let addresses =
            |direct| listeners.iter().filter(|(_, d)| d.direct_tls == direct).map(|(l, _)| l.local_addr()).collect();
        let (c2s_addrs, c2s_tls_addrs): (Vec<SocketAddr>, Vec<SocketAddr>) = (addresses(false), addresses(true));

        let web_addresses =
            |door| web_listeners.iter().filter(|(_, d)| *d == door).map(|(l, _)| l.local_addr()).collect();
        core.site.opened(Listening {
            https: web_addresses(http::Door::Tls),
            http: web_addresses(http::Door::Plain),
            metrics: web_addresses(http::Door::Metrics),
            direct_tls: c2s_tls_addrs.clone(),
        });

        core.site.client.store(web_client::find_or_warn(&config.chat).map(Arc::new));

        let stopping = Stopping::default();
        let running = Running {
            certs: certs.clone(),
            budget: budget.clone(),
            starttls: c2s_addrs.clone(),
            direct_tls: c2s_tls_addrs.clone(),
            rereading,
            stopping: stopping.clone(),
        };
        let admin = Arc::new(Admin::running(core.clone(), running));
        let (stop, stopped) = watch::channel(false);
        let path = config.control_socket_path();
        let control =
            Control::open(path.clone(), admin.clone(), stopped.clone()).map_err(|e| StartError::Control(path, e))?;

        let tasks = TaskTracker::new();
        let service = Service { core: core.clone(), certs: certs.clone(), budget: budget.clone(), stopping: stopped };
        // Before anybody else comes: what is for them must find them.
        for waiting in c2s::restart::revive(core, restored).await {
            tasks.spawn(waiting);
        }
        for (listener, door) in listeners {
            tasks.spawn(accept(listener, door, service.clone(), tasks.clone()));
        }
        let web = Arc::new(Web {
            core: core.clone(),
            certs: certs.clone(),
            budget: budget.clone(),
            routes: http::routes::table(),
            in_flight: http::in_flight::InFlights::default(),
            bosh: http::bosh::Sessions::new(service.stopping.clone()),
            tasks: tasks.clone(),
            stopping: service.stopping.clone(),
        });
        for (listener, door) in web_listeners {
            tasks.spawn(http::accept(listener, door, web.clone(), tasks.clone()));
        }
        tasks.spawn(housekeeping::run(core.clone(), service.certs.clone(), service.stopping.clone()));
        Ok(Self { base, admin, certs, budget, c2s_addrs, c2s_tls_addrs, ca, data_dir, stop, tasks, control, stopping })
    }

    /// Opens the data of a server that does not run.
    pub async fn offline(config: Config) -> Result<Standalone, StartError> {
        let (base, _) = Base::open(config, false).await?;
        let admin = Admin::stopped(base.core.clone());
        Ok(Standalone { base, admin })
    }

    /// What the handlers share.
    pub fn core(&self) -> &Arc<Core> {
        &self.base.core
    }

    /// What an operator can do.
    pub fn admin(&self) -> &Arc<Admin> {
        &self.admin
    }

    /// The certificates in use.
    pub fn certs(&self) -> &Arc<CertStore> {
        &self.certs
    }

    /// The connection budget.
    pub fn budget(&self) -> &Arc<AddressBudget> {
        &self.budget
    }

    /// Where STARTTLS is spoken.
    pub fn c2s_addrs(&self) -> &[SocketAddr] {
        &self.c2s_addrs
    }

    /// Where direct TLS is spoken.
    pub fn c2s_tls_addrs(&self) -> &[SocketAddr] {
        &self.c2s_tls_addrs
    }

    /// The development CA, when no certificate is configured.
    pub fn development_ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// Where everything is kept.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Ready when an operator has asked the server to stop; the owner then calls [`stop`](Self::stop).
    pub async fn stop_requested(&self) {
        self.stopping.requested().await;
    }

    /// Ends all streams with `system-shutdown`, waits for them, drains the writer, gives the data directory back, and
    /// only then answers whoever asked for it.
    pub async fn stop(self) {
        let core = &self.base.core;
        let limit = core.config().limits.shutdown_seconds_max;
        let _ = self.stop.send(true);
        self.tasks.close();
        let deadline = tokio::time::Instant::now() + limit;
        if tokio::time::timeout(limit / 4, surviving::end(core)).await.is_err() {
            tracing::warn!("not everybody was told that the rooms end");
        }
        loop {
            // More than once: a session may just be beginning.
            for account in core.accounts.connected() {
                for bound in &account.lock().resources {
                    bound.resource.outbox.close(CloseReason::Shutdown);
                }
            }
            let round = (tokio::time::Instant::now() + STOP_ROUND).min(deadline);
            if tokio::time::timeout_at(round, self.tasks.wait()).await.is_ok() {
                break;
            }
            if round == deadline {
                tracing::warn!(left = self.tasks.len(), "connections did not end in time");
                break;
            }
        }
        core.work.close();
        if tokio::time::timeout(limit, core.work.wait()).await.is_err() {
            tracing::warn!(left = core.work.len(), "changes of rosters did not end in time");
        }
        if let Err(error) = core.storage.close().await {
            tracing::error!(%error, "database not closed in order");
        }
        core.journal.close();
        self.control.remove();
        drop(self.base);
        self.stopping.done();
        self.control.finished().await;
    }
}

/// How often those that are still there are told to end.
const STOP_ROUND: Duration = Duration::from_millis(250);

fn domains(config: &Config) -> Result<Vec<Jid>, StartError> {
    let parse = |d: &String| {
        let jid = Jid::from_parts(None, d, None).map_err(|e| StartError::Domain(d.clone(), e))?;
        Ok(jid)
    };
    config.domains.iter().map(parse).collect()
}

/// The sessions of the last process, and the journal that goes on with them.
async fn sessions(storage: &Storage, config: &Config) -> Result<(Journal, Vec<RestoredSession>), StartError> {
    let failed = |e| StartError::Storage(storage.path().to_owned(), e);
    let mark = storage.session_mark().await.map_err(failed)?;
    let limit = config.limits.session_journal_bytes_max;
    Journal::open(mark.path.clone(), limit as u64, mark.database, mark.committed)
        .map_err(|error| StartError::Journal(mark.path, error))
}

fn listeners(config: &Config) -> Result<Vec<(Listener, Door)>, StartError> {
    let mut all = Vec::new();
    for (addresses, direct_tls) in [(&config.c2s.listen, false), (&config.c2s.tls_listen, true)] {
        for listener in bind(addresses)? {
            let address = listener.local_addr();
            let plaintext_auth = config.plaintext_auth_at(address);
            all.push((listener, Door { address, direct_tls, plaintext_auth }));
        }
    }
    Ok(all)
}

fn web_listeners(config: &Config) -> Result<Vec<(Listener, http::Door)>, BindError> {
    let all = [
        (&config.http.listen, http::Door::Plain),
        (&config.http.tls_listen, http::Door::Tls),
        (&config.metrics.listen, http::Door::Metrics),
    ];
    let mut listeners = Vec::new();
    for (addresses, door) in all {
        listeners.extend(bind(addresses)?.into_iter().map(|listener| (listener, door)));
    }
    Ok(listeners)
}

/// Listens on all addresses. `[::1]` stands in the defaults, and a machine without IPv6 is no reason not to start.
fn bind(addresses: &[SocketAddr]) -> Result<Vec<Listener>, BindError> {
    let no_ipv6 = |e: &BindError| {
        let kind = e.source.kind();
        e.addr.ip() == Ipv6Addr::LOCALHOST
            && matches!(kind, io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
            && addresses.iter().any(SocketAddr::is_ipv4)
    };
    match Listener::bind_all(addresses) {
        Err(error) if no_ipv6(&error) => {
            tracing::warn!(address = %error.addr, "no IPv6 on this machine, not listening there");
            let others: Vec<_> = addresses.iter().copied().filter(|a| *a != error.addr).collect();
            Listener::bind_all(&others)
        }
        bound => bound,
    }
}

async fn accept(listener: Listener, door: Door, service: Service, tasks: TaskTracker) {
    let mut stopping = service.stopping.clone();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|s| *s) => return,
        };
        // The switch can change while we run.
        let plaintext_auth = service.core.config().plaintext_auth_at(door.address);
        tasks.spawn(c2s::serve(service.clone(), Door { plaintext_auth, ..door }, stream, peer));
    }
}
