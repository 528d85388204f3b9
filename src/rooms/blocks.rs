//! Whom a service keeps out of its rooms: users, whole domains, and rooms that are closed. Few, and in memory once they are
//! asked for.

use dashmap::DashMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use xep_support::jid::BareJid;

/// The lists of all services.
#[derive(Default)]
pub struct Blocks {
    lists: DashMap<String, Arc<BTreeSet<String>>>,
}

impl Blocks {
    /// The list of a service, if it is known.
    pub fn of(&self, service: &str) -> Option<Arc<BTreeSet<String>>> {
        self.lists.get(service).map(|list| list.clone())
    }

    /// The list as it is now.
    pub fn set(&self, service: &str, list: BTreeSet<String>) -> Arc<BTreeSet<String>> {
        let list = Arc::new(list);
        self.lists.insert(service.to_owned(), list.clone());
        list
    }
}

/// Is this address, or its domain, on the list?
pub fn is_on(list: &BTreeSet<String>, jid: &BareJid) -> bool {
    !list.is_empty() && (list.contains(jid.as_str()) || list.contains(jid.domain()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_stands_for_all_its_users() {
        let list = ["a@b.example".to_owned(), "x.example".to_owned()].into();
        let rows = [("a@b.example", true), ("c@b.example", false), ("c@x.example", true), ("x.example", true)];
        for (jid, on) in rows {
            assert_eq!(is_on(&list, &BareJid::parse(jid).expect("a JID")), on, "{jid}");
        }
        let blocks = Blocks::default();
        assert_eq!(blocks.of("s"), None);
        blocks.set("s", list);
        assert_eq!(blocks.of("s").map(|list| list.len()), Some(2));
    }
}
