//! XMPP over WebSocket as a client does it (RFC 7395), down to literal frames (RFC 6455). With it the same `Client` speaks
//! both: what it sends is one message, and each message it receives must stand alone.

use super::client::Client;
use super::server::TestServer;
use super::transport::TlsOptions;
use super::xml::{self, Event, Scope};

pub(crate) const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// What has come and is not looked at yet, and what is no message.
#[derive(Default)]
pub(crate) struct Frames {
    seen: Vec<u8>,
    /// Pings and pongs: the first byte and the payload.
    pub(crate) controls: Vec<(u8, Vec<u8>)>,
    /// The server's close frame.
    pub(crate) close: Option<Vec<u8>>,
    has_closed: bool,
}

impl Frames {
    /// A complete frame of the server's, which must be as short as it can be and not masked (§5.1, §5.2).
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, &second) = (self.seen.first()?, self.seen.get(1)?);
        assert_eq!(second & 0x80, 0, "servers do not mask");
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        let (head, length) = match second {
            126 => (4, number(self.seen.get(2..4)?)),
            127 => (10, number(self.seen.get(2..10)?)),
            length => (2, usize::from(length)),
        };
        assert!(head == 2 || length > if head == 4 { 125 } else { 65_535 }, "a longer header than it needs");
        let frame = self.seen.get(head..head + length)?.to_vec();
        self.seen.drain(..head + length);
        Some((first, frame))
    }
}

/// A frame as a client sends it; `first` has the final bit, the reserved bits and the opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// A request of RFC 6455 §1.3 with these lines in place of its own or more.
pub(crate) fn handshake(domain: &str, lines: &[&str]) -> String {
    let own = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: xmpp",
        "Sec-WebSocket-Version: 13",
    ];
    let name = |line: &str| line.split(':').next().unwrap().to_owned();
    let kept = own.iter().filter(|line| !lines.iter().any(|other| name(other) == name(line)));
    let all: String = kept.chain(lines).filter(|line| !line.ends_with(':')).map(|l| format!("{l}\r\n")).collect();
    format!("GET /xmpp-websocket HTTP/1.1\r\nHost: {domain}\r\n{all}\r\n")
}

pub(crate) fn open_element(domain: &str) -> String {
    format!("<open xmlns='{FRAMING}' to='{domain}' version='1.0'/>")
}

impl TestServer {
    /// A WebSocket in the clear, nothing said yet.
    #[track_caller]
    pub(crate) fn websocket(&self) -> Client {
        self.websocket_with(&[])
    }

    /// The same with these lines in the request.
    #[track_caller]
    pub(crate) fn websocket_with(&self, lines: &[&str]) -> Client {
        let mut client = self.connect_to(self.http_addr());
        client.upgrade(lines);
        client
    }

    /// A WebSocket over HTTPS.
    #[track_caller]
    pub(crate) fn websocket_tls(&self) -> Client {
        let address = self.server().core().site.listening().expect("the server listens").https[0];
        let mut client = self.connect_to(address);
        client.handshake(&TlsOptions { alpn: vec![b"http/1.1".to_vec()], ..TlsOptions::new(self.domain()) });
        client.upgrade(&[]);
        client
    }

    /// A bound session over WebSocket in the clear. No presence was sent.
    #[track_caller]
    pub(crate) fn login_by_websocket(&self, user: &str, resource: &str) -> Client {
        let mut client = self.authenticated_by_websocket(user);
        client.bind(resource);
        client
    }

    /// The same before a resource is bound.
    #[track_caller]
    pub(crate) fn authenticated_by_websocket(&self, user: &str) -> Client {
        let mut client = self.websocket();
        client.open_to_features();
        client.authenticate("SCRAM-SHA-256", user, "secret");
        client.open_to_features();
        client
    }
}

impl Client {
    #[track_caller]
    fn upgrade(&mut self, lines: &[&str]) {
        let request = handshake(&self.domain.clone(), lines);
        self.transport.write(request.as_bytes()).expect("a request");
        let mut seen = Vec::new();
        let end = loop {
            if let Some(at) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 1024];
            let n = self.transport.read(&mut chunk).expect("an answer");
            assert!(n > 0, "the connection ended: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..n]);
        };
        let head = String::from_utf8_lossy(&seen[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        self.frames = Some(Frames { seen: seen.split_off(end), ..Frames::default() });
    }

    fn frames(&mut self) -> &mut Frames {
        self.frames.as_mut().expect("a WebSocket")
    }

    /// Sends frames, or whatever it is.
    #[track_caller]
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.transport.write(bytes).unwrap_or_else(|e| self.fail(&format!("write: {e}")));
    }

    /// Sends a close frame.
    pub(crate) fn send_close_frame(&mut self, payload: &[u8]) {
        self.frames().has_closed = true;
        // It may be an answer to somebody who has gone.
        let _ = self.transport.write(&frame(CLOSE, payload));
    }

    /// What comes next: an element, the end of the stream; after the close frame, which is answered, the end of everything.
    #[track_caller]
    pub(crate) fn next_message(&mut self) -> Option<Event> {
        loop {
            while let Some((first, payload)) = self.frames().next() {
                match first {
                    TEXT => {
                        let text = String::from_utf8(payload).expect("UTF-8");
                        self.note('<', &text);
                        return Some(self.read_message(&text));
                    }
                    CLOSE => {
                        self.note('<', &format!("(close {payload:?})"));
                        if !self.frames().has_closed {
                            self.send_close_frame(&payload);
                        }
                        self.frames().close = Some(payload);
                    }
                    PING | PONG => self.frames().controls.push((first, payload)),
                    _ => self.fail(&format!("a frame that begins with {first:#x}")),
                }
            }
            let mut chunk = [0; 16 * 1024];
            match self.transport.read(&mut chunk) {
                Ok(0) => {
                    let rest = self.frames().seen.len();
                    assert!(rest == 0 || self.may_be_cut, "the connection ended within a frame");
                    return None;
                }
                Ok(n) => self.frames().seen.extend_from_slice(&chunk[..n]),
                Err(e) => self.fail(&format!("read: {e}")),
            }
        }
    }

    /// The next frame, which must be a ping or a pong.
    #[track_caller]
    pub(crate) fn next_control(&mut self) -> (u8, Vec<u8>) {
        loop {
            match self.frames().next() {
                Some((first @ (PING | PONG), payload)) => return (first, payload),
                Some((first, payload)) => {
                    self.fail(&format!("a frame {first:#x} {}", String::from_utf8_lossy(&payload)))
                }
                None => {}
            }
            let mut chunk = [0; 1024];
            let n = self.transport.read(&mut chunk).unwrap_or_else(|e| self.fail(&format!("read: {e}")));
            assert!(n > 0, "the connection ended");
            self.frames().seen.extend_from_slice(&chunk[..n]);
        }
    }

    /// RFC 7395 §3.3.3: nothing is inherited.
    #[track_caller]
    fn read_message(&mut self, text: &str) -> Event {
        let el =
            xml::parse(text, &Scope::new()).unwrap_or_else(|e| self.fail(&format!("a message that is bad XML: {e}")));
        if el.is("open", FRAMING) {
            self.header = Some(el.clone());
            return Event::Header(el);
        }
        if el.is("close", FRAMING) && el.attr("see-other-uri").is_none() { Event::Close } else { Event::Element(el) }
    }

    /// The code of the server's close frame, once everything has ended.
    #[track_caller]
    pub(crate) fn close_code(&mut self) -> u16 {
        match self.frames.as_ref().and_then(|frames| frames.close.as_deref()) {
            Some([high, low, ..]) => u16::from_be_bytes([*high, *low]),
            other => self.fail(&format!("wanted a close frame with a code, got {other:?}")),
        }
    }
}
