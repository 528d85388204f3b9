//! Blocking TCP, with TLS on top once asked for. Certificates are accepted and remembered, not judged: tests that care
//! look at `peer_certificate`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

pub(crate) static TLS12_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
pub(crate) static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// How a client shakes hands.
#[derive(Clone)]
pub(crate) struct TlsOptions {
    /// `None`: no SNI extension at all.
    pub(crate) sni: Option<String>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

impl TlsOptions {
    pub(crate) fn new(sni: &str) -> Self {
        Self { sni: Some(sni.to_owned()), alpn: Vec::new(), versions: rustls::ALL_VERSIONS }
    }

    /// As XEP-0368 wants it.
    pub(crate) fn direct(sni: &str) -> Self {
        Self { alpn: vec![b"xmpp-client".to_vec()], ..Self::new(sni) }
    }
}

pub(crate) enum Transport {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// One stream of HTTP/2.
    Stream(Box<super::http2::Stream>),
    /// Between the two, and after a failed handshake.
    Gone,
}

impl Transport {
    pub(crate) fn connect(addr: SocketAddr, patience: Duration) -> Self {
        let socket = TcpStream::connect(addr).expect("connect to the server");
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.set_write_timeout(Some(patience)).unwrap();
        Self::Tcp(socket)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(socket) => socket,
            Self::Tls(stream) => &stream.sock,
            Self::Stream(stream) => stream.transport.socket(),
            Self::Gone => panic!("no connection"),
        }
    }

    /// Handshakes on the connection; after an error the connection is gone.
    pub(crate) fn start_tls(&mut self, options: &TlsOptions) -> io::Result<()> {
        let Self::Tcp(mut socket) = std::mem::replace(self, Self::Gone) else { panic!("not plain TCP") };
        let mut tls = client_connection(options);
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        *self = Self::Tls(Box::new(StreamOwned::new(tls, socket)));
        Ok(())
    }

    fn tls(&self) -> &ClientConnection {
        match self {
            Self::Tls(stream) => &stream.conn,
            Self::Stream(stream) => stream.transport.tls(),
            _ => panic!("not encrypted"),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(crate) fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.tls().protocol_version()
    }

    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.tls().alpn_protocol()
    }

    pub(crate) fn peer_certificate(&self) -> CertificateDer<'static> {
        self.tls().peer_certificates().expect("the server showed a certificate")[0].clone().into_owned()
    }

    /// RFC 9266.
    pub(crate) fn tls_exporter(&self) -> Vec<u8> {
        self.tls().export_keying_material([0u8; 32], b"EXPORTER-Channel-Binding", Some(b"")).expect("exporter").to_vec()
    }

    /// Ends the sending direction only.
    pub(crate) fn half_close(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Self::Stream(stream) => stream.write(bytes),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// 0 is the end, however it came about.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let result = match self {
            Self::Tcp(socket) => socket.read(buf),
            Self::Tls(stream) => stream.read(buf),
            Self::Stream(stream) => stream.read(buf),
            Self::Gone => Ok(0),
        };
        match result {
            Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => Ok(0),
            other => other,
        }
    }
}

fn client_connection(options: &TlsOptions) -> ClientConnection {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(options.versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols.clone_from(&options.alpn);
    config.enable_sni = options.sni.is_some();
    let name = options.sni.clone().unwrap_or_else(|| "unnamed.invalid".to_owned());
    ClientConnection::new(Arc::new(config), ServerName::try_from(name).expect("SNI")).expect("TLS client")
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
