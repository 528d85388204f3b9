//! The web side as it is seen from outside: where its URLs begin, and what has been counted there.

use crate::config::Http;
use crate::net::budget::{AddressBudget, BudgetLimits};
use crate::net::dns::ascii_domain;
use crate::web_client::WebClient;
use arc_swap::ArcSwapOption;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Where the server listens, known once it does.
#[derive(Debug, Default)]
pub struct Listening {
    /// HTTPS.
    pub https: Vec<SocketAddr>,
    /// HTTP in the clear.
    pub http: Vec<SocketAddr>,
    /// Figures about the server, in the clear.
    pub metrics: Vec<SocketAddr>,
    /// Client streams that begin with TLS (XEP-0368).
    pub direct_tls: Vec<SocketAddr>,
}

/// The web side of a server. A stopped one has no URLs.
pub struct Site {
    listening: OnceLock<Listening>,
    /// What was counted since the start.
    pub counters: WebCounters,
    /// Files that are being uploaded.
    pub under_way: Arc<UnderWay>,
    /// Whose the transfers are that there are.
    pub transfers: Arc<AddressBudget>,
    /// The web client, if it is installed.
    pub client: ArcSwapOption<WebClient>,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            listening: OnceLock::new(),
            counters: WebCounters::default(),
            under_way: Arc::default(),
            // The limits are set when they are asked for.
            transfers: AddressBudget::new(BudgetLimits::default()),
            client: ArcSwapOption::empty(),
        }
    }
}

/// Tokens of files that are being uploaded: one at a time for each, and nobody else touches the files. Bounded by
/// `upload.transfers_max`.
#[derive(Default)]
pub struct UnderWay(Mutex<HashSet<String>>);

/// The right to upload a file; given back when dropped.
pub struct Claim {
    under_way: Arc<UnderWay>,
    token: String,
}

impl UnderWay {
    /// Takes the right, unless somebody has it.
    pub fn claim(self: &Arc<Self>, token: &str) -> Option<Claim> {
        let claim = || Claim { under_way: self.clone(), token: token.to_owned() };
        self.lock().insert(token.to_owned()).then(claim)
    }

    /// Is this file being uploaded?
    pub fn has(&self, token: &str) -> bool {
        self.lock().contains(token)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.token);
    }
}

/// What the web side counts.
#[derive(Default)]
pub struct WebCounters {
    /// Connections there are.
    pub connections: AtomicUsize,
    /// Connections accepted since the start.
    pub connections_accepted: AtomicU64,
    /// Of the places of connections, how many are held by requests that a proxy makes for somebody.
    pub forwarded: AtomicUsize,
    /// Requests being answered.
    pub requests_in_flight: AtomicUsize,
    /// Answers by the first digit of their status, 1 to 5.
    pub answers: [AtomicU64; 5],
    /// Files being sent or fetched.
    pub transfers: AtomicUsize,
    /// Slots given out (XEP-0363).
    pub slots: AtomicU64,
    /// Slots refused.
    pub slots_refused: AtomicU64,
    /// Files stored.
    pub uploads: AtomicU64,
    /// Bytes of these.
    pub uploaded_bytes: AtomicU64,
    /// Uploads that were begun and came to nothing.
    pub uploads_failed: AtomicU64,
    /// Files handed out, whole or in part.
    pub downloads: AtomicU64,
    /// Bytes of these that went out.
    pub downloaded_bytes: AtomicU64,
}

const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

impl Site {
    /// The listeners are open.
    pub fn opened(&self, listening: Listening) {
        // Said once, at the start.
        let _ = self.listening.set(listening);
    }

    /// Where it listens.
    pub fn listening(&self) -> Option<&Listening> {
        self.listening.get()
    }

    /// What URLs that belong to a domain begin with, without a slash at the end: what the settings say, else the HTTPS
    /// listener at that domain, else, which only helps on this machine, the one in the clear. `None`: there is no web side.
    pub fn base_url(&self, http: &Http, domain: &str) -> Option<String> {
        let listening = self.listening.get()?;
        url(http, domain, &listening.https, &listening.http)
    }

    /// The same of a server that does not run: as far as its settings tell.
    pub fn expected_url(http: &Http, domain: &str) -> Option<String> {
        let known = |addresses: &[SocketAddr]| -> Vec<SocketAddr> {
            addresses.iter().copied().filter(|address| address.port() != 0).collect()
        };
        let (https, plain) = (known(&http.tls_listen), known(&http.listen));
        if https.is_empty() && plain.is_empty() { None } else { url(http, domain, &https, &plain) }
    }

    /// Where client streams that begin with TLS are to be found: ports with their addresses, as far as anybody knows them.
    /// Those for nothing else come first (XEP-0368 §5); HTTPS ports follow, unless only a reverse proxy reaches them.
    pub fn direct_tls(&self, http: &Http) -> Vec<(u16, Vec<IpAddr>)> {
        let Some(Listening { direct_tls, https, .. }) = self.listening.get() else { return Vec::new() };
        let is_for_this_machine = direct_tls.iter().chain(https).all(|address| address.ip().is_loopback());
        let public_port = port(&http.public_url);
        let shared = https.iter().filter(|address| {
            let is_reached = is_for_this_machine || !address.ip().is_loopback();
            is_reached && public_port.is_none_or(|public| public == address.port())
        });
        let mut ports: Vec<(u16, Vec<IpAddr>)> = Vec::new();
        for address in direct_tls.iter().chain(shared) {
            let at = ports.iter().position(|(port, _)| *port == address.port()).unwrap_or_else(|| {
                ports.push((address.port(), http.addresses.clone()));
                ports.len() - 1
            });
            if http.addresses.is_empty() && !address.ip().is_unspecified() {
                ports[at].1.push(address.ip());
            }
        }
        ports.retain(|(_, addresses)| !addresses.is_empty());
        ports
    }
}

/// The port of a URL with a host.
fn port(url: &str) -> Option<u16> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next().unwrap_or(rest);
    let told = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    Some(told.unwrap_or(if scheme == "https" { HTTPS_PORT } else { HTTP_PORT }))
}

/// What URLs at a domain begin with, with these listeners.
fn url(http: &Http, domain: &str, https: &[SocketAddr], plain: &[SocketAddr]) -> Option<String> {
    let domain = ascii_domain(domain).unwrap_or_else(|| domain.to_owned());
    if !http.public_url.is_empty() {
        return Some(http.public_url.replace("{domain}", &domain));
    }
    let at = |scheme: &str, usual: u16, addresses: &[SocketAddr]| {
        let port = addresses.first()?.port();
        let port = if port == usual { String::new() } else { format!(":{port}") };
        Some(format!("{scheme}://{domain}{port}"))
    };
    at("https", HTTPS_PORT, https).or_else(|| at("http", HTTP_PORT, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(https: &[&str], http: &[&str]) -> Site {
        let site = Site::default();
        let parse = |all: &[&str]| all.iter().map(|a| a.parse().expect("an address")).collect();
        site.opened(Listening {
            https: parse(https),
            http: parse(http),
            metrics: Vec::new(),
            direct_tls: parse(&["0.0.0.0:5223"]),
        });
        site
    }

    #[test]
    fn urls_follow_the_listeners_unless_the_settings_know_better() {
        let default = Http::default();
        let rows = [
            (site(&["0.0.0.0:5443"], &["127.0.0.1:5280"]), Some("https://im.example:5443")),
            (site(&["0.0.0.0:443"], &[]), Some("https://im.example")),
            (site(&[], &["127.0.0.1:5280"]), Some("http://im.example:5280")),
            (site(&[], &[]), None),
        ];
        for (site, url) in rows {
            assert_eq!(site.base_url(&default, "im.example").as_deref(), url);
        }
        let own = Http { public_url: "https://{domain}/x".into(), ..Http::default() };
        assert_eq!(
            site(&[], &[]).base_url(&own, "fußball.example").as_deref(),
            Some("https://xn--fuball-cta.example/x")
        );
        assert_eq!(Site::default().base_url(&own, "im.example"), None);
    }

    #[test]
    fn an_address_that_stands_for_all_is_told_to_nobody() {
        let site = site(&[], &[]);
        assert_eq!(site.direct_tls(&Http::default()), []);
        let address: IpAddr = "192.0.2.7".parse().expect("an address");
        let http = Http { addresses: vec![address], ..Http::default() };
        assert_eq!(site.direct_tls(&http), [(5223, vec![address])]);
    }

    #[test]
    fn streams_are_told_at_https_ports_that_clients_reach() {
        let ports = |https: &[&str], url: &str| {
            let addresses = vec!["192.0.2.7".parse().expect("an address")];
            let http = Http { addresses, public_url: url.into(), ..Http::default() };
            site(https, &[]).direct_tls(&http).into_iter().map(|(port, _)| port).collect::<Vec<_>>()
        };
        assert_eq!(ports(&["0.0.0.0:443", "[::]:443"], ""), [5223, 443]);
        assert_eq!(ports(&["0.0.0.0:5223"], ""), [5223]);
        assert_eq!(ports(&["0.0.0.0:443"], "https://{domain}/chat"), [5223, 443]);
        assert_eq!(ports(&["0.0.0.0:5443"], "https://[::1]:5443"), [5223, 5443]);
        assert_eq!(ports(&["0.0.0.0:5443"], "https://im.example"), [5223], "a proxy stands in front");
        assert_eq!(ports(&["127.0.0.1:5443"], ""), [5223], "it must stand in front");
    }
}
