//! How often somebody tried: failed logins, connections, registrations, guesses at invitations.
//!
//! Fixed windows, one bounded table for each purpose, so that a flood of one kind makes nothing of another kind
//! forgotten. Keys are kept as hashes, which nobody can choose. When a table is full, what has expired goes; strangers
//! that still do not fit are counted together, so that a flood of addresses cannot buy attempts.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Failed logins from an address.
    LoginAddress,
    /// Failed logins to an account from an address.
    LoginFrom,
    /// Failed logins to an account.
    LoginAccount,
    /// Connections from an address.
    Connect,
    /// Accounts made from an address.
    Register,
    /// Questions about names that are taken, from an address.
    Name,
    /// Wrong invitations from an address.
    Invite,
    /// Password changes of an account.
    Password,
}

const PURPOSES: usize = Purpose::Password as usize + 1;

/// All counters.
#[derive(Default)]
pub struct Attempts {
    tables: [Mutex<Table>; PURPOSES],
    hasher: RandomState,
}

#[derive(Default)]
struct Table {
    windows: HashMap<u64, Window>,
    /// Looking for what has expired costs a walk: not more than ten times a window.
    next_purge_ms: u64,
}

#[derive(Clone, Copy)]
struct Window {
    since_ms: u64,
    /// Attempts that count.
    count: u32,
    /// Attempts whose outcome is not known yet.
    pending: u32,
}

impl Window {
    fn new(since_ms: u64) -> Self {
        Self { since_ms, count: 0, pending: 0 }
    }
}

/// How many attempts in which time.
#[derive(Clone, Copy)]
pub struct Allowance {
    /// Attempts within one window.
    pub attempts_max: usize,
    /// Length of a window in milliseconds.
    pub window_ms: u64,
    /// Keys remembered at once.
    pub tracked_max: usize,
}

/// An attempt under way: it is [`settle`](Attempts::settle)d as a failure, or as none.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    purpose: Purpose,
    key: u64,
}

/// May an attempt begin whose outcome will be known later?
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// Yes.
    Now(Pending),
    /// Not while so many are under way that together they could be too many.
    Later,
    /// No: too many have failed.
    Never,
}

/// The key that stands for everybody who does not fit into a table.
const OVERFLOW: u64 = 0;

/// An address as a key: each IPv4 address for itself, IPv6 by the network of one customer (RFC 6177).
pub fn address_key(peer: IpAddr) -> String {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}::/64", address.to_bits() >> 64),
    }
}

impl Attempts {
    /// Counts an attempt if one is still allowed.
    pub fn take(&self, purpose: Purpose, key: &str, allowance: Allowance, now_ms: u64) -> bool {
        let mut table = self.table(purpose);
        let (_, window) = table.window(self.hasher.hash_one(key), allowance, now_ms);
        let allowed = (window.count as usize) < allowance.attempts_max;
        if allowed {
            window.count += 1;
        }
        allowed
    }

    /// Begins an attempt that only counts if it fails. Those under way are taken for failures in advance, so that guesses
    /// made side by side are no more than guesses made one after the other; whoever comes too many at once waits.
    pub fn start(&self, purpose: Purpose, key: &str, allowance: Allowance, now_ms: u64) -> Start {
        let mut table = self.table(purpose);
        let (key, window) = table.window(self.hasher.hash_one(key), allowance, now_ms);
        if window.count as usize >= allowance.attempts_max {
            return Start::Never;
        }
        if (window.count + window.pending) as usize >= allowance.attempts_max {
            return Start::Later;
        }
        window.pending += 1;
        Start::Now(Pending { purpose, key })
    }

    /// Is one more attempt allowed? Nothing is counted.
    pub fn allowed(&self, purpose: Purpose, key: &str, allowance: Allowance, now_ms: u64) -> bool {
        let mut table = self.table(purpose);
        let key = table.key(self.hasher.hash_one(key), allowance, now_ms);
        table.windows.get(&key).is_none_or(|w| {
            now_ms.saturating_sub(w.since_ms) >= allowance.window_ms || (w.count as usize) < allowance.attempts_max
        })
    }

    /// The outcome of an attempt.
    pub fn settle(&self, pending: Pending, failed: bool) {
        let mut table = self.table(pending.purpose);
        let Some(window) = table.windows.get_mut(&pending.key) else { return };
        window.pending = window.pending.saturating_sub(1);
        window.count += u32::from(failed);
        if window.count == 0 && window.pending == 0 {
            table.windows.remove(&pending.key);
        }
    }

    fn table(&self, purpose: Purpose) -> std::sync::MutexGuard<'_, Table> {
        self.tables[purpose as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn window(&mut self, key: u64, allowance: Allowance, now_ms: u64) -> (u64, &mut Window) {
        let key = self.key(key, allowance, now_ms);
        let window = self.windows.entry(key).or_insert(Window::new(now_ms));
        if now_ms.saturating_sub(window.since_ms) >= allowance.window_ms {
            *window = Window { pending: window.pending, ..Window::new(now_ms) };
        }
        (key, window)
    }

    /// The key itself where there is room for it.
    fn key(&mut self, key: u64, allowance: Allowance, now_ms: u64) -> u64 {
        if self.windows.contains_key(&key) {
            return key;
        }
        if self.windows.len() >= allowance.tracked_max && now_ms >= self.next_purge_ms {
            self.windows.retain(|_, w| w.pending > 0 || now_ms.saturating_sub(w.since_ms) < allowance.window_ms);
            self.next_purge_ms = now_ms + allowance.window_ms / 10;
        }
        if self.windows.len() < allowance.tracked_max { key } else { OVERFLOW }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Purpose::{Connect, LoginAddress, Register};

    const FEW: Allowance = Allowance { attempts_max: 2, window_ms: 1000, tracked_max: 2 };

    fn take(a: &Attempts, key: &str, now_ms: u64) -> bool {
        a.take(Connect, key, FEW, now_ms)
    }

    #[test]
    fn the_limit_holds_within_a_window_and_ends_with_it() {
        let a = Attempts::default();
        assert!(take(&a, "x", 0) && take(&a, "x", 0));
        assert!(!take(&a, "x", 999) && !a.allowed(Connect, "x", FEW, 999));
        assert!(take(&a, "y", 999));
        assert!(a.allowed(Connect, "x", FEW, 1000) && take(&a, "x", 1000));
    }

    fn start(a: &Attempts) -> Start {
        a.start(LoginAddress, "x", FEW, 0)
    }

    #[test]
    fn attempts_side_by_side_are_no_more_than_one_after_the_other() {
        let a = Attempts::default();
        let (Start::Now(first), Start::Now(second)) = (start(&a), start(&a)) else { panic!("two are allowed") };
        assert!(matches!(start(&a), Start::Later));
        a.settle(first, true);
        assert!(matches!(start(&a), Start::Later));
        a.settle(second, false);
        let Start::Now(third) = start(&a) else { panic!("one has failed, one more is allowed") };
        a.settle(third, true);
        assert!(matches!(start(&a), Start::Never));
    }

    #[test]
    fn what_succeeds_does_not_count() {
        let a = Attempts::default();
        for _ in 0..10 {
            let Start::Now(pending) = start(&a) else { panic!("nothing has failed") };
            a.settle(pending, false);
        }
    }

    #[test]
    fn a_full_table_counts_strangers_together() {
        let a = Attempts::default();
        assert!(take(&a, "a", 0) && take(&a, "b", 0));
        assert!(take(&a, "c", 0) && take(&a, "d", 0));
        assert!(!take(&a, "e", 1), "the strangers' attempts are used up");
        assert!(take(&a, "a", 1));
        assert!(take(&a, "e", 1100), "what has expired makes room");
    }

    #[test]
    fn a_flood_of_one_kind_leaves_the_others_alone() {
        let a = Attempts::default();
        let once = Allowance { attempts_max: 1, ..FEW };
        assert!(a.take(Register, "x", once, 0));
        assert!((0..100).any(|i| !take(&a, &i.to_string(), 0)), "a flood");
        assert!(!a.take(Register, "x", once, 1));
    }

    #[test]
    fn neighbours_in_a_network_share_a_limit() {
        let of = |address: &str| address_key(address.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
