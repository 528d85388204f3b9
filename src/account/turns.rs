//! Turns of accounts: who keeps two things the same that a client sees as two (an avatar and the photograph of a card) does
//! it while nobody else does.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{MutexGuard as Locked, PoisonError};
use tokio::sync::{Mutex, MutexGuard};
use xep_support::jid::BareJid;

/// So many accounts can have theirs at the same time. Two that share one wait for each other, no more.
const TURNS: usize = 64;

/// The turns of all accounts.
pub struct Turns {
    turns: [Mutex<()>; TURNS],
    hasher: RandomState,
    /// What waits for its turn, and need not be asked for again before.
    due: std::sync::Mutex<HashSet<Due>>,
}

/// Whose, and what.
type Due = (BareJid, &'static str);

impl Default for Turns {
    fn default() -> Self {
        Self { turns: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new(), due: Default::default() }
    }
}

impl Turns {
    /// The turn of this account. Nobody takes two at once; turns of nodes may be taken within.
    pub async fn of(&self, account: &BareJid) -> MutexGuard<'_, ()> {
        self.turns[self.hasher.hash_one(account.as_str()) as usize % TURNS].lock().await
    }

    /// Asks for something that does the same however often it was asked for. `false`: it waits for its turn already.
    pub fn ask(&self, account: &BareJid, what: &'static str) -> bool {
        self.due().insert((account.clone(), what))
    }

    /// The turn for what was asked for. From now on it can be asked for again.
    pub async fn asked(&self, account: &BareJid, what: &'static str) -> MutexGuard<'_, ()> {
        let turn = self.of(account).await;
        self.due().remove(&(account.clone(), what));
        turn
    }

    fn due(&self) -> Locked<'_, HashSet<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_not_asked_for_again() {
        let (turns, romeo) = (Turns::default(), BareJid::parse("romeo@im.example").expect("a JID"));
        assert!(turns.ask(&romeo, "avatar") && !turns.ask(&romeo, "avatar") && turns.ask(&romeo, "list"));
        let turn = turns.asked(&romeo, "avatar").await;
        assert!(turns.ask(&romeo, "avatar"), "it has begun: what is new since then may have been missed");
        assert!(!turns.ask(&romeo, "avatar") && !turns.ask(&romeo, "list"));
        drop(turn);
    }
}
