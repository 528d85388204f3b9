//! Keys in place of passwords (RFC 5802 §3), made and checked off the asynchronous workers.

use std::{fmt, sync::OnceLock};

use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::{ITERATIONS_MAX, ITERATIONS_MIN, PASSWORD_BYTES_MAX, SALT_BYTES, hash::Hash};

/// What is stored of a password for one hash function: enough to check a proof, not enough to make one.
#[derive(Clone, Eq, PartialEq)]
pub struct StoredKey {
    /// Random, per account and hash
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2
    pub iterations: u32,
    /// `H(ClientKey)`
    pub stored_key: Vec<u8>,
    /// What proves the server to the client
    pub server_key: Vec<u8>,
}

/// Key material does not belong in logs.
impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl StoredKey {
    /// RFC 5802 §3, from a prepared password
    pub(super) fn new(hash: Hash, prepared: &str, salt: &[u8], iterations: u32) -> Self {
        Self::from_salted(hash, &hash.pbkdf2(prepared.as_bytes(), salt, iterations), salt, iterations)
    }

    /// The same from `SaltedPassword`, which somebody else computed.
    pub(super) fn from_salted(hash: Hash, salted_password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let client_key = hash.hmac(salted_password, &[b"Client Key"]);
        Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: hash.digest(&client_key).to_vec(),
            server_key: hash.hmac(salted_password, &[b"Server Key"]).to_vec(),
        }
    }

    fn matches(&self, hash: Hash, prepared: &str) -> bool {
        let candidate = Self::new(hash, prepared, &self.salt, self.iterations);
        candidate.stored_key.ct_eq(&self.stored_key).into()
    }

    /// Keys that no password has, and a salt that looks like everybody's: the same whenever the account is asked for,
    /// or the difference would tell.
    fn fake(hash: Hash, server_secret: &[u8], account: &str, iterations: u32) -> Self {
        let name: &[u8] = match hash {
            Hash::Sha1 => b"SCRAM-SHA-1",
            Hash::Sha256 => b"SCRAM-SHA-256",
        };
        let derive = |purpose: &[u8]| hash.hmac(server_secret, &[purpose, b"\0", name, b"\0", account.as_bytes()]);
        Self {
            salt: derive(b"salt")[..SALT_BYTES].to_vec(),
            iterations,
            stored_key: derive(b"stored key").to_vec(),
            server_key: derive(b"server key").to_vec(),
        }
    }
}

/// The keys of one account, for each hash it has one for.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Credentials {
    /// For SCRAM-SHA-1 and SCRAM-SHA-1-PLUS
    pub sha1: Option<StoredKey>,
    /// For SCRAM-SHA-256 and SCRAM-SHA-256-PLUS
    pub sha256: Option<StoredKey>,
}

impl Credentials {
    /// Keys for a new password. Takes milliseconds: see [`Self::derive_off_thread`].
    pub fn derive(password: &str, iterations: u32) -> Result<Self, DeriveError> {
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(DeriveError::Iterations(iterations));
        }
        let prepared = prepare_password(password)?;
        let key = |hash| new_key(hash, &prepared, iterations);
        Ok(Self { sha1: Some(key(Hash::Sha1)?), sha256: Some(key(Hash::Sha256)?) })
    }

    /// [`Self::derive`] where it does not hold up anybody else.
    pub async fn derive_off_thread(password: String, iterations: u32) -> Result<Self, DeriveError> {
        off_thread(move || Self::derive(&password, iterations)).await?
    }

    /// Is this the password? Takes milliseconds: see [`Self::verify_and_complete`].
    pub fn verify_password(&self, password: &str) -> bool {
        let Ok(prepared) = prepare_password(password) else { return false };
        match (&self.sha256, &self.sha1) {
            (Some(key), _) => key.matches(Hash::Sha256, &prepared),
            (None, Some(key)) => key.matches(Hash::Sha1, &prepared),
            (None, None) => false,
        }
    }

    /// [`Self::verify_password`] where it does not hold up anybody else. If it is the password, the keys that are missing
    /// are made of it: `None` if it is not, no keys if none is missing.
    pub async fn verify_and_complete(self, password: String, iterations: u32) -> Result<Option<Self>, DeriveError> {
        off_thread(move || {
            if !self.verify_password(&password) {
                return None;
            }
            let prepared = prepare_password(&password).ok()?;
            let missing = |key: &Option<StoredKey>, hash| match key {
                Some(_) => None,
                None => new_key(hash, &prepared, iterations).ok(),
            };
            Some(Self { sha1: missing(&self.sha1, Hash::Sha1), sha256: missing(&self.sha256, Hash::Sha256) })
        })
        .await
    }

    /// What a login of an unknown account is checked against: no password fits, and nothing else differs.
    pub fn fake(server_secret: &[u8], account: &str, iterations: u32) -> Self {
        Self {
            sha1: Some(StoredKey::fake(Hash::Sha1, server_secret, account, iterations)),
            sha256: Some(StoredKey::fake(Hash::Sha256, server_secret, account, iterations)),
        }
    }

    pub(super) fn into_key(self, hash: Hash) -> Option<StoredKey> {
        match hash {
            Hash::Sha1 => self.sha1,
            Hash::Sha256 => self.sha256,
        }
    }

    /// No keys at all?
    pub fn is_empty(&self) -> bool {
        self.sha1.is_none() && self.sha256.is_none()
    }
}

/// What unknown accounts are answered with.
pub struct Decoy {
    server_secret: Box<[u8]>,
    iterations: u32,
}

impl Decoy {
    /// The secret must outlive restarts, or unknown accounts would be those whose salt changes. The iterations are those
    /// of new passwords.
    pub fn new(server_secret: impl Into<Box<[u8]>>, iterations: u32) -> Self {
        Self { server_secret: server_secret.into(), iterations }
    }

    pub(super) fn credentials(&self, account: &str) -> Credentials {
        Credentials::fake(&self.server_secret, account, self.iterations)
    }

    /// The iterations of new passwords.
    pub(super) fn iterations(&self) -> u32 {
        self.iterations
    }
}

/// Why there are no keys.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeriveError {
    /// Nothing is left of it after preparation
    #[error("the password is empty")]
    EmptyPassword,
    /// Over [`PASSWORD_BYTES_MAX`]
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    PasswordTooLong,
    /// SASLprep (RFC 4013) refuses it
    #[error("the password contains a character or direction that SASLprep prohibits")]
    ProhibitedCharacter,
    /// Outside of [`ITERATIONS_MIN`] and [`ITERATIONS_MAX`]
    #[error("{0} iterations are not between {ITERATIONS_MIN} and {ITERATIONS_MAX}")]
    Iterations(u32),
    /// The system has no random numbers
    #[error("the system gives no random numbers")]
    Random,
    /// The server is going down
    #[error("the hashing thread was interrupted")]
    Interrupted,
}

fn new_key(hash: Hash, prepared: &str, iterations: u32) -> Result<StoredKey, DeriveError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| DeriveError::Random)?;
    Ok(StoredKey::new(hash, prepared, &salt, iterations))
}

/// RFC 5802 §2.2: SASLprep, as a "stored string".
fn prepare_password(password: &str) -> Result<std::borrow::Cow<'_, str>, DeriveError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(DeriveError::PasswordTooLong);
    }
    let prepared = stringprep::saslprep(password).map_err(|_| DeriveError::ProhibitedCharacter)?;
    if prepared.is_empty() { Err(DeriveError::EmptyPassword) } else { Ok(prepared) }
}

/// How many passwords are hashed at once. The first who sets it decides; without that it is one per core, for more would
/// only make all of them slower.
static HASHING_JOBS: OnceLock<Semaphore> = OnceLock::new();

fn hashing_jobs() -> &'static Semaphore {
    HASHING_JOBS.get_or_init(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)))
}

/// Sets how many passwords are hashed at once, for as long as the process runs.
pub fn limit_hashing(jobs_max: usize) {
    HASHING_JOBS.get_or_init(|| Semaphore::new(jobs_max.max(1)));
}

/// Those who wait are as many as connections in negotiation, which have limits of their own.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, DeriveError> {
    let permit = hashing_jobs().acquire().await.map_err(|_| DeriveError::Interrupted)?;
    let job = tokio::task::spawn_blocking(move || {
        // The permit goes along: a caller that gives up does not stop the work.
        let _permit = permit;
        work()
    });
    job.await.map_err(|_| DeriveError::Interrupted)
}
