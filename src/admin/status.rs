//! How a running server is doing.

use super::protocol::{CertificateRow, CountersRow, Failure, Listeners, Status, StorageStatus};
use super::{Running, moment};
use crate::clock;
use crate::core::Core;
use crate::net::cert::CertEntry;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) async fn status(core: &Arc<Core>, running: &Running) -> Result<Status, Failure> {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &core.counters;
    let file = core.storage.path().to_owned();
    let (logins, logins_failed) = counters.logins.total();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: moment(core.started_us),
        uptime_seconds: u64::try_from((clock::now_micros() - core.started_us) / 1_000_000).unwrap_or(0),
        domains: core.hosts.iter().map(|host| host.jid.to_string()).collect(),
        data_dir: core.config().data_dir.clone(),
        listeners: listeners(core, running),
        certificates: certificates(running),
        accounts: core.storage.account_count(None).await?,
        accounts_in_memory: core.accounts.len(),
        accounts_connected: core.accounts.connected().len(),
        sessions: count(&counters.sessions),
        connections: running.budget.connections(),
        offline_messages: core.storage.offline_count_all().await?,
        storage: StorageStatus {
            bytes: size(&file) + size(&file.with_extension("db-wal")),
            file,
            writer: core.storage.stats(),
        },
        memory_bytes: std::fs::read_to_string("/proc/self/status").ok().and_then(|text| resident_bytes(&text)),
        since_start: CountersRow {
            connections: counters.links.accepted(),
            connections_refused: count(&counters.connections_refused),
            logins,
            logins_failed,
            offline_stored: count(&counters.offline_stored),
            archive_failed: count(&counters.archive_failed),
            registrations: count(&counters.registrations),
        },
    })
}

fn listeners(core: &Core, running: &Running) -> Listeners {
    let web = core.site.listening();
    Listeners {
        starttls: running.starttls.clone(),
        direct_tls: running.direct_tls.clone(),
        http: web.map(|web| web.http.clone()).unwrap_or_default(),
        https: web.map(|web| web.https.clone()).unwrap_or_default(),
    }
}

/// The certificates in use.
pub(super) fn certificates(running: &Running) -> Vec<CertificateRow> {
    let row = |entry: Arc<CertEntry>| CertificateRow {
        file: entry.chain_path().to_owned(),
        names: entry.names().to_vec(),
        issuer: entry.issuer().to_owned(),
        not_after: moment(entry.not_after().as_microsecond()),
    };
    running.certs.entries().into_iter().map(row).collect()
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |data| data.len())
}

/// `VmRSS` of proc(5), which unlike `statm` needs no page size.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn resident_memory_is_read() {
        assert_eq!(super::resident_bytes("Name:\tx\nVmRSS:\t   5256 kB\nThreads:\t1\n"), Some(5256 * 1024));
        assert_eq!(super::resident_bytes("Name:\tx\n"), None);
    }
}
