//! What archived messages are called outside: something that nobody can guess (XEP-0313 §3), and that says nothing, not
//! even when the message was archived (XEP-0359 §6).
//!
//! First a keyed hash of the id, then the id itself, hidden by a keyed hash of the first part. So it is the same each time,
//! and who knows the secret can read it without looking anything up.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::Error;

const INIT: &str = "INSERT INTO meta (key, value) VALUES ('archive_ids', $1) ON CONFLICT (key) DO NOTHING";
const GET: &str = "SELECT value FROM meta WHERE key = 'archive_ids'";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[INIT, GET];

/// Characters of an id.
const CHARS: usize = ArchiveId::CHARS as usize;

/// The id of an archived message as clients are told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveId([u8; 16]);

impl ArchiveId {
    /// Characters it is written with.
    pub(super) const CHARS: u32 = 22;
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; CHARS];
        URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The secret of this database's ids.
#[derive(Clone, Copy)]
pub struct ArchiveIds([u8; 16]);

impl fmt::Debug for ArchiveIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchiveIds")
    }
}

impl ArchiveIds {
    /// With this secret.
    #[must_use]
    pub const fn new(secret: [u8; 16]) -> Self {
        Self(secret)
    }

    /// The one that was made when the database was used first.
    pub(super) async fn open(connection: &mut SqliteConnection) -> Result<Self, Error> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|error| std::io::Error::other(error.to_string()))?;
        sqlx::query(INIT).bind(&secret[..]).execute(&mut *connection).await?;
        let stored: Vec<u8> = sqlx::query_scalar(GET).fetch_one(connection).await?;
        let stored = stored.try_into().map_err(|_| Error::Invalid("the secret of the archive's ids".into()))?;
        Ok(Self(stored))
    }

    /// What clients are told.
    #[must_use]
    pub fn tell(&self, id: i64) -> ArchiveId {
        let tag = self.hash(b't', id.to_be_bytes());
        ArchiveId(join(tag, xor(id.to_be_bytes(), self.hash(b'h', tag))))
    }

    /// What a client was told once; `None` for what it was not.
    #[must_use]
    pub fn read(&self, told: &str) -> Option<i64> {
        let bytes = URL_SAFE_NO_PAD.decode(told).ok()?;
        let (tag, hidden) = bytes.split_first_chunk()?;
        let id = i64::from_be_bytes(xor(hidden.try_into().ok()?, self.hash(b'h', *tag)));
        (self.tell(id).0[..] == bytes[..]).then_some(id)
    }

    fn hash(&self, purpose: u8, input: [u8; 8]) -> [u8; 8] {
        let digest = Sha256::new_with_prefix(self.0).chain_update([purpose]).chain_update(input).finalize();
        std::array::from_fn(|n| digest[n])
    }
}

fn xor(a: [u8; 8], b: [u8; 8]) -> [u8; 8] {
    (u64::from_ne_bytes(a) ^ u64::from_ne_bytes(b)).to_ne_bytes()
}

fn join(first: [u8; 8], second: [u8; 8]) -> [u8; 16] {
    std::array::from_fn(|n| if n < 8 { first[n] } else { second[n - 8] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_told_is_read() {
        let ids = ArchiveIds::new([7; 16]);
        for id in [0, 1, 1_700_000_000_123_456, 1_700_000_000_123_457, i64::MAX, i64::MIN] {
            let told = ids.tell(id).to_string();
            assert_eq!((told.len(), ids.read(&told)), (CHARS, Some(id)), "{told}");
            assert_eq!(ArchiveIds::new([8; 16]).read(&told), None);
            for n in 0..CHARS {
                let mut other = told.clone().into_bytes();
                other[n] = if other[n] == b'A' { b'B' } else { b'A' };
                assert_eq!(ids.read(&String::from_utf8(other).expect("ASCII")), None, "{n}");
            }
        }
        for wrong in ["", "1700000000123456", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAA", "-", "ä"] {
            assert_eq!(ids.read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_have_nothing_in_common() {
        let ids = ArchiveIds::new([7; 16]);
        let (one, other) = (ids.tell(1_000_000).0, ids.tell(1_000_001).0);
        assert!(one.iter().zip(other).filter(|(a, b)| *a == b).count() < 4);
    }
}
