//! Whom a command talks to: the running server over its socket, or the data of one that does not run.

use super::start_error;
use crate::admin::protocol::{Failure, FailureKind, Reply, Request, Response};
use crate::config::Config;
use crate::server::{Server, Standalone, StartError};
use crate::storage::LockError;
use rustix::process::geteuid;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// Who does what is asked.
pub(super) enum Link {
    /// A running server.
    Running(BufReader<UnixStream>),
    /// Nobody but us.
    Standalone(Box<Standalone>),
}

impl Link {
    /// Finds the server; without one, opens its data if the request can do with that.
    pub(super) async fn open(config: &Config, first: &Request) -> Result<Self, Failure> {
        let path = config.control_socket_path();
        match UnixStream::connect(&path).await {
            Ok(stream) => return Ok(Self::Running(BufReader::new(stream))),
            // No file, or one that a killed server left; a path too long for a socket has no server either.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
            Err(e) if e.kind() == ErrorKind::InvalidInput => {}
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                let message = format!("{}: {e}\n  only the server's own user and root may ask it", path.display());
                return Err(Failure::new(FailureKind::Failed, message));
            }
            Err(e) => return Err(Failure::new(FailureKind::Failed, format!("{}: {e}", path.display()))),
        }
        if first.needs_running() {
            return Err(not_running(&path));
        }
        check_directory(config, first)?;
        match Server::offline(config.clone()).await {
            Ok(standalone) => Ok(Self::Standalone(Box::new(standalone))),
            Err(StartError::DataDir(dir, LockError::Held { pid })) => {
                let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                let dir = dir.display();
                let message = format!("{who} uses {dir} and does not answer: it starts, stops or works; try again");
                Err(Failure::new(FailureKind::Failed, message))
            }
            Err(error) => Err(Failure::new(FailureKind::Failed, start_error::explain(&error, config))),
        }
    }

    /// Is it a running server?
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Asks, and waits for the answer.
    pub(super) async fn call(&mut self, request: Request) -> Result<Reply, Failure> {
        match self {
            Self::Standalone(standalone) => Box::pin(standalone.admin().handle(request)).await,
            Self::Running(stream) => {
                let gone = |e: io::Error| Failure::new(FailureKind::Failed, format!("the server did not answer: {e}"));
                match exchange(stream, &request).await.map_err(gone)? {
                    Response::Done(reply) => Ok(reply),
                    Response::Failed(failure) => Err(failure),
                }
            }
        }
    }

    /// Writes what is queued.
    pub(super) async fn close(self) -> Result<(), Failure> {
        match self {
            Self::Running(_) => Ok(()),
            Self::Standalone(standalone) => Ok(standalone.close().await?),
        }
    }
}

async fn exchange(stream: &mut BufReader<UnixStream>, request: &Request) -> io::Result<Response> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // A server that refuses the connection answers without reading.
    let written = stream.write_all(&line).await;
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        written?;
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection"));
    }
    Ok(serde_json::from_str(&line)?)
}

fn not_running(socket: &Path) -> Failure {
    let message = format!(
        "no server is running here: nobody answers at {}\n  start it with `magpie`; if it runs with other settings, name \
         them with --config or --data-dir",
        absolute(socket)
    );
    Failure::new(FailureKind::NotRunning, message)
}

/// Whoever reads it may wonder which directory this is about.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).as_deref().unwrap_or(path).display().to_string()
}

/// What would go wrong later, or make a database where nobody wanted one.
fn check_directory(config: &Config, first: &Request) -> Result<(), Failure> {
    let database = config.database_path();
    if !first.may_begin() && !database.exists() {
        let message = format!(
            "there is no database at {}\n  if it is elsewhere, name its directory with --data-dir or its settings with \
             --config",
            absolute(&database)
        );
        return Err(Failure::new(FailureKind::NotFound, message));
    }
    let ours = geteuid().as_raw();
    match std::fs::metadata(&config.data_dir) {
        // Files of ours among those of the server's user would stop it at its next start.
        Ok(data) if data.uid() != ours => {
            let message = format!(
                "{} belongs to the user with id {}: run this as that user (sudo -u '#{}' magpie ...)",
                config.data_dir.display(),
                data.uid(),
                data.uid()
            );
            Err(Failure::new(FailureKind::Failed, message))
        }
        _ => Ok(()),
    }
}
