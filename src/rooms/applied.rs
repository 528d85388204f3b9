//! Who has asked to become a member of a room (XEP-0045 §9.9). Those who decide are told once, however often they are asked
//! and whatever they decide; what they decide about is in the form they are sent, so nothing else need be kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use xep_support::jid::BareJid;

/// Requests remembered; of an older one they may be told again.
const APPLIED_MAX: usize = 1_000;

/// The latest requests: which room, when that was made, and who.
#[derive(Default)]
pub struct Applied(Mutex<VecDeque<(BareJid, i64, BareJid)>>);

impl Applied {
    /// Somebody asks a room that was made at this moment. `false`: not for the first time.
    pub fn add(&self, room: &BareJid, created_us: i64, who: &BareJid) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|(at, made, by)| by == who && at == room && *made == created_us) {
            return false;
        }
        if known.len() >= APPLIED_MAX {
            known.pop_front();
        }
        known.push_back((room.clone(), created_us, who.clone()));
        true
    }

    /// It is something to the room now. Should it be nothing one day, it may ask again.
    pub fn remove(&self, room: &BareJid, who: &BareJid) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(at, _, by)| at != room || by != who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_once() {
        let jid = |text: &str| BareJid::parse(text).expect("a JID");
        let (applied, room, who) = (Applied::default(), jid("r@x"), jid("a@b"));
        assert!(applied.add(&room, 1, &who) && applied.add(&jid("s@x"), 1, &who));
        assert!(!applied.add(&room, 1, &who));
        assert!(applied.add(&room, 2, &who), "another room of that name");
        applied.remove(&room, &who);
        assert!(applied.add(&room, 2, &who));
        for n in 0..APPLIED_MAX {
            assert!(applied.add(&room, 2, &jid(&format!("{n}@b"))));
        }
        assert!(applied.add(&room, 2, &who), "forgotten by then");
    }
}
