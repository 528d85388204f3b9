//! The socket by which `magpie` commands reach the running server: `magpie.sock` in the data directory.
//!
//! Only its owner and root get through, by the mode of the directory and of the file and by the credentials the kernel
//! reports. What is said is in `admin::protocol`.

use crate::admin::Admin;
use crate::admin::protocol::{Failure, FailureKind, Request, Response};
use rustix::process::geteuid;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// How long the answer to a `stop` may take to reach its command.
const FAREWELL: Duration = Duration::from_secs(1);
/// After an `accept` that failed, as when no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);

/// The open socket.
pub struct Control {
    path: PathBuf,
    tasks: TaskTracker,
}

impl Control {
    /// Opens the socket. The caller holds the lock of the directory: a file that is there is left over from a server that
    /// was killed.
    pub fn open(path: PathBuf, admin: Arc<Admin>, stopping: watch::Receiver<bool>) -> io::Result<Self> {
        remove_if_there(&path)?;
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let tasks = TaskTracker::new();
        tasks.spawn(accept(listener, admin, stopping, tasks.clone()));
        Ok(Self { path, tasks })
    }

    /// Removes the file, as long as the directory is ours.
    pub fn remove(&self) {
        if let Err(error) = remove_if_there(&self.path) {
            tracing::warn!(%error, "control socket not removed");
        }
    }

    /// Waits a moment for the last answers.
    pub async fn finished(self) {
        self.tasks.close();
        let _ = tokio::time::timeout(FAREWELL, self.tasks.wait()).await;
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn accept(listener: UnixListener, admin: Arc<Admin>, mut stopping: watch::Receiver<bool>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|s| *s) => return,
        };
        match accepted {
            Ok((stream, _)) => drop(tasks.spawn(serve(stream, admin.clone(), stopping.clone(), tasks.clone()))),
            Err(error) => {
                tracing::warn!(%error, "control connection not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers one request after the other.
async fn serve(stream: UnixStream, admin: Arc<Admin>, mut stopping: watch::Receiver<bool>, tasks: TaskTracker) {
    let credentials = stream.peer_cred();
    let mut stream = BufReader::new(stream);
    let (connections_max, bytes_max) = {
        let limits = &admin.core().config().limits;
        (limits.admin_connections_max, limits.admin_request_bytes_max)
    };
    // One of the tasks accepts.
    if let Err(failure) = admit(credentials, tasks.len() - 1, connections_max) {
        let _ = answer(&mut stream, &Response::Failed(failure)).await;
        return;
    }
    loop {
        let line = tokio::select! {
            line = read_line(&mut stream, bytes_max) => line,
            _ = stopping.wait_for(|s| *s) => return,
        };
        let response = match line {
            Ok(Some(line)) => respond(&admin, &line).await,
            Ok(None) => return,
            Err(error) => {
                let _ = answer(&mut stream, &refused(error.to_string())).await;
                return;
            }
        };
        if answer(&mut stream, &response).await.is_err() {
            return;
        }
    }
}

fn admit(credentials: io::Result<UCred>, connections: usize, connections_max: usize) -> Result<(), Failure> {
    let failed = |message: String| Failure::new(FailureKind::Failed, message);
    let ours = geteuid().as_raw();
    match credentials {
        Ok(peer) if peer.uid() == ours || peer.uid() == 0 => {}
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "another user's command refused");
            return Err(failed(format!("this server belongs to the user with id {ours}")));
        }
        Err(error) => return Err(failed(format!("who asks is not known: {error}"))),
    }
    if connections > connections_max {
        let message = format!("{connections_max} commands are at work already (limits.admin_connections_max)");
        return Err(Failure::new(FailureKind::Limit, message));
    }
    Ok(())
}

async fn respond(admin: &Admin, line: &[u8]) -> Response {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        // Where, but not what: a password may stand there.
        Err(error) => return refused(format!("not a request: column {}", error.column())),
    };
    let (name, changes) = (request.name(), request.changes());
    let subject = request.subject().map(str::to_owned);
    let response = Response::from(Box::pin(admin.handle(request)).await);
    match &response {
        Response::Done(_) if changes => tracing::info!(command = name, subject, "administration"),
        Response::Done(_) => tracing::debug!(command = name, subject, "administration"),
        Response::Failed(f) => tracing::info!(command = name, subject, reason = ?f.kind, "administration refused"),
    }
    response
}

fn refused(message: String) -> Response {
    Response::Failed(Failure::new(FailureKind::BadRequest, message))
}

async fn answer(stream: &mut BufReader<UnixStream>, response: &Response) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

/// A line without its end; `None` at the end of the input.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin), bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let available = stream.fill_buf().await?;
        if available.is_empty() {
            return Ok(None);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(available.len());
        if line.len() + taken > bytes_max {
            let message = "the request is larger than limits.admin_request_bytes_max";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        line.extend_from_slice(&available[..taken]);
        stream.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_within_their_bounds() {
        let mut input: &[u8] = b"one\n\ntwo";
        assert_eq!(read_line(&mut input, 3).await.unwrap(), Some(b"one".to_vec()));
        assert_eq!(read_line(&mut input, 3).await.unwrap(), Some(Vec::new()));
        // Cut off in the middle: not a request.
        assert_eq!(read_line(&mut input, 3).await.unwrap(), None);
        let mut input: &[u8] = b"four\n";
        assert_eq!(read_line(&mut input, 3).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
