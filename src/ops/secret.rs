//! Secrets that people read, type and tell each other.

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
