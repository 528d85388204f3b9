//! Tells whether keys that were read some time ago are still in force.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the changes of all accounts' keys. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct KeysVersion(Arc<AtomicU64>);

/// A change under way. What is read meanwhile may be the old or the new.
pub(super) struct KeysChange(KeysVersion);

impl KeysVersion {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Begins a change; it is over when it is dropped.
    pub(super) fn change(&self) -> KeysChange {
        self.0.fetch_add(1, Ordering::AcqRel);
        KeysChange(self.clone())
    }
}

impl Drop for KeysChange {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}
