use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{self, Poll, ready},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Either},
};
use opentelemetry::{Context, trace::FutureExt};
use tokio::runtime::Handle;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tower::Service;
use tracing::{Instrument, Span};

use super::{
    metrics::UpstreamMetrics,
    partition::{Partition, Partitions},
};
use crate::{
    access::AuthorizedCall,
    call::{Answer, CallContext, CallCut, Deadline, LiveAttempts, Transmission, middleware::Middleware},
    domain::{Attempts, Failure, Fault, GatewayArn, Operation, OperationKind, Outcome},
};

/// Detaches an attempt of a create from its call when the call ends: once its request is being sent, it runs
/// to its end, because the outcome of a dropped attempt would never be known. The outcome is then logged. An
/// attempt that has not sent anything ends with its call.
///
/// A shutdown cuts the attempts that have not ended by its end, so that each is logged.
///
/// Reads pass through, and end with their call.
#[derive(Clone, Debug)]
pub(super) struct DetachCreates {
    pub(super) sent: TaskTracker,
    pub(super) cut: CancellationToken,
    pub(super) partitions: Partitions,
    pub(super) metrics: Arc<UpstreamMetrics>,
}

impl<O, S> Middleware<S, AuthorizedCall<O>> for DetachCreates
where
    O: Operation,
    S: Service<AuthorizedCall<O>, Response = Answer<O::Output>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<O::Output>;
    type Future = Either<S::Future, Waiting<O>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        if O::KIND == OperationKind::Read {
            return Either::Left(inner.call(call));
        }
        let Self {
            sent,
            cut,
            partitions,
            metrics,
        } = self.clone();
        let partition = partitions.of(&call.operation);
        let operation = call.operation.clone();
        let context = call.context.clone();
        let live = call.live.clone();
        let end = CallEnd::of(&call);
        let attempt = inner.call(call);
        let transmission = live.transmission();
        let begin_epoch = partition.clone();
        let sending = transmission.clone();
        let end_of_run = end.clone();
        let run = async move {
            // A panic ends the attempt, but not the call that waits for it.
            let attempt = AssertUnwindSafe(attempt).catch_unwind();
            let outcome = tokio::select! {
                biased;
                outcome = attempt => outcome,
                () = cut.cancelled() => Ok(Err(Fault::ShuttingDown.after(sending.end()))),
            };
            let outcome = outcome.unwrap_or_else(|_| {
                context.record_panic();
                let cause =
                    "the attempt panicked: this is a defect of the service; please report it".to_owned();
                tracing::error!(operation = O::NAME, "{cause}");
                Err(Fault::Internal { cause }.after(sending.end()))
            });
            // Before the caller receives it, so that a read that follows sees the new tape.
            begin_epoch.begin_epoch();
            Unreceived {
                operation,
                metrics,
                end: end_of_run,
                outcome: Some(outcome),
            }
        };
        let waiting = Waiting {
            end,
            partition,
            transmission,
            attempt: Some((run.boxed(), sent.token())),
            runtime: Handle::current(),
            span: Span::current(),
            trace: Context::current(),
        };
        Either::Right(waiting)
    }
}

/// Why a call has ended before its create. It is decided once, when the call ends. Clones share one value.
#[derive(Clone, Debug)]
struct CallEnd {
    context: Arc<CallContext>,
    deadline: Deadline,
    why: Arc<OnceLock<&'static str>>,
}

impl CallEnd {
    fn of<O>(call: &AuthorizedCall<O>) -> Self {
        Self {
            context: call.context.clone(),
            deadline: call.deadline.clone(),
            why: Arc::default(),
        }
    }

    /// Why the call has ended, by what is known now if it was not decided before.
    fn why(&self) -> &'static str {
        self.why
            .get_or_init(|| match self.context.read(|facts| facts.cut) {
                Some(CallCut::Shutdown) => "cut by the shutdown of the service",
                Some(CallCut::Connection) => "cut when the service closed its connection",
                None if std::thread::panicking() => "by a panic",
                None if self.deadline.left().is_zero() => "at its deadline",
                None => "its caller had cancelled or disconnected",
            })
    }

    /// Whether its caller receives an error, and so learns that the outcome is unknown.
    fn is_told(&self) -> bool {
        self.context.read(|facts| facts.cut.is_some()) || std::thread::panicking()
    }
}

/// A call that waits for an attempt of a create, and runs it. When it stops waiting, an attempt that is not
/// sent ends, and another one goes on in a task of its own. An epoch begins, because the tape may exist by now.
pub(super) struct Waiting<O: Operation> {
    end: CallEnd,
    partition: Arc<Partition>,
    transmission: Transmission,
    /// `None` when the call has its outcome.
    attempt: Option<(BoxFuture<'static, Unreceived<O>>, TaskTrackerToken)>,
    runtime: Handle,
    span: Span,
    trace: Context,
}

impl<O: Operation> Future for Waiting<O> {
    type Output = Result<Answer<O::Output>, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let (attempt, _) = self.attempt.as_mut().expect("polled after its end");
        let mut unreceived = ready!(attempt.as_mut().poll(context));
        self.attempt = None;
        Poll::Ready(
            unreceived
                .outcome
                .take()
                .expect("an attempt ends with an outcome"),
        )
    }
}

impl<O: Operation> Drop for Waiting<O> {
    fn drop(&mut self) {
        let Some((attempt, token)) = self.attempt.take() else {
            return;
        };
        self.end.why();
        if !self.transmission.withdraw() {
            let attempt = async move {
                drop(attempt.await);
                // A shutdown waits until the outcome is logged.
                drop(token);
            };
            let attempt = attempt.instrument(self.span.clone());
            self.runtime.spawn(attempt.with_context(self.trace.clone()));
        }
        self.partition.begin_epoch();
    }
}

/// The outcome of an attempt that its call has not received. It is logged when it is dropped.
struct Unreceived<O: Operation> {
    operation: O,
    metrics: Arc<UpstreamMetrics>,
    end: CallEnd,
    outcome: Option<Result<Answer<O::Output>, Failure>>,
}

impl<O: Operation> Drop for Unreceived<O> {
    fn drop(&mut self) {
        let Some(outcome) = &self.outcome else { return };
        // A request that was withdrawn while the attempt was busy, as with a slow TLS handshake.
        if outcome.as_ref().is_err_and(|failure| failure.attempts.count == 0) {
            return;
        }
        self.metrics.creates_orphaned.add();
        let gateway = self.operation.gateway().map(GatewayArn::as_str);
        let asked = self.operation.lookup_hint();
        match outcome {
            Ok(Answer { output, attempts }) => tracing::warn!(
                operation = O::NAME,
                gateway,
                asked,
                ?output,
                aws_request_id = attempts.request_id.as_deref(),
                call_ended = self.end.why(),
                "a create succeeded after its call had ended"
            ),
            Err(Failure { fault, attempts, .. }) => tracing::warn!(
                operation = O::NAME,
                gateway,
                asked,
                %fault,
                outcome = %fault.outcome(),
                aws_request_id = attempts.request_id.as_deref(),
                call_ended = self.end.why(),
                "a create failed after its call had ended"
            ),
        }
    }
}

/// Logs a create that is abandoned between its attempts or while its tape is looked up. There is no
/// attempt then that would log it.
pub(super) struct AbandonedCreate<O: Operation> {
    operation: O,
    end: CallEnd,
    live: LiveAttempts,
    metrics: Arc<UpstreamMetrics>,
    is_answered: bool,
}

impl<O: Operation> AbandonedCreate<O> {
    /// Guards a call that has no attempts yet.
    pub(super) fn guard(call: &AuthorizedCall<O>, metrics: &Arc<UpstreamMetrics>) -> Self {
        Self {
            operation: call.operation.clone(),
            end: CallEnd::of(call),
            live: call.live.clone(),
            metrics: metrics.clone(),
            is_answered: false,
        }
    }

    /// Records that the caller receives the result.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl<O: Operation> Drop for AbandonedCreate<O> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        if self.end.is_told() && self.live.abandon() == Outcome::Unknown {
            self.metrics.creates_unclear.add();
        }
        // An attempt in flight is logged by `Unreceived` when it ends.
        if !self.live.is_between_attempts() {
            return;
        }
        self.metrics.creates_orphaned.add();
        // Those of the look-up included.
        let attempts = self.end.context.facts().attempts_so_far();
        let Attempts {
            count, request_id, ..
        } = attempts.unwrap_or_default();
        tracing::warn!(
            operation = O::NAME,
            gateway = self.operation.gateway().map(GatewayArn::as_str),
            asked = self.operation.lookup_hint(),
            attempts = count,
            outcome = %self.live.abandon(),
            fault = self.live.last_fault().map(|fault| fault.to_string()),
            aws_request_id = request_id,
            call_ended = self.end.why(),
            "a create was not retried because its call had ended"
        );
    }
}
