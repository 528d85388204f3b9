//! Authentications by what was used, and what came of them.

use crate::sasl::{FastMechanism, Mechanism};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xep_support::sasl::SaslFailure;

/// What clients ask for that we do not have is one.
const OTHER: &str = "other";
const MECHANISMS: usize = Mechanism::ALL.len() + FastMechanism::ALL.len() + 1;

/// Authentications since the start.
#[derive(Default)]
pub struct Logins {
    /// By mechanism: those that succeeded, those that failed.
    by_mechanism: [[AtomicU64; 2]; MECHANISMS],
    /// Why they failed, in the order of [`SaslFailure::ALL`].
    failures: [AtomicU64; SaslFailure::ALL.len()],
}

fn names() -> impl Iterator<Item = &'static str> {
    let passwords = Mechanism::ALL.into_iter().map(Mechanism::name);
    passwords.chain(FastMechanism::ALL.into_iter().map(FastMechanism::name)).chain([OTHER])
}

impl Logins {
    /// Somebody has tried this mechanism, and it has failed for this reason, or not.
    pub fn note(&self, mechanism: &str, failure: Option<SaslFailure>) {
        let at = names().position(|name| name == mechanism).unwrap_or(MECHANISMS - 1);
        self.by_mechanism[at][usize::from(failure.is_some())].fetch_add(1, Relaxed);
        if let Some(failure) = failure {
            self.failures[failure as usize].fetch_add(1, Relaxed);
        }
    }

    /// How many have succeeded, and how many failed, by the name of the mechanism.
    pub fn by_mechanism(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        names().zip(&self.by_mechanism).map(|(name, [ok, failed])| (name, ok.load(Relaxed), failed.load(Relaxed)))
    }

    /// Why they failed, and how often.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SaslFailure::ALL.iter().zip(&self.failures).map(|(failure, count)| (failure.as_str(), count.load(Relaxed)))
    }

    /// All that succeeded, all that failed.
    pub fn total(&self) -> (u64, u64) {
        self.by_mechanism().fold((0, 0), |sum, (_, ok, failed)| (sum.0 + ok, sum.1 + failed))
    }
}
