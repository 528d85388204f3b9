//! The domains we serve, and the services below them that have an address of their own (`pubsub.example.org`).

use xep_support::jid::Jid;

/// A served domain and its form as a JID.
pub struct Host {
    /// The domain as an address.
    pub jid: Jid,
}

/// A service below a served domain.
pub struct ServiceHost {
    /// Its address.
    pub jid: Jid,
    /// The domain it belongs to.
    pub of: Jid,
    /// What stands in front of that domain, which is what the service is known by inside.
    pub prefix: &'static str,
}

/// All served domains and their services.
pub struct Hosts {
    hosts: Vec<Host>,
    services: Vec<ServiceHost>,
}

/// Whose address a JID is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A served domain itself.
    Domain,
    /// An account of a served domain, whether it exists or not.
    Account,
    /// A service below a served domain, or something at that address.
    Service(&'static str),
    /// Somebody else's domain.
    Remote,
}

impl Hosts {
    /// From domains that have been checked to be plain domainparts. Each gets the services with these prefixes; an
    /// address that is a served domain itself stays one.
    pub fn new(domains: impl IntoIterator<Item = Jid>, prefixes: &[&'static str]) -> Self {
        let hosts: Vec<Host> = domains.into_iter().map(|jid| Host { jid }).collect();
        let mut services = Vec::new();
        for (of, prefix) in hosts.iter().flat_map(|host| prefixes.iter().map(move |prefix| (&host.jid, *prefix))) {
            let Ok(jid) = Jid::from_parts(None, &format!("{prefix}.{of}"), None) else { continue };
            if hosts.iter().all(|host| host.jid != jid) {
                services.push(ServiceHost { jid, of: of.clone(), prefix });
            }
        }
        Self { hosts, services }
    }

    /// The service with this address.
    pub fn service(&self, domain: &str) -> Option<&ServiceHost> {
        self.services.iter().find(|s| s.jid.as_str() == domain)
    }

    /// The services of a served domain.
    pub fn services_of<'a>(&'a self, host: &'a Jid) -> impl Iterator<Item = &'a ServiceHost> {
        self.services.iter().filter(move |s| s.of == *host)
    }

    /// The served domain of this name.
    pub fn find(&self, domain: &str) -> Option<&Host> {
        self.hosts.iter().find(|h| h.jid.as_str() == domain)
    }

    /// The first configured domain.
    pub fn first(&self) -> &Host {
        &self.hosts[0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter()
    }

    /// Whose address is it?
    pub fn place(&self, jid: &Jid) -> Place {
        match (self.find(jid.domain()), jid.local()) {
            (None, _) => self.service(jid.domain()).map_or(Place::Remote, |s| Place::Service(s.prefix)),
            (Some(_), None) => Place::Domain,
            (Some(_), Some(_)) => Place::Account,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).expect("a JID")
    }

    #[test]
    fn addresses_have_their_places() {
        let hosts = Hosts::new([jid("im.example"), jid("pubsub.other.example"), jid("other.example")], &["pubsub"]);
        let rows = [
            ("im.example", Place::Domain),
            ("romeo@im.example/orchard", Place::Account),
            ("pubsub.im.example", Place::Service("pubsub")),
            ("someone@pubsub.im.example", Place::Service("pubsub")),
            ("pubsub.other.example", Place::Domain),
            ("pubsub.pubsub.other.example", Place::Service("pubsub")),
            ("conference.im.example", Place::Remote),
        ];
        for (address, place) in rows {
            assert_eq!(hosts.place(&jid(address)), place, "{address}");
        }
        let im = jid("im.example");
        let of: Vec<_> = hosts.services_of(&im).map(|s| s.jid.as_str()).collect();
        assert_eq!(of, ["pubsub.im.example"]);
    }
}
