//! SRV look-ups (RFC 2782, RFC 6120 §3.2.1) for `magpie check`, and the form in which domains are compared here.

use std::{borrow::Cow, time::Duration};

use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData},
};

/// An operator waits for the answer; a resolver that has none by then has none.
const LOOKUP_SECONDS_MAX: u64 = 5;

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among records of the same priority.
    pub weight: u16,
    /// Port of the service.
    pub port: u16,
    /// Host name without final dot; empty means "decidedly not available at this domain" (RFC 2782).
    pub target: String,
}

/// Why nothing can be said about a domain's records.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The text cannot be a host name.
    #[error("\"{0}\" is not a domain name")]
    Name(String),
    /// The system's resolver configuration cannot be used.
    #[error("cannot set up the resolver: {0}")]
    Setup(NetError),
    /// The resolver answered with a failure.
    #[error("look-up of {name} failed: {source}")]
    Lookup {
        /// What was asked for.
        name: String,
        /// What went wrong.
        source: NetError,
    },
    /// No answer in time.
    #[error("no answer for {name} within {LOOKUP_SECONDS_MAX} seconds")]
    Timeout {
        /// What was asked for.
        name: String,
    },
}

/// The SRV records of a service such as `_xmpp-client._tcp`, best first. None is an empty list, not an error.
pub async fn srv(domain: &str, service: &str) -> Result<Vec<Srv>, DnsError> {
    let ascii = ascii_domain(domain).ok_or_else(|| DnsError::Name(domain.to_owned()))?;
    // The final dot keeps the search list of resolv.conf out.
    let name = format!("{service}.{ascii}.");
    query(TokioResolver::builder_tokio().map_err(DnsError::Setup)?, name).await
}

async fn query(mut resolver: ResolverBuilder<TokioRuntimeProvider>, name: String) -> Result<Vec<Srv>, DnsError> {
    let limit = Duration::from_secs(LOOKUP_SECONDS_MAX);
    resolver.options_mut().timeout = limit;
    let resolver = resolver.build().map_err(DnsError::Setup)?;
    match tokio::time::timeout(limit, resolver.srv_lookup(name.as_str())).await {
        Err(_) => Err(DnsError::Timeout { name }),
        // The name does not exist, or has no such records; failures of servers are other errors.
        Ok(Err(source)) if source.is_no_records_found() => Ok(Vec::new()),
        Ok(Err(source)) => Err(DnsError::Lookup { name, source }),
        Ok(Ok(lookup)) => Ok(sorted(lookup.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
            }),
            _ => None,
        }))),
    }
}

fn sorted(records: impl Iterator<Item = Srv>) -> Vec<Srv> {
    let mut records: Vec<_> = records.collect();
    records.sort_by(|a, b| (a.priority, b.weight, &a.target).cmp(&(b.priority, a.weight, &b.target)));
    records
}

/// The domain as DNS and certificates have it: A-labels, lower case, no final dot. `None` if it cannot be one.
pub fn ascii_domain(domain: &str) -> Option<String> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    if domain.is_empty() {
        return None;
    }
    let ascii: Cow<'_, str> =
        if domain.is_ascii() { domain.into() } else { Name::from_utf8(domain).ok()?.to_ascii().into() };
    Some(ascii.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::config::{NameServerConfig, ResolverConfig};
    use tokio::net::UdpSocket;

    /// Asks a name server which answers with this response code and these records (priority, weight, port, name).
    async fn ask(code: u8, records: &[(u16, u16, u16, &[u8])]) -> Result<Vec<Srv>, DnsError> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut server = NameServerConfig::udp(address.ip());
        server.connections[0].port = address.port();
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let answer = async {
            let mut buf = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut buf).await.unwrap();
                let question_end = 12 + buf[12..length].iter().position(|&byte| byte == 0).unwrap() + 5;
                let mut reply = buf[..question_end].to_vec();
                reply[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
                for (priority, weight, port, target) in records {
                    reply.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 6 + target.len() as u8]);
                    reply.extend([*priority, *weight, *port].map(u16::to_be_bytes).concat());
                    reply.extend(*target);
                }
                socket.send_to(&reply, from).await.unwrap();
            }
        };
        tokio::select! {
            found = query(resolver, "_xmpp-client._tcp.example.org.".to_owned()) => found,
            () = answer => unreachable!("it never ends"),
        }
    }

    #[tokio::test]
    async fn records_are_read_from_the_answer() {
        let found = ask(0, &[(10, 1, 5223, b"\x04XMPP\x07example\x03org\0"), (5, 0, 0, b"\0")]).await.unwrap();
        let srv = |priority, weight, port, target: &str| Srv { priority, weight, port, target: target.to_owned() };
        assert_eq!(found, [srv(5, 0, 0, ""), srv(10, 1, 5223, "xmpp.example.org")]);
    }

    #[tokio::test]
    async fn no_record_is_no_error_but_a_failing_server_is() {
        assert_eq!(ask(0, &[]).await.unwrap(), []);
        assert_eq!(ask(3, &[]).await.unwrap(), []);
        assert!(matches!(ask(2, &[]).await, Err(DnsError::Lookup { .. })));
    }

    #[test]
    fn domains_have_one_form() {
        for (given, wanted) in [
            ("Example.ORG", "example.org"),
            ("example.org.", "example.org"),
            ("b_c.example", "b_c.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example.", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(ascii_domain(given).as_deref(), Some(wanted), "{given}");
        }
        assert_eq!(ascii_domain(""), None);
        assert_eq!(ascii_domain("."), None);
    }

    #[test]
    fn records_come_best_first() {
        let srv = |priority, weight, target: &str| Srv { priority, weight, port: 5222, target: target.to_owned() };
        let given = vec![srv(20, 0, "c"), srv(10, 5, "b"), srv(10, 50, "a")];
        let targets: Vec<_> = sorted(given.into_iter()).into_iter().map(|srv| srv.target).collect();
        assert_eq!(targets, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_text_that_is_no_domain_is_said_so() {
        assert!(matches!(srv("", "_xmpp-client._tcp").await, Err(DnsError::Name(_))));
    }
}
