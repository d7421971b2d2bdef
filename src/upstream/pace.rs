//! The pace at which attempts go out. `rate` says what it is, `pacer` whose turn it is.

mod pacer;
mod rate;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

pub(super) use self::pacer::{Pacer, Seen, Turn};
use self::rate::Signal;
use super::{metrics::UpstreamMetrics, partition::Partitions};
use crate::domain::{Answer, Attempts, Call, Failure, Fault, Operation, RetryRule};

/// How far and how fast pacing changes the rate of attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct PaceSettings {
    /// The minimum rate, in attempts per second; above 0. During an outage, the upstream is probed
    /// at this rate.
    pub floor: f64,
    /// The maximum factor of the rate after a throttled attempt; above 0 and below 1.
    pub decrease: f64,
    /// The increase of the rate per second while calls wait, as a share of the rate after the last
    /// decrease.
    pub increase: f64,
    /// How long after the last throttled attempt pacing ends.
    pub forget: Duration,
    /// How many attempts in a row without a response are an outage; at least 1.
    pub silence: u32,
}

impl Default for PaceSettings {
    fn default() -> Self {
        Self {
            floor: 1.0,
            decrease: 0.9,
            increase: 0.02,
            forget: Duration::from_secs(60),
            silence: 5,
        }
    }
}

/// Makes every attempt wait for its turn, and learns from how it ends.
#[derive(Clone, Debug)]
pub(super) struct PaceLayer {
    partitions: Partitions,
    metrics: Arc<UpstreamMetrics>,
}

/// See [`PaceLayer`].
#[derive(Clone, Debug)]
pub(super) struct Paced<S> {
    partitions: Partitions,
    metrics: Arc<UpstreamMetrics>,
    inner: S,
}

impl PaceLayer {
    /// By the pacers of `partitions`.
    pub(super) fn new(partitions: Partitions, metrics: Arc<UpstreamMetrics>) -> Self {
        Self { partitions, metrics }
    }
}

impl<S> Layer<S> for PaceLayer {
    type Service = Paced<S>;

    fn layer(&self, inner: S) -> Paced<S> {
        let Self { partitions, metrics } = self.clone();
        Paced {
            partitions,
            metrics,
            inner,
        }
    }
}

impl<O, T, S> Service<Call<O>> for Paced<S>
where
    O: Operation,
    T: Send + 'static,
    S: Service<Call<O>, Response = Answer<T>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Answer<T>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Answer<T>, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call<O>) -> Self::Future {
        let pacer = Arc::clone(self.partitions.of(&call.operation).pacer(O::KIND));
        let metrics = self.metrics.clone();
        let inner = self.inner.clone();
        Box::pin(async move {
            let is_first = call.progress.attempts().count == 0;
            let turn = match pacer.turn(is_first, &call.deadline).await {
                Ok(turn) => turn,
                Err(Fault::Deadline { .. }) => {
                    let last = call.progress.last_fault().map(Box::new);
                    return Err(Fault::Deadline { last }.after(Attempts::default()));
                }
                Err(fault) => {
                    metrics.refused_by_pace.add();
                    return Err(Failure {
                        retry_after: Some(pacer.wait()),
                        ..fault.after(Attempts::default())
                    });
                }
            };
            // What the service has renewed meanwhile says nothing of the upstream, unless it is refused again.
            let is_renewable = |fault: &Fault| fault.retry_rule(O::KIND) == RetryRule::Once;
            let was_renewed = call
                .progress
                .last_fault()
                .is_some_and(|fault| is_renewable(&fault));
            if turn.waited {
                metrics.paced.add();
            }
            let mut watch = Watch {
                pacer: &pacer,
                turn,
                has_ended: false,
            };
            let mut outcome = inner.oneshot(call).await;
            watch.has_ended = true;
            let says_nothing = |failure: &Failure| is_renewable(&failure.fault) && !was_renewed;
            if let Some(signal) = signal(&outcome)
                && !outcome.as_ref().is_err_and(says_nothing)
            {
                pacer.told(turn, signal);
            }
            if let Err(failure) = &mut outcome
                && failure.fault.is_throttling()
            {
                metrics.throttled.add();
                failure.retry_after = Some(pacer.wait());
            }
            outcome
        })
    }
}

/// Tells the pacer of an attempt that nobody waits for any more.
struct Watch<'p> {
    pacer: &'p Pacer,
    turn: Turn,
    has_ended: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.pacer.told(self.turn, Signal::Cut);
        }
    }
}

/// What an attempt says of the upstream.
fn signal<T>(outcome: &Result<Answer<T>, Failure>) -> Option<Signal<'_>> {
    match outcome {
        Ok(_) => Some(Signal::Answered),
        Err(Failure { fault, .. }) => match fault {
            Fault::NotSent { .. } | Fault::Internal { .. } => None,
            fault if fault.is_throttling() => Some(Signal::Throttled),
            // An AWS that does not know the service is of as little use to any call.
            fault if fault.is_no_answer() || fault.is_about_credentials() => {
                Some(Signal::Unresponsive(fault))
            }
            _ => Some(Signal::Answered),
        },
    }
}
