use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Either},
};
use opentelemetry::trace::FutureExt;
use tokio::{sync::oneshot, task::AbortHandle};
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{Instrument, Span};

use super::{
    metrics::UpstreamMetrics,
    partition::{Partition, Partitions},
};
use crate::{
    access::AuthorizedCall,
    call::{Answer, CallContext, LiveAttempts, Transmission, middleware::Middleware},
    domain::{Attempts, Failure, Fault, GatewayArn, Operation, OperationKind},
};

/// Detaches each attempt of a create from its caller: once its request is being sent, it runs to its
/// end even if the caller has gone, because the outcome of a dropped attempt would never be known. If
/// the caller has gone, the outcome is logged. An attempt that has not sent anything ends with its
/// caller.
///
/// Reads pass through, and end with their caller.
#[derive(Clone, Debug)]
pub(super) struct DetachCreates {
    pub(super) sent: TaskTracker,
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
    type Future = Either<S::Future, BoxFuture<'static, Result<Self::Response, Failure>>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        if O::KIND == OperationKind::Read {
            return Either::Left(inner.call(call));
        }
        let Self {
            sent,
            partitions,
            metrics,
        } = self.clone();
        let partition = partitions.of(&call.operation);
        let operation = call.operation.clone();
        let context = call.context.clone();
        let live = call.live.clone();
        let attempt = inner.call(call);
        let transmission = live.transmission();
        let (sender, receiver) = oneshot::channel();
        let begin_epoch = partition.clone();
        let sending = transmission.clone();
        let run = async move {
            // A panic ends the task, but not the call that waits for it.
            let outcome = AssertUnwindSafe(attempt).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| {
                context.record_panic();
                let cause =
                    "the attempt panicked: this is a defect of the service; please report it".to_owned();
                tracing::error!(operation = O::NAME, "{cause}");
                Err(Fault::Internal { cause }.after(sending.end()))
            });
            // Before the caller receives it, so that a read that follows sees the new tape.
            begin_epoch.begin_epoch();
            // If the caller has gone, the outcome is dropped here or in the channel.
            let _ = sender.send(Unreceived {
                operation,
                metrics,
                outcome: Some(outcome),
            });
        };
        let run = sent.spawn(run.instrument(Span::current()).with_current_context());
        let waiting = Waiting {
            partition,
            transmission: transmission.clone(),
            attempt: run.abort_handle(),
        };
        Either::Right(Box::pin(async move {
            let _waiting = waiting;
            let received = receiver.await.ok();
            let outcome = received.and_then(|mut unreceived| unreceived.outcome.take());
            outcome.unwrap_or_else(|| {
                let cause = format!("the task of a sent {} ended early", O::NAME);
                Err(Fault::Internal { cause }.after(transmission.end()))
            })
        }))
    }
}

/// A caller that waits for an attempt of a create. When it stops waiting, an attempt that is not sent
/// ends, and an epoch begins, because the tape may exist by now.
struct Waiting {
    partition: Arc<Partition>,
    transmission: Transmission,
    attempt: AbortHandle,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.transmission.withdraw() {
            self.attempt.abort();
        }
        self.partition.begin_epoch();
    }
}

/// The outcome of an attempt that its caller has not received. It is logged when it is dropped.
struct Unreceived<O: Operation> {
    operation: O,
    metrics: Arc<UpstreamMetrics>,
    outcome: Option<Result<Answer<O::Output>, Failure>>,
}

impl<O: Operation> Drop for Unreceived<O> {
    fn drop(&mut self) {
        let Some(outcome) = &self.outcome else { return };
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
                "a create succeeded after its caller had cancelled or disconnected"
            ),
            Err(Failure { fault, attempts, .. }) => tracing::warn!(
                operation = O::NAME,
                gateway,
                asked,
                %fault,
                outcome = %fault.outcome(),
                aws_request_id = attempts.request_id.as_deref(),
                "a create failed after its caller had cancelled or disconnected"
            ),
        }
    }
}

/// Logs a create that is abandoned between its attempts or while its tape is looked up. There is no
/// attempt then that would log it.
pub(super) struct AbandonedCreate<O: Operation> {
    operation: O,
    context: Arc<CallContext>,
    live: LiveAttempts,
    metrics: Arc<UpstreamMetrics>,
    is_answered: bool,
}

impl<O: Operation> AbandonedCreate<O> {
    /// Guards a call that has no attempts yet.
    pub(super) fn guard(call: &AuthorizedCall<O>, metrics: &Arc<UpstreamMetrics>) -> Self {
        Self {
            operation: call.operation.clone(),
            context: call.context.clone(),
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
        // An attempt in flight is logged by `Unreceived` when it ends.
        if self.is_answered || !self.live.is_between_attempts() {
            return;
        }
        self.metrics.creates_orphaned.add();
        // Those of the look-up included.
        let attempts = self.context.facts().attempts_so_far();
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
            "a create was not retried because its caller had cancelled or disconnected"
        );
    }
}
