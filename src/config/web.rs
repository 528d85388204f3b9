//! The sections of the web side: the HTTP server, uploads, metrics.

use std::{
    net::{IpAddr, SocketAddr},
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
        /// Addresses for HTTPS; [] turns them off. Default: while every domain is `localhost`, this machine only
        /// (127.0.0.1 and ::1); else all addresses ("0.0.0.0:5443" and "[::]:5443").
        restart tls_listen: Vec<SocketAddr> = super::loopback_listeners(5443),
        /// How others reach this server by HTTP, such as "https://example.org" or "https://{domain}/chat" when a reverse
        /// proxy stands in front; `{domain}` stands for the domain an address is about. Empty: https, the domain, and the
        /// port of `tls_listen`.
        live public_url: String = String::new(),
        /// Addresses at which clients reach `c2s.tls_listen`, to be told in host-meta (XEP-0487). Empty: those it listens
        /// on, if they are written there; with "0.0.0.0" nothing is told.
        live addresses: Vec<IpAddr> = Vec::new(),
        /// Reverse proxies. A `Forwarded` or `X-Forwarded-For` of theirs is believed, and nobody else's.
        live trusted_proxies: Vec<IpNet> = IpNet::loopback().to_vec(),
        /// Load balancers that put the PROXY protocol (version 1 or 2) before each connection. From these addresses it
        /// is required, from all others it is not understood.
        live proxy_protocol_from: Vec<IpNet> = Vec::new(),
        /// Bytes of the head of a request; a longer one is refused (431). As much is read from a connection at a time.
        live (8_192, 1_048_576) header_bytes_max: usize = 64 * 1024,
        /// Seconds the head of a request may take from its first byte on, and TLS before it.
        live header_seconds_max: Duration = Duration::from_secs(15),
        /// Seconds a connection may wait for its next request.
        live idle_seconds_max: Duration = Duration::from_secs(75),
        /// Seconds without a byte after which the other side of a transfer counts as gone.
        live stall_seconds_max: Duration = Duration::from_secs(60),
        /// Requests being answered at a time, those that are held open included; more are told to come back (503).
        live requests_in_flight_max: usize = 20_000,
        /// Requests of one HTTP/2 connection being answered at a time.
        live (1, 10_000) streams_per_connection_max: usize = 64,
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
        /// Files being sent or fetched at a time; each takes half a megabyte. More are told to come back (503).
        live transfers_max: usize = 200,
        /// Of these, for one address; more are told to come back (429). Not for `limits.exempt_addresses`.
        live transfers_per_address_max: usize = 50,
        /// MiB of the disk that uploads leave free, so that messages can still be kept when users fill it.
        live (0, 1_073_741_824) free_mib_min: usize = 512,
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
