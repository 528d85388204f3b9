//! The clocks. Nothing else reads one for a time stamp a peer sees.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Microseconds since 1970: the only clock of protocol time stamps (delay stamps, archive ids, last activity). It
/// follows the machine's clock and may go back with it; for durations use [`monotonic_ms`].
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Milliseconds since the first use of this clock; never goes back.
pub fn monotonic_ms() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The same in seconds, small enough to keep one per connection; good for 136 years.
pub fn monotonic_seconds() -> u32 {
    u32::try_from(monotonic_ms() / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_plausible() {
        assert!(now_micros() > 1_700_000_000_000_000);
        let before = monotonic_ms();
        assert!(monotonic_ms() >= before && monotonic_seconds() < 86_400);
    }
}
