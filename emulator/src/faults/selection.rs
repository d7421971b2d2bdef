//! Which calls a rule acts on: random numbers for each call, and a token bucket.

use std::time::Instant;

use sha2::{Digest, Sha256};

/// The random numbers of one call: always the same for a seed and the number of the call.
///
/// They come from a hash, not from the state of a generator, so they depend neither on the numbers
/// of other calls nor on the version of a library.
pub(super) struct CallRandom {
    draws: [u64; 2],
}

impl CallRandom {
    pub(super) fn new(seed: u64, call: u64) -> Self {
        let digest = Sha256::new_with_prefix(seed.to_be_bytes())
            .chain_update(call.to_be_bytes())
            .finalize();
        let draw = |from: usize| {
            digest[from..from + 8]
                .iter()
                .fold(0_u64, |draw, byte| (draw << 8) | u64::from(*byte))
        };
        Self {
            draws: [draw(0), draw(8)],
        }
    }

    /// True for this share of the calls: 0 for none, 1 for all.
    pub(super) fn within(&self, share: f64) -> bool {
        // 53 bits fit a double exactly, so the result is below 1.
        #[allow(clippy::cast_precision_loss)]
        let draw = (self.draws[0] >> 11) as f64 / (1_u64 << 53) as f64;
        draw < share
    }

    /// A number from `min` to `max`, uniformly distributed.
    pub(super) fn between(&self, min: u64, max: u64) -> u64 {
        let width = u128::from(max.saturating_sub(min)) + 1;
        let step = (u128::from(self.draws[1]) * width) >> 64;
        min.saturating_add(u64::try_from(step).unwrap_or(u64::MAX))
    }
}

/// A token bucket: full at the start, with one token for each call that passes.
#[derive(Clone, Debug)]
pub(super) struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A bucket that holds `burst` tokens and gains `rate` tokens a second.
    pub(super) fn new(rate: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self {
            rate,
            burst,
            tokens: burst,
            filled: now,
        }
    }

    /// Takes a token, if there is one.
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

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_as_many_as_the_rate_refills() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2.0, 3, start);
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

    proptest! {
        #[test]
        fn a_number_is_between_its_bounds(seed: u64, call: u64, a: u64, b: u64) {
            let (min, max) = (a.min(b), a.max(b));
            let number = CallRandom::new(seed, call).between(min, max);
            prop_assert!((min..=max).contains(&number));
        }

        #[test]
        fn a_share_of_none_hits_none_and_of_all_hits_all(seed: u64, call: u64) {
            prop_assert!(!CallRandom::new(seed, call).within(0.0));
            prop_assert!(CallRandom::new(seed, call).within(1.0));
        }
    }
}
