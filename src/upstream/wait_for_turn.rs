use std::sync::Arc;

use futures_util::future::BoxFuture;
use tower::{Service, ServiceExt};

use super::{
    metrics::UpstreamMetrics,
    pace::{Pacer, Signal, Turn, UpstreamChange},
    partition::Partitions,
};
use crate::{
    access::AuthorizedCall,
    call::{Answer, middleware::Middleware},
    domain::{Attempts, Failure, Fault, Operation, OperationKind, RetryRule, Scope},
};

/// Makes every attempt wait for its turn, and adapts the pace to how the attempt ends.
#[derive(Clone, Debug)]
pub(super) struct WaitForTurn {
    pub(super) partitions: Partitions,
    pub(super) metrics: Arc<UpstreamMetrics>,
}

impl<O, T, S> Middleware<S, AuthorizedCall<O>> for WaitForTurn
where
    O: Operation,
    T: Send + 'static,
    S: Service<AuthorizedCall<O>, Response = Answer<T>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Answer<T>;
    type Future = BoxFuture<'static, Result<Answer<T>, Failure>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        let pacer = Arc::clone(self.partitions.of(&call.operation).pacer(O::KIND));
        let scope = self.partitions.scope(&call.operation);
        let metrics = self.metrics.clone();
        let principal = call.caller.principal.clone();
        let inner = inner.clone();
        Box::pin(async move {
            let turn = match pacer
                .wait_for_turn(principal.name(), call.attempt.earlier == 0, &call.deadline)
                .await
            {
                Ok(turn) => turn,
                Err(Fault::Deadline { .. }) => {
                    let last = call.attempt.after.clone();
                    return Err(Fault::Deadline { last }.after(Attempts::default()));
                }
                Err(fault) => {
                    metrics.pace_rejections.add();
                    return Err(Failure {
                        pacer_retry_after: Some(pacer.expected_wait(principal.name())),
                        ..fault.after(Attempts::default())
                    });
                }
            };
            // Expired credentials and a wrong clock, which the service renews, say nothing about AWS,
            // unless AWS rejects the retry too.
            let is_renewable = |fault: &Fault| fault.retry_rule(O::KIND) == RetryRule::Once;
            let was_renewed = call.attempt.after.as_deref().is_some_and(is_renewable);
            if turn.waited {
                metrics.paced_attempts.add();
            }
            let mut paced = PacedAttempt {
                pacer: &pacer,
                turn,
                has_ended: false,
            };
            let mut outcome = inner.oneshot(call).await;
            paced.has_ended = true;
            let says_nothing = |failure: &Failure| is_renewable(&failure.fault) && !was_renewed;
            if let Some(signal) = signal(&outcome)
                && !outcome.as_ref().is_err_and(says_nothing)
            {
                let change = pacer.record(turn, signal);
                let fault = outcome.as_ref().err().map(|failure| &failure.fault);
                report(change, O::KIND, &scope, fault);
            }
            if let Err(failure) = &mut outcome
                && failure.fault.is_throttling()
            {
                metrics.throttled_attempts.add();
                failure.pacer_retry_after = Some(pacer.expected_wait(principal.name()));
            }
            outcome
        })
    }
}

/// Reports to the pacer an attempt that is dropped before it ends.
struct PacedAttempt<'p> {
    pacer: &'p Pacer,
    turn: Turn,
    has_ended: bool,
}

impl Drop for PacedAttempt<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.pacer.record(self.turn, Signal::Dropped);
        }
    }
}

/// Logs that an outage or throttling begins or ends.
fn report(change: Option<UpstreamChange>, kind: OperationKind, scope: &Scope, fault: Option<&Fault>) {
    let kind = kind.as_str();
    let fault = fault.map(tracing::field::display);
    match change {
        None => {}
        Some(UpstreamChange::OutageBegins) => tracing::warn!(
            kind,
            %scope,
            fault,
            "an outage begins: AWS does not respond, or rejects the credentials"
        ),
        Some(UpstreamChange::OutageEnds(lasted)) => tracing::info!(
            kind,
            %scope,
            seconds = lasted.as_secs_f64(),
            "an outage ends: AWS responds again"
        ),
        Some(UpstreamChange::ThrottlingBegins) => tracing::warn!(
            kind,
            %scope,
            fault,
            "AWS throttles: attempts wait for their turn"
        ),
        Some(UpstreamChange::ThrottlingEnds(lasted)) => tracing::info!(
            kind,
            %scope,
            seconds = lasted.as_secs_f64(),
            "AWS throttles no longer"
        ),
    }
}

/// What the end of an attempt says about AWS.
fn signal<T>(outcome: &Result<Answer<T>, Failure>) -> Option<Signal<'_>> {
    match outcome {
        Ok(_) => Some(Signal::Answered),
        Err(Failure { fault, .. }) => match fault {
            // Nothing was sent, so nothing is known of AWS.
            Fault::NotSent { .. } | Fault::NoCredentials { .. } | Fault::Internal { .. } => None,
            Fault::Deadline { .. } => Some(Signal::Dropped),
            fault if fault.is_throttling() => Some(Signal::Throttled),
            // Rejected credentials count as an outage.
            fault if fault.is_no_answer() || fault.is_about_credentials() => {
                Some(Signal::Unresponsive(fault))
            }
            _ => Some(Signal::Answered),
        },
    }
}
