//! A client of HTTP/1.1 that knows nothing but how long an answer is.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::transport::{TlsOptions, Transport};
use crate::support::{DOMAIN, TestServer};

/// Ends a test that fails; no test waits for it.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Http {
    pub(crate) transport: Transport,
    seen: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header that is there at most once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let first = found.next();
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        first.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self { transport: Transport::connect(address, DEADLINE), seen: Vec::new() }
    }

    /// To the listener in the clear.
    pub(crate) fn plain(server: &TestServer) -> Self {
        Self::connect(server.http_addr())
    }

    /// To the HTTPS listener, with these protocols offered.
    pub(crate) fn tls(server: &TestServer, alpn: &[&[u8]]) -> Self {
        let address = server.server().core().site.listening().unwrap().https[0];
        let mut http = Self::connect(address);
        let options = TlsOptions { alpn: alpn.iter().map(|p| p.to_vec()).collect(), ..TlsOptions::new(DOMAIN) };
        http.transport.start_tls(&options).unwrap();
        http
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.transport.write(bytes.as_ref()).unwrap();
    }

    /// The same to a server that may have hung up.
    pub(crate) fn send_if_open(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.transport.write(bytes.as_ref());
    }

    /// Reads more; `false` at the end.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        let n = self.transport.read(&mut bytes).unwrap();
        self.seen.extend_from_slice(&bytes[..n]);
        n > 0
    }

    /// The first bytes of what comes next.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.seen.len() < count {
            assert!(self.more(), "the connection ended: {:?}", String::from_utf8_lossy(&self.seen));
        }
        self.seen.drain(..count).collect()
    }

    /// The next answer. `has_body`: not to HEAD.
    #[track_caller]
    fn read(&mut self, has_body: bool) -> Answer {
        let end = loop {
            if let Some(at) = self.seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(self.more(), "the connection ended: {:?}", String::from_utf8_lossy(&self.seen));
        };
        let head = String::from_utf8(self.take(end + 4)).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let headers: Vec<_> =
            lines.map(|line| line.split_once(": ").map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap()).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        if has_body && !matches!(status, 204 | 304) {
            answer.body = self.take(length);
        }
        answer
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.read(true)
    }

    /// Sends a request without a body. `lines` are further header lines.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, path: &str, lines: &[&str]) -> Answer {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n{lines}\r\n"));
        self.read(method != "HEAD")
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// Everything until the end.
    pub(crate) fn text_to_end(&mut self) -> String {
        while self.more() {}
        String::from_utf8(std::mem::take(&mut self.seen)).unwrap()
    }

    /// Nothing but the end comes.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        while self.more() {}
        assert!(self.seen.is_empty(), "{:?}", String::from_utf8_lossy(&self.seen));
    }
}
