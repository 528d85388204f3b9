//! How often an address may try: to make accounts, to find out names, to guess invitations.

use crate::attempts::{Allowance, Pending, Purpose, Start, address_key};
use crate::clock;
use crate::core::Core;
use std::net::IpAddr;
use std::sync::Arc;
use xep_support::stanza::error::StanzaError;

pub(super) fn too_often() -> StanzaError {
    StanzaError::resource_constraint().with_text("too many attempts, try again later")
}

/// Something one address may do only so often.
pub struct Limited {
    purpose: Purpose,
    key: String,
    allowance: Allowance,
}

/// For each account that an address may make, it may ask for so many names that are taken.
const NAMES_PER_ACCOUNT: usize = 10;
pub(super) const HOUR_MS: u64 = 3_600_000;
/// How often one account may change its password.
pub(super) const PASSWORDS_PER_HOUR_MAX: usize = 20;

impl Limited {
    /// Accounts made.
    pub(super) fn accounts(core: &Core, peer: IpAddr) -> Self {
        let limits = &core.config().limits;
        let attempts_max = limits.registrations_per_address_per_hour_max;
        let allowance = Allowance { attempts_max, window_ms: HOUR_MS, tracked_max: limits.failed_logins_tracked_max };
        Self { purpose: Purpose::Register, key: address_key(peer), allowance }
    }

    /// Questions about names that are taken.
    pub fn names(core: &Core, peer: IpAddr) -> Self {
        let mut allowance = Self::accounts(core, peer).allowance;
        allowance.attempts_max = allowance.attempts_max.saturating_mul(NAMES_PER_ACCOUNT);
        Self { purpose: Purpose::Name, key: address_key(peer), allowance }
    }

    /// A wrong token is like a wrong password.
    pub fn guesses(core: &Core, peer: IpAddr) -> Self {
        let limits = &core.config().limits;
        let window_ms = u64::try_from(limits.failed_logins_window_seconds.as_millis()).unwrap_or(u64::MAX);
        let attempts_max = limits.failed_logins_per_address_max;
        let allowance = Allowance { attempts_max, window_ms, tracked_max: limits.failed_logins_tracked_max };
        Self { purpose: Purpose::Invite, key: address_key(peer), allowance }
    }

    /// Is there one left?
    pub fn check(&self, core: &Core) -> Result<(), StanzaError> {
        if core.attempts.allowed(self.purpose, &self.key, self.allowance, clock::monotonic_ms()) {
            return Ok(());
        }
        Err(self.refused())
    }

    /// Begins one of which it will be known later whether it counts. Those under way count in advance, so that many side by
    /// side are no more than many one after the other.
    pub(super) fn begin(&self, core: &Arc<Core>) -> Result<Attempt, StanzaError> {
        match core.attempts.start(self.purpose, &self.key, self.allowance, clock::monotonic_ms()) {
            Start::Now(pending) => Ok(Attempt { core: core.clone(), pending: Some(pending) }),
            Start::Later | Start::Never => Err(self.refused()),
        }
    }

    fn refused(&self) -> StanzaError {
        tracing::debug!(key = self.key, limit = ?self.purpose, "too many attempts to register");
        too_often()
    }

    /// Counts one; refused if there are too many already.
    pub fn take(&self, core: &Core) -> Result<(), StanzaError> {
        let taken = core.attempts.take(self.purpose, &self.key, self.allowance, clock::monotonic_ms());
        if taken { Ok(()) } else { Err(too_often()) }
    }
}

/// One under way. Whoever breaks it off has asked, and not waited for the answer: it counts.
pub(super) struct Attempt {
    core: Arc<Core>,
    pending: Option<Pending>,
}

impl Attempt {
    /// It is known now whether it counts.
    pub(super) fn settle(mut self, counts: bool) {
        if let Some(pending) = self.pending.take() {
            self.core.attempts.settle(pending, counts);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.core.attempts.settle(pending, true);
        }
    }
}
