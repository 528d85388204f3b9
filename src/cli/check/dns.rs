//! The SRV records by which clients find the server (RFC 6120 §3.2.1, XEP-0368). Missing ones are a warning: clients
//! then try the domain itself on port 5222.

use std::{net::SocketAddr, time::Duration};

use hickory_resolver::{TokioResolver, net::NetError, proto::rr::RData};

use super::{Finding, Outcome};
use crate::config::Config;

const AREA: &str = "dns";
/// For one question with all its retries; an operator waits for this.
const SECONDS_MAX: Duration = Duration::from_secs(5);

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Host without the last dot; empty: the service is declared absent.
    pub target: String,
    /// Port.
    pub port: u16,
}

/// Who answers questions about SRV records.
pub trait Resolve {
    /// All records of the name, none if it has none, or why nobody knows.
    fn srv(&self, name: &str) -> impl Future<Output = Result<Vec<Srv>, String>> + Send;
}

/// The resolver this machine is set up with.
#[derive(Debug)]
pub struct SystemResolver(TokioResolver);

impl SystemResolver {
    /// Reads the machine's settings; must run inside tokio.
    pub fn new() -> Result<Self, NetError> {
        Ok(Self(TokioResolver::builder_tokio()?.build()?))
    }
}

impl Resolve for SystemResolver {
    async fn srv(&self, name: &str) -> Result<Vec<Srv>, String> {
        let answer = tokio::time::timeout(SECONDS_MAX, self.0.srv_lookup(format!("{name}.")));
        let lookup = match answer.await {
            Ok(Ok(lookup)) => lookup,
            Ok(Err(error)) if error.is_no_records_found() => return Ok(Vec::new()),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no answer within {} seconds", SECONDS_MAX.as_secs())),
        };
        let records = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => {
                let target = srv.target.to_string();
                Some(Srv { target: target.trim_end_matches('.').to_owned(), port: srv.port })
            }
            _ => None,
        });
        Ok(records.collect())
    }
}

/// Checks the records of every domain that DNS can know.
pub(super) async fn check(config: &Config, resolver: &impl Resolve) -> Vec<Finding> {
    let mut findings = Vec::new();
    for domain in config.domains.iter().filter(|domain| is_public(domain)) {
        let starttls = service(resolver, domain, "_xmpp-client", &config.c2s.listen).await;
        // HTTPS ports take these streams as well.
        let with_tls = [&config.c2s.tls_listen[..], &config.http.tls_listen].concat();
        let direct = service(resolver, domain, "_xmpps-client", &with_tls).await;
        findings.extend(starttls.into_iter().chain(direct).flatten());
    }
    findings
}

/// Names that mean this machine or this network, and addresses, have no SRV records.
fn is_public(domain: &str) -> bool {
    let reserved = [".localhost", ".local", ".internal", ".test", ".invalid"];
    let address = domain.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    domain.contains('.') && !address && !reserved.iter().any(|suffix| domain.ends_with(suffix))
}

async fn service(
    resolver: &impl Resolve,
    domain: &str,
    service: &str,
    listeners: &[SocketAddr],
) -> Option<Vec<Finding>> {
    let name = format!("{service}._tcp.{domain}");
    let one = |outcome, message: String| Some(vec![Finding::new(AREA, outcome, message)]);
    let records = match resolver.srv(&name).await {
        Ok(records) => records,
        Err(error) => return one(Outcome::Warning, format!("{name}: {error}")),
    };
    match (records.is_empty(), listeners.is_empty()) {
        (true, true) => return None,
        (true, false) if service == "_xmpp-client" => {
            return one(Outcome::Warning, format!("{name} has no SRV record: clients will try {domain} on port 5222"));
        }
        // Direct TLS is an offer; nothing is wrong without it.
        (true, false) => return one(Outcome::Ok, format!("{name} has no SRV record: clients will use STARTTLS")),
        (false, _) => {}
    }
    let findings = records.iter().map(|Srv { target, port }| {
        if target.is_empty() {
            let outcome = if listeners.is_empty() { Outcome::Ok } else { Outcome::Error };
            return Finding::new(AREA, outcome, format!("{name} says that there is no such service"));
        }
        let heard = listeners.iter().any(|listener| listener.port() == *port);
        let (outcome, rest) = match heard {
            true => (Outcome::Ok, ""),
            false => (Outcome::Warning, ", a port this server does not listen on: is it forwarded?"),
        };
        Finding::new(AREA, outcome, format!("{name} is {target}:{port}{rest}"))
    });
    Some(findings.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    struct Fake(HashMap<&'static str, Result<Vec<Srv>, String>>);

    impl Resolve for Fake {
        async fn srv(&self, name: &str) -> Result<Vec<Srv>, String> {
            self.0.get(name).cloned().unwrap_or_else(|| Ok(Vec::new()))
        }
    }

    #[tokio::test]
    async fn an_https_port_is_good_for_streams() {
        let mut config = Config { domains: vec!["example.org".to_owned()], ..Config::default() };
        config.http.tls_listen = vec!["[::]:443".parse().unwrap()];
        let answers = HashMap::from([("_xmpps-client._tcp.example.org", srv("xmpp.example.org", 443))]);
        let found = check(&config, &Fake(answers)).await;
        assert!(found.iter().all(|finding| !finding.message.contains("does not listen")), "{found:?}");
    }

    async fn findings(domain: &str, answers: &[(&'static str, Result<Vec<Srv>, String>)]) -> Vec<(Outcome, String)> {
        let config = Config { domains: vec![domain.to_owned()], ..Config::default() };
        let found = check(&config, &Fake(answers.iter().cloned().collect())).await;
        found.into_iter().map(|finding| (finding.outcome, finding.message)).collect()
    }

    fn srv(target: &str, port: u16) -> Result<Vec<Srv>, String> {
        Ok(vec![Srv { target: target.into(), port }])
    }

    #[tokio::test]
    async fn records_are_compared_with_the_listeners() {
        let answers = [
            ("_xmpp-client._tcp.example.org", srv("xmpp.example.org", 5222)),
            ("_xmpps-client._tcp.example.org", srv("xmpp.example.org", 443)),
        ];
        let found = findings("example.org", &answers).await;
        assert_eq!(found[0], (Outcome::Ok, "_xmpp-client._tcp.example.org is xmpp.example.org:5222".into()));
        assert_eq!(found[1].0, Outcome::Warning);
        assert!(found[1].1.ends_with("a port this server does not listen on: is it forwarded?"), "{found:?}");
    }

    #[tokio::test]
    async fn missing_and_unreachable_are_warnings() {
        let found = findings("example.org", &[("_xmpps-client._tcp.example.org", Err("no answer".into()))]).await;
        assert_eq!((found[0].0, found[1].0), (Outcome::Warning, Outcome::Warning), "{found:?}");
        assert!(found[0].1.contains("clients will try example.org on port 5222"));
    }

    #[tokio::test]
    async fn a_service_declared_absent_is_an_error() {
        let found = findings("example.org", &[("_xmpp-client._tcp.example.org", srv("", 0))]).await;
        assert_eq!(
            found[0],
            (Outcome::Error, "_xmpp-client._tcp.example.org says that there is no such service".into())
        );
    }

    #[tokio::test]
    async fn names_dns_cannot_know_are_not_asked() {
        for domain in ["localhost", "chat.localhost", "box.local", "192.0.2.1", "[::1]", "intranet"] {
            assert!(findings(domain, &[]).await.is_empty(), "{domain}");
        }
    }
}
