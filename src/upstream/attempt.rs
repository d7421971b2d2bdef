use std::{
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field::Empty, info_span};

use super::metrics::UpstreamMetrics;
use crate::{
    domain::{Answer, Attempts, Call, Deadline, Failure, Fault, GatewayArn, Operation, OperationKind},
    observability::{metrics::labels, telemetry::SPAN_TARGET},
};

/// Makes one attempt: bounds it in time, puts a span around it, and tells the call's progress.
#[derive(Clone, Debug)]
pub(super) struct AttemptLayer {
    bounds: Bounds,
    metrics: Arc<UpstreamMetrics>,
}

/// How long one attempt may take, from its turn to the last byte of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) read: Duration,
    pub(super) create: Duration,
}

/// See [`AttemptLayer`].
#[derive(Clone, Debug)]
pub(super) struct Attempt<S> {
    layer: AttemptLayer,
    inner: S,
}

impl AttemptLayer {
    /// Each attempt may take what `bounds` says.
    pub(super) fn new(bounds: Bounds, metrics: Arc<UpstreamMetrics>) -> Self {
        Self { bounds, metrics }
    }
}

impl<S> Layer<S> for AttemptLayer {
    type Service = Attempt<S>;

    fn layer(&self, inner: S) -> Attempt<S> {
        Attempt {
            layer: self.clone(),
            inner,
        }
    }
}

impl<O, S> Service<Call<O>> for Attempt<S>
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
        let AttemptLayer { bounds, metrics } = self.layer.clone();
        let progress = call.progress.clone();
        progress.begin();
        metrics.attempts.add();
        let span = info_span!(
            "attempt",
            operation = O::NAME,
            number = progress.attempts().count,
            seconds_left = call.deadline.left().as_secs_f64(),
            region = call.operation.region().as_str(),
            gateway = call.operation.gateway().map(GatewayArn::as_str),
            aws.request_id = Empty,
            error = Empty,
        );
        let trace = info_span!(
            target: SPAN_TARGET,
            "attempt",
            otel.name = %format_args!("StorageGateway/{}", O::NAME),
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system.name = "aws-api",
            rpc.method = %format_args!("StorageGateway/{}", O::NAME),
            cloud.region = call.operation.region().as_str(),
            tapegate.attempt = progress.attempts().count,
            tapegate.retry.reason = progress.last_fault().map(|fault| labels::error_type(&fault)),
            tapegate.retry.delay = progress.paused().map(|pause| pause.as_secs_f64()),
            tapegate.seconds_left = call.deadline.left().as_secs_f64(),
            aws.request_id = Empty,
            http.response.status_code = Empty,
            error.type = Empty,
        );
        let bound = match O::KIND {
            OperationKind::Read => bounds.read,
            OperationKind::Create => bounds.create,
        };
        let deadline = call.deadline.clone();
        let sent = self.inner.call(call);
        let told = trace.clone();
        let attempt = async move {
            let began = Instant::now();
            let mut watch = Watch::<O> {
                call: PhantomData,
                deadline,
                began,
                trace: told.clone(),
                metrics: metrics.clone(),
                has_ended: false,
            };
            let outcome = timeout(bound, sent)
                .await
                .unwrap_or_else(|_| Err(Fault::AttemptTimeout.after(Attempts::one(None))));
            watch.has_ended = true;
            progress.end(&outcome);
            let fault = outcome.as_ref().err().map(|failure| &failure.fault);
            metrics.attempted::<O>(fault, began.elapsed());
            let span = tracing::Span::current();
            let attempts = match &outcome {
                Ok(answer) => &answer.attempts,
                Err(Failure { fault, attempts, .. }) => {
                    span.record("error", fault.to_string());
                    attempts
                }
            };
            span.record("aws.request_id", attempts.request_id.as_deref());
            record(&told, attempts.request_id.as_deref(), fault);
            outcome
        };
        Box::pin(attempt.instrument(span).instrument(trace))
    }
}

/// Counts an attempt that is cut: its answer did not come in the caller's time, or the caller has
/// gone. An AWS that hangs would show nowhere otherwise.
struct Watch<O: Operation> {
    call: PhantomData<fn() -> O>,
    deadline: Deadline,
    began: Instant,
    trace: Span,
    metrics: Arc<UpstreamMetrics>,
    has_ended: bool,
}

impl<O: Operation> Drop for Watch<O> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let why = match self.deadline.left().is_zero() {
            true => labels::DEADLINE,
            false => labels::GIVEN_UP,
        };
        self.metrics.cut::<O>(why, self.began.elapsed());
        self.trace.record("error.type", why);
        self.trace.record("otel.status_code", "ERROR");
    }
}

/// Says in an attempt's trace how it ended.
fn record(trace: &Span, aws_request_id: Option<&str>, fault: Option<&Fault>) {
    trace.record("aws.request_id", aws_request_id);
    let http_status = match fault {
        None => Some(200),
        Some(Fault::Aws { http_status, .. } | Fault::Http { http_status }) => Some(*http_status),
        Some(_) => None,
    };
    trace.record("http.response.status_code", http_status);
    if let Some(fault) = fault {
        trace.record("error.type", labels::error_type(fault));
        trace.record("otel.status_code", "ERROR");
    }
}
