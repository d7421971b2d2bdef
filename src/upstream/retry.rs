//! Retries: which calls, how often, and after what pause.
//!
//! This is the only layer that retries; the SDK's retries are off.

use std::{sync::Arc, time::Duration};

use tokio::time::{Sleep, sleep};
use tower::{
    Layer,
    retry::{Policy, Retry},
};

use super::{
    metrics::UpstreamMetrics,
    partition::Partitions,
    retry_budget::{Budget, RetryBudgetSettings},
};
use crate::{
    access::AuthorizedCall,
    call::{Answer, AttemptHistory, NextAttempt},
    domain::{Failure, Fault, Operation, OperationKind, RetryRule},
};

/// Retries failed calls.
///
/// A retry sends the same request. So it is idempotent: CreateTapes has the same client token,
/// for which AWS returns the same tapes, and CreateTapeWithBarcode the same barcode, which AWS
/// accepts only once.
#[derive(Clone, Debug)]
pub(super) struct RetryLayer {
    settings: RetrySettings,
    partitions: Partitions,
    metrics: Arc<UpstreamMetrics>,
}

/// How often and after which pauses calls are retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// The maximum number of attempts of a call, including the first; at least 1.
    pub attempts: u32,
    /// The maximum pause before the second attempt. It doubles for each further attempt.
    pub base: Duration,
    /// Replaces `base` after a throttled attempt.
    pub throttled_base: Duration,
    /// The maximum pause before any attempt.
    pub cap: Duration,
    /// How many retries the calls to one gateway, and those without a gateway, may make.
    pub budget: RetryBudgetSettings,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(100),
            throttled_base: Duration::from_secs(1),
            cap: Duration::from_secs(5),
            budget: RetryBudgetSettings::default(),
        }
    }
}

/// An attempt that failed, and all else that the decision about a retry depends on.
#[derive(Clone, Copy, Debug)]
pub struct FailedAttempt<'a> {
    /// Why the attempt failed.
    pub fault: &'a Fault,
    /// Whether an attempt was made. None is if there are no credentials or if the turn of the attempt
    /// would come too late.
    pub was_made: bool,
    /// Whether the call reads or creates.
    pub kind: OperationKind,
    /// The number of attempts of the call, including those whose connection failed.
    pub attempts_made: u32,
    /// Whether one of them was a retry with renewed credentials or a corrected clock.
    pub was_renewed: bool,
    /// How long AWS asks to wait (`Retry-After`).
    pub upstream_retry_after: Option<Duration>,
    /// The time left until the call's deadline.
    pub time_left: Duration,
}

/// Whether a failed call is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// The failure is final.
    Stop(StopReason),
    /// The call is retried if the retry budget allows it, after a random pause from this range.
    Retry {
        /// The shortest pause.
        min_pause: Duration,
        /// The longest pause.
        max_pause: Duration,
    },
}

/// Why a failed call is not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The same request would fail again.
    NotRetryable,
    /// No attempt was made, and the next one would not be made either.
    NotSent,
    /// The maximum number of attempts was made.
    Attempts,
    /// The next attempt could not begin before the deadline.
    Deadline,
    /// The retry budget is used up.
    Budget,
}

impl StopReason {
    /// The reason as in the metrics; `None` for a call that could not be retried at all.
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::NotRetryable | Self::NotSent => None,
            Self::Attempts => Some("attempts"),
            Self::Deadline => Some("deadline"),
            Self::Budget => Some("budget"),
        }
    }
}

/// The least time that an attempt must have before the deadline.
const MIN_ATTEMPT_TIME: Duration = Duration::from_millis(5);

impl RetrySettings {
    /// Decides whether a failed call is retried, and after what pause, before the retry budget is
    /// checked.
    ///
    /// The rule of the fault ([`Fault::retry_rule`]) decides whether a retry can help, and how long
    /// to pause:
    ///
    /// - `Soon`: exponential backoff with full jitter, so that calls which failed together are not
    ///   retried together. The longest pause is `base`, doubles with each attempt, and is at most
    ///   `cap`. After throttling, `throttled_base` takes the place of `base`, as in the AWS SDKs.
    /// - `Slowly`: from `cap / 2` to `cap`, because the cause takes a while to go away.
    /// - `Once`: no pause, because the retry has renewed credentials or a corrected clock.
    ///
    /// The pause is never shorter than AWS asks, and leaves at least 5 ms until the deadline.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tapegate::domain::{Fault, OperationKind};
    /// use tapegate::upstream::retry::{FailedAttempt, RetryDecision, RetrySettings, StopReason};
    ///
    /// let settings = RetrySettings::default(); // 4 attempts, from 100 ms to 5 s
    /// let failed = FailedAttempt {
    ///     fault: &Fault::AttemptTimeout,
    ///     was_made: true,
    ///     kind: OperationKind::Read,
    ///     attempts_made: 2,
    ///     was_renewed: false,
    ///     upstream_retry_after: None,
    ///     time_left: Duration::from_secs(10),
    /// };
    /// let retry = RetryDecision::Retry {
    ///     min_pause: Duration::ZERO,
    ///     max_pause: Duration::from_millis(200),
    /// };
    /// assert_eq!(settings.decide(failed), retry);
    ///
    /// let last = FailedAttempt { attempts_made: 4, ..failed };
    /// assert_eq!(settings.decide(last), RetryDecision::Stop(StopReason::Attempts));
    /// ```
    pub fn decide(&self, failed: FailedAttempt<'_>) -> RetryDecision {
        let FailedAttempt {
            fault,
            was_made,
            kind,
            attempts_made,
            was_renewed,
            upstream_retry_after,
            time_left,
        } = failed;
        let doubled = 2_u32.saturating_pow(attempts_made.saturating_sub(1));
        let (min_pause, spread) = match fault.retry_rule(kind) {
            RetryRule::Never => return RetryDecision::Stop(StopReason::NotRetryable),
            RetryRule::Once if was_renewed => return RetryDecision::Stop(StopReason::NotRetryable),
            _ if !was_made => return RetryDecision::Stop(StopReason::NotSent),
            _ if attempts_made >= self.attempts => return RetryDecision::Stop(StopReason::Attempts),
            RetryRule::Once => (Duration::ZERO, Duration::ZERO),
            RetryRule::Soon => {
                let base = if fault.is_throttling() {
                    self.throttled_base
                } else {
                    self.base
                };
                (Duration::ZERO, base.saturating_mul(doubled).min(self.cap))
            }
            RetryRule::Slowly => (self.cap / 2, self.cap / 2),
        };
        let min_pause = upstream_retry_after.unwrap_or_default().max(min_pause);
        match time_left.checked_sub(MIN_ATTEMPT_TIME) {
            Some(longest) if min_pause < longest => RetryDecision::Retry {
                min_pause,
                max_pause: min_pause.saturating_add(spread).min(longest),
            },
            _ => RetryDecision::Stop(StopReason::Deadline),
        }
    }
}

impl RetryLayer {
    /// A layer that takes retries from the budgets of `partitions`.
    pub(super) fn new(
        settings: RetrySettings,
        partitions: Partitions,
        metrics: Arc<UpstreamMetrics>,
    ) -> Self {
        Self {
            settings,
            partitions,
            metrics,
        }
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<RetryPolicy, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let policy = RetryPolicy {
            layer: self.clone(),
            budget: None,
            history: None,
            was_renewed: false,
        };
        Retry::new(policy, inner)
    }
}

/// The retry policy of one call; tower clones the layer's for each call.
#[derive(Clone, Debug)]
pub(super) struct RetryPolicy {
    layer: RetryLayer,
    /// The budget of the call; `None` before the first attempt has ended.
    budget: Option<Arc<Budget>>,
    /// The attempts of the call; `None` before the first one has ended.
    history: Option<AttemptHistory>,
    /// Whether the call was retried because the service had renewed its credentials or clock.
    was_renewed: bool,
}

impl<O: Operation, T> Policy<AuthorizedCall<O>, Answer<T>, Failure> for RetryPolicy {
    type Future = Sleep;

    fn retry(
        &mut self,
        call: &mut AuthorizedCall<O>,
        result: &mut Result<Answer<T>, Failure>,
    ) -> Option<Sleep> {
        let RetryLayer {
            settings,
            partitions,
            metrics,
        } = &self.layer;
        let budget = self.budget.get_or_insert_with(|| {
            let operation = &call.operation;
            partitions.of(operation).budget(operation.gateway())
        });
        let history = self
            .history
            .get_or_insert_with(|| AttemptHistory::new(call.resent));
        let has_earned = history.attempts().made > 0;
        history.add(result);
        let attempts_made = history.attempts().made;
        let failure = match result {
            Ok(answer) => {
                if !has_earned {
                    budget.earn();
                }
                answer.attempts.clone_from(history.attempts());
                return None;
            }
            Err(failure) => failure,
        };
        call.live.record_failure(history);
        // A call that ends at its deadline earns nothing.
        if attempts_made > 0 && !has_earned && !matches!(failure.fault, Fault::Deadline { .. }) {
            budget.earn();
        }
        let decision = settings.decide(FailedAttempt {
            fault: &failure.fault,
            was_made: failure.attempts.made > 0,
            kind: O::KIND,
            attempts_made,
            was_renewed: self.was_renewed,
            upstream_retry_after: failure.upstream_retry_after,
            time_left: call.deadline.left(),
        });
        let reason = match decision {
            RetryDecision::Retry { min_pause, max_pause } if budget.spend() => {
                metrics.record_retry::<O>(&failure.fault);
                self.was_renewed |= failure.fault.retry_rule(O::KIND) == RetryRule::Once;
                let pause = random_between(min_pause, max_pause);
                tracing::debug!(made = attempts_made, ?pause, fault = %failure.fault, "retrying the call");
                call.set_attempt(NextAttempt {
                    earlier: attempts_made,
                    after: Some(Box::new(failure.fault.clone())),
                    pause: Some(pause),
                });
                return Some(sleep(pause));
            }
            RetryDecision::Retry { .. } => StopReason::Budget,
            RetryDecision::Stop(reason) => reason,
        };
        if let Some(why) = reason.as_str() {
            metrics.retries_ended.add(why);
            tracing::debug!(made = attempts_made, why, fault = %failure.fault, "the call is not retried");
        }
        failure.attempts.clone_from(history.attempts());
        failure.outcome = history.outcome();
        failure.earlier = history.earlier_outcome();
        None
    }

    fn clone_request(&mut self, call: &AuthorizedCall<O>) -> Option<AuthorizedCall<O>> {
        Some(call.clone())
    }
}

/// A pause from an even distribution, so that calls which failed together are not retried together.
fn random_between(min: Duration, max: Duration) -> Duration {
    let spread = u64::try_from((max - min).as_micros()).unwrap_or(u64::MAX);
    min + Duration::from_micros(fastrand::u64(0..=spread))
}
