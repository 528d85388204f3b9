//! Logins of the last hours: whoever comes back from the same place with the same password costs no read of the database and
//! no hashing. After a loss of the network everybody comes back at once.
//!
//! What it does not change: a wrong password costs all the rounds of PBKDF2 and counts as a failed attempt; a stranger, who
//! comes from elsewhere, has everything read and hashed and learns nothing from the time that takes; a password that was
//! changed, an account that was removed or disabled, is forgotten with the version of the keys.
//!
//! What somebody who can read the memory of the process gains: for accounts that logged in by PLAIN in the last hours a guess
//! costs one HMAC in place of thousands. The same memory holds the passwords of those who are just logging in by PLAIN, the
//! keys of TLS and the secret that all tokens are derived from, so it is no new kind of loss, and SCRAM leaves nothing of
//! the kind. Nothing of this is written anywhere, and the key of the HMAC ends with the process.

use super::credentials::Credentials;
use super::hash::Hash;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

/// Who remembers. At most so many logins as it is told, for at most two [`TURN_MS`].
pub struct Remembered {
    /// Ends with the process. `None`: there was no randomness, and no password is remembered.
    secret: Option<[u8; 32]>,
    hasher: RandomState,
    logins: Mutex<Logins>,
}

/// Two halves: what is not asked for while the younger one fills up, or ages, is forgotten with the older one.
#[derive(Default)]
struct Logins {
    young: HashMap<Box<str>, Login>,
    old: HashMap<Box<str>, Login>,
    since_ms: u64,
}

struct Login {
    keys: Credentials,
    version: u64,
    /// Where it came from, hashed.
    from: u64,
    password: Option<PasswordTag>,
}

/// A password of one account with its keys of the moment, as one number.
pub struct PasswordTag([u8; 32]);

/// Somebody who logs in.
#[derive(Clone, Copy)]
pub struct Newcomer<'a> {
    /// The bare JID.
    pub account: &'a str,
    /// The address, as attempts are counted by.
    pub from: &'a str,
    /// The version of all keys, from before these were read.
    pub version: u64,
    /// Milliseconds of the monotonic clock.
    pub now_ms: u64,
}

/// Half of the time after which a login is forgotten. A session may have lasted long when its connection is lost.
const TURN_MS: u64 = 12 * 60 * 60 * 1000;

impl Default for Remembered {
    fn default() -> Self {
        let mut secret = [0; 32];
        let secret = getrandom::fill(&mut secret).is_ok().then_some(secret);
        Self { secret, hasher: RandomState::new(), logins: Mutex::default() }
    }
}

impl Remembered {
    /// The keys of an account that logged in from the same place before.
    pub fn keys(&self, who: Newcomer<'_>) -> Option<Credentials> {
        let from = self.hasher.hash_one(who.from);
        self.lock(who.now_ms).find(who).filter(|login| login.from == from).map(|login| login.keys.clone())
    }

    /// What is remembered of a password.
    pub fn tag(&self, who: Newcomer<'_>, keys: &Credentials, password: &str) -> Option<PasswordTag> {
        let key = keys.sha256.as_ref().or(keys.sha1.as_ref())?;
        let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
        let (account, stored_key) = (who.account.as_bytes(), &key.stored_key[..]);
        let parts = [&length(account), account, &length(stored_key), stored_key, password.as_bytes()];
        let mac = Hash::Sha256.hmac(self.secret.as_ref()?, &parts);
        mac.as_slice().try_into().ok().map(PasswordTag)
    }

    /// Was this password found to be right before?
    pub fn is_proved(&self, who: Newcomer<'_>, tag: &PasswordTag) -> bool {
        let logins = self.lock(who.now_ms);
        let known = logins.find(who).and_then(|login| login.password.as_ref());
        known.is_some_and(|known| known.0.ct_eq(&tag.0).into())
    }

    /// Somebody has logged in, by this password if it was sent.
    pub fn note(&self, who: Newcomer<'_>, keys: Credentials, password: Option<PasswordTag>, logins_max: usize) {
        let from = self.hasher.hash_one(who.from);
        let mut logins = self.lock(who.now_ms);
        let before = logins.take(who.account).filter(|login| login.version == who.version);
        if logins.young.len() >= logins_max / 2 {
            logins.turn(who.now_ms);
        }
        if logins_max >= 2 {
            let password = password.or_else(|| before?.password);
            logins.young.insert(who.account.into(), Login { keys, version: who.version, from, password });
        }
    }

    /// Forgets what is too old.
    pub fn sweep(&self, now_ms: u64) {
        drop(self.lock(now_ms));
    }

    fn lock(&self, now_ms: u64) -> MutexGuard<'_, Logins> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        while !(logins.young.is_empty() && logins.old.is_empty()) && now_ms.saturating_sub(logins.since_ms) >= TURN_MS {
            let next_ms = logins.since_ms.saturating_add(TURN_MS);
            logins.turn(next_ms);
        }
        logins
    }
}

impl Logins {
    fn find(&self, who: Newcomer<'_>) -> Option<&Login> {
        let login = self.young.get(who.account).or_else(|| self.old.get(who.account))?;
        (login.version == who.version).then_some(login)
    }

    fn take(&mut self, account: &str) -> Option<Login> {
        let old = self.old.remove(account);
        self.young.remove(account).or(old)
    }

    fn turn(&mut self, now_ms: u64) {
        self.old = std::mem::take(&mut self.young);
        self.since_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(password: &str) -> Credentials {
        Credentials::derive(password, super::super::ITERATIONS_MIN).expect("keys")
    }

    fn from(account: &'static str, from: &'static str, version: u64) -> Newcomer<'static> {
        Newcomer { account, from, version, now_ms: 5 }
    }

    fn logged_in(remembered: &Remembered, who: Newcomer<'_>, keys: &Credentials, password: &str) {
        let tag = remembered.tag(who, keys, password);
        remembered.note(who, keys.clone(), tag, 8);
    }

    fn knows(remembered: &Remembered, who: Newcomer<'_>, keys: &Credentials, password: &str) -> bool {
        remembered.tag(who, keys, password).is_some_and(|tag| remembered.is_proved(who, &tag))
    }

    #[test]
    fn only_the_password_that_was_proved_is_known() {
        let (remembered, old, new) = (Remembered::default(), keys("secret"), keys("secret"));
        let who = from("a@b", "here", 1);
        assert!(!knows(&remembered, who, &old, "secret") && remembered.keys(who).is_none());
        logged_in(&remembered, who, &old, "secret");
        assert!(knows(&remembered, who, &old, "secret"));
        assert!(remembered.keys(who).is_some_and(|keys| keys == old));
        assert!(!knows(&remembered, who, &old, "Secret"));
        assert!(!knows(&remembered, from("c@b", "here", 1), &old, "secret"), "somebody else");
        assert!(!knows(&remembered, who, &new, "secret"), "other keys of the same password");
    }

    #[test]
    fn whoever_comes_from_elsewhere_is_looked_up_like_a_stranger() {
        let (remembered, keys) = (Remembered::default(), keys("secret"));
        logged_in(&remembered, from("a@b", "here", 1), &keys, "secret");
        let elsewhere = from("a@b", "there", 1);
        assert!(remembered.keys(elsewhere).is_none());
        assert!(knows(&remembered, elsewhere, &keys, "secret"), "but need not prove the password anew");
    }

    #[test]
    fn any_change_of_keys_makes_it_forget() {
        let (remembered, keys) = (Remembered::default(), keys("secret"));
        logged_in(&remembered, from("a@b", "here", 1), &keys, "secret");
        let later = from("a@b", "here", 2);
        assert!(remembered.keys(later).is_none() && !knows(&remembered, later, &keys, "secret"));
        // A login by SCRAM afterwards does not bring the password back.
        remembered.note(later, keys.clone(), None, 8);
        assert!(remembered.keys(later).is_some() && !knows(&remembered, later, &keys, "secret"));
    }

    #[test]
    fn a_login_without_a_password_keeps_the_one_that_is_known() {
        let (remembered, keys) = (Remembered::default(), keys("secret"));
        let who = from("a@b", "here", 1);
        logged_in(&remembered, who, &keys, "secret");
        remembered.note(who, keys.clone(), None, 8);
        assert!(knows(&remembered, who, &keys, "secret"));
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_an_end() {
        let (remembered, keys) = (Remembered::default(), keys("secret"));
        let names = ["a@b", "b@b", "c@b", "d@b", "e@b", "f@b", "g@b", "h@b", "i@b", "j@b"];
        for name in names {
            logged_in(&remembered, from(name, "here", 1), &keys, "secret");
        }
        let known = |now_ms| {
            let who = |name| Newcomer { now_ms, ..from(name, "here", 1) };
            names.iter().filter(|name| remembered.keys(who(name)).is_some()).count()
        };
        assert!((4..=8).contains(&known(5)), "{}", known(5));
        assert!(known(TURN_MS + 5) > 0);
        assert_eq!(known(2 * TURN_MS + 5), 0);
        let none = Remembered::default();
        none.note(from("a@b", "here", 1), keys, None, 0);
        assert!(none.keys(from("a@b", "here", 1)).is_none(), "0 is none");
    }
}
