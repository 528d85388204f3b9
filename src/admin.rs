//! What an operator can do, one function each. The command line comes here through the control socket or, when no server
//! runs, with the data directory opened for one command; whatever else administers comes here too.

mod accounts;
mod announce;
mod archive;
mod devices;
mod invites;
mod offline;
pub mod protocol;
mod pubsub;
mod push;
mod reload;
mod room_rows;
mod rooms;
mod rosters;
mod rows;
mod secret;
mod sessions;
mod status;
mod uploads;

use crate::account::Account;
use crate::config::Overrides;
use crate::core::Core;
use crate::hosts::Place;
use crate::log::LogHandle;
use crate::net::budget::AddressBudget;
use crate::net::tls::CertStore;
pub use crate::ops::readable_secret;
use crate::router;
use protocol::{Failure, FailureKind, Reply, Request};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use xep_support::jid::{BareJid, Jid};

/// What operations work on.
pub struct Admin {
    core: Arc<Core>,
    running: Option<Running>,
    /// Two reloads at a time would mix two versions of the settings.
    reloading: Mutex<()>,
}

/// The parts of a server that only a running one has.
pub struct Running {
    /// The certificates in use.
    pub certs: Arc<CertStore>,
    /// The connections there are.
    pub budget: Arc<AddressBudget>,
    /// Where STARTTLS is spoken.
    pub starttls: Vec<SocketAddr>,
    /// Where direct TLS is spoken.
    pub direct_tls: Vec<SocketAddr>,
    /// Where the settings came from.
    pub rereading: Rereading,
    /// The way to a graceful end.
    pub stopping: Stopping,
}

/// How settings are read again.
#[derive(Clone, Debug, Default)]
pub struct Rereading {
    /// Flags and environment of the start; `None` for settings that live in memory only.
    pub overrides: Option<Overrides>,
    /// The log, whose level may change.
    pub log: Option<LogHandle>,
}

/// A stop, from the wish to the fact.
#[derive(Clone, Debug)]
pub struct Stopping {
    requested: Arc<watch::Sender<bool>>,
    done: Arc<watch::Sender<bool>>,
}

impl Default for Stopping {
    fn default() -> Self {
        let flag = || Arc::new(watch::Sender::new(false));
        Self { requested: flag(), done: flag() }
    }
}

impl Stopping {
    /// Asks the owner of the server to stop it.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Ready when somebody asked.
    pub async fn requested(&self) {
        wait(&self.requested).await;
    }

    /// Everything is written and closed.
    pub fn done(&self) {
        self.done.send_replace(true);
    }

    async fn wait_done(&self) {
        wait(&self.done).await;
    }
}

async fn wait(flag: &watch::Sender<bool>) {
    // The sender is ours and lives: there is no error.
    let _ = flag.subscribe().wait_for(|set| *set).await;
}

impl Admin {
    /// For a running server.
    pub fn running(core: Arc<Core>, running: Running) -> Self {
        Self { core, running: Some(running), reloading: Mutex::default() }
    }

    /// For the data of one that does not run.
    pub fn stopped(core: Arc<Core>) -> Self {
        Self { core, running: None, reloading: Mutex::default() }
    }

    /// The limits and settings in force.
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Does what is asked.
    pub async fn handle(&self, request: Request) -> Result<Reply, Failure> {
        let core = &self.core;
        match request {
            Request::Status => status::status(core, self.need_running()?).await.map(|s| Reply::Status(Box::new(s))),
            Request::Reload => self.reload().map(Reply::Reloaded),
            Request::Stop => self.stop().await,
            Request::Backup { file } => {
                let report = core.storage.backup(&file).await.map_err(|error| match error {
                    crate::storage::Error::Conflict => {
                        Failure::new(FailureKind::Exists, format!("{} exists already", file.display()))
                    }
                    error => error.into(),
                })?;
                Ok(Reply::BackedUp { file, report })
            }
            Request::Announce { text, domain } => {
                self.need_running()?;
                announce::announce(core, &text, domain.as_deref())
            }
            Request::UserAdd { jid, password } => accounts::add(core, &jid, password).await,
            Request::UserPasswd { jid, password } => accounts::set_password(core, &jid, password).await,
            Request::UserDel { jid } => accounts::delete(core, &jid).await,
            Request::UserList { domain, after } => accounts::list(core, domain.as_deref(), &after).await,
            Request::UserShow { jid } => accounts::show(core, &jid).await,
            Request::SessionList { jid } => {
                self.need_running()?;
                sessions::list(core, jid.as_deref())
            }
            Request::SessionKick { jid, reason } => {
                self.need_running()?;
                sessions::kick(core, &jid, reason.as_deref())
            }
            Request::RosterShow { jid } => rosters::show(core, &jid).await,
            Request::RosterAdd(change) => rosters::add(core, change).await,
            Request::RosterRemove { jid, contact } => rosters::remove(core, &jid, &contact).await,
            Request::OfflineList { jid: Some(jid), .. } => offline::of_account(core, &jid).await,
            Request::OfflineList { jid: None, after } => offline::list(core, &after).await,
            Request::OfflinePurge { jid, older_than_days } => offline::purge(core, &jid, older_than_days).await,
            Request::ArchiveShow(asked) => archive::show(core, &asked).await,
            Request::ArchiveExport(asked) => archive::export(core, &asked).await,
            Request::ArchivePurge(asked) => archive::purge(core, &asked).await,
            Request::PubsubList { owner, after } => pubsub::list(core, owner.as_deref(), &after).await,
            Request::PubsubShow(of) => pubsub::show(core, &of).await,
            Request::PubsubDelete(of) => pubsub::delete(core, &of).await,
            Request::PushList { jid, after } => push::list(core, jid.as_deref(), &after).await,
            Request::PushTest { jid } => {
                self.need_running()?;
                push::test(core, &jid).await
            }
            Request::DeviceList(of) => devices::list(core, &of.jid).await,
            Request::DeviceRevoke(of) => devices::revoke(core, &of).await,
            Request::Upload(asked) => uploads::handle(core, &asked).await,
            Request::Room(asked) => rooms::handle(core, asked).await,
            Request::InviteCreate(wish) => invites::create(core, wish).await,
            Request::InviteList { after } => invites::list(core, after).await,
            Request::InviteShow { code } => invites::show(core, &code).await,
            Request::InviteRevoke { code } => invites::revoke(core, &code).await,
        }
    }

    fn need_running(&self) -> Result<&Running, Failure> {
        self.running.as_ref().ok_or_else(|| Failure::new(FailureKind::NotRunning, "no server is running"))
    }

    /// Reads the settings again and takes what a running server can take.
    pub fn reload(&self) -> Result<protocol::ReloadReport, Failure> {
        let running = self.need_running()?;
        let _one = self.reloading.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        reload::reload(&self.core, running)
    }

    async fn stop(&self) -> Result<Reply, Failure> {
        let running = self.need_running()?;
        running.stopping.request();
        running.stopping.wait_done().await;
        Ok(Reply::Stopped { pid: std::process::id() })
    }
}

/// How many rows a reply has at most; the next request goes on behind the last one.
const PAGE_ROWS: u32 = 1_000;

/// A bare JID as an operator typed it.
fn bare(jid: &str) -> Result<BareJid, Failure> {
    let parsed = Jid::parse(jid).map_err(|e| Failure::new(FailureKind::BadRequest, format!("\"{jid}\": {e}")))?;
    match parsed.resource() {
        None => Ok(parsed.bare()),
        Some(_) => Err(Failure::new(FailureKind::BadRequest, format!("\"{jid}\": write the address without resource"))),
    }
}

/// The address of an account that we could have.
fn local(core: &Core, jid: &str) -> Result<BareJid, Failure> {
    let jid = bare(jid)?;
    let served = || core.hosts.iter().map(|h| h.jid.as_str()).collect::<Vec<_>>().join(", ");
    match core.hosts.place(jid.as_jid()) {
        Place::Account => Ok(jid),
        Place::Domain => {
            let message = format!("\"{jid}\" is a domain: write the whole address, such as romeo@{jid}");
            Err(Failure::new(FailureKind::BadRequest, message))
        }
        Place::Service(_) => {
            let message = format!("\"{jid}\" is at a service, which has no accounts");
            Err(Failure::new(FailureKind::BadRequest, message))
        }
        // The most frequent slip: only the name.
        Place::Remote if jid.as_jid().local().is_none() => {
            let message = format!("\"{jid}\" is not an address: write {jid}@{}", core.hosts.first().jid);
            Err(Failure::new(FailureKind::BadRequest, message))
        }
        Place::Remote => {
            let message = format!("{jid}: this server does not serve that domain; it serves {}", served());
            Err(Failure::new(FailureKind::BadRequest, message))
        }
    }
}

/// A served domain.
fn served(core: &Core, domain: &str) -> Result<Jid, Failure> {
    let parsed = Jid::from_parts(None, domain, None).ok();
    parsed.and_then(|jid| core.hosts.find(jid.domain())).map(|host| host.jid.clone()).ok_or_else(|| {
        let all = core.hosts.iter().map(|h| h.jid.as_str()).collect::<Vec<_>>().join(", ");
        Failure::new(FailureKind::BadRequest, format!("{domain} is not served here; the domains are {all}"))
    })
}

/// An account that exists.
async fn load(core: &Arc<Core>, jid: &str) -> Result<Arc<Account>, Failure> {
    let jid = local(core, jid)?;
    router::load(core, &jid).await?.ok_or_else(|| no_account(&jid))
}

fn no_account(jid: &BareJid) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no account {jid}"))
}

/// A moment for scripts and people.
fn moment(micros: i64) -> String {
    use xep_support::formats::date::{Precision, format};
    format(micros, Precision::Seconds)
}
