//! Whom an account does not want to hear of (XEP-0191), and whom it says nothing to.

use std::collections::BTreeSet;
use std::ops::Bound;
use xep_support::jid::{BareJid, Jid, bare_str};
use xep_support::ns;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};

/// JIDs blocked by an account; there is none for an account that blocks nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockList {
    own: BareJid,
    /// As they are written in their normal form, in order.
    jids: BTreeSet<Box<str>>,
}

impl BlockList {
    /// Of this account; nobody on it.
    pub fn new(own: BareJid) -> Self {
        Self { own, jids: BTreeSet::new() }
    }

    /// The same with these.
    pub fn with<'a>(mut self, jids: impl IntoIterator<Item = &'a Jid>) -> Self {
        self.jids.extend(jids.into_iter().map(|jid| jid.as_str().into()));
        self
    }

    /// The same without these.
    pub fn without<'a>(mut self, jids: impl IntoIterator<Item = &'a Jid>) -> Self {
        for jid in jids {
            self.jids.remove(jid.as_str());
        }
        self
    }

    /// Does the list forbid what comes from or goes to this address? §6: an entry stands for what it names, one without a
    /// resource for all resources, one of a domain for everybody in it. The account itself and the server that speaks to it
    /// are never meant (§5).
    pub fn forbids(&self, jid: &Jid) -> bool {
        let listed = |text: &str| self.jids.contains(text);
        if jid.bare_str() == self.own.as_str() || jid.as_str() == self.own.domain() {
            return false;
        }
        listed(jid.as_str()) || listed(jid.bare_str()) || listed(jid.domain())
    }

    /// Is this very address on the list?
    pub fn lists(&self, jid: &Jid) -> bool {
        self.jids.contains(jid.as_str())
    }

    /// Whatever the list means of this contact: the contact, or some of its resources.
    pub fn meant_of(&self, contact: &BareJid) -> Vec<Jid> {
        if self.forbids(contact.as_jid()) {
            return vec![contact.as_jid().clone()];
        }
        let from = format!("{contact}/");
        let behind = self.jids.range::<str, _>((Bound::Included(&*from), Bound::Unbounded));
        let resources = behind.take_while(|jid| bare_str(jid) == contact.as_str());
        resources.filter_map(|jid| Jid::parse(jid).ok()).filter(|jid| self.forbids(jid)).collect()
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.jids.iter().map(|jid| &**jid)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.jids.len()
    }

    /// Nobody at all?
    pub fn is_empty(&self) -> bool {
        self.jids.is_empty()
    }
}

/// What a user is told who sends something to somebody it has blocked (§3.3).
pub fn refusal() -> StanzaError {
    StanzaError::new(Condition::NotAcceptable).with_type(ErrorType::Cancel).with_app("blocked", ns::BLOCKING_ERRORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).expect("a JID")
    }

    fn list(jids: &[&str]) -> BlockList {
        let jids: Vec<Jid> = jids.iter().map(|text| jid(text)).collect();
        BlockList::new(BareJid::parse("own@x").expect("a JID")).with(&jids)
    }

    /// §6, entry by entry, and §5 about the account itself.
    #[test]
    fn what_an_entry_stands_for() {
        let rows = [
            ("a@y/1", &["a@y/1"][..], &["a@y", "a@y/2", "y", "y/1"][..]),
            ("a@y", &["a@y", "a@y/1"], &["b@y", "y", "y/a", "a@z"]),
            ("y/1", &["y/1"], &["y", "a@y/1", "y/2"]),
            ("y", &["y", "y/1", "a@y", "a@y/1"], &["a@sub.y", "z"]),
            ("own@x", &[], &["own@x", "own@x/1"]),
            ("own@x/1", &[], &["own@x/1"]),
            ("x", &["a@x", "x/1"], &["own@x", "own@x/1", "x"]),
            ("Ä@Y", &["ä@y/1"], &[]),
        ];
        for (entry, forbidden, free) in rows {
            let list = list(&[entry]);
            forbidden.iter().for_each(|text| assert!(list.forbids(&jid(text)), "{entry}: {text}"));
            free.iter().for_each(|text| assert!(!list.forbids(&jid(text)), "{entry}: {text}"));
        }
    }

    #[test]
    fn what_is_meant_of_a_contact() {
        let list = list(&["a@y/1", "a@y/2", "b@y", "b@y/1", "a@y0/3", "a", "own@x/1"]);
        let meant = |text: &str| {
            let found = list.meant_of(&BareJid::parse(text).expect("a JID"));
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(meant("a@y"), ["a@y/1", "a@y/2"]);
        assert_eq!(meant("b@y"), ["b@y"]);
        assert_eq!(meant("c@a"), ["c@a"]);
        assert!(meant("c@y").is_empty() && meant("own@x").is_empty());
    }
}
