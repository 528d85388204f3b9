//! The PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`), as spoken by load balancers we were told to
//! trust. Never offer it to others: who may send the header chooses his address.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::addr::{IpNet, canonical};

/// "The maximum line lengths the receiver must support including the CRLF" (§2.1).
const V1_BYTES_MAX: usize = 107;
const V1_START: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD_BYTES: usize = 16;
/// Addresses take 36 bytes at most; the rest are TLVs, which we skip (a balancer that ends TLS may put a name or two).
const V2_BODY_BYTES_MAX: usize = 2048;
const HEADER_BYTES_MAX: usize = V2_HEAD_BYTES + V2_BODY_BYTES_MAX;

/// What the header says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It is relayed for somebody.
    Proxied {
        /// Who connected to the proxy; IPv4 in IPv4 form.
        source: SocketAddr,
        /// Where.
        destination: SocketAddr,
    },
    /// It is the proxy's own (a health check), or for somebody it does not know: use the address of the socket.
    Local,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The stream starts with something else.
    #[error("no PROXY protocol header")]
    NotProxy,
    /// A header that breaks the rules.
    #[error("malformed PROXY protocol header: {0}")]
    Malformed(&'static str),
    /// A header longer than we take.
    #[error("PROXY protocol header too long")]
    TooLong,
    /// The stream ended before the header did.
    #[error("closed before the end of the PROXY protocol header")]
    Closed,
    /// Reading failed.
    #[error("cannot read the PROXY protocol header: {0}")]
    Io(#[from] io::Error),
}

/// Who it is that connects through this proxy; `None`: it does not say so in time, or not well.
pub async fn peer(stream: &mut TcpStream, proxy: SocketAddr, time_limit: Duration) -> Option<IpAddr> {
    match tokio::time::timeout(time_limit, read(stream)).await {
        Ok(Ok(Header::Proxied { source, .. })) => Some(source.ip()),
        Ok(Ok(Header::Local)) => Some(proxy.ip()),
        Ok(Err(error)) => {
            tracing::warn!(%proxy, %error, "no usable PROXY header from a trusted proxy");
            None
        }
        Err(_) => None,
    }
}

/// Whether this peer may send a header.
pub fn is_trusted(trusted: &[IpNet], peer: IpAddr) -> bool {
    trusted.iter().any(|network| network.contains(peer))
}

/// Reads the header and not one byte more, so the TLS or XML behind it stays in the socket. The time limit is the
/// caller's; after an error or when cancelled the stream is of no use.
pub async fn read(stream: &mut TcpStream) -> Result<Header, ProxyError> {
    let mut buf = vec![0; HEADER_BYTES_MAX];
    let mut have = 0;
    loop {
        // `parse` would have refused a header that does not fit.
        let seen = stream.peek(&mut buf[have..]).await?;
        if seen == 0 {
            return Err(ProxyError::Closed);
        }
        let parsed = parse(&buf[..have + seen])?;
        // Unfinished: all that was seen belongs to the header. Taking it lets the next `peek` wait for more.
        let end = parsed.map_or(have + seen, |(_, length)| length);
        stream.read_exact(&mut buf[have..end]).await?;
        have = end;
        if let Some((header, _)) = parsed {
            return Ok(header);
        }
    }
}

/// Parses a header at the start of `bytes`: what it says and its length, or `None` if more bytes are needed.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, ProxyError> {
    if starts(bytes, V2_SIGNATURE) {
        parse_v2(bytes)
    } else if starts(bytes, V1_START) {
        parse_v1(bytes)
    } else {
        Err(ProxyError::NotProxy)
    }
}

/// Whether `bytes` begins with `start`, as far as it goes.
fn starts(bytes: &[u8], start: &[u8]) -> bool {
    let common = bytes.len().min(start.len());
    bytes[..common] == start[..common]
}

fn parse_v1(bytes: &[u8]) -> Result<Option<(Header, usize)>, ProxyError> {
    let window = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if window.len() < V1_BYTES_MAX { Ok(None) } else { Err(ProxyError::TooLong) };
    };
    let line = window[..end].strip_suffix(b"\r").ok_or(ProxyError::Malformed("line feed without carriage return"))?;
    let line = str::from_utf8(line).map_err(|_| ProxyError::Malformed("not ASCII"))?;
    let mut words = line.split(' ').skip(1);
    let header = match words.next() {
        // "the receiver must ignore anything presented before the CRLF is found" (§2.1)
        Some("UNKNOWN") => Header::Local,
        Some("TCP4") => v1_addresses::<Ipv4Addr>(words)?,
        Some("TCP6") => v1_addresses::<Ipv6Addr>(words)?,
        _ => return Err(ProxyError::Malformed("unknown protocol")),
    };
    Ok(Some((header, end + 1)))
}

fn v1_addresses<'a, A>(mut words: impl Iterator<Item = &'a str>) -> Result<Header, ProxyError>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let mut next = || words.next().ok_or(ProxyError::Malformed("too few fields"));
    let [source, destination, source_port, destination_port] = [next()?, next()?, next()?, next()?];
    if words.next().is_some() {
        return Err(ProxyError::Malformed("too many fields"));
    }
    let address = |text: &str| text.parse::<A>().map_err(|_| ProxyError::Malformed("not an address of its family"));
    Ok(Header::Proxied {
        source: canonical(SocketAddr::new(address(source)?.into(), v1_port(source_port)?)),
        destination: canonical(SocketAddr::new(address(destination)?.into(), v1_port(destination_port)?)),
    })
}

fn v1_port(text: &str) -> Result<u16, ProxyError> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or(ProxyError::Malformed("not a port"))
}

fn parse_v2(bytes: &[u8]) -> Result<Option<(Header, usize)>, ProxyError> {
    let Some(head) = bytes.first_chunk::<V2_HEAD_BYTES>() else { return Ok(None) };
    let (version_command, family) = (head[12], head[13]);
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if version_command >> 4 != 2 {
        return Err(ProxyError::Malformed("unknown version"));
    }
    if length > V2_BODY_BYTES_MAX {
        return Err(ProxyError::TooLong);
    }
    let end = V2_HEAD_BYTES + length;
    let Some(body) = bytes.get(V2_HEAD_BYTES..end) else { return Ok(None) };
    let short = ProxyError::Malformed("too short for its addresses");
    let header = match (version_command & 0x0f, family) {
        (0, _) | (1, 0x00) => Header::Local,
        (1, 0x11) => v2_addresses::<4>(body).ok_or(short)?,
        (1, 0x21) => v2_addresses::<16>(body).ok_or(short)?,
        (1, _) => return Err(ProxyError::Malformed("neither TCP over IPv4 nor over IPv6")),
        _ => return Err(ProxyError::Malformed("unknown command")),
    };
    Ok(Some((header, end)))
}

/// Two addresses of `N` bytes, then two ports; TLVs follow and are not looked at (§2.2).
fn v2_addresses<const N: usize>(body: &[u8]) -> Option<Header>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = body.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let destination_port = rest.first_chunk::<2>()?;
    Some(Header::Proxied {
        source: canonical(SocketAddr::new((*source).into(), u16::from_be_bytes(*source_port))),
        destination: canonical(SocketAddr::new((*destination).into(), u16::from_be_bytes(*destination_port))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    fn proxied(source: &str, destination: &str) -> Header {
        Header::Proxied { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn v2(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16).to_be_bytes();
        [V2_SIGNATURE, &[version_command, family], &length, body].concat()
    }

    /// Headers that are right, and what they say.
    fn good() -> Vec<(Vec<u8>, Header)> {
        let v6 = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[1]].concat();
        let mapped = [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 1]].concat();
        vec![
            (
                b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 5222\r\n".to_vec(),
                proxied("192.0.2.1:56324", "198.51.100.2:5222"),
            ),
            (b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n".to_vec(), proxied("[2001:db8::1]:1", "[::1]:65535")),
            (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 0\r\n".to_vec(), proxied("192.0.2.1:1", "[::1]:0")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Header::Local),
            (b"PROXY UNKNOWN whatever  comes here\r\n".to_vec(), Header::Local),
            (v2(0x20, 0x00, b""), Header::Local),
            (v2(0x20, 0x11, &[0; 12]), Header::Local),
            (v2(0x21, 0x00, b"tlv"), Header::Local),
            (
                v2(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 4, 0x14, 0x66]),
                proxied("192.0.2.1:56324", "198.51.100.2:5222"),
            ),
            (
                v2(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 4, 0x14, 0x66, 4, 0, 1, 0]),
                proxied("192.0.2.1:56324", "198.51.100.2:5222"),
            ),
            (v2(0x21, 0x21, &[&v6[..], &v6, &[0, 1, 0, 2]].concat()), proxied("[2001:db8::1]:1", "[2001:db8::1]:2")),
            (v2(0x21, 0x21, &[&mapped[..], &v6, &[0, 1, 0, 2]].concat()), proxied("192.0.2.1:1", "[2001:db8::1]:2")),
        ]
    }

    #[test]
    fn headers_are_understood_and_end_where_they_end() {
        for (bytes, header) in good() {
            let followed = [&bytes[..], b"\x16\x03\x01"].concat();
            assert_eq!(parse(&followed).unwrap(), Some((header, bytes.len())));
        }
    }

    #[test]
    fn every_truncation_asks_for_more() {
        for (bytes, _) in good() {
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]).unwrap(), None, "{end} of {bytes:?}");
            }
        }
    }

    #[test]
    fn broken_headers_are_refused() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        for bytes in [
            &b"PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n"[..],
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 5222 1\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 5222\n",
            b"PROXY TCP4 192.0.2.1  198.51.100.2 56324 5222\r\n",
            b"PROXY TCP4 ::1 ::1 1 1\r\n",
            b"PROXY TCP6 192.0.2.1 192.0.2.1 1 1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.1 65536 1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.1 +1 1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.1 01 1\r\n",
            b"PROXY TCP4 192.0.2.01 192.0.2.1 1 1\r\n",
            b"PROXY UDP4 192.0.2.1 192.0.2.1 1 1\r\n",
            b"PROXY \r\n",
            b"PROXY \xff\r\n",
            b"PROXZ",
            b"<?xml version='1.0'?>",
            b"\x16\x03\x01",
            b"\r\n\r\n\0\r\nQUIX",
            &long,
            &v2(0x11, 0x11, &[0; 12]),
            &v2(0x22, 0x11, &[0; 12]),
            &v2(0x21, 0x11, &[0; 11]),
            &v2(0x21, 0x21, &[0; 35]),
            &v2(0x21, 0x12, &[0; 12]),
            &v2(0x21, 0x31, &[0; 216]),
            &v2(0x21, 0x00, &[0; V2_BODY_BYTES_MAX + 1])[..V2_HEAD_BYTES],
        ] {
            assert!(parse(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn only_listed_networks_are_trusted() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert!(is_trusted(&trusted, "::ffff:10.0.0.1".parse().unwrap()));
        assert!(!is_trusted(&trusted, "192.0.2.1".parse().unwrap()));
        assert!(!is_trusted(&[], "127.0.0.1".parse().unwrap()));
    }

    #[tokio::test]
    async fn reading_leaves_what_follows_and_bears_any_chunks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (bytes, header) in good() {
            for chunk in [1, 5, usize::MAX] {
                let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                client.set_nodelay(true).unwrap();
                let (mut server, _) = listener.accept().await.unwrap();
                let sent = [&bytes[..], b"<stream"].concat();
                let write = async {
                    for piece in sent.chunks(chunk.min(sent.len())) {
                        client.write_all(piece).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                };
                let (found, ()) = tokio::join!(read(&mut server), write);
                assert_eq!(found.unwrap(), header);
                drop(client);
                let mut rest = Vec::new();
                server.read_to_end(&mut rest).await.unwrap();
                assert_eq!(rest, b"<stream");
            }
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_early_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"PROXY TC").await.unwrap();
        drop(client);
        assert!(matches!(read(&mut server).await, Err(ProxyError::Closed)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            start in prop::sample::select(vec![&b""[..], V1_START, b"PROXY TCP4 ", b"PROXY TCP6 ", V2_SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [start, &rest].concat();
            if let Ok(Some((_, length))) = parse(&bytes) {
                prop_assert!(length <= bytes.len() && length <= HEADER_BYTES_MAX);
                prop_assert!(matches!(parse(&bytes[..length - 1]), Ok(None)));
            }
        }

        #[test]
        fn lines_that_look_right_do_not_panic(line in "PROXY (TCP4|TCP6|UNKNOWN)? ?[0-9a-f.: ]{0,60}\r\n") {
            let _ = parse(line.as_bytes());
        }
    }
}
