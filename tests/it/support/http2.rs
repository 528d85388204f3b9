//! One stream of HTTP/2 that carries bytes both ways (RFC 8441), by literal frames.

use std::io;

use super::client::Client;
use super::server::TestServer;
use super::transport::{TlsOptions, Transport};
use super::websocket::Frames;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The one there is.
const STREAM: u32 = 1;
/// Nothing in a test is longer.
const WINDOW: u32 = 0x3fff_ffff;
/// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3).
const ENABLE_CONNECT_PROTOCOL: [u8; 6] = [0, 8, 0, 0, 0, 1];

pub(crate) struct Stream {
    pub(crate) transport: Transport,
    /// What has come, in frames.
    seen: Vec<u8>,
    /// What it carried and nobody has read.
    unread: Vec<u8>,
    has_ended: bool,
}

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// RFC 7541 §6.2.2: a field with a name of its own, or one of the static table.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

impl Stream {
    /// Sends a request, and gives the status of its answer: as its first byte (RFC 7541, appendix A).
    pub(crate) fn request(transport: Transport, fields: &[(&str, &str)]) -> (Self, u8) {
        let mut this = Self { transport, seen: Vec::new(), unread: Vec::new(), has_ended: false };
        // SETTINGS_INITIAL_WINDOW_SIZE, and the same for the connection.
        let settings = frame(SETTINGS, 0, 0, &[&[0, 4][..], &WINDOW.to_be_bytes()].concat());
        let window = frame(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        this.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &window].concat());
        // A client waits until it knows that it may.
        let (kind, _, settings) = this.next();
        assert_eq!(kind, SETTINGS);
        assert!(settings.chunks(6).any(|one| one == ENABLE_CONNECT_PROTOCOL), "{settings:?}");
        // The windows in there are good from then on (RFC 9113 §6.5.3).
        this.send(&frame(SETTINGS, ACK, 0, &[]));
        let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
        this.send(&frame(HEADERS, END_HEADERS, STREAM, &block));
        loop {
            if let (HEADERS, flags, payload) = this.next() {
                this.has_ended = flags & END_STREAM != 0;
                // Behind a new size of the table.
                return (this, payload.into_iter().find(|byte| byte & 0xe0 != 0x20).unwrap());
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.transport.write(bytes).unwrap();
    }

    /// The next frame: its kind, flags and payload.
    fn next(&mut self) -> (u8, u8, Vec<u8>) {
        self.poll().unwrap().expect("a frame")
    }

    /// `None`: the connection has ended.
    fn poll(&mut self) -> io::Result<Option<(u8, u8, Vec<u8>)>> {
        loop {
            if let Some(head) = self.seen.first_chunk::<9>() {
                let (length, kind, flags) = (u32::from_be_bytes([0, head[0], head[1], head[2]]), head[3], head[4]);
                let end = 9 + length as usize;
                if self.seen.len() >= end {
                    let payload = self.seen[9..end].to_vec();
                    self.seen.drain(..end);
                    return Ok(Some((kind, flags, payload)));
                }
            }
            let mut chunk = [0; 16 * 1024];
            let n = self.transport.read(&mut chunk)?;
            if n == 0 {
                return Ok(None);
            }
            self.seen.extend_from_slice(&chunk[..n]);
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(16 * 1024).try_for_each(|chunk| self.transport.write(&frame(DATA, 0, STREAM, chunk)))
    }

    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() && !self.has_ended {
            match self.poll()? {
                Some((DATA, flags, payload)) => {
                    self.unread.extend(payload);
                    self.has_ended = flags & END_STREAM != 0;
                }
                None | Some((RST_STREAM, ..)) => self.has_ended = true,
                // GOAWAY, too: streams that are there go on (RFC 9113 §6.8).
                Some(_) => {}
            }
        }
        let n = buf.len().min(self.unread.len());
        buf[..n].copy_from_slice(&self.unread[..n]);
        self.unread.drain(..n);
        Ok(n)
    }
}

/// What opens a WebSocket (RFC 8441 §5); these in place of its own or more, and none that is empty.
pub(crate) fn connect<'a>(domain: &'a str, other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let own = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/xmpp-websocket"),
        (":authority", domain),
        ("sec-websocket-protocol", "xmpp"),
        ("sec-websocket-version", "13"),
    ];
    let is_other = |name: &str| other.iter().any(|(known, _)| *known == name);
    let own = own.into_iter().filter(|(name, _)| !is_other(name));
    // Pseudo-headers first (RFC 9113 §8.3).
    let mut all: Vec<_> = own.chain(other.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
    all.sort_by_key(|(name, _)| !name.starts_with(':'));
    all
}

impl TestServer {
    /// A WebSocket in a stream of HTTP/2, over TLS.
    #[track_caller]
    pub(crate) fn websocket_by_http2(&self) -> Client {
        let address = self.server().core().site.listening().expect("the server listens").https[0];
        let mut client = self.connect_to(address);
        client.handshake(&TlsOptions { alpn: vec![b"h2".to_vec()], ..TlsOptions::new(self.domain()) });
        let transport = std::mem::replace(&mut client.transport, Transport::Gone);
        let (stream, status) = Stream::request(transport, &connect(self.domain(), &[]));
        const STATUS_200: u8 = 0x88;
        assert_eq!(status, STATUS_200);
        client.transport = Transport::Stream(Box::new(stream));
        client.frames = Some(Frames::default());
        client
    }
}
