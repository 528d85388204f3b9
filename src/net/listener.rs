//! Listening TCP sockets. Accepting never ends: when the process has run out of something it waits, says so, goes on.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::Instant,
};

use super::addr::canonical;

/// Connections the kernel keeps for us between two accepts: a whole office reconnecting after a restart.
const BACKLOG: u32 = 1024;
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A server out of file descriptors fails many times a second; the log needs it once in a while.
const LOG_PERIOD: Duration = Duration::from_secs(60);

/// An address on which we cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}")]
pub struct BindError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
    backoff: Mutex<Backoff>,
}

impl Listener {
    /// Listens on one address; port 0 takes a free one. To be called inside a tokio runtime.
    ///
    /// `[::]` also takes IPv4, as is the default of Linux. On a host without IPv6 it means `0.0.0.0`.
    pub fn bind(addr: SocketAddr) -> Result<Self, BindError> {
        let socket = match listen(addr) {
            Err(error) if addr.ip() == Ipv6Addr::UNSPECIFIED && has_no_ipv6(&error) => {
                tracing::warn!(%addr, "no IPv6 on this host, listening on IPv4 only");
                listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), addr.port()))
            }
            other => other,
        };
        socket
            .and_then(|socket| Ok(Self { local: socket.local_addr()?, socket, backoff: Mutex::default() }))
            .map_err(|source| BindError { addr, source })
    }

    /// Listens on all of them, or on none. `0.0.0.0` next to `[::]` of the same port is taken as said by the latter.
    pub fn bind_all(addrs: &[SocketAddr]) -> Result<Vec<Self>, BindError> {
        let mut ordered = addrs.to_vec();
        // `[::]` first, so that it is the IPv4 socket which finds its port in use.
        ordered.sort_by_key(SocketAddr::is_ipv4);
        ordered.dedup();
        let mut listeners: Vec<Self> = Vec::with_capacity(ordered.len());
        for addr in ordered {
            match Self::bind(addr) {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.source.kind() == io::ErrorKind::AddrInUse && covered(addr, &listeners) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listeners)
    }

    /// Where this listens, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next connection and the address of its peer, IPv4 in IPv4 form. Cancel-safe.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            let error = match self.socket.accept().await {
                Ok((stream, peer)) => {
                    self.backoff().succeeded();
                    // Only fails on a socket that is gone already; the first read will tell.
                    let _ = stream.set_nodelay(true);
                    return (stream, canonical(peer));
                }
                Err(error) if concerns_one_connection(&error) => continue,
                Err(error) => error,
            };
            let (pause, log) = self.backoff().failed(Instant::now());
            if log {
                tracing::error!(local = %self.local, %error, "cannot accept connections");
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn backoff(&self) -> std::sync::MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

fn covered(addr: SocketAddr, listeners: &[Listener]) -> bool {
    addr.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        && listeners.iter().any(|l| l.local.port() == addr.port() && l.local.ip().is_unspecified())
}

/// The peer was gone before we came, or the network told about it: the next accept may well succeed. (`accept(2)`
/// lists these under "error handling"; all of them have been taken off the queue.)
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}

/// How long to wait after a failed accept, and whether to talk about it.
#[derive(Debug, Default)]
struct Backoff {
    pause: Option<Duration>,
    logged: Option<Instant>,
}

impl Backoff {
    fn failed(&mut self, now: Instant) -> (Duration, bool) {
        let pause = self.pause.map_or(PAUSE_MIN, |last| (last * 2).min(PAUSE_MAX));
        self.pause = Some(pause);
        let log = self.logged.is_none_or(|logged| now.duration_since(logged) >= LOG_PERIOD);
        if log {
            self.logged = Some(now);
        }
        (pause, log)
    }

    /// The log period goes on: failing and succeeding in turn is the usual picture with few descriptors left.
    fn succeeded(&mut self) {
        self.pause = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn connections_are_accepted_with_their_peer() {
        let listener = Listener::bind(addr("127.0.0.1:0")).unwrap();
        let client = TcpStream::connect(listener.local_addr()).await.unwrap();
        let (stream, peer) = listener.accept().await;
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn the_ipv6_wildcard_takes_ipv4_and_says_so_in_ipv4_form() {
        let listener = Listener::bind(addr("[::]:0")).unwrap();
        let target = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listener.local_addr().port());
        let _client = TcpStream::connect(target).await.unwrap();
        let (_stream, peer) = listener.accept().await;
        assert_eq!(peer.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    }

    #[tokio::test]
    async fn both_wildcards_of_a_port_are_no_conflict() {
        let wildcards = |port| [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()];
        let free_port = || Listener::bind(addr("[::]:0")).unwrap().local_addr().port();
        // Another test may take the port between the two calls, but not always.
        let bind = |_| Listener::bind_all(&wildcards(free_port())).ok();
        let listeners = (0..10).find_map(bind).unwrap();
        let port = listeners[0].local_addr().port();
        let target = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        assert!(TcpStream::connect(target).await.is_ok());
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error_that_names_it() {
        let first = Listener::bind(addr("127.0.0.1:0")).unwrap();
        let error = Listener::bind(first.local_addr()).unwrap_err();
        assert!(error.to_string().contains(&first.local_addr().to_string()), "{error}");
        assert!(Listener::bind_all(&[addr("127.0.0.1:0"), first.local_addr()]).is_err());
    }

    #[test]
    fn failing_accepts_wait_longer_and_longer_and_log_once_per_period() {
        let mut backoff = Backoff::default();
        let start = Instant::now();
        assert_eq!(backoff.failed(start), (PAUSE_MIN, true));
        assert_eq!(backoff.failed(start), (PAUSE_MIN * 2, false));
        for _ in 0..20 {
            backoff.failed(start);
        }
        assert_eq!(backoff.failed(start), (PAUSE_MAX, false));
        backoff.succeeded();
        assert_eq!(backoff.failed(start + LOG_PERIOD), (PAUSE_MIN, true));
    }

    #[test]
    fn only_errors_of_one_connection_are_passed_over() {
        let errno = |errno: rustix::io::Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(concerns_one_connection(&errno(rustix::io::Errno::CONNABORTED)));
        assert!(!concerns_one_connection(&errno(rustix::io::Errno::MFILE)));
        assert!(!concerns_one_connection(&errno(rustix::io::Errno::NFILE)));
        assert!(!concerns_one_connection(&errno(rustix::io::Errno::NOMEM)));
    }
}
