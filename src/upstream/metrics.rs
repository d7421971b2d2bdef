//! The metrics of the upstream stack.

use std::time::Duration;

use crate::{
    domain::{Fault, Operation, Scope},
    observability::{
        account_names::AccountNames,
        metrics::{Count, Counts, Histogram, labels},
    },
};

/// Counts since the start. Each layer adds to its own.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names say what is counted")]
pub struct UpstreamMetrics {
    pub attempts: Count,
    pub attempt_duration: Histogram,
    pub names: AccountNames,
    /// By operation, and by the kind of fault that was retried.
    pub retries: Counts<(&'static str, &'static str)>,
    /// Calls that could be retried and were not, by reason.
    pub retries_ended: Counts<&'static str>,
    /// Pages that callers received, by operation.
    pub pages: Counts<&'static str>,
    /// Tapes on those pages, by operation.
    pub tapes: Counts<&'static str>,
    pub paced_attempts: Count,
    pub pace_rejections: Count,
    pub throttled_attempts: Count,
    pub coalesced_reads: Count,
    /// Creates that ended, or were abandoned, after their callers had gone.
    pub creates_orphaned: Count,
    pub creates_looked_up: Count,
    pub creates_reconciled: Count,
    /// Creates that ended with an unknown outcome.
    pub creates_unclear: Count,
    /// Creates whose tags could not be added to their tape.
    pub tags_not_added: Count,
}

/// The reasons of `retries_ended`.
const RETRIES_ENDED_BY: [&str; 3] = ["attempts", "deadline", "budget"];

impl UpstreamMetrics {
    /// Metrics that record durations in `attempt_duration`, with these names of accounts.
    pub fn new(attempt_duration: Histogram, names: AccountNames) -> Self {
        Self {
            attempt_duration,
            names,
            ..Self::default()
        }
    }

    /// Records an attempt that has ended, with a fault or with success.
    pub(super) fn record_attempt<O: Operation>(&self, scope: &Scope, fault: Option<&Fault>, took: Duration) {
        let mut attributes = self.names.attributes(scope);
        attributes.extend([
            ("tapegate.operation", O::NAME),
            ("tapegate.outcome", labels::outcome(fault)),
        ]);
        attributes.extend(fault.map(|fault| ("error.type", labels::error_type(fault))));
        self.attempt_duration.record(took.as_secs_f64(), &attributes);
    }

    /// Records an attempt that was dropped: at a deadline AWS has not answered, after a panic the
    /// service has a defect, and otherwise the caller has gone, which says nothing of AWS.
    pub(super) fn record_dropped_attempt<O: Operation>(
        &self,
        scope: &Scope,
        why: &'static str,
        took: Duration,
    ) {
        let outcome = match why {
            labels::DEADLINE => "no_answer",
            labels::PANIC => "error",
            _ => "given_up",
        };
        let mut attributes = self.names.attributes(scope);
        attributes.extend([
            ("tapegate.operation", O::NAME),
            ("tapegate.outcome", outcome),
            ("error.type", why),
        ]);
        self.attempt_duration.record(took.as_secs_f64(), &attributes);
    }

    /// Records that a call is retried after this fault.
    pub(super) fn record_retry<O: Operation>(&self, fault: &Fault) {
        let after = if fault.is_throttling() {
            "throttling"
        } else if fault.is_no_answer() {
            "no_answer"
        } else {
            "error"
        };
        self.retries.add((O::NAME, after));
    }

    /// The number of calls that could be retried and were not, by reason.
    pub fn retries_ended_by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let counts = self.retries_ended.get();
        RETRIES_ENDED_BY
            .map(|reason| (reason, counts.get(reason).copied().unwrap_or_default()))
            .into_iter()
    }

    /// Records a page that a caller receives.
    pub fn record_page<O: Operation>(&self, tapes: usize) {
        self.pages.add(O::NAME);
        self.tapes.add_many(O::NAME, tapes as u64);
    }
}
