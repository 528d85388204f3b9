//! What the machine has to give: ports, disk, open files.

use std::{
    fs,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access, statvfs},
    process::{Resource, getrlimit},
};

use super::{Finding, Outcome};
use crate::config::Config;
use crate::web_client::WebClient;

const MIB: u64 = 1024 * 1024;
/// With less the database may stop within hours.
const DISK_WARN_MIB: u64 = 1024;
/// With less it stops within minutes.
const DISK_ERROR_MIB: u64 = 64;
/// Descriptors besides those of clients: database, control socket, log, DNS.
const OTHER_FILES: u64 = 64;

/// Whether each listener can be opened, or is already held by the running server.
pub(super) fn ports(config: &Config, running: bool) -> Vec<Finding> {
    let web = config.http.listen.iter().chain(&config.http.tls_listen).chain(&config.metrics.listen);
    let listeners = config.c2s.listen.iter().chain(&config.c2s.tls_listen).chain(web);
    // One that is held only while we look must not be in the way of the next.
    listeners.map(|address| port(*address, TcpListener::bind(address).map(drop), running)).collect()
}

fn port(address: SocketAddr, bound: io::Result<()>, running: bool) -> Finding {
    let (outcome, message) = match bound.as_ref().map_err(io::Error::kind) {
        Ok(()) if running => (Outcome::Warning, "is free, but a server is running: it has other settings".to_owned()),
        Ok(()) => (Outcome::Ok, "is free".to_owned()),
        Err(ErrorKind::AddrInUse) if running => (Outcome::Ok, "is held by the running server".to_owned()),
        Err(ErrorKind::AddrInUse) => (Outcome::Error, "is held by another program".to_owned()),
        Err(ErrorKind::PermissionDenied) => {
            (Outcome::Error, "is not allowed: below 1024 it takes root or CAP_NET_BIND_SERVICE".to_owned())
        }
        Err(ErrorKind::AddrNotAvailable) if address.is_ipv6() && is_everyones(address) => {
            (Outcome::Warning, "cannot be used: this machine has no IPv6".to_owned())
        }
        Err(ErrorKind::AddrNotAvailable) => (Outcome::Error, "is no address of this machine".to_owned()),
        Err(ErrorKind::Unsupported) if address.is_ipv6() => {
            (Outcome::Warning, "cannot be used: this machine has no IPv6".to_owned())
        }
        Err(_) => (
            Outcome::Error,
            format!("cannot be used: {}", bound.err().map(|error| error.to_string()).unwrap_or_default()),
        ),
    };
    Finding::new("ports", outcome, format!("{address} {message}"))
}

/// Addresses every machine with that protocol has.
fn is_everyones(address: SocketAddr) -> bool {
    address.ip().is_loopback() || address.ip().is_unspecified()
}

/// Whether there is a page at `/chat`.
pub(super) fn web_client(config: &Config) -> Finding {
    let (outcome, message) = match WebClient::find(&config.chat) {
        Ok(Some(client)) => (Outcome::Ok, format!("the web client at /chat has {} files", client.len())),
        Ok(None) if config.chat.enabled => {
            (Outcome::Ok, "no web client at /chat: `magpie chat install` fetches one".to_owned())
        }
        Ok(None) => (Outcome::Ok, "the web client at /chat is turned off".to_owned()),
        Err(error) => (Outcome::Warning, format!("no web client at /chat: {error}")),
    };
    Finding::new("web", outcome, message)
}

/// Whether the data directory can be written, is private, and has room.
pub(super) fn disk(config: &Config) -> Vec<Finding> {
    let directory = &config.data_dir;
    let finding = |outcome, message: String| Finding::new("disk", outcome, message);
    let Some(existing) = nearest_existing(directory) else {
        return vec![finding(Outcome::Error, format!("{} cannot be reached", directory.display()))];
    };
    if !existing.is_dir() {
        return vec![finding(Outcome::Error, format!("{} is not a directory", existing.display()))];
    }
    let mut findings = Vec::new();
    if let Err(error) = access(&existing, Access::WRITE_OK | Access::EXEC_OK) {
        findings.push(finding(Outcome::Error, format!("{} cannot be written: {error}", existing.display())));
    }
    if existing == *directory {
        let mode = fs::metadata(directory).map(|data| data.permissions().mode()).unwrap_or_default();
        if mode & 0o007 != 0 {
            let directory = directory.display();
            let message = format!("{directory} is open to every user of this machine: chmod o-rwx {directory}");
            findings.push(finding(Outcome::Warning, message));
        }
    }
    match statvfs(&existing) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize) / MIB;
            findings.push(finding(judge_free(free), format!("{} has {free} MiB free", directory.display())));
        }
        Err(error) => findings.push(finding(Outcome::Warning, format!("free space is not known: {error}"))),
    }
    findings
}

fn judge_free(mib: u64) -> Outcome {
    match mib {
        0..DISK_ERROR_MIB => Outcome::Error,
        DISK_ERROR_MIB..DISK_WARN_MIB => Outcome::Warning,
        _ => Outcome::Ok,
    }
}

/// The directory itself, or where it would be made.
fn nearest_existing(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path })
        .find(|path| path.exists())
        .map(Path::to_path_buf)
}

/// Whether as many files may be open as connections are allowed.
pub(super) fn system(config: &Config) -> Vec<Finding> {
    // The soft limit is what counts: nobody raises it for us.
    let Some(files) = getrlimit(Resource::Nofile).current else { return Vec::new() };
    let wanted = (config.limits.connections_total_max as u64).saturating_add(OTHER_FILES);
    if files >= wanted {
        return vec![Finding::new("system", Outcome::Ok, format!("{files} files may be open at a time"))];
    }
    let clients = files.saturating_sub(OTHER_FILES);
    let message = format!(
        "{files} files may be open at a time, enough for {clients} clients; limits.connections_total_max allows {}: \
         raise the limit (systemd: LimitNOFILE={wanted}, shell: ulimit -n {wanted}) or lower the setting",
        config.limits.connections_total_max
    );
    vec![Finding::new("system", Outcome::Warning, message)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_held_or_ours() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::default();
        config.http.listen.clear();
        config.http.tls_listen.clear();
        config.c2s.listen = vec![held.local_addr().unwrap()];
        config.c2s.tls_listen = vec!["127.0.0.1:0".parse().unwrap()];
        let outcomes = |running| ports(&config, running).iter().map(|finding| finding.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes(false), [Outcome::Error, Outcome::Ok]);
        assert_eq!(outcomes(true), [Outcome::Ok, Outcome::Warning]);
    }

    #[test]
    fn a_machine_without_ipv6_is_no_error() {
        let refused = |kind: ErrorKind, address: &str| port(address.parse().unwrap(), Err(kind.into()), false).outcome;
        assert_eq!(refused(ErrorKind::AddrNotAvailable, "[::1]:5222"), Outcome::Warning);
        assert_eq!(refused(ErrorKind::AddrNotAvailable, "[2001:db8::1]:5222"), Outcome::Error);
        assert_eq!(refused(ErrorKind::AddrNotAvailable, "192.0.2.1:5222"), Outcome::Error);
        assert_eq!(refused(ErrorKind::PermissionDenied, "0.0.0.0:443"), Outcome::Error);
    }

    #[test]
    fn the_data_directory_is_judged() {
        let directory = std::env::temp_dir().join(format!("magpie-disk-{}", std::process::id()));
        let mut config = Config { data_dir: directory.join("deeper/data"), ..Config::default() };
        fs::create_dir_all(&directory).unwrap();
        assert!(disk(&config).iter().all(|finding| !finding.message.contains("open to every user")));
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        config.data_dir = directory.clone();
        assert!(disk(&config)[0].message.contains("chmod o-rwx"));
        fs::write(directory.join("file"), "").unwrap();
        config.data_dir = directory.join("file");
        assert_eq!(disk(&config)[0].outcome, Outcome::Error);
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(
            [63, 64, 1023, 1024].map(judge_free),
            [Outcome::Error, Outcome::Warning, Outcome::Warning, Outcome::Ok]
        );
    }
}
