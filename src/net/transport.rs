//! The byte stream of one connection: TCP, or TLS over it, and the way from the one to the other.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    LazyConfigAcceptor,
    rustls::{self, ProtocolVersion, ServerConnection, server::Acceptor},
    server::TlsStream,
};

use super::{
    addr::canonical,
    cert::CertEntry,
    tls::{CertStore, Purpose},
};

/// A connection. The TLS state is boxed: it is over a kilobyte, which the session's future should not carry.
#[derive(Debug)]
pub enum Transport {
    /// In the clear.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// No socket of its own: somebody else carries the bytes.
    Carried(Box<dyn Carrier>),
    /// Nothing any more: the socket is inside a handshake, or was lost in one. Reads as ended.
    Closed,
}

/// Carries the bytes of a connection that has no socket of its own (BOSH). What a method has to do is told at the method of
/// [`Transport`] with the same name.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// What the client said.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
    /// What the client is told. What was taken counts as told.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
    /// Called behind everything that was written.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Nothing more will be written.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// The other end, as far as there is one.
    fn peer(&self) -> io::Result<SocketAddr>;
}

/// The version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// The number in the protocol, in hexadecimal digits (RFC 8446 §4.2.1).
    pub fn as_hex(self) -> &'static str {
        match self {
            Self::Tls12 => "0303",
            Self::Tls13 => "0304",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// What the handshake settled. Wanted until authentication is over, not longer.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// The version.
    pub version: TlsVersion,
    /// The cipher suite, for the log.
    pub cipher: &'static str,
    /// The application protocol, if one was negotiated.
    pub alpn: Option<Box<str>>,
    /// The domain the client asked for, if it did; A-labels.
    pub sni: Option<Box<str>>,
    /// Channel binding data of type `tls-exporter` (RFC 9266). Present in every connection we accept, TLS 1.2 included:
    /// see `require_ems` in [`super::tls`].
    pub exporter: Option<[u8; 32]>,
    /// The certificate this connection is about, also when the session was resumed.
    pub certificate: Arc<CertEntry>,
}

impl TlsInfo {
    /// Channel binding data of type `tls-server-end-point` (RFC 5929 §4).
    pub fn server_end_point(&self) -> Option<&[u8]> {
        self.certificate.server_end_point()
    }
}

/// Why there is no TLS. In all cases the connection is lost.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The client sent more behind `<starttls/>` in the clear. Somebody else may have put it there, to be taken for
    /// what the client says under TLS (CVE-2011-0411 and its kin).
    #[error("data in the clear behind <starttls/>")]
    Pipelined,
    /// STARTTLS under TLS.
    #[error("TLS is already in use")]
    AlreadyTls,
    /// The handshake failed; an alert has been sent where possible.
    #[error("TLS handshake failed: {0}")]
    Handshake(#[from] io::Error),
    /// No keying material.
    #[error("cannot export TLS keying material: {0}")]
    Export(rustls::Error),
}

impl Transport {
    /// A connection in the clear, with Nagle's algorithm off: we coalesce writes ourselves.
    pub fn tcp(stream: TcpStream) -> Self {
        // Only fails on a socket that is gone already; the first read will tell.
        let _ = stream.set_nodelay(true);
        Self::Tcp(stream)
    }

    /// Direct TLS (XEP-0368). The time limit is the caller's.
    pub async fn accept_tls(stream: TcpStream, certs: &CertStore) -> Result<(Self, TlsInfo), TlsError> {
        let _ = stream.set_nodelay(true);
        Box::pin(handshake(stream, certs, None, Purpose::DirectTls)).await
    }

    /// TLS on a port for everything. The time limit is the caller's.
    pub async fn accept_shared(stream: TcpStream, certs: &CertStore) -> Result<(Self, TlsInfo), TlsError> {
        let _ = stream.set_nodelay(true);
        Box::pin(handshake(stream, certs, None, Purpose::Shared)).await
    }

    /// STARTTLS (RFC 6120 §5.4.3.3), once `<proceed/>` has been written and flushed. The time limit is the caller's.
    ///
    /// `to` is the domain of the stream header; it chooses the certificate if the client sends no SNI we know.
    /// `leftover` is what has been read behind `<starttls/>`. If there is anything the connection is refused; what has
    /// not been read yet reaches the TLS layer alone and can only be a handshake or an error. So nothing that was sent
    /// in the clear is ever processed after the handshake.
    pub async fn upgrade(
        self,
        certs: &CertStore,
        to: Option<&str>,
        leftover: &[u8],
    ) -> Result<(Self, TlsInfo), TlsError> {
        if !leftover.is_empty() {
            return Err(TlsError::Pipelined);
        }
        let Self::Tcp(stream) = self else { return Err(TlsError::AlreadyTls) };
        Box::pin(handshake(stream, certs, to, Purpose::StartTls)).await
    }

    /// Whether this is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Waits for the first byte and leaves it where it is. `None`: the connection ends before. The time limit is the
    /// caller's.
    pub async fn first_byte(&mut self) -> Option<u8> {
        match self {
            Self::Tcp(stream) => {
                let mut byte = [0];
                (stream.peek(&mut byte).await.ok()? == 1).then_some(byte[0])
            }
            Self::Tls(stream) => stream.fill_buf().await.ok()?.first().copied(),
            // Whoever carries it knows what it is.
            Self::Carried(_) | Self::Closed => None,
        }
    }

    /// The other end of the socket, IPv4 in IPv4 form. Behind a proxy that is the proxy.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Carried(carrier) => return carrier.peer(),
            Self::Closed => return Err(io::ErrorKind::NotConnected.into()),
        };
        stream.peer_addr().map(canonical)
    }

    /// Holds back what is written from now on, as far as it fits into one segment, until `false` lets it go. A hint: it
    /// makes a moment shorter and nothing else depends on it.
    pub fn cork(&self, on: bool) {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Carried(_) | Self::Closed => return,
        };
        cork(stream, on);
    }

    /// See [`AsyncRead::poll_read`].
    ///
    /// A TLS stream cut off without `close_notify` reads as ended: an XML stream says itself when it is complete, and
    /// half of all clients just close.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => match Pin::new(stream.as_mut()).poll_read(cx, buf) {
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                other => other,
            },
            Self::Carried(carrier) => carrier.poll_read(cx, buf),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    /// See [`AsyncWrite::poll_write`]. Under TLS what was taken may still be on our side: see [`Self::poll_flush`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Self::Carried(carrier) => carrier.poll_write(cx, buf),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// See [`AsyncWrite::poll_write_vectored`].
    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Self::Carried(carrier) => carrier.poll_write(cx, bufs.first().map_or(&[], |buf| buf)),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Ready when the socket has taken everything written so far. Under TLS up to 64 KiB may wait for that.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Self::Carried(carrier) => carrier.poll_flush(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more will be written: `close_notify`, then the end of the TCP stream. Reading goes on.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::Carried(carrier) => carrier.poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(target_os = "linux")]
fn cork(stream: &TcpStream, on: bool) {
    let _ = rustix::net::sockopt::set_tcp_cork(stream, on);
}

#[cfg(not(target_os = "linux"))]
fn cork(_: &TcpStream, _: bool) {}

/// The certificate is chosen between the client's hello and our answer, and so remembered for sure.
async fn handshake(
    stream: TcpStream,
    certs: &CertStore,
    to: Option<&str>,
    purpose: Purpose,
) -> Result<(Transport, TlsInfo), TlsError> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let certificate = certs.cert_for_either(start.client_hello().server_name(), to);
    let stream = start.into_stream(certificate.config(purpose)).await?;
    let info = TlsInfo::new(stream.get_ref().1, certificate)?;
    Ok((Transport::Tls(Box::new(stream)), info))
}

impl TlsInfo {
    fn new(connection: &ServerConnection, certificate: Arc<CertEntry>) -> Result<Self, TlsError> {
        // TLS 1.2 makes a difference between no context and an empty one; RFC 9266 §2 wants the empty one.
        let exporter = connection
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
            .map_err(TlsError::Export)?;
        Ok(Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
                _ => TlsVersion::Tls12,
            },
            cipher: connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown"),
            alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into()),
            sni: connection.server_name().map(Into::into),
            exporter: Some(exporter),
            certificate,
        })
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Self::poll_read(self.get_mut(), cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_write(self.get_mut(), cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write_vectored(self.get_mut(), cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(self.get_mut(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(self.get_mut(), cx)
    }
}
