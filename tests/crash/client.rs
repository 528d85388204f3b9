//! A client that reads to the end: whatever the server gave to the socket is seen.

use crate::{DOMAIN, PASSWORD};
use base64::Engine;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

const RECEIVE_BYTES: u32 = 4 << 20;

/// A connection in the clear.
pub(crate) struct Client {
    socket: TcpStream,
    input: Splitter,
    pings: u64,
}

/// The stream is over; what came before has been read.
#[derive(Debug)]
pub(crate) struct Over;

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Over> {
        let socket = TcpSocket::new_v4()?;
        // Room for all the server writes: what waits on its side for us to read is thrown away by its kernel when we write
        // to a process that was killed, or had written what it never read.
        socket.set_recv_buffer_size(RECEIVE_BYTES)?;
        let socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, input: Splitter::default(), pings: 0 })
    }

    /// Opens a stream and waits for its features.
    pub(crate) async fn open(&mut self) -> Result<(), Over> {
        self.input = Splitter::default();
        let header = format!(
            "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        );
        self.write(&header).await?;
        self.until("<stream:features").await?;
        Ok(())
    }

    /// XEP-0077 §3.1.
    pub(crate) async fn register(&mut self, name: &str) -> Result<(), Over> {
        let request = format!(
            "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{name}</username>\
             <password>{PASSWORD}</password></query></iq>"
        );
        self.write(&request).await?;
        let answer = self.until("<iq").await?;
        assert!(attribute(&answer, "type") == Some("result"), "registration of {name}: {answer}");
        Ok(())
    }

    /// PLAIN and resource binding; no presence yet.
    pub(crate) async fn login(address: SocketAddr, name: &str, resource: &str) -> Result<Self, Over> {
        let mut client = Self::authenticated(address, name).await?;
        client.bind(resource).await?;
        Ok(client)
    }

    /// PLAIN, and the stream behind it.
    pub(crate) async fn authenticated(address: SocketAddr, name: &str) -> Result<Self, Over> {
        let mut client = Self::connect(address).await?;
        client.open().await?;
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("\0{name}\0{PASSWORD}"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>");
        client.write(&auth).await?;
        client.until("<success").await?;
        client.open().await?;
        Ok(client)
    }

    pub(crate) async fn bind(&mut self, resource: &str) -> Result<(), Over> {
        let bind = format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource>\
             </bind></iq>"
        );
        self.write(&bind).await?;
        let answer = self.until("<iq").await?;
        assert!(attribute(&answer, "type") == Some("result"), "{answer}");
        Ok(())
    }

    pub(crate) async fn write(&mut self, xml: &str) -> Result<(), Over> {
        Ok(self.socket.write_all(xml.as_bytes()).await?)
    }

    /// Sends a ping to the server; its `id`.
    pub(crate) async fn ping(&mut self) -> Result<String, Over> {
        self.pings += 1;
        let id = format!("ping{}", self.pings);
        self.write(&format!("<iq type='get' id='{id}' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")).await?;
        Ok(id)
    }

    /// The next element of the stream. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<String, Over> {
        loop {
            if let Some(element) = self.input.next() {
                return Ok(element);
            }
            let mut bytes = [0; 16 * 1024];
            let n = self.socket.read(&mut bytes).await?;
            if n == 0 {
                return Err(Over);
            }
            self.input.push(&bytes[..n]);
        }
    }

    /// The next element that begins like this; others before it are dropped.
    pub(crate) async fn until(&mut self, start: &str) -> Result<String, Over> {
        loop {
            let element = self.next().await?;
            if element.starts_with(start) {
                return Ok(element);
            }
        }
    }

    /// Everything that still comes until the server has closed the connection or is dead.
    pub(crate) async fn rest(mut self) -> impl Iterator<Item = String> {
        let mut all = Vec::new();
        while let Ok(element) = self.next().await {
            all.push(element);
        }
        all.into_iter()
    }

    /// Closes the stream (RFC 6120 §4.4) and reads to the end.
    pub(crate) async fn end_orderly(mut self) -> impl Iterator<Item = String> {
        // Nothing is written while something waits to be read: see `connect`.
        let mut all = Vec::new();
        while let Ok(Ok(element)) = timeout(Duration::ZERO, self.next()).await {
            all.push(element);
        }
        // A server that is dead has left something to read all the same.
        let _ = self.write("</stream:stream>").await;
        all.into_iter().chain(self.rest().await)
    }

    /// Ends our half of the connection without a word, and reads to the end.
    pub(crate) async fn end_abruptly(mut self) -> impl Iterator<Item = String> {
        let _ = self.socket.shutdown().await;
        self.rest().await
    }
}

/// The value of an attribute of the first tag.
pub(crate) fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let tag = &element[..element.find('>')?];
    let at = tag.find(&format!(" {name}="))? + name.len() + 2;
    let quote = tag[at..].chars().next()?;
    tag[at + 1..].split(quote).next()
}

/// Cuts a stream into the elements below its root. Knows no more XML than our server writes.
#[derive(Default)]
struct Splitter {
    bytes: Vec<u8>,
    /// Everything before was looked at.
    seen: usize,
    depth: usize,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let open = self.seen + self.bytes[self.seen..].iter().position(|&b| b == b'<')?;
            let close = tag_end(&self.bytes[open..])? + open;
            let tag = &self.bytes[open..=close];
            let (closing, empty) = (tag.starts_with(b"</"), tag.ends_with(b"/>"));
            self.seen = close + 1;
            if tag.starts_with(b"<?") || tag.starts_with(b"<stream:stream") || tag == b"</stream:stream>" {
                self.forget();
                continue;
            }
            match (closing, empty) {
                (true, _) => self.depth -= 1,
                (false, true) => {}
                (false, false) => self.depth += 1,
            }
            if self.depth == 0 {
                let element = String::from_utf8(self.bytes[..self.seen].to_vec()).expect("UTF-8");
                self.forget();
                return Some(element);
            }
        }
    }

    fn forget(&mut self) {
        self.bytes.drain(..self.seen);
        self.seen = 0;
    }
}

/// Where the tag that begins here ends: a `>` may stand in quotes.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut quote = None;
    bytes.iter().position(|&b| match quote {
        Some(q) => {
            if b == q {
                quote = None;
            }
            false
        }
        None => {
            if b == b'"' || b == b'\'' {
                quote = Some(b);
            }
            b == b'>'
        }
    })
}
