//! The last messages of a room, for who enters (XEP-0045 §7.2.13).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
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
    /// Those of all rooms.
    all: Option<Arc<HistoryBytes>>,
}

/// What is kept for who enters in all rooms together.
#[derive(Default)]
pub struct HistoryBytes {
    bytes: AtomicUsize,
    rooms: AtomicUsize,
    bytes_max: AtomicUsize,
}

impl HistoryBytes {
    /// How much one of them may keep: if there is too much of it altogether, an equal share.
    fn share(&self) -> usize {
        let most = self.bytes_max.load(Relaxed);
        if self.bytes.load(Relaxed) <= most { usize::MAX } else { most / self.rooms.load(Relaxed).max(1) }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        if let Some(all) = &self.all {
            all.bytes.fetch_sub(self.bytes, Relaxed);
            all.rooms.fetch_sub(1, Relaxed);
        }
    }
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
        let bytes_max = bytes_max.min(self.all.as_ref().map_or(usize::MAX, |all| all.share()));
        let before = self.bytes;
        self.bytes += kept.stanza.size();
        self.kept.push_back(kept);
        while self.kept.len() > stanzas_max || self.bytes > bytes_max {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.stanza.size();
        }
        self.count(before);
    }

    /// It is one of these, which together may have so many bytes.
    pub fn among(&mut self, all: &Arc<HistoryBytes>, bytes_max: usize) {
        all.bytes_max.store(bytes_max, Relaxed);
        if self.all.is_none() {
            all.rooms.fetch_add(1, Relaxed);
            all.bytes.fetch_add(self.bytes, Relaxed);
            self.all = Some(all.clone());
        }
    }

    /// Nothing is kept.
    pub fn clear(&mut self) {
        let before = std::mem::take(&mut self.bytes);
        self.kept.clear();
        self.count(before);
    }

    /// It had so many bytes before.
    fn count(&self, before: usize) {
        if let Some(all) = &self.all {
            if self.bytes >= before {
                all.bytes.fetch_add(self.bytes - before, Relaxed);
            } else {
                all.bytes.fetch_sub(before - self.bytes, Relaxed);
            }
        }
    }

    /// The newest of those that are wanted, oldest first: as many as all conditions allow. `chars_of`: how long one is when
    /// it is sent; asked only if that matters.
    pub fn wanted(&self, wanted: Wanted, chars_of: impl Fn(&Kept) -> usize) -> impl Iterator<Item = &Kept> {
        let mut chars = 0;
        let fits = |kept: &&Kept| {
            if wanted.chars_max < usize::MAX {
                chars += chars_of(kept);
            }
            kept.at_us >= wanted.since_us && chars <= wanted.chars_max
        };
        let count = self.kept.iter().rev().take(wanted.stanzas_max).take_while(fits).count();
        self.kept.iter().skip(self.kept.len() - count)
    }

    /// Something was retracted: those for which `change` gives another stanza are replaced.
    pub fn replace(&mut self, change: impl Fn(&Kept) -> Option<Arc<Stanza>>) {
        let before = self.bytes;
        for kept in &mut self.kept {
            if let Some(stanza) = change(kept) {
                self.bytes = self.bytes - kept.stanza.size() + stanza.size();
                kept.stanza = stanza;
            }
        }
        self.count(before);
    }

    /// From this one on, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.kept.iter()
    }
}

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
        let times = |wanted| history.wanted(wanted, |_| 300).map(|kept| kept.at_us).collect::<Vec<_>>();
        assert_eq!(times(ALL), (10..20).collect::<Vec<_>>());
        assert_eq!(times(Wanted { stanzas_max: 2, ..ALL }), [18, 19]);
        assert_eq!(times(Wanted { since_us: 17, ..ALL }), [17, 18, 19]);
        assert_eq!(times(Wanted { chars_max: 0, ..ALL }), [0; 0]);
        assert_eq!(times(Wanted { chars_max: 599, ..ALL }), [19]);
        assert_eq!(times(Wanted { chars_max: 600, ..ALL }), [18, 19]);
        assert_eq!(times(Wanted { stanzas_max: 0, ..ALL }), [0; 0]);
    }

    #[test]
    fn rooms_share_what_there_is() {
        let all = Arc::new(HistoryBytes::default());
        let kept = || history(1).kept[0].clone();
        let size = kept().stanza.size();
        let mut rooms = [History::default(), History::default()];
        for room in &mut rooms {
            room.among(&all, size * 10);
            (0..20).for_each(|_| room.add(kept(), 100, usize::MAX));
        }
        assert_eq!(rooms.each_ref().map(|room| room.kept.len()), [10, 5], "the first one was alone, the second shares");
        rooms[0].add(kept(), 100, usize::MAX);
        assert_eq!(rooms.each_ref().map(|room| room.kept.len()), [5, 5]);
        assert_eq!(all.bytes.load(Relaxed), size * 10);
        rooms[0].clear();
        assert_eq!(all.bytes.load(Relaxed), size * 5);
        drop(rooms);
        assert_eq!((all.bytes.load(Relaxed), all.rooms.load(Relaxed)), (0, 0));
    }
}
