//! What the layers count.

use std::time::Duration;

use crate::{
    domain::{Fault, Operation},
    observability::metrics::{Count, Counts, Histogram, labels},
};

/// What the layers have done since the start, each counted where it happens.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "each is the count of what its name says")]
pub struct UpstreamMetrics {
    pub attempts: Count,
    pub attempt_duration: Histogram,
    /// By operation, and by what went before.
    pub repeats: Counts<(&'static str, &'static str)>,
    /// By what there was no more of.
    pub not_repeated: Counts<&'static str>,
    /// Pages and the tapes on them, by operation.
    pub pages: Counts<&'static str>,
    pub tapes: Counts<&'static str>,
    pub paced: Count,
    pub refused_by_pace: Count,
    pub throttled: Count,
    pub shared_reads: Count,
    pub creates_unheard: Count,
    pub creates_looked_up: Count,
    pub creates_reconciled: Count,
    pub creates_unclear: Count,
}

/// Why calls that could be retried were not, as the metric says it.
const STOPPED_BY: [&str; 3] = ["attempts", "deadline", "budget"];

impl UpstreamMetrics {
    /// Nothing yet; durations go to `attempt_duration`.
    pub fn measuring(attempt_duration: Histogram) -> Self {
        Self {
            attempt_duration,
            ..Self::default()
        }
    }

    /// An attempt has ended, with this fault if with any.
    pub(super) fn attempted<O: Operation>(&self, fault: Option<&Fault>, took: Duration) {
        let mut attributes = vec![
            ("tapegate.operation", O::NAME),
            ("tapegate.outcome", labels::outcome(fault)),
        ];
        attributes.extend(fault.map(|fault| ("error.type", labels::error_type(fault))));
        self.attempt_duration.record(took.as_secs_f64(), &attributes);
    }

    /// An attempt was cut, since the deadline had passed or the caller gone. The one says of AWS
    /// that no answer came, the other nothing.
    pub(super) fn cut<O: Operation>(&self, why: &'static str, took: Duration) {
        let outcome = match why {
            labels::DEADLINE => "no_answer",
            _ => "given_up",
        };
        let attributes = [
            ("tapegate.operation", O::NAME),
            ("tapegate.outcome", outcome),
            ("error.type", why),
        ];
        self.attempt_duration.record(took.as_secs_f64(), &attributes);
    }

    /// A call is repeated after this fault.
    pub(super) fn repeated<O: Operation>(&self, fault: &Fault) {
        let after = if fault.is_throttling() {
            "throttling"
        } else if fault.is_no_answer() {
            "no_answer"
        } else {
            "error"
        };
        self.repeats.add((O::NAME, after));
    }

    /// A call that could be retried is not, for want of this.
    pub(super) fn stopped(&self, by: &'static str) {
        self.not_repeated.add(by);
    }

    /// How many calls were not retried, by what they were stopped by.
    pub fn stopped_retries(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let counts = self.not_repeated.get();
        STOPPED_BY
            .map(|by| (by, counts.get(by).copied().unwrap_or_default()))
            .into_iter()
    }

    /// A page of a list was shown, with so many tapes.
    pub fn shown<O: Operation>(&self, tapes: usize) {
        self.pages.add(O::NAME);
        self.tapes.add_many(O::NAME, tapes as u64);
    }
}
