//! Secrets that people read, type and tell each other.

use serde::{Deserialize, Serialize};
use std::fmt;
/// 32 letters and digits that nobody takes for another: five bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A random text that can be read out on the telephone; `None` when the system has no random numbers.
pub fn readable_secret(length: usize) -> Option<String> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_differ_and_secrets_too() {
        let mut letters = LETTERS.to_vec();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), 32);
        let (a, b) = (readable_secret(24).unwrap(), readable_secret(24).unwrap());
        assert!(a.len() == 24 && a != b);
    }
}

/// A password on its way. It is never printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}
