//! What the owner of an account wants archived (XEP-0441).

use super::roster::Roster;
use crate::config::ArchivePolicy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use xep_support::jid::Jid;

/// Preferences, where they differ from the server's.
#[derive(Clone, PartialEq, Debug)]
pub struct Preferences {
    /// For everybody on neither list.
    pub policy: ArchivePolicy,
    /// Whose messages are archived.
    pub always: BTreeSet<Jid>,
    /// Whose messages are not; goes before `always`.
    pub never: BTreeSet<Jid>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    default: String,
    always: Vec<String>,
    never: Vec<String>,
}

impl Preferences {
    /// Nobody on the lists.
    pub fn new(policy: ArchivePolicy) -> Self {
        Self { policy, always: BTreeSet::new(), never: BTreeSet::new() }
    }

    /// May messages exchanged with this correspondent be archived? If not, why not (§2.3).
    pub fn allow(&self, own: &str, roster: &Roster, peer: &Jid) -> Result<(), &'static str> {
        if self.listed(&self.never, peer) {
            return Err("on the list of those never archived");
        }
        if self.listed(&self.always, peer) {
            return Ok(());
        }
        policy_allows(self.policy, own, roster, peer)
    }

    /// A listed bare JID stands for all resources, a full one for itself (§2.3.1).
    fn listed(&self, list: &BTreeSet<Jid>, peer: &Jid) -> bool {
        !list.is_empty() && (list.contains(peer) || list.contains(peer.bare().as_jid()))
    }

    /// As stored.
    pub fn to_stored(&self) -> String {
        let list = |jids: &BTreeSet<Jid>| jids.iter().map(|jid| jid.as_str().to_owned()).collect();
        let stored =
            Stored { default: self.policy.name().to_owned(), always: list(&self.always), never: list(&self.never) };
        serde_json::to_string(&stored).expect("strings can be printed")
    }

    /// From storage; `None` if it cannot be read.
    pub fn from_stored(text: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        let list = |jids: &[String]| jids.iter().map(|jid| Jid::parse(jid).ok()).collect::<Option<BTreeSet<_>>>();
        Some(Self {
            policy: ArchivePolicy::from_name(&stored.default)?,
            always: list(&stored.always)?,
            never: list(&stored.never)?,
        })
    }
}

/// The same for somebody who is on no list (§2.1.1). What one writes to oneself counts as in the roster.
pub fn policy_allows(policy: ArchivePolicy, own: &str, roster: &Roster, peer: &Jid) -> Result<(), &'static str> {
    match policy {
        ArchivePolicy::Always => Ok(()),
        ArchivePolicy::Never => Err("archived only for those listed"),
        ArchivePolicy::Roster if peer.bare_str() == own => Ok(()),
        ArchivePolicy::Roster => match roster.items.get(peer.bare_str()) {
            Some(contact) if contact.listed => Ok(()),
            _ => Err("not in the roster"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::roster::Contact;
    use xep_support::jid::BareJid;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).expect("a JID")
    }

    /// XEP-0441 §2.1.1, §2.3.1.
    #[test]
    fn lists_go_before_the_default() {
        let mut roster = Roster::default();
        let friend = BareJid::parse("friend@x").expect("a JID");
        roster.items.insert(friend, Contact { listed: true, ..Contact::default() });
        let mut prefs = Preferences::new(ArchivePolicy::Roster);
        prefs.always.extend([jid("a@x"), jid("b@x/1")]);
        prefs.never.extend([jid("a@x/secret"), jid("friend@x/secret")]);
        let rows = [
            ("a@x", true),
            ("a@x/any", true),
            ("a@x/secret", false),
            ("b@x", false),
            ("b@x/1", true),
            ("b@x/2", false),
            ("friend@x/home", true),
            ("friend@x/secret", false),
            ("own@x/any", true),
            ("stranger@x", false),
        ];
        for (peer, allowed) in rows {
            assert_eq!(prefs.allow("own@x", &roster, &jid(peer)).is_ok(), allowed, "{peer}");
        }
        prefs.policy = ArchivePolicy::Always;
        assert!(prefs.allow("own@x", &roster, &jid("stranger@x")).is_ok());
        prefs.policy = ArchivePolicy::Never;
        assert!(prefs.allow("own@x", &roster, &jid("friend@x/home")).is_err());
        assert!(prefs.allow("own@x", &roster, &jid("b@x/1")).is_ok());
    }

    #[test]
    fn what_is_stored_is_read() {
        let mut prefs = Preferences::new(ArchivePolicy::Never);
        prefs.always.insert(jid("a@x/\"quoted\""));
        prefs.never.insert(jid("b@x"));
        assert_eq!(Preferences::from_stored(&prefs.to_stored()), Some(prefs));
        for damaged in ["", "{}", r#"{"default":"maybe","always":[],"never":[]}"#] {
            assert_eq!(Preferences::from_stored(damaged), None, "{damaged}");
        }
    }
}
