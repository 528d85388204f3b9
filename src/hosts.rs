//! The domains we serve.

use xep_support::jid::Jid;

/// A served domain and its form as a JID.
pub struct Host {
    /// The domain as an address.
    pub jid: Jid,
}

/// All served domains.
pub struct Hosts {
    hosts: Vec<Host>,
}

/// Whose address a JID is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A served domain itself.
    Domain,
    /// An account of a served domain, whether it exists or not.
    Account,
    /// Somebody else's domain.
    Remote,
}

impl Hosts {
    /// From domains that have been checked to be plain domainparts.
    pub fn new(domains: impl IntoIterator<Item = Jid>) -> Self {
        Self { hosts: domains.into_iter().map(|jid| Host { jid }).collect() }
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
            (None, _) => Place::Remote,
            (Some(_), None) => Place::Domain,
            (Some(_), Some(_)) => Place::Account,
        }
    }
}
