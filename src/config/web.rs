//! The sections of the web side: the HTTP server, uploads, the web client, metrics.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use toml::{Spanned, Value as Toml, de::DeValue};

use super::{
    Config,
    reader::Reader,
    section::section,
    value::{Reading, Value},
};
use crate::net::addr::IpNet;

section! {
    /// The HTTP server: connections of browsers, uploads, discovery.
    pub struct Http in "http" {
        /// Addresses for HTTP in the clear, which is meant for a reverse proxy on this machine; [] turns them off.
        restart listen: Vec<SocketAddr> = super::loopback_listeners(5280),
        /// Addresses for HTTPS; [] turns them off. Clients that begin with TLS (XEP-0368) are taken here as well, told apart by
        /// ALPN or by their first bytes: with ["0.0.0.0:443", "[::]:443"] one port has everything. Default: while every
        /// domain is `localhost`, this machine only (127.0.0.1 and ::1); else all addresses ("0.0.0.0:5443" and "[::]:5443").
        restart tls_listen: Vec<SocketAddr> = super::loopback_listeners(5443),
        /// How others reach this server by HTTP, such as "https://example.org" or "https://{domain}/chat" when a reverse
        /// proxy stands in front; `{domain}` stands for the domain an address is about. Empty: https, the domain, and the
        /// port of `tls_listen`.
        live public_url: String = String::new(),
        /// Days for which a browser that came by HTTPS comes no other way (RFC 6797); 0: nothing is said of that. It then
        /// does so on all ports of that host, so it is only told if the address of this server, `public_url` or what stands
        /// for it, is https without a port of its own.
        live (0, 3_650) strict_transport_days: u32 = 30,
        /// Addresses at which clients reach `c2s.tls_listen` and `tls_listen`, to be told in host-meta (XEP-0487). Empty:
        /// those listened on, if they are written there; with "0.0.0.0" nothing is told.
        live addresses: Vec<IpAddr> = Vec::new(),
        /// Reverse proxies. A `Forwarded` or `X-Forwarded-For` of theirs is believed, and nobody else's.
        live trusted_proxies: Vec<IpNet> = IpNet::loopback().to_vec(),
        /// Load balancers that put the PROXY protocol (version 1 or 2) before each connection to these addresses, client
        /// streams included. From them it is required, from all others it is not understood.
        live proxy_protocol_from: Vec<IpNet> = Vec::new(),
        /// Bytes of the head of a request; a longer one is refused (431). As much is read from a connection at a time.
        live (8_192, 1_048_576) header_bytes_max: usize = 64 * 1024,
        /// Seconds the head of a request may take from its first byte on, and before it TLS with the first byte of whatever
        /// is spoken then.
        live header_seconds_max: Duration = Duration::from_secs(15),
        /// Seconds a connection may wait for its next request; four times as many if frames come that ask for nothing (HTTP/2).
        live idle_seconds_max: Duration = Duration::from_secs(75),
        /// Seconds without a byte after which the other side of a transfer counts as gone.
        live stall_seconds_max: Duration = Duration::from_secs(60),
        /// Where clients that come over WebSocket are sent instead ("wss://other.example/xmpp-websocket"), before this server is
        /// moved or stopped for long, say (RFC 7395 §3.6.1). Sessions that are there go on. Empty: they are welcome here.
        live websocket_see_other_uri: String = String::new(),
        /// Pages that may open a WebSocket, by their origin: "https://chat.example". What is not a page may always. Empty:
        /// all pages; there are no cookies or the like that a page could abuse.
        live websocket_origins: Vec<String> = Vec::new(),
        /// Seconds without a byte after which a client on a WebSocket is asked whether it is still there, if that is less than
        /// `limits.idle_probe_seconds`. Many reverse proxies give a connection up on which nothing moves for 60.
        live websocket_ping_seconds: Duration = Duration::from_secs(50),
        /// Requests being answered at a time, those that are held open included; more are told to come back (503). When
        /// half of them are taken one address has no more than `limits.connections_per_address_max` (429).
        live requests_in_flight_max: usize = 20_000,
        /// Requests of one HTTP/2 connection being answered at a time.
        live (1, 10_000) streams_per_connection_max: usize = 64,
        /// Seconds a request of BOSH (XEP-0124) waits for something to be said, at most. Proxies in between must be more
        /// patient.
        live (1, 3_600) bosh_wait_seconds_max: Duration = Duration::from_secs(60),
        /// Requests one session of BOSH may have waiting.
        live (1, 8) bosh_hold_max: usize = 1,
        /// Seconds without a request after which such a session is over.
        live (1, 3_600) bosh_inactivity_seconds_max: Duration = Duration::from_secs(30),
        /// Seconds of silence a client may ask for, when its page changes, say; 0: none.
        live (0, 3_600) bosh_pause_seconds_max: Duration = Duration::from_secs(120),
        /// Seconds a client must leave between two requests that say nothing; 0: it need not. Sessions that do not keep it
        /// end with policy-violation.
        live (0, 3_600) bosh_polling_seconds: Duration = Duration::from_secs(5),
        /// Bytes of the body of one such request; a longer one is refused with policy-violation.
        live (10_000, 67_108_864) bosh_body_bytes_max: usize = 512 * 1024,
        /// Bytes of such bodies being read at a time, of which one address may take an eighth; more are told to come back (503).
        live bosh_reading_bytes_max: usize = 64 * 1024 * 1024,
    }
}

section! {
    /// Files that clients upload to send somebody the link (XEP-0363). They lie in `uploads` in `data_dir`.
    pub struct Upload in "upload" {
        /// Offer it. Turned off, files that are there can still be fetched until they expire.
        live enabled: bool = true,
        /// Bytes of one file.
        live file_bytes_max: usize = 100 * 1024 * 1024,
        /// Bytes one user may have here; what was asked for and is not there yet counts.
        live user_bytes_max: usize = 1024 * 1024 * 1024,
        /// Files one user may have here.
        live user_files_max: usize = 10_000,
        /// Uploads one user may have asked for and not made.
        live slots_pending_max: usize = 20,
        /// Seconds within which an upload must begin after it was asked for (XEP-0363 §8).
        live slot_seconds_max: Duration = Duration::from_secs(300),
        /// Days after which a file is deleted; 0: never.
        live (0, 36_500) expire_days: u32 = 30,
        /// Bytes per second an upload must bring; 0: as slow as it likes. One that brings less over
        /// `http.stall_seconds_max` ends (408), and its slot can be tried again.
        live (0, 1_000_000_000) bytes_per_second_min: usize = 1_024,
        /// Files being sent or fetched at a time; each takes half a megabyte. More are told to come back (503).
        live transfers_max: usize = 200,
        /// Of these, for one address; more are told to come back (429). Not for `limits.exempt_addresses`.
        live transfers_per_address_max: usize = 50,
        /// MiB of the disk that uploads leave free, so that messages can still be kept when users fill it.
        live (0, 1_073_741_824) free_mib_min: usize = 512,
    }
}

section! {
    /// The page at `/chat`: a web client, Converse.js, for everybody who has a browser. `magpie chat install` fetches it; it
    /// asks no other server for anything.
    pub struct Chat in "chat" {
        /// Serve it, if it is installed.
        live enabled: bool = true,
        /// Where it is: what `dist` is in the npm package `converse.js`. Default: `chat` in `data_dir`. It is looked up at
        /// start and at `reload`.
        live directory: PathBuf = PathBuf::from("data/chat"),
        /// Files it may have.
        live (2, 1_000_000) files_max: usize = 2_000,
        /// Bytes these may have. Those somebody has asked for are kept in memory: two megabytes for Converse.js.
        live bytes_max: usize = 32 * 1024 * 1024,
    }
}

section! {
    /// Figures for Prometheus at `/metrics`, and `/healthz` and `/readyz`.
    pub struct Metrics in "metrics" {
        /// Addresses where these are served to whoever asks, in the clear: "127.0.0.1:5290". Empty: off.
        restart listen: Vec<SocketAddr> = Vec::new(),
        /// Who gets them at the addresses of `[http]` as well. A reverse proxy in between must say for whom it asks.
        live allow_from: Vec<IpNet> = Vec::new(),
    }
}

impl Value for IpAddr {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        const EXPECTED: &str = "an address such as \"192.0.2.7\" or \"2001:db8::7\"";
        let DeValue::String(text) = at.get_ref() else { return reading.expected(at, EXPECTED) };
        match text.trim().parse() {
            Ok(address) => Some(address),
            Err(_) => reading.expected(at, EXPECTED),
        }
    }

    fn show(&self) -> Toml {
        Toml::String(self.to_string())
    }
}

/// Do the settings of the web side make sense together?
pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    let url = &config.http.public_url;
    if !url.is_empty() {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let good = rest.is_some_and(|rest| {
            let plain = rest.replacen("{domain}", "d", 1);
            !plain.starts_with(['/', ':'])
                && plain.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c))
                && !plain.is_empty()
        });
        if !good {
            reader.error(
                "http.public_url",
                None,
                format!("expected a URL such as \"https://example.org\", found \"{url}\""),
            );
        } else if url.starts_with("http:") {
            reader.warn("http.public_url", None, "clients expect https here (XEP-0156 §2.2, XEP-0363 §4)".into());
        }
    }
    let place = &config.http.websocket_see_other_uri;
    if !place.is_empty() && !["wss://", "ws://", "https://", "http://"].iter().any(|scheme| place.starts_with(scheme)) {
        let message = format!("expected a URL such as \"wss://example.org/xmpp-websocket\", found \"{place}\"");
        reader.error("http.websocket_see_other_uri", None, message);
    }
    for (at, origin) in config.http.websocket_origins.iter().enumerate() {
        // RFC 6454 §6.2: scheme, host, perhaps a port, and nothing behind them.
        let is_origin = origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
        if !is_origin {
            let message = format!("expected an origin such as \"https://chat.example.org\", found \"{origin}\"");
            reader.error("http.websocket_origins", Some(at), message);
        }
    }
    if config.upload.file_bytes_max > config.upload.user_bytes_max {
        let message = "`file_bytes_max` must not be more than `user_bytes_max`".to_owned();
        let shown = if reader.is_given("upload.user_bytes_max") { "user_bytes_max" } else { "file_bytes_max" };
        reader.error(&format!("upload.{shown}"), None, message);
    }
    for (at, address) in config.metrics.listen.iter().enumerate().filter(|(_, address)| !address.ip().is_loopback()) {
        let message = format!("anybody who reaches {address} can read the figures of this server");
        reader.warn("metrics.listen", Some(at), message);
    }
}
