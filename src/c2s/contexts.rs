//! What stream headers declare, shared: clients of all kinds say the same, and each would cost its session half a kilobyte.

use std::sync::{Arc, Mutex, PoisonError};
use xep_support::xml::check::StreamContext;

/// The last few that were different.
static KNOWN: Mutex<Vec<Arc<StreamContext>>> = Mutex::new(Vec::new());

/// Somebody who declares nonsense drives out what is common only until the next common one.
const KNOWN_MAX: usize = 8;

/// This one, or one that says the same.
pub(super) fn shared(context: StreamContext) -> Arc<StreamContext> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = known.iter().position(|other| **other == context) {
        // The most common ones come to be found first.
        known.swap(at, at / 2);
        return known[at / 2].clone();
    }
    if known.len() >= KNOWN_MAX {
        known.pop();
    }
    let context = Arc::new(context);
    known.push(context.clone());
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_shared_and_the_table_is_bounded() {
        let common = || StreamContext::client().with_prefix("stream", "http://etherx.jabber.org/streams");
        let first = shared(common());
        assert!(Arc::ptr_eq(&first, &shared(common())));
        for prefix in 0..100 {
            let rare = shared(StreamContext::client().with_prefix(&format!("x{prefix}"), "urn:x"));
            assert!(!Arc::ptr_eq(&first, &rare));
            assert_eq!(*shared(common()), *first);
        }
        assert!(KNOWN.lock().unwrap_or_else(PoisonError::into_inner).len() <= KNOWN_MAX);
    }
}
