//! How often a figure was how large: a few counters, one addition for each observation, no lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts by upper bounds. Whoever observes is one task: the parts of a snapshot may differ by what is just being added.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: [u64; N],
    counts: [AtomicU64; N],
    beyond: AtomicU64,
    sum: AtomicU64,
}

/// What was observed up to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Upper bounds, and how many observations were not above each.
    pub up_to: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// All of them added up.
    pub sum: u64,
}

impl<const N: usize> Histogram<N> {
    /// With these upper bounds, the lowest first.
    pub fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    /// One more.
    pub fn observe(&self, value: u64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        place.map_or(&self.beyond, |at| &self.counts[at]).fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// What was observed up to now.
    pub fn snapshot(&self) -> Snapshot {
        let mut count = 0;
        let up_to = self.bounds.iter().zip(&self.counts).map(|(bound, here)| {
            count += here.load(Relaxed);
            (*bound, count)
        });
        let up_to = up_to.collect();
        Snapshot { up_to, count: count + self.beyond.load(Relaxed), sum: self.sum.load(Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_every_bound_it_is_not_above() {
        let histogram = Histogram::new([1, 10, 100]);
        [0, 1, 2, 100, 101].into_iter().for_each(|value| histogram.observe(value));
        let expected = Snapshot { up_to: vec![(1, 2), (10, 3), (100, 4)], count: 5, sum: 204 };
        assert_eq!(histogram.snapshot(), expected);
    }
}
