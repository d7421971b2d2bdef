use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A token bucket for each principal. It starts full and refills within a period.
#[derive(Debug)]
pub(super) struct TokenBuckets {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    buckets: HashMap<String, Bucket>,
    /// The number of buckets at which full ones are removed; a new bucket is full too.
    sweep_at: usize,
}

#[derive(Debug)]
struct Bucket {
    size: f64,
    tokens: f64,
    filled: Instant,
}

/// The smallest `sweep_at`.
const MIN_SWEEP: usize = 1_024;

impl TokenBuckets {
    /// Creates buckets that refill within `period`.
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            state: Mutex::new(State {
                buckets: HashMap::new(),
                sweep_at: MIN_SWEEP,
            }),
        }
    }

    /// Takes tokens out of a principal's bucket of this size.
    ///
    /// # Errors
    ///
    /// If there are too few tokens, with the time until there are enough, if ever. None is then
    /// taken.
    pub(super) fn take(&self, name: &str, size: u32, tokens: u32) -> Result<(), Option<Duration>> {
        if tokens > size {
            return Err(None);
        }
        let mut state = self.state();
        let bucket = state.bucket(name, size, self.period);
        let lacking = f64::from(tokens) - bucket.tokens;
        if lacking <= 0.0 {
            bucket.tokens -= f64::from(tokens);
            return Ok(());
        }
        Err(Duration::try_from_secs_f64(lacking / f64::from(size) * self.period.as_secs_f64()).ok())
    }

    /// Takes tokens out of a principal's bucket of this size, even if there are too few. The lacking
    /// ones are refilled first.
    pub(super) fn take_in_debt(&self, name: &str, size: u32, tokens: u32) {
        self.state().bucket(name, size, self.period).tokens -= f64::from(tokens);
    }

    /// Puts unused tokens back.
    pub(super) fn give_back(&self, name: &str, size: u32, tokens: u32) {
        let mut state = self.state();
        let bucket = state.bucket(name, size, self.period);
        bucket.tokens = (bucket.tokens + f64::from(tokens)).min(bucket.size);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the bucket of a principal, refilled up to now.
    fn bucket(&mut self, name: &str, size: u32, period: Duration) -> &mut Bucket {
        let now = Instant::now();
        if self.buckets.len() >= self.sweep_at {
            self.buckets.retain(|_, bucket| {
                bucket.fill(period, now);
                bucket.tokens < bucket.size
            });
            self.sweep_at = (2 * self.buckets.len()).max(MIN_SWEEP);
        }
        let size = f64::from(size);
        let bucket = self.buckets.entry(name.to_owned()).or_insert(Bucket {
            size,
            tokens: size,
            filled: now,
        });
        // The size changes when the principal's groups change.
        bucket.size = size;
        bucket.fill(period, now);
        bucket
    }
}

impl Bucket {
    fn fill(&mut self, period: Duration, now: Instant) {
        let share = now
            .saturating_duration_since(self.filled)
            .div_duration_f64(period);
        self.tokens = share.mul_add(self.size, self.tokens).min(self.size);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_holds_its_size_and_refills_within_its_period() {
        let buckets = TokenBuckets::new(Duration::from_secs(10));
        assert_eq!(buckets.take("a", 5, 6), Err(None));
        assert_eq!(buckets.take("a", 5, 5), Ok(()));
        assert_eq!(buckets.take("a", 5, 1), Err(Some(Duration::from_secs(2))));
        assert_eq!(buckets.take("b", 5, 5), Ok(()));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(buckets.take("a", 5, 1), Ok(()));
        buckets.give_back("a", 5, 9);
        assert_eq!(buckets.take("a", 5, 5), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_is_removed() {
        let buckets = TokenBuckets::new(Duration::from_secs(1));
        for name in 0..100 * MIN_SWEEP {
            assert_eq!(buckets.take(&name.to_string(), 2, 1), Ok(()));
            if name % 100 == 0 {
                tokio::time::advance(Duration::from_millis(100)).await;
            }
        }
        assert!(buckets.state().buckets.len() <= 2 * MIN_SWEEP);
    }
}
