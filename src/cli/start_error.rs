//! Why a server did not start, and what to do about it.

use crate::config::Config;
use crate::server::StartError;
use crate::storage::{self, LockError};
use std::fmt::Write as _;
use std::io::ErrorKind;

/// The cause in one line; on further lines what helps.
pub(super) fn explain(error: &StartError, config: &Config) -> String {
    let mut text = error.to_string();
    if let Some(help) = help(error, config) {
        // A `String` takes everything.
        let _ = write!(text, "\n  {help}");
    }
    text
}

fn help(error: &StartError, config: &Config) -> Option<String> {
    let data_dir = config.data_dir.display();
    Some(match error {
        StartError::DataDir(_, LockError::Held { .. }) => {
            "a server runs there, or a command is at work: `magpie status` asks it, `magpie stop` stops it; for a second \
             server name another directory (data_dir, --data-dir)"
                .to_owned()
        }
        StartError::DataDir(_, LockError::Io(error)) if error.kind() == ErrorKind::PermissionDenied => {
            format!("run as the owner of {data_dir}, or name another directory (data_dir, --data-dir)")
        }
        StartError::Listen(error) => match error.source.kind() {
            ErrorKind::AddrInUse => {
                let port = error.addr.port();
                format!(
                    "another program has this port, perhaps another server: `ss -ltnp 'sport = :{port}'` shows which; \
                     other ports: --c2s-listen, --c2s-tls-listen, --http-listen, --http-tls-listen"
                )
            }
            ErrorKind::PermissionDenied => "ports below 1024 take root or CAP_NET_BIND_SERVICE".to_owned(),
            ErrorKind::AddrNotAvailable => "no network interface of this machine has this address".to_owned(),
            _ => return None,
        },
        StartError::Storage(_, storage::Error::Full) => format!("make room where {data_dir} lies"),
        StartError::Storage(_, storage::Error::Schema(_)) => {
            "it is of a newer version, or of another program: start the version it belongs to".to_owned()
        }
        StartError::Storage(_, storage::Error::Invalid(_)) => {
            "`magpie restore --replace FILE` puts a backup in its place".to_owned()
        }
        StartError::Certificate(_) => "`magpie check` looks at all certificates".to_owned(),
        StartError::Control(..) if config.control_socket_path().as_os_str().len() > SOCKET_PATH_BYTES_MAX => {
            "the path is too long for a socket: name a shorter data directory".to_owned()
        }
        _ => return None,
    })
}

/// `sun_path` of unix(7), without its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::listener::BindError;

    #[test]
    fn a_port_in_use_says_how_to_find_its_holder() {
        let source = ErrorKind::AddrInUse.into();
        let error = StartError::Listen(BindError { addr: "127.0.0.1:5222".parse().unwrap(), source });
        let text = explain(&error, &Config::default());
        assert!(text.starts_with("cannot listen on 127.0.0.1:5222: ") && text.contains("sport = :5222"), "{text}");
    }

    #[test]
    fn a_directory_in_use_names_the_process() {
        let error = StartError::DataDir("data".into(), LockError::Held { pid: Some(7) });
        let text = explain(&error, &Config::default());
        assert!(text.starts_with("data: the data directory is in use by process 7\n  "), "{text}");
    }
}
