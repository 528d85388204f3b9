//! Prints what a reconnection costs the server: TLS 1.3 resumed, then SASL2 with a token, Bind 2 with stream management and
//! carbons, all in one flight (XEP-0388, XEP-0386, XEP-0484, XEP-0509). CPU time of the server's process, and round trips.
//!
//! `cargo run --release --example login_cost`

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use hmac::{Hmac, Mac};
use magpie::config::Config;
use magpie::ops;
use magpie::sasl::Credentials;
use magpie::server::Server;
use sha2::Sha256;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, HandshakeKind, SignatureScheme,
    StreamOwned,
};

const USERS: usize = 50;
const LOGINS: usize = 4_000;
const SERVE: &str = "serve";

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    if std::env::args().nth(1).as_deref() == Some(SERVE) {
        return serve();
    }
    let (mut server, address) = start_server()?;
    let config = client_config()?;
    let mut tokens = Vec::new();
    for user in 0..USERS {
        tokens.push(first_login(address, &config, user)?);
    }
    for (name, resumed) in [("TLS resumed", true), ("full TLS handshake", false)] {
        measure(server.id(), address, &tokens, name, resumed)?;
    }
    drop(server.stdin.take());
    server.wait()?;
    Ok(())
}

fn measure(pid: u32, address: SocketAddr, tokens: &[String], name: &str, resumed: bool) -> Result<(), Failure> {
    let mut config = client_config()?;
    // The first connection of each kind fills caches and, where tickets are used, gets one.
    reconnect(address, &config, 0, &tokens[0])?;
    let (cpu, wall) = (cpu_us(pid)?, Instant::now());
    let (mut trips, mut resumptions) = (0, 0);
    for n in 0..LOGINS {
        if !resumed {
            config = client_config()?;
        }
        let user = n % tokens.len();
        let (kind, round_trips) = reconnect(address, &config, user, &tokens[user])?;
        trips += round_trips;
        resumptions += usize::from(kind == Some(HandshakeKind::Resumed));
    }
    let each = (cpu_us(pid)? - cpu) as f64 / LOGINS as f64 / 1e3;
    println!(
        "{name}: {each:.3} ms of CPU per login, {:.2} round trips after TLS, {:.2} ms each, {resumptions} of {LOGINS} resumed",
        trips as f64 / LOGINS as f64,
        wall.elapsed().as_secs_f64() * 1e3 / LOGINS as f64,
    );
    Ok(())
}

// ---- the server, a process of its own

fn start_server() -> Result<(Child, SocketAddr), Failure> {
    let mut child =
        Command::new(std::env::current_exe()?).arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    Ok((child, line.trim().parse()?))
}

#[tokio::main]
async fn serve() -> Result<(), Failure> {
    let dir = tempfile::tempdir()?;
    let mut config = Config { data_dir: dir.path().join("data"), ..Config::default() };
    config.tls.certs_dir = dir.path().join("certs");
    config.c2s.listen = Vec::new();
    config.c2s.tls_listen = vec!["127.0.0.1:0".parse()?];
    let keys = ops::stored_keys(Credentials::derive("secret", 4096)?);
    let server = Server::start(config).await?;
    for user in 0..USERS {
        let jid = format!("user{user}@localhost");
        server.core().storage.account_create(&jid, 0, keys.clone()).await?;
    }
    println!("{}", server.c2s_tls_addrs()[0]);
    // Until the other process closes it.
    tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await??;
    server.stop().await;
    Ok(())
}

/// User and system time of a process.
fn cpu_us(pid: u32) -> Result<u64, Failure> {
    const TICK_US: u64 = 10_000;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok((fields[11].parse::<u64>()? + fields[12].parse::<u64>()?) * TICK_US)
}

// ---- the client

struct Client {
    tls: StreamOwned<ClientConnection, TcpStream>,
    read: String,
    round_trips: usize,
}

impl Client {
    fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self, Failure> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let mut tls = ClientConnection::new(config.clone(), ServerName::try_from("localhost")?)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Self { tls: StreamOwned::new(tls, socket), read: String::new(), round_trips: 0 })
    }

    /// Sends, and reads until `mark` came so many times.
    fn ask(&mut self, xml: &str, mark: &str, times: usize) -> Result<(), Failure> {
        self.tls.write_all(xml.as_bytes())?;
        self.tls.flush()?;
        self.round_trips += 1;
        self.read.clear();
        let mut buffer = [0; 8192];
        while self.read.matches(mark).count() < times {
            match self.tls.read(&mut buffer)? {
                0 => return Err(format!("the stream ended: {}", self.read).into()),
                n => self.read.push_str(std::str::from_utf8(&buffer[..n])?),
            }
        }
        Ok(())
    }

    fn proof(&self, user: usize, token: &str) -> Result<String, Failure> {
        let exporter = self.tls.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes())?;
        mac.update(b"Initiator");
        mac.update(&exporter);
        let proof = mac.finalize().into_bytes();
        Ok(BASE64.encode([format!("user{user}\0").as_bytes(), proof.as_slice()].concat()))
    }

    fn close(mut self) -> Result<(), Failure> {
        self.tls.write_all(b"</stream:stream>")?;
        self.tls.flush()?;
        let mut rest = Vec::new();
        // How the connection ends is of no interest.
        let _ = self.tls.read_to_end(&mut rest);
        Ok(())
    }
}

fn header(user: usize) -> String {
    format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         from='user{user}@localhost' to='localhost' version='1.0'>"
    )
}

fn authenticate(mechanism: &str, initial: &str, user: usize, inside: &str) -> String {
    format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'><initial-response>{initial}</initial-response>\
         <user-agent id='d4565fa7-4d72-4749-b3d3-{user:012x}'><software>login_cost</software></user-agent>{inside}\
         </authenticate>"
    )
}

fn first_login(address: SocketAddr, config: &Arc<ClientConfig>, user: usize) -> Result<String, Failure> {
    let mut client = Client::connect(address, config)?;
    let initial = BASE64.encode(format!("\0user{user}\0secret"));
    let wish = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>";
    let request = authenticate("PLAIN", &initial, user, wish);
    client.ask(&format!("{}{request}", header(user)), "</stream:features>", 2)?;
    let (_, behind) = client.read.split_once(" token='").ok_or("no token")?;
    let token = behind.split('\'').next().unwrap_or_default().to_owned();
    client.close()?;
    Ok(token)
}

fn reconnect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    user: usize,
    token: &str,
) -> Result<(Option<HandshakeKind>, usize), Failure> {
    let mut client = Client::connect(address, config)?;
    let inside = "<fast xmlns='urn:xmpp:fast:0'/><bind xmlns='urn:xmpp:bind:0'><tag>bench</tag>\
                  <enable xmlns='urn:xmpp:sm:3' resume='true'/><enable xmlns='urn:xmpp:carbons:2'/></bind>";
    let request = authenticate("HT-SHA-256-EXPR", &client.proof(user, token)?, user, inside);
    client.ask(&format!("{}{request}", header(user)), "</stream:features>", 2)?;
    if !client.read.contains("<enabled") {
        return Err(format!("no session: {}", client.read).into());
    }
    let outcome = (client.tls.conn.handshake_kind(), client.round_trips);
    client.close()?;
    Ok(outcome)
}

fn client_config() -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(provider.clone()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&tokio_rustls::rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"xmpp-client".to_vec()];
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
