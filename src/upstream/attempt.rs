use std::{marker::PhantomData, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use opentelemetry::trace::{FutureExt, SpanKind};
use tokio::time::{Instant, timeout};
use tower::Service;
use tracing::{Instrument, Span, field::Empty, info_span};

use super::metrics::UpstreamMetrics;
use crate::{
    access::AuthorizedCall,
    call::{Answer, Deadline, middleware::Middleware},
    domain::{Failure, Fault, GatewayArn, Operation, OperationKind, Scope},
    observability::{metrics::labels, telemetry::TraceSpan},
};

/// Makes one attempt: limits its time, puts a span around it and measures it.
#[derive(Clone, Debug)]
pub(super) struct MakeAttempt {
    pub(super) timeouts: AttemptTimeouts,
    pub(super) metrics: Arc<UpstreamMetrics>,
}

/// How long one attempt may take, from its turn to the last byte of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttemptTimeouts {
    pub(super) read: Duration,
    pub(super) create: Duration,
}

impl<O, S> Middleware<S, AuthorizedCall<O>> for MakeAttempt
where
    O: Operation,
    S: Service<AuthorizedCall<O>, Response = Answer<O::Output>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<O::Output>;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        let Self { timeouts, metrics } = self.clone();
        call.live.begin();
        metrics.attempts.add();
        let number = call.attempt.earlier + 1;
        let span = info_span!(
            "attempt",
            operation = O::NAME,
            number,
            seconds_left = call.deadline.left().as_secs_f64(),
            region = call.operation.region().as_str(),
            gateway = call.operation.gateway().map(GatewayArn::as_str),
            aws.request_id = Empty,
            error = Empty,
        );
        let trace = TraceSpan::begin(format!("StorageGateway/{}", O::NAME), SpanKind::Client);
        if trace.is_recorded() {
            trace.set("rpc.system.name", "aws-api");
            trace.set("rpc.method", format!("StorageGateway/{}", O::NAME));
            trace.set("cloud.region", call.operation.region().as_str().to_owned());
            trace.set("tapegate.attempt", i64::from(number));
            trace.set("tapegate.seconds_left", call.deadline.left().as_secs_f64());
            if let Some(fault) = call.attempt.after.as_deref() {
                trace.set("tapegate.retry.reason", labels::error_type(fault));
            }
            if let Some(pause) = call.attempt.pause {
                trace.set("tapegate.retry.delay", pause.as_secs_f64());
            }
        }
        let bound = match O::KIND {
            OperationKind::Read => timeouts.read,
            OperationKind::Create => timeouts.create,
        };
        let deadline = call.deadline.clone();
        let scope = call.operation.scope();
        let live = call.live.clone();
        let sent = inner.call(call);
        let transmission = live.transmission();
        let traced = trace.context().clone();
        let attempt = async move {
            let mut measured = MeasuredAttempt::<O> {
                operation: PhantomData,
                scope,
                deadline,
                began: Instant::now(),
                trace,
                metrics,
                has_ended: false,
            };
            let outcome = timeout(bound, sent)
                .await
                .unwrap_or_else(|_| Err(Fault::AttemptTimeout.after(transmission.end())));
            measured.end(&outcome);
            outcome
        };
        Box::pin(attempt.instrument(span).with_context(traced))
    }
}

/// Measures an attempt, also one that is dropped before it ends because its deadline has passed
/// or its caller has gone. Without this, a hanging upstream would not appear in the metrics.
struct MeasuredAttempt<O: Operation> {
    operation: PhantomData<fn() -> O>,
    scope: Scope,
    deadline: Deadline,
    began: Instant,
    trace: TraceSpan,
    metrics: Arc<UpstreamMetrics>,
    has_ended: bool,
}

impl<O: Operation> MeasuredAttempt<O> {
    fn end(&mut self, outcome: &Result<Answer<O::Output>, Failure>) {
        self.has_ended = true;
        let span = Span::current();
        let (attempts, fault) = match outcome {
            Ok(answer) => (&answer.attempts, None),
            Err(failure) => (&failure.attempts, Some(&failure.fault)),
        };
        self.metrics
            .record_attempt::<O>(&self.scope, fault, self.began.elapsed());
        let request_id = attempts.request_id.as_deref();
        span.record("aws.request_id", request_id);
        if let Some(request_id) = request_id {
            self.trace.set("aws.request_id", request_id.to_owned());
        }
        let http_status = match fault {
            None => Some(200),
            Some(Fault::Aws { http_status, .. } | Fault::Http { http_status }) => Some(*http_status),
            Some(_) => None,
        };
        if let Some(http_status) = http_status {
            self.trace
                .set("http.response.status_code", i64::from(http_status));
        }
        if let Some(fault) = fault {
            span.record("error", fault.to_string());
            self.trace.fail(labels::error_type(fault));
        }
    }
}

impl<O: Operation> Drop for MeasuredAttempt<O> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let why = match self.deadline.left().is_zero() {
            _ if std::thread::panicking() => labels::PANIC,
            true => labels::DEADLINE,
            false => labels::GIVEN_UP,
        };
        self.metrics
            .record_dropped_attempt::<O>(&self.scope, why, self.began.elapsed());
        self.trace.fail(why);
    }
}
