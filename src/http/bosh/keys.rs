//! The sequence of keys that protects a session in the clear from others who see it (XEP-0124 §14).

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use xep_support::bosh::Condition;

/// A key: what its forty hexadecimal digits stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key([u8; 20]);

impl Key {
    /// Reads one. The case of its digits does not matter (§14.3).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut key = [0; 20];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(key))
    }
}

/// What the next key is checked against; nothing if the client does without.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keys(Option<Key>);

impl Keys {
    /// §14.4: the first request may begin a sequence.
    pub(super) fn begin(&mut self, newkey: Option<&str>) -> Result<(), Condition> {
        if let Some(newkey) = newkey {
            self.0 = Some(Key::parse(newkey).ok_or(Condition::BadRequest)?);
        }
        Ok(())
    }

    /// §14.4, §14.5: is the key of this request the one before the last?
    pub(super) fn next(&mut self, key: Option<&str>, newkey: Option<&str>) -> Result<Option<Key>, Condition> {
        let Some(expected) = self.0 else { return Ok(key.and_then(Key::parse)) };
        let key = key.ok_or(Condition::ItemNotFound)?;
        let hash: [u8; 20] = Sha1::digest(key.as_bytes()).into();
        let (true, Some(parsed)) = (bool::from(hash.ct_eq(&expected.0)), Key::parse(key)) else {
            return Err(Condition::ItemNotFound);
        };
        self.0 = Some(parsed);
        self.begin(newkey)?;
        Ok(Some(parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn hashed(text: &str) -> String {
        Sha1::digest(text.as_bytes()).iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }

    #[test]
    fn a_sequence_goes_backwards_and_is_followed_by_another() {
        let first = hashed("seed");
        let second = hashed(&first);
        let other = hashed("another seed");
        let other_second = hashed(&other);
        let mut keys = Keys::default();
        assert_eq!(keys.begin(Some(&second.to_uppercase())), Ok(()));
        let mut wrong = keys;
        for key in [None, Some(second.as_str()), Some(""), Some(other.as_str())] {
            assert_eq!(wrong.next(key, None), Err(Condition::ItemNotFound));
        }
        assert!(keys.next(Some(&first), Some(&other_second)).is_ok());
        assert_eq!(keys.next(Some("seed"), None), Err(Condition::ItemNotFound), "the old sequence");
        assert!(keys.next(Some(&other), None).is_ok());
        // K(1) is followed by nothing: the seed is no key.
        assert_eq!(keys.next(Some("another seed"), None), Err(Condition::ItemNotFound));
        assert_eq!(Keys::default().begin(Some("xyz")), Err(Condition::BadRequest));
        assert!(Keys::default().next(None, None).is_ok());
    }
}
