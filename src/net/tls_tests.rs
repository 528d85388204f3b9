//! Real handshakes over loopback, with a client of the same library.

use std::{io, path::Path, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, HandshakeKind,
        pki_types::ServerName,
        version::{TLS12, TLS13},
    },
};

use super::{
    cert::CertError,
    testing::{Authority, TempDir, now},
    tls::{CertSource, CertStore, CertWarning, Purpose},
    transport::{TlsError, TlsInfo, TlsVersion, Transport},
};

type Server = Result<(Transport, TlsInfo), TlsError>;
type Client = io::Result<TlsStream<TcpStream>>;

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// A handshake of both sides; `to` is the stream header's domain before STARTTLS.
async fn handshake(
    client: &Arc<ClientConfig>,
    sni: &str,
    certs: &CertStore,
    start_tls: Option<&str>,
) -> (Server, Client) {
    let (client_socket, server_socket) = sockets().await;
    let name = ServerName::try_from(sni.to_owned()).unwrap();
    let connector = TlsConnector::from(client.clone());
    let server = async {
        match start_tls {
            None => Transport::accept_tls(server_socket, certs).await,
            Some(to) => Transport::tcp(server_socket).upgrade(certs, Some(to), b"").await,
        }
    };
    tokio::join!(server, connector.connect(name, client_socket))
}

fn store(sources: &[CertSource]) -> CertStore {
    CertStore::load(sources, &[], now()).unwrap().0
}

/// The certificate the client was shown.
fn shown(client: &TlsStream<TcpStream>) -> Vec<u8> {
    client.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn first_der(file: &Path) -> Vec<u8> {
    super::cert::parse_chain(file, &std::fs::read(file).unwrap()).unwrap()[0].to_vec()
}

/// Text from us to the client, which also takes the session ticket in on the way.
async fn say(server: &mut Transport, client: &mut TlsStream<TcpStream>, text: &str) {
    server.write_all(text.as_bytes()).await.unwrap();
    server.flush().await.unwrap();
    let mut got = vec![0; text.len()];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(got, text.as_bytes());
}

#[tokio::test]
async fn sni_chooses_the_certificate() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let first = authority.source(&dir, "first", &["example.org", "chat.example.net"]);
    let second = authority.source(&dir, "second", &["*.example.net", "chat.example.net"]);
    let mut third = authority.source(&dir, "third", &["conference.example.com"]);
    third.domains = vec!["rooms.example.net".to_owned()];
    let certs = store(&[first.clone(), second.clone(), third.clone()]);
    let config = Arc::new(authority.client(&[&TLS13]));
    for (sni, source) in [
        ("example.org", &first),
        ("chat.example.net", &first),
        ("muc.example.net", &second),
        ("conference.example.com", &third),
    ] {
        let (server, client) = handshake(&config, sni, &certs, None).await;
        let ((transport, info), client) = (server.unwrap(), client.unwrap());
        assert_eq!(shown(&client), first_der(&source.chain), "{sni}");
        assert_eq!(info.certificate.chain_path(), source.chain, "{sni}");
        assert_eq!(info.sni.as_deref(), Some(sni));
        assert!(transport.is_tls());
        assert_eq!(transport.peer().unwrap(), client.get_ref().0.local_addr().unwrap());
    }
    // Configured for this domain, so it comes before the wildcard, though it does not cover it.
    assert_eq!(certs.cert_for(Some("ROOMS.example.net.")).chain_path(), third.chain);
    assert_eq!(certs.cert_for(Some("a.b.example.net")).chain_path(), first.chain);
    assert_eq!(certs.cert_for(None).chain_path(), first.chain);
    assert_eq!(certs.entries().len(), 3);
}

#[tokio::test]
async fn without_a_known_sni_the_stream_header_chooses() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let first = authority.source(&dir, "first", &["example.org"]);
    let second = authority.source(&dir, "second", &["example.net"]);
    let certs = store(&[first.clone(), second.clone()]);
    let mut silent = authority.client(&[&TLS13, &TLS12]);
    silent.enable_sni = false;
    let (silent, talking) = (Arc::new(silent), Arc::new(authority.client(&[&TLS13])));
    let (server, client) = handshake(&silent, "example.net", &certs, Some("Example.NET")).await;
    assert!(client.is_ok() && server.unwrap().1.sni.is_none());
    let (server, _) = handshake(&talking, "unknown.example", &certs, Some("example.net")).await;
    // The client closes on the wrong name, maybe before we have finished.
    assert!(server.is_err() || server.unwrap().1.certificate.chain_path() == second.chain);
    let (server, client) = handshake(&talking, "example.org", &certs, Some("example.net")).await;
    assert_eq!(shown(&client.unwrap()), first_der(&first.chain));
    assert_eq!(server.unwrap().1.certificate.chain_path(), first.chain);
    let (_, client) = handshake(&silent, "example.org", &certs, None).await;
    assert_eq!(shown(&client.unwrap()), first_der(&first.chain));
}

#[tokio::test]
async fn both_versions_bind_the_channel_alike_on_both_sides() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    for (version, wanted, name) in [(&TLS12, TlsVersion::Tls12, "TLSv1.2"), (&TLS13, TlsVersion::Tls13, "TLSv1.3")] {
        let config = Arc::new(authority.client(&[version]));
        for start_tls in [None, Some("example.org")] {
            let (server, client) = handshake(&config, "example.org", &certs, start_tls).await;
            let ((_, info), client) = (server.unwrap(), client.unwrap());
            let (_, connection) = client.get_ref();
            let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
            assert_eq!(info.exporter, Some(exported));
            assert_eq!((info.version, info.version.to_string()), (wanted, name.to_owned()));
            assert_eq!(Some(info.cipher), connection.negotiated_cipher_suite().unwrap().suite().as_str());
            let digest = <sha2::Sha256 as sha2::Digest>::digest(shown(&client));
            assert_eq!(info.server_end_point(), Some(digest.as_slice()));
        }
    }
}

#[tokio::test]
async fn direct_tls_takes_our_application_protocol_or_none() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let client = |offered: &[&str]| {
        let mut config = authority.client(&[&TLS13, &TLS12]);
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    };
    let (server, _) = handshake(&client(&["h2", "xmpp-client"]), "example.org", &certs, None).await;
    assert_eq!(server.unwrap().1.alpn.as_deref(), Some("xmpp-client"));
    let (server, _) = handshake(&client(&[]), "example.org", &certs, None).await;
    assert_eq!(server.unwrap().1.alpn, None);
    let (server, client_side) = handshake(&client(&["xmpp-server"]), "example.org", &certs, None).await;
    assert!(matches!(server, Err(TlsError::Handshake(_))));
    assert!(client_side.unwrap_err().to_string().contains("NoApplicationProtocol"));
    let (server, _) = handshake(&client(&["h2"]), "example.org", &certs, Some("example.org")).await;
    assert_eq!(server.unwrap().1.alpn, None);
}

#[tokio::test]
async fn reload_takes_effect_with_the_next_handshake_and_disturbs_nobody() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let source = authority.source(&dir, "cert", &["example.org"]);
    let sources = [source.clone()];
    let certs = store(&sources);
    let config = Arc::new(authority.client(&[&TLS13]));
    let (server, client) = handshake(&config, "example.org", &certs, None).await;
    let ((mut old_server, old_info), mut old_client) = (server.unwrap(), client.unwrap());

    authority.source(&dir, "cert", &["example.org", "example.net"]);
    assert_eq!(certs.reload(&sources, &["example.net".to_owned()], now()).unwrap(), []);
    say(&mut old_server, &mut old_client, "still here").await;
    // The client has a ticket of the old certificate now; it must not lead to a session bound to the new one.
    let (server, client) = handshake(&config, "example.org", &certs, None).await;
    let ((_, info), client) = (server.unwrap(), client.unwrap());
    assert_eq!(client.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(shown(&client), first_der(&source.chain));
    assert_ne!(info.server_end_point(), old_info.server_end_point());

    std::fs::write(&source.chain, "nonsense").unwrap();
    assert!(certs.reload(&sources, &[], now()).is_err());
    assert!(handshake(&config, "example.org", &certs, None).await.1.is_ok());
}

#[tokio::test]
async fn sessions_are_resumed_also_after_a_reload_that_changed_nothing() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let sources = [authority.source(&dir, "cert", &["example.org"])];
    let certs = store(&sources);
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(authority.client(&[version]));
        let (server, client) = handshake(&config, "example.org", &certs, None).await;
        let ((mut server, _), mut client) = (server.unwrap(), client.unwrap());
        say(&mut server, &mut client, "a ticket").await;
        certs.reload(&sources, &[], now()).unwrap();
        let (server, client) = handshake(&config, "example.org", &certs, None).await;
        let ((_, info), client) = (server.unwrap(), client.unwrap());
        assert_eq!(client.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
        let exported = client.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
        assert_eq!(info.exporter, Some(exported.unwrap()));
    }
}

#[tokio::test]
async fn early_data_is_not_offered() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let mut config = authority.client(&[&TLS13]);
    config.enable_early_data = true;
    let config = Arc::new(config);
    let (server, client) = handshake(&config, "example.org", &certs, None).await;
    say(&mut server.unwrap().0, &mut client.unwrap(), "a ticket").await;
    let (_, client) = handshake(&config, "example.org", &certs, None).await;
    assert!(!client.unwrap().get_ref().1.is_early_data_accepted());
    assert_eq!(certs.config_for(None, Purpose::DirectTls).max_early_data_size, 0);
}

#[tokio::test]
async fn data_behind_starttls_is_refused() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let (_client, server) = sockets().await;
    let refused = Transport::tcp(server).upgrade(&certs, None, b"<auth").await;
    assert!(matches!(refused, Err(TlsError::Pipelined)));
}

#[tokio::test]
async fn starttls_under_tls_is_refused() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let (server, _client) = handshake(&Arc::new(authority.client(&[&TLS13])), "example.org", &certs, None).await;
    assert!(matches!(server.unwrap().0.upgrade(&certs, None, b"").await, Err(TlsError::AlreadyTls)));
}

/// What came in the clear and was not read yet meets the TLS layer, which takes no XML.
#[tokio::test]
async fn unread_data_in_the_clear_is_an_error() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let (mut client, server) = sockets().await;
    client.write_all(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>").await.unwrap();
    let refused = Transport::tcp(server).upgrade(&certs, None, b"").await;
    assert!(matches!(refused, Err(TlsError::Handshake(_))));
}

#[tokio::test]
async fn the_end_is_the_end_with_and_without_close_notify() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let config = Arc::new(authority.client(&[&TLS13]));
    for polite in [true, false] {
        let (server, client) = handshake(&config, "example.org", &certs, None).await;
        let ((mut server, _), mut client) = (server.unwrap(), client.unwrap());
        // Else closing with unread bytes (the ticket) would reset the connection.
        say(&mut server, &mut client, "hello").await;
        client.write_all(b"bye").await.unwrap();
        client.flush().await.unwrap();
        if polite {
            client.shutdown().await.unwrap();
        }
        drop(client);
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"bye");
    }
}

#[tokio::test]
async fn our_shutdown_is_a_proper_end_for_the_client() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let (server, client) = handshake(&Arc::new(authority.client(&[&TLS13])), "example.org", &certs, None).await;
    let ((mut server, _), mut client) = (server.unwrap(), client.unwrap());
    let slices = [io::IoSlice::new(b"good"), io::IoSlice::new(b"bye")];
    let written = std::future::poll_fn(|cx| server.poll_write_vectored(cx, &slices)).await.unwrap();
    server.shutdown().await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"goodbye"[..written]);
}

#[tokio::test]
async fn the_futures_are_small_and_may_move_between_threads() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let certs = store(&[authority.source(&dir, "cert", &["example.org"])]);
    let (_client, server) = sockets().await;
    fn may_be_spawned(_: &impl Send) {}
    let upgrade = Transport::tcp(server).upgrade(&certs, None, b"");
    may_be_spawned(&upgrade);
    assert!(size_of_val(&upgrade) <= 200, "{}", size_of_val(&upgrade));
    assert!(size_of::<Transport>() <= 40, "{}", size_of::<Transport>());
}

#[test]
fn domains_without_a_certificate_are_warned_about() {
    let (authority, dir) = (Authority::new(), TempDir::new());
    let source = authority.source(&dir, "cert", &["example.org", "*.example.org"]);
    let served = ["example.org", "chat.example.org", "example.net"].map(str::to_owned);
    let (_, warnings) = CertStore::load(std::slice::from_ref(&source), &served, now()).unwrap();
    assert_eq!(warnings.len(), 1);
    let CertWarning::NotCovered { domain, .. } = &warnings[0] else { panic!("{warnings:?}") };
    assert_eq!(domain, "example.net");
    assert!(warnings[0].to_string().ends_with("which is for example.org, *.example.org"), "{}", warnings[0]);
    assert!(matches!(CertStore::load(&[], &served, now()), Err(CertError::NoSource)));
}
