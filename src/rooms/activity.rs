//! How many messages an hour there are in a room (XEP-0502): those of the hour that is going on are counted here, the hours
//! that are over are in storage.

use xep_support::stanza::Facts;

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Hours that matter (§4: none before 72 hours).
pub const HOURS: i64 = 24;

/// Messages within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Which, counted since 1970.
    pub hour: i64,
    /// How many.
    pub messages: u32,
}

/// What a room counts, and knows of the hours before.
#[derive(Default)]
pub struct Activity {
    hour: i64,
    messages: u32,
    /// Messages of the hours before this one.
    before: Option<Hour>,
}

/// The hour of a moment.
pub fn hour_of(at_us: i64) -> i64 {
    at_us.div_euclid(MICROS_PER_HOUR)
}

impl Activity {
    /// One more. When it is the first of an hour, what is to be stored of an hour before comes back.
    pub fn count(&mut self, at_us: i64) -> Option<Hour> {
        let hour = hour_of(at_us);
        let over = self.take_before(hour);
        self.hour = hour;
        self.messages = self.messages.saturating_add(1);
        over
    }

    /// What was counted before this hour and is not stored.
    pub fn take_before(&mut self, hour: i64) -> Option<Hour> {
        let messages = if self.hour < hour { std::mem::take(&mut self.messages) } else { 0 };
        (messages > 0).then_some(Hour { hour: self.hour, messages })
    }

    /// How many messages there were in the hours before this one, if storage was asked during it.
    pub fn before(&self, hour: i64) -> Option<u32> {
        self.before.filter(|before| before.hour == hour).map(|before| before.messages)
    }

    /// That is what storage says.
    pub fn set_before(&mut self, hour: i64, messages: u32) {
        self.before = Some(Hour { hour, messages });
    }
}

/// Does a message count? One with a body does, or with what takes the place of it; not what changes another one (§4).
pub fn counts(facts: Facts) -> bool {
    facts.intersects(Facts::BODY | Facts::ENCRYPTED)
        && !facts.intersects(Facts::CORRECTION | Facts::RETRACTION | Facts::REACTIONS)
}

/// Messages per hour of a room that is as old as this; `None`: that cannot be said yet.
pub fn per_hour(messages: u32, age_us: i64) -> Option<String> {
    let hours = hour_of(age_us).min(HOURS);
    (hours > 0).then(|| format!("{:.2}", f64::from(messages) / hours as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = MICROS_PER_HOUR;

    /// §5: an hour is stored when another one has begun.
    #[test]
    fn hours_come_and_go() {
        let mut activity = Activity::default();
        assert_eq!([5 * HOUR, 5 * HOUR + 1, 6 * HOUR - 1].map(|at| activity.count(at)), [None; 3]);
        assert_eq!(activity.take_before(5), None);
        assert_eq!(activity.count(8 * HOUR), Some(Hour { hour: 5, messages: 3 }));
        assert_eq!(activity.take_before(i64::MAX), Some(Hour { hour: 8, messages: 1 }));
        assert_eq!(activity.take_before(i64::MAX), None);
        activity.set_before(8, 3);
        assert_eq!((activity.before(8), activity.before(9)), (Some(3), None));
    }

    /// §4.
    #[test]
    fn what_counts() {
        assert!(counts(Facts::BODY) && counts(Facts::ENCRYPTED | Facts::MARKABLE));
        for facts in [Facts::SUBJECT, Facts::MARKER, Facts::BODY | Facts::CORRECTION, Facts::BODY | Facts::RETRACTION] {
            assert!(!counts(facts), "{facts:?}");
        }
    }

    #[test]
    fn messages_per_hour() {
        assert_eq!(per_hour(7, HOUR - 1), None);
        assert_eq!(per_hour(7, 2 * HOUR).as_deref(), Some("3.50"));
        assert_eq!(per_hour(562, 1_000 * HOUR).as_deref(), Some("23.42"));
    }
}
