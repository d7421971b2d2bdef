use std::time::Instant;

/// A token bucket: full at first, with one token for each call that may pass.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// `rate` tokens come in a second, and `burst` fit.
    pub(super) fn new(rate: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self {
            rate,
            burst,
            tokens: burst,
            filled: now,
        }
    }

    /// Takes a token, if there is a whole one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = seconds.mul_add(self.rate, self.tokens).min(self.burst);
        let is_whole = self.tokens >= 1.0;
        if is_whole {
            self.tokens -= 1.0;
        }
        is_whole
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_as_many_as_the_rate_refills() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 3, start);
        let at = |millis| start + Duration::from_millis(millis);
        let passed = [0, 0, 0, 0, 250, 500, 500, 1_000, 60_000, 60_000, 60_000, 60_000]
            .map(|millis| bucket.take(at(millis)));
        assert_eq!(
            passed,
            [
                true, true, true, false, false, true, false, true, true, true, true, false
            ]
        );
    }
}
