//! The last messages of a room, for who enters (XEP-0045 §7.2.13).

use std::collections::VecDeque;
use std::sync::Arc;
use xep_support::stanza::Stanza;

/// A message as it was reflected.
#[derive(Clone)]
pub struct Kept {
    /// When.
    pub at_us: i64,
    /// As it was sent to all; the stanza-id may be beside it.
    pub stanza: Arc<Stanza>,
    /// XML to print behind its children.
    pub extra: Option<Arc<str>>,
}

/// The last messages, bounded in number and bytes.
#[derive(Default)]
pub struct History {
    kept: VecDeque<Kept>,
    bytes: usize,
    /// What storage has was added.
    pub loaded: bool,
}

/// What a client wants of it (§7.2.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Messages at most.
    pub stanzas_max: usize,
    /// Characters of all of them at most.
    pub chars_max: usize,
    /// None from before this moment.
    pub since_us: i64,
}

impl History {
    /// One more was reflected.
    pub fn add(&mut self, kept: Kept, stanzas_max: usize, bytes_max: usize) {
        self.bytes += kept.stanza.size();
        self.kept.push_back(kept);
        while self.kept.len() > stanzas_max || self.bytes > bytes_max {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.stanza.size();
        }
    }

    /// The newest of those that are wanted, oldest first: as many as all conditions allow.
    pub fn wanted(&self, wanted: Wanted) -> impl Iterator<Item = &Kept> {
        let mut chars = 0;
        let fits = |kept: &&Kept| {
            // What is printed around the text: the addresses and the delay stamp.
            chars += kept.stanza.inner().chars().count() + PRINTED_AROUND_CHARS;
            kept.at_us >= wanted.since_us && chars <= wanted.chars_max
        };
        let count = self.kept.iter().rev().take(wanted.stanzas_max).take_while(fits).count();
        self.kept.iter().skip(self.kept.len() - count)
    }

    /// Something was retracted: those for which `change` gives another stanza are replaced.
    pub fn replace(&mut self, change: impl Fn(&Kept) -> Option<Arc<Stanza>>) {
        for kept in &mut self.kept {
            if let Some(stanza) = change(kept) {
                self.bytes = self.bytes - kept.stanza.size() + stanza.size();
                kept.stanza = stanza;
            }
        }
    }

    /// From this one on, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.kept.iter()
    }
}

/// Characters of a stanza beside its content, roughly.
const PRINTED_AROUND_CHARS: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::stanza::MessageType;
    use xep_support::xml::Element;

    fn history(count: i64) -> History {
        let mut history = History::default();
        for at_us in 0..count {
            let body = Element::new("body", xep_support::ns::CLIENT).text("x".repeat(100));
            let stanza = Arc::new(Stanza::message(MessageType::Groupchat, None, None, [body]));
            history.add(Kept { at_us, stanza, extra: None }, 10, 1 << 20);
        }
        history
    }

    const ALL: Wanted = Wanted { stanzas_max: 100, chars_max: usize::MAX, since_us: i64::MIN };

    #[test]
    fn the_smallest_amount_that_all_conditions_allow() {
        let history = history(20);
        let times = |wanted| history.wanted(wanted).map(|kept| kept.at_us).collect::<Vec<_>>();
        assert_eq!(times(ALL), (10..20).collect::<Vec<_>>());
        assert_eq!(times(Wanted { stanzas_max: 2, ..ALL }), [18, 19]);
        assert_eq!(times(Wanted { since_us: 17, ..ALL }), [17, 18, 19]);
        assert_eq!(times(Wanted { chars_max: 0, ..ALL }), [0; 0]);
        assert_eq!(times(Wanted { chars_max: 400, ..ALL }), [19]);
        assert_eq!(times(Wanted { stanzas_max: 0, ..ALL }), [0; 0]);
    }
}
