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
use crate::domain::{Answer, Call, Failure, Fault, Operation, OperationKind, RetryRule};

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
    /// How many calls earn one retry: 5 is a budget of 20 % of all calls.
    pub calls_per_repeat: u16,
    /// Retries per second in addition to those that calls earn.
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
    End(Why),
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
pub enum Why {
    /// The same request would fail again.
    Pointless,
    /// It was not sent, and what kept it back would do so again.
    NotSent,
    /// The call has had its attempts.
    Attempts,
    /// The next one could not begin before the deadline.
    Deadline,
    /// Other calls have used up the repeats.
    Budget,
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
            RetryRule::Never => return Decision::End(Why::Pointless),
            RetryRule::Once if renewed => return Decision::End(Why::Pointless),
            _ if !sent => return Decision::End(Why::NotSent),
            _ if made >= self.attempts => return Decision::End(Why::Attempts),
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
            _ => Decision::End(Why::Deadline),
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
        let Self {
            settings,
            budget,
            metrics,
        } = self.clone();
        Retry::new(
            RetryPolicy {
                settings,
                budget,
                metrics,
                has_earned: false,
                renewed: false,
            },
            inner,
        )
    }
}

/// The policy of one call.
#[derive(Clone, Debug)]
pub(super) struct RetryPolicy {
    settings: RetrySettings,
    budget: Arc<Budget>,
    metrics: Arc<UpstreamMetrics>,
    /// Whether the call has paid in, which it does once.
    has_earned: bool,
    /// Whether it was repeated because the service had renewed something.
    renewed: bool,
}

impl<O: Operation, T> Policy<Call<O>, Answer<T>, Failure> for RetryPolicy {
    type Future = Sleep;

    fn retry(&mut self, call: &mut Call<O>, result: &mut Result<Answer<T>, Failure>) -> Option<Sleep> {
        let made = call.progress.attempts().count;
        if made > 0 && !std::mem::replace(&mut self.has_earned, true) {
            self.budget.earn();
        }
        let failure = result.as_ref().err()?;
        let decision = self.settings.decide(Situation {
            fault: &failure.fault,
            sent: failure.attempts.count > 0,
            kind: O::KIND,
            made,
            renewed: self.renewed,
            asked: failure.asked,
            left: call.deadline.left(),
        });
        let why = match decision {
            Decision::Pause { least, most } if self.budget.spend() => {
                self.metrics.repeated::<O>(&failure.fault);
                self.renewed |= failure.fault.retry_rule(O::KIND) == RetryRule::Once;
                let pause = between(least, most);
                call.progress.pauses(pause);
                tracing::debug!(made, ?pause, fault = %failure.fault, "the call is repeated");
                return Some(sleep(pause));
            }
            Decision::Pause { .. } => Why::Budget,
            Decision::End(why) => why,
        };
        self.metrics.ended(why);
        if !matches!(why, Why::Pointless | Why::NotSent) {
            tracing::debug!(made, ?why, fault = %failure.fault, "the call is not repeated");
        }
        None
    }

    fn clone_request(&mut self, call: &Call<O>) -> Option<Call<O>> {
        Some(call.clone())
    }
}

/// A pause drawn evenly, so that calls which failed together do not come back together.
fn between(least: Duration, most: Duration) -> Duration {
    let spread = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX);
    least + Duration::from_micros(fastrand::u64(0..=spread))
}
