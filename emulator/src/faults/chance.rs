use sha2::{Digest, Sha256};

/// What chance says of one call: always the same for a seed and the call's number.
///
/// Drawn from a hash and no generator's state, so that a call's luck does not hang on
/// what was drawn for others, nor on a library's version.
pub(super) struct Chance {
    draws: [u64; 2],
}

impl Chance {
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

    /// True for this share of calls: 0 for none, 1 for all.
    pub(super) fn within(&self, share: f64) -> bool {
        // 53 bits fill a double exactly, and stay below 1.
        #[allow(clippy::cast_precision_loss)]
        let draw = (self.draws[0] >> 11) as f64 / (1_u64 << 53) as f64;
        draw < share
    }

    /// A number from `min` to `max`, each as likely as the next.
    pub(super) fn between(&self, min: u64, max: u64) -> u64 {
        let width = u128::from(max.saturating_sub(min)) + 1;
        let step = (u128::from(self.draws[1]) * width) >> 64;
        min.saturating_add(u64::try_from(step).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_between_its_bounds(seed: u64, call: u64, a: u64, b: u64) {
            let (min, max) = (a.min(b), a.max(b));
            let number = Chance::new(seed, call).between(min, max);
            prop_assert!((min..=max).contains(&number));
        }

        #[test]
        fn a_share_of_none_hits_none_and_of_all_hits_all(seed: u64, call: u64) {
            prop_assert!(!Chance::new(seed, call).within(0.0));
            prop_assert!(Chance::new(seed, call).within(1.0));
        }
    }
}
