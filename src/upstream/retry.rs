//! The one authority on repeating: which calls, how often, after what pause.

mod budget;

use std::{sync::Arc, time::Duration};

use tokio::time::{Sleep, sleep};
use tower::{
    Layer,
    retry::{Policy, Retry},
};

use self::budget::Budget;
use super::metrics::UpstreamMetrics;
use crate::{
    access::AuthorizedCall,
    call::{Answer, AttemptHistory, NextAttempt},
    domain::{Failure, Fault, Operation, OperationKind, RetryRule},
};

/// RetryPolicy calls that failed.
///
/// A call is repeated as it is. So CreateTapes goes again under its own token, which AWS
/// replays, and CreateTapeWithBarcode with its own barcode, which AWS never takes twice.
#[derive(Clone, Debug)]
pub(super) struct RetryLayer {
    settings: RetrySettings,
    budget: Arc<Budget>,
    metrics: Arc<UpstreamMetrics>,
}

/// How calls are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// The attempts of a call, the first one included; at least 1.
    pub attempts: u32,
    /// The longest pause before the second attempt; it doubles with each one after.
    pub base: Duration,
    /// The same after a throttled attempt.
    pub throttled_base: Duration,
    /// The longest pause before any.
    pub cap: Duration,
    /// How many calls it takes to earn one repeat: 5 is a share of 20 %.
    pub calls_per_repeat: u16,
    /// The repeats a second that need not be earned.
    pub reserve: u32,
}

/// What one more attempt is decided on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// How the last attempt ended.
    pub fault: &'a Fault,
    /// Whether it was sent: the pace may have refused it, or there was nothing to sign with.
    pub sent: bool,
    /// What the call does.
    pub kind: OperationKind,
    /// How many attempts were sent, or may have been.
    pub made: u32,
    /// Whether one of them was a repeat with credentials renewed.
    pub renewed: bool,
    /// How long the upstream asks to wait.
    pub asked: Option<Duration>,
    /// What is left until the deadline.
    pub left: Duration,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The failure is final.
    End(StopReason),
    /// There may be another attempt, if the budget has one, after a pause drawn evenly from
    /// this range.
    Pause {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
}

/// Why a failure is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The same request would fail again.
    NotRetryable,
    /// It was not sent, and what kept it back would do so again.
    NotSent,
    /// The call has had its attempts.
    Attempts,
    /// The next one could not begin before the deadline.
    Deadline,
    /// Other calls have used up the repeats.
    Budget,
}

impl StopReason {
    /// The name of what a retryable call was stopped by; `None` for a call that could not be
    /// retried.
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::NotRetryable | Self::NotSent => None,
            Self::Attempts => Some("attempts"),
            Self::Deadline => Some("deadline"),
            Self::Budget => Some("budget"),
        }
    }
}

/// An attempt that has less than this cannot come to anything.
const LEAST: Duration = Duration::from_millis(5);

impl RetrySettings {
    /// Whether there may be another attempt, budget allowing, and after what pause.
    ///
    /// RetryPolicy pause for up to `base`, then twice as long each time, up to `cap`: full
    /// jitter, so that calls which failed together do not come back together. After a
    /// throttled attempt `throttled_base` stands for `base`, as in the SDKs: whatever took
    /// what AWS grants takes it for a while. Where what is in the way goes slowly they pause
    /// for half of `cap` at least, and never for less than the upstream asks. Credentials that
    /// were too old are renewed by the next attempt, which need not wait. No attempt begins
    /// within 5 ms of the deadline.
    pub fn decide(&self, situation: Situation<'_>) -> Decision {
        let Situation {
            fault,
            sent,
            kind,
            made,
            renewed,
            asked,
            left,
        } = situation;
        let repeat = fault.retry_rule(kind);
        let doubled = 2_u32.saturating_pow(made.saturating_sub(1));
        let (least, spread) = match repeat {
            RetryRule::Never => return Decision::End(StopReason::NotRetryable),
            RetryRule::Once if renewed => return Decision::End(StopReason::NotRetryable),
            _ if !sent => return Decision::End(StopReason::NotSent),
            _ if made >= self.attempts => return Decision::End(StopReason::Attempts),
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
        let least = asked.unwrap_or_default().max(least);
        match left.checked_sub(LEAST) {
            Some(room) if least < room => Decision::Pause {
                least,
                most: least.saturating_add(spread).min(room),
            },
            _ => Decision::End(StopReason::Deadline),
        }
    }
}

impl RetryLayer {
    /// All that are cloned from one share its budget.
    pub(super) fn new(settings: RetrySettings, metrics: Arc<UpstreamMetrics>) -> Self {
        let budget = Arc::new(Budget::new(&settings));
        Self {
            settings,
            budget,
            metrics,
        }
    }

    /// How many repeats the budget has left.
    pub(super) fn budget_left(&self) -> usize {
        self.budget.left()
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<RetryPolicy, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let policy = RetryPolicy {
            layer: self.clone(),
            history: None,
            was_renewed: false,
        };
        Retry::new(policy, inner)
    }
}

/// The policy of one call: tower clones it for each.
#[derive(Clone, Debug)]
pub(super) struct RetryPolicy {
    layer: RetryLayer,
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
            budget,
            metrics,
        } = &self.layer;
        let history = self
            .history
            .get_or_insert_with(|| AttemptHistory::new(call.resent));
        let had_paid = history.attempts().count > 0;
        history.add(result);
        let made = history.attempts().count;
        let failure = match result {
            Ok(answer) => {
                if !had_paid {
                    budget.earn();
                }
                answer.attempts.clone_from(history.attempts());
                return None;
            }
            Err(failure) => failure,
        };
        call.live.failed(history);
        // A call that its deadline has ended earns no retry for others.
        if made > 0 && !had_paid && !matches!(failure.fault, Fault::Deadline { .. }) {
            budget.earn();
        }
        let decision = settings.decide(Situation {
            fault: &failure.fault,
            sent: failure.attempts.count > 0,
            kind: O::KIND,
            made,
            renewed: self.was_renewed,
            asked: failure.asked,
            left: call.deadline.left(),
        });
        let why = match decision {
            Decision::Pause { least, most } if budget.spend() => {
                metrics.repeated::<O>(&failure.fault);
                self.was_renewed |= failure.fault.retry_rule(O::KIND) == RetryRule::Once;
                let pause = between(least, most);
                tracing::debug!(made, ?pause, fault = %failure.fault, "the call is repeated");
                call.set_attempt(NextAttempt {
                    earlier: made,
                    after: Some(Box::new(failure.fault.clone())),
                    pause: Some(pause),
                });
                return Some(sleep(pause));
            }
            Decision::Pause { .. } => StopReason::Budget,
            Decision::End(why) => why,
        };
        if let Some(why) = why.as_str() {
            metrics.stopped(why);
            tracing::debug!(made, why, fault = %failure.fault, "the call is not repeated");
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

/// A pause drawn evenly, so that calls which failed together do not come back together.
fn between(least: Duration, most: Duration) -> Duration {
    let spread = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX);
    least + Duration::from_micros(fastrand::u64(0..=spread))
}
