//! Rooms that are nowhere but in memory, counted by who made them.

use dashmap::DashMap;
use std::sync::Arc;
use xep_support::jid::BareJid;

/// How many each user has.
#[derive(Clone, Default)]
pub struct CreatedBy(Arc<DashMap<BareJid, usize>>);

/// One of them; counted as long as this lives.
pub struct Counted {
    all: CreatedBy,
    by: BareJid,
}

impl CreatedBy {
    /// One more of somebody; `None`: there are as many as there may be.
    pub fn count(&self, by: &BareJid, most: usize) -> Option<Counted> {
        let mut count = self.0.entry(by.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { all: self.clone(), by: by.clone() })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.0.remove_if_mut(&self.by, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_may_be() {
        let (all, by) = (CreatedBy::default(), BareJid::parse("a@b.example").expect("a JID"));
        let one = all.count(&by, 2);
        let two = all.count(&by, 2);
        assert!(one.is_some() && two.is_some() && all.count(&by, 2).is_none());
        drop(one);
        assert!(all.count(&by, 2).is_some());
        drop(two);
        assert!(all.0.is_empty());
    }
}
