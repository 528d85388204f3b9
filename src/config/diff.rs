//! What differs between two configurations, and whether a running server can take it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Config, section::Section as _, value::without_secrets};

/// One setting that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Full key, `c2s.listen`.
    pub key: String,
    /// As TOML.
    pub old: String,
    /// As TOML.
    pub new: String,
    /// A running server takes it; otherwise it needs a restart. Each setting's declaration says which.
    pub live: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, old, new, live } = self;
        write!(f, "{key}: {old} -> {new}{}", if *live { "" } else { " (needs a restart)" })
    }
}

impl Config {
    /// What `new` changes.
    pub fn diff(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (before, after) in self.views().iter().zip(new.views()) {
            for (old, new) in before.settings.iter().zip(&after.settings).filter(|(old, new)| old.value != new.value) {
                changes.push(Change {
                    key: before.key(old),
                    old: without_secrets(&old.value).to_string(),
                    new: without_secrets(&new.value).to_string(),
                    live: old.live,
                });
            }
        }
        changes
    }

    /// These settings as a running server can take them: what needs a restart stays as it is there.
    #[must_use]
    pub fn applicable_to(mut self, running: &Self) -> Self {
        self.keep_unchangeable(running);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_server_keeps_what_it_cannot_change() {
        let running = Config::default();
        let mut new = Config { domains: vec!["example.org".into()], admins: vec!["a@b".into()], ..Config::default() };
        new.limits.writer_queue_max = 7;
        new.limits.roster_items_max = 7;
        new.log.level = "debug".into();
        let changes = running.diff(&new);
        let keys = |live| changes.iter().filter(|c| c.live == live).map(|c| c.key.as_str()).collect::<Vec<_>>();
        assert_eq!(keys(true), ["admins", "log.level", "limits.roster_items_max"]);
        assert_eq!(keys(false), ["domains", "limits.writer_queue_max"]);
        let applied = new.clone().applicable_to(&running);
        assert!(running.diff(&applied).iter().all(|c| c.live));
        assert!(applied.diff(&new).iter().all(|c| !c.live));
        assert_eq!((applied.limits.roster_items_max, applied.domains), (7, running.domains));
    }
}
