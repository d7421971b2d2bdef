use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::by_principal::ByPrincipal;

/// A token bucket for each principal. It starts full and refills within a period.
#[derive(Debug)]
pub(super) struct TokenBuckets {
    period: Duration,
    buckets: Mutex<ByPrincipal<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    size: f64,
    tokens: f64,
    filled: Instant,
    used: Instant,
}

impl TokenBuckets {
    /// Creates buckets that refill within `period`.
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            buckets: Mutex::default(),
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
        let mut buckets = self.buckets();
        let bucket = bucket(&mut buckets, name, size, self.period);
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
        bucket(&mut self.buckets(), name, size, self.period).tokens -= f64::from(tokens);
    }

    /// Puts unused tokens back.
    pub(super) fn give_back(&self, name: &str, size: u32, tokens: u32) {
        let mut buckets = self.buckets();
        let bucket = bucket(&mut buckets, name, size, self.period);
        bucket.tokens = (bucket.tokens + f64::from(tokens)).min(bucket.size);
    }

    fn buckets(&self) -> MutexGuard<'_, ByPrincipal<Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the bucket of a principal, refilled up to now. A full one is not needed, because a new one is full too. It
/// is full for every size when it has not been used for a period: callers of one name can have different limits.
fn bucket<'b>(
    buckets: &'b mut ByPrincipal<Bucket>,
    name: &str,
    size: u32,
    period: Duration,
) -> &'b mut Bucket {
    let now = Instant::now();
    let is_needed = |bucket: &mut Bucket| {
        bucket.fill(period, now);
        bucket.tokens < bucket.size || now.saturating_duration_since(bucket.used) < period
    };
    let size = f64::from(size);
    let bucket = buckets.entry(name, is_needed).or_insert(Bucket {
        size,
        tokens: size,
        filled: now,
        used: now,
    });
    // The size changes when the principal's groups change.
    bucket.size = size;
    bucket.used = now;
    bucket.fill(period, now);
    bucket
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
    use super::{super::by_principal::MIN_SWEEP, *};

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
        assert!(buckets.buckets().values().len() <= 2 * MIN_SWEEP);
    }
}
