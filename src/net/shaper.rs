//! A token bucket for the bytes a connection may send us (RFC 6120 §13.12), as small as an idle connection wants it.

use std::num::NonZeroU32;

/// Lets `bytes_per_second` pass in the long run and up to `burst` more at once. Reads no clock.
///
/// Bytes are paid for after they were read, so one read larger than the burst is allowed and then waited for.
#[derive(Clone, Copy, Debug)]
pub struct Shaper {
    bytes_per_second: NonZeroU32,
    burst: u32,
    /// When all that was taken is paid for (the bucket is full again), in microseconds of the caller's clock.
    full_at_us: u64,
}

impl Shaper {
    /// A full bucket.
    pub fn new(bytes_per_second: NonZeroU32, burst: u32) -> Self {
        Self { bytes_per_second, burst, full_at_us: 0 }
    }

    /// Counts `n` bytes just read. `Some(ms)`: do not read before that many milliseconds have passed.
    ///
    /// `now_ms` is any clock that does not go back; if it does, the connection waits no longer than before.
    pub fn take(&mut self, n: usize, now_ms: u64) -> Option<u64> {
        let now_us = now_ms.saturating_mul(1000);
        self.full_at_us = self.full_at_us.max(now_us).saturating_add(self.cost_us(n as u64));
        let debt_us = (self.full_at_us - now_us).saturating_sub(self.cost_us(u64::from(self.burst)));
        (debt_us > 0).then(|| debt_us.div_ceil(1000))
    }

    /// The time in which so many bytes flow in; rounded up, else single bytes would be free at high rates.
    fn cost_us(&self, bytes: u64) -> u64 {
        bytes.saturating_mul(1_000_000).div_ceil(u64::from(self.bytes_per_second.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shaper(bytes_per_second: u32, burst: u32) -> Shaper {
        Shaper::new(NonZeroU32::new(bytes_per_second).unwrap(), burst)
    }

    #[test]
    fn it_is_small() {
        assert_eq!(size_of::<Shaper>(), 16);
        assert_eq!(size_of::<Option<Shaper>>(), 16);
    }

    #[test]
    fn a_burst_passes_and_the_rest_waits() {
        let mut shaper = shaper(1000, 500);
        assert_eq!(shaper.take(500, 10_000), None);
        assert_eq!(shaper.take(1, 10_000), Some(1));
        assert_eq!(shaper.take(99, 10_000), Some(100));
        assert_eq!(shaper.take(0, 10_100), None);
    }

    #[test]
    fn a_rested_bucket_is_full_but_not_fuller() {
        let mut shaper = shaper(1000, 500);
        assert_eq!(shaper.take(500, 0), None);
        assert_eq!(shaper.take(500, 1_000_000), None);
        assert_eq!(shaper.take(500, 1_000_000), Some(500));
    }

    #[test]
    fn a_read_larger_than_the_burst_is_paid_afterwards() {
        assert_eq!(shaper(1000, 500).take(2500, 0), Some(2000));
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let mut shaper = shaper(1, 0);
        assert!(shaper.take(usize::MAX, u64::MAX).is_none());
        assert!(shaper.take(usize::MAX, 0).is_some());
    }

    proptest! {
        /// Whoever waits as told never gets more than the burst, one read and the rate.
        #[test]
        fn the_rate_holds(reads in prop::collection::vec(1usize..5000, 1..100)) {
            let (rate, burst) = (10_000u64, 8000u64);
            let mut shaper = shaper(rate as u32, burst as u32);
            let mut now_ms = 0;
            let mut total = 0;
            for n in reads {
                prop_assert!(total <= burst + rate * now_ms / 1000 + 1);
                total += n as u64;
                now_ms += shaper.take(n, now_ms).unwrap_or(0);
            }
        }
    }
}
