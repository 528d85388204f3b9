//! Guessing passwords and tokens (RFC 6120 §13.12): counted per address and per account.

use crate::attempts::{Allowance, Pending, Purpose, Start, address_key};
use crate::c2s::negotiate::Negotiation;
use crate::clock;
use crate::core::Core;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use xep_support::jid::BareJid;

/// An attempt that counts against its address and its account if it turns out to be a wrong guess.
pub(super) struct Guess {
    core: Arc<Core>,
    counted: SmallVec<[Pending; 3]>,
}

impl Guess {
    /// Against the address; `None` if too many from there have failed.
    pub(super) async fn from_address(n: &Negotiation<'_>) -> Option<Self> {
        let mut guess = Self { core: n.core.clone(), counted: SmallVec::new() };
        let max = n.core.config().limits.failed_logins_per_address_max;
        guess.start(Purpose::LoginAddress, &address_key(n.peer), max).await.then_some(guess)
    }

    /// Against the account as seen from this address, and against the account as such.
    pub(super) async fn at_account(&mut self, n: &Negotiation<'_>, jid: &BareJid) -> bool {
        let (here_max, total_max) = {
            let l = &n.core.config().limits;
            (l.failed_logins_per_account_max, l.failed_logins_per_account_total_max)
        };
        self.start(Purpose::LoginFrom, &format!("{} {jid}", address_key(n.peer)), here_max).await
            && self.start(Purpose::LoginAccount, jid.as_str(), total_max).await
    }

    async fn start(&mut self, purpose: Purpose, key: &str, attempts_max: usize) -> bool {
        let allowance = {
            let l = &self.core.config().limits;
            let window_ms = u64::try_from(l.failed_logins_window_seconds.as_millis()).unwrap_or(u64::MAX);
            Allowance { attempts_max, window_ms, tracked_max: l.failed_logins_tracked_max }
        };
        for _ in 0..TURNS_MAX {
            match self.core.attempts.start(purpose, key, allowance, clock::monotonic_ms()) {
                Start::Now(pending) => {
                    self.counted.push(pending);
                    return true;
                }
                // Many log in at once, after a restart say: one after the other.
                Start::Later => tokio::time::sleep(TURN).await,
                Start::Never => break,
            }
        }
        match purpose {
            Purpose::LoginAccount => tracing::warn!(account = key, "an account is closed: too many failed logins"),
            _ => tracing::info!(key, limit = ?purpose, "too many failed logins"),
        }
        false
    }

    /// It was a wrong guess.
    pub(super) fn failed(&mut self) {
        for pending in self.counted.drain(..) {
            self.core.attempts.settle(pending, true);
        }
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        for pending in self.counted.drain(..) {
            self.core.attempts.settle(pending, false);
        }
    }
}

/// How long somebody waits for others of the same address or account, and how often it looks.
const TURN: Duration = Duration::from_millis(20);
const TURNS_MAX: usize = 500;
