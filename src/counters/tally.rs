//! Numbers that grow with every stanza. Threads that add to one number would pass its cache line to and fro, which costs more
//! than the addition: each has numbers of its own, and who asks adds them up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Threads that count have lines of their own, as long as there are no more of them.
const SHARDS: usize = 16;

/// Several numbers that only grow.
#[derive(Default)]
pub struct Tally<const N: usize> {
    shards: [Shard<N>; SHARDS],
}

/// Processors fetch lines of 64 bytes, and some of them two at a time.
#[repr(align(128))]
struct Shard<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Shard<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which lines are this thread's.
    static SHARD: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
}

impl<const N: usize> Tally<N> {
    /// So many more of this one.
    pub fn add(&self, which: usize, count: u64) {
        let shard = SHARD.with(|shard| *shard);
        self.shards[shard].0[which].fetch_add(count, Relaxed);
    }

    /// All of them as they are now.
    pub fn total(&self) -> [u64; N] {
        std::array::from_fn(|which| self.shards.iter().map(|shard| shard.0[which].load(Relaxed)).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_all_threads_count_is_one_sum() {
        let tally: Arc<Tally<2>> = Arc::default();
        let threads: Vec<_> = (0..2 * SHARDS)
            .map(|_| {
                let tally = tally.clone();
                std::thread::spawn(move || (0..1000).for_each(|_| tally.add(1, 2)))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(tally.total(), [0, 4 * 1000 * SHARDS as u64]);
    }
}
