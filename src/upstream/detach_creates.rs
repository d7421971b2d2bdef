use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use opentelemetry::trace::FutureExt;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tower::{Layer, Service};
use tracing::{Instrument, Span};

use super::{
    metrics::UpstreamMetrics,
    partition::{Partition, Partitions},
};
use crate::domain::{Answer, Attempts, Call, Failure, Fault, GatewayArn, Operation, OperationKind, Progress};

/// Lets an attempt of a create that was sent run to its end, though its caller has gone:
/// dropped half way, nobody would ever know whether it made a tape. What it came to is then
/// logged.
///
/// Reads pass through, and end with their caller.
#[derive(Clone, Debug)]
pub(super) struct DetachCreatesLayer {
    sent: TaskTracker,
    partitions: Partitions,
    metrics: Arc<UpstreamMetrics>,
}

/// See [`DetachCreatesLayer`].
#[derive(Clone, Debug)]
pub(super) struct DetachCreates<S> {
    layer: DetachCreatesLayer,
    inner: S,
}

impl DetachCreatesLayer {
    /// Keeps account of the creates in `sent`, and begins a epoch in their partition when
    /// they have ended.
    pub(super) fn new(sent: TaskTracker, partitions: Partitions, metrics: Arc<UpstreamMetrics>) -> Self {
        Self {
            sent,
            partitions,
            metrics,
        }
    }
}

impl<S> Layer<S> for DetachCreatesLayer {
    type Service = DetachCreates<S>;

    fn layer(&self, inner: S) -> DetachCreates<S> {
        DetachCreates {
            layer: self.clone(),
            inner,
        }
    }
}

impl<O, S> Service<Call<O>> for DetachCreates<S>
where
    O: Operation,
    S: Service<Call<O>, Response = Answer<O::Output>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<O::Output>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call<O>) -> Self::Future {
        if O::KIND == OperationKind::Read {
            return Box::pin(self.inner.call(call));
        }
        let DetachCreatesLayer {
            sent,
            partitions,
            metrics,
        } = self.layer.clone();
        let partition = partitions.of(&call.operation);
        let operation = call.operation.clone();
        let progress = call.progress.clone();
        let answer = self.inner.call(call);
        let (tell, told) = oneshot::channel();
        let left = LeftEarly(partition.clone());
        let run = async move {
            let outcome = answer.await;
            // Before anybody is told, so that whoever then reads sees what was made.
            partition.begin_epoch();
            // Comes back, or is dropped on its way, if nobody is there to hear it.
            let _ = tell.send(Untold {
                operation,
                metrics,
                outcome: Some(outcome),
            });
        };
        sent.spawn(run.instrument(Span::current()).with_current_context());
        Box::pin(async move {
            let _left = left;
            let outcome = told.await.ok().and_then(|mut untold| untold.outcome.take());
            progress.hear();
            outcome.unwrap_or_else(|| {
                let cause = format!("the task of a sent {} ended early", O::NAME);
                Err(Fault::Internal { cause }.after(Attempts::one(None)))
            })
        })
    }
}

/// Begins a epoch when a caller stops waiting for a create: it may be made by now.
struct LeftEarly(Arc<Partition>);

impl Drop for LeftEarly {
    fn drop(&mut self) {
        self.0.begin_epoch();
    }
}

/// How an attempt ended, until somebody is told. Dropped before, it is logged.
struct Untold<O: Operation> {
    operation: O,
    metrics: Arc<UpstreamMetrics>,
    outcome: Option<Result<Answer<O::Output>, Failure>>,
}

impl<O: Operation> Drop for Untold<O> {
    fn drop(&mut self) {
        let Some(outcome) = &self.outcome else { return };
        self.metrics.creates_unheard.add();
        let gateway = self.operation.gateway().map(GatewayArn::as_str);
        let asked = self.operation.trace();
        match outcome {
            Ok(Answer { output, attempts }) => tracing::warn!(
                operation = O::NAME,
                gateway,
                asked,
                ?output,
                aws_request_id = attempts.request_id.as_deref(),
                "a create succeeded after its caller had gone"
            ),
            Err(Failure { fault, attempts, .. }) => tracing::warn!(
                operation = O::NAME,
                gateway,
                asked,
                %fault,
                outcome = %fault.outcome(),
                aws_request_id = attempts.request_id.as_deref(),
                "a create failed after its caller had gone"
            ),
        }
    }
}

/// Stands by a create until its caller is told how it ended. One that is given up between its
/// attempts, or while its tape is looked up, is logged too: there is no attempt left then
/// that could be.
pub(crate) struct Watch<O: Operation> {
    operation: O,
    progress: Progress,
    metrics: Arc<UpstreamMetrics>,
    is_told: bool,
}

impl<O: Operation> Watch<O> {
    /// Over a call to which nothing has happened yet.
    pub(crate) fn over(call: &Call<O>, metrics: &Arc<UpstreamMetrics>) -> Self {
        Self {
            operation: call.operation.clone(),
            progress: call.progress.clone(),
            metrics: metrics.clone(),
            is_told: false,
        }
    }

    /// Its caller is told.
    pub(crate) fn told(mut self) {
        self.is_told = true;
    }
}

impl<O: Operation> Drop for Watch<O> {
    fn drop(&mut self) {
        // An attempt that nobody has heard of yet is logged when it ends.
        if self.is_told || !self.progress.is_heard() {
            return;
        }
        self.metrics.creates_unheard.add();
        let Attempts { count, request_id } = self.progress.attempts();
        tracing::warn!(
            operation = O::NAME,
            gateway = self.operation.gateway().map(GatewayArn::as_str),
            asked = self.operation.trace(),
            attempts = count,
            outcome = %self.progress.outcome(),
            fault = self.progress.last_fault().map(|fault| fault.to_string()),
            aws_request_id = request_id,
            "a create was not gone on with after its caller had gone"
        );
    }
}
