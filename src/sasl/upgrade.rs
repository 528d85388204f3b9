//! XEP-0480 §3: keys for a hash function an account has none for yet, made by a client that knows the password, so that
//! the password itself need not be sent.

use super::credentials::{Credentials, StoredKey};
use super::hash::Hash;
use super::{Mechanism, SALT_BYTES};

/// What a client may be asked for.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum UpgradeTask {
    /// Keys for SCRAM-SHA-256.
    ScramSha256,
    /// Keys for SCRAM-SHA-1.
    ScramSha1,
}

impl UpgradeTask {
    /// All of them, best first.
    pub const ALL: [Self; 2] = [Self::ScramSha256, Self::ScramSha1];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "UPGR-SCRAM-SHA-256",
            Self::ScramSha1 => "UPGR-SCRAM-SHA-1",
        }
    }

    /// The task of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// The mechanism it is for.
    pub const fn mechanism(self) -> Mechanism {
        match self {
            Self::ScramSha256 => Mechanism::ScramSha256,
            Self::ScramSha1 => Mechanism::ScramSha1,
        }
    }

    /// Does this account lack the keys?
    pub fn is_due(self, credentials: &Credentials) -> bool {
        match self {
            Self::ScramSha256 => credentials.sha256.is_none(),
            Self::ScramSha1 => credentials.sha1.is_none(),
        }
    }

    const fn hash(self) -> Hash {
        match self {
            Self::ScramSha256 => Hash::Sha256,
            Self::ScramSha1 => Hash::Sha1,
        }
    }

    /// A salt for the client to use.
    pub fn salt() -> Option<[u8; SALT_BYTES]> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).ok().map(|()| salt)
    }

    /// The keys that follow from what the client computed: `SaltedPassword` (RFC 5802 §3). `None`: it is none.
    pub fn keys(self, salted_password: &[u8], salt: &[u8], iterations: u32) -> Option<Credentials> {
        let hash = self.hash();
        if salted_password.len() != hash.output_bytes() {
            return None;
        }
        let key = StoredKey::from_salted(hash, salted_password, salt, iterations);
        Some(match self {
            Self::ScramSha256 => Credentials { sha256: Some(key), sha1: None },
            Self::ScramSha1 => Credentials { sha256: None, sha1: Some(key) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_made_by_the_client_fit_the_password() {
        for task in UpgradeTask::ALL {
            let salted = task.hash().pbkdf2(b"secret", b"salt", 4096);
            let keys = task.keys(&salted, b"salt", 4096).expect("keys");
            assert!(keys.verify_password("secret"));
            assert!(!keys.verify_password("other"));
            assert!(!task.is_due(&keys));
            assert!(task.keys(&salted[1..], b"salt", 4096).is_none());
            assert_eq!(UpgradeTask::from_name(task.name()), Some(task));
        }
    }
}
