use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use opentelemetry::{
    Context as TraceContext,
    trace::{FutureExt, Status as SpanStatus, TraceContextExt},
};
use tonic::Status;
use tower::{Layer, Service};
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    RequestId, method,
    until_end::{End, Onlooker, UntilEnd, until_end},
};
use crate::{
    grpc::status,
    observability::{
        metrics::labels,
        telemetry::{SPANS, propagation},
    },
};

/// The trace that a call belongs to, as 32 hexadecimal digits: this service's, or where it makes
/// none the one that the caller says.
#[derive(Clone, Debug)]
pub(super) struct TraceId(String);

impl TraceId {
    /// The digits.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Puts every call into a trace: the one of its `traceparent`, or a new one. Its span ends with
/// the last byte of the answer. Health is not traced: probes are many.
///
/// Where this service makes no traces, the caller's goes on to AWS as it came.
#[derive(Clone, Copy, Debug)]
pub struct TraceLayer;

/// See [`TraceLayer`].
#[derive(Clone, Debug)]
pub struct Trace<S>(S);

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace(inner)
    }
}

/// The span of a call, until it is dropped.
#[derive(Debug)]
pub struct Traced {
    caller: TraceContext,
    span: Span,
    end: End,
}

impl Onlooker for Traced {
    fn status(&mut self, status: &Status) {
        self.end = End::Grpc(status.code());
    }

    fn not_grpc(&mut self, status: StatusCode) {
        self.end = End::Http(status);
    }

    fn span(&self) -> Span {
        self.span.clone()
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.caller.clone())
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let Self { span, end, .. } = self;
        if span.is_disabled() {
            return;
        }
        if let End::Http(status) = end {
            span.set_attribute("error.type", status.as_str().to_owned());
            return;
        }
        let code = end.code();
        let name = status::name_of(code);
        span.set_attribute("rpc.response.status_code", name);
        if status::is_server_error(code) {
            span.set_attribute("error.type", name);
            span.set_status(SpanStatus::error(name));
        }
    }
}

impl<S, B, R> Service<Request<B>> for Trace<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<UntilEnd<R, Traced>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let name = method::name(method::index(path));
        let span = match method::is_health(path) {
            true => Span::none(),
            false => {
                // What nobody serves is not named by what a stranger writes (OpenTelemetry's conventions).
                let shown = if name == labels::OTHER { "grpc" } else { name };
                info_span!(target: SPANS, "call", otel.name = shown, otel.kind = "server")
            }
        };
        let caller = propagation::extract(request.headers());
        let said = caller.span().span_context().clone();
        let mut trace_id = said.is_valid().then(|| said.trace_id());
        if !span.is_disabled() {
            // A span that has not begun has no parent yet.
            let _ = span.set_parent(caller.clone());
            span.set_attribute("rpc.system.name", "grpc");
            span.set_attribute("rpc.method", name);
            if name == labels::OTHER {
                let original = method::shown(path).trim_start_matches('/').to_owned();
                span.set_attribute("rpc.method_original", original);
            }
            if let Some(id) = request.extensions().get::<RequestId>() {
                span.set_attribute("tapegate.request_id", id.as_str().to_owned());
            }
            let context = span.context().span().span_context().clone();
            trace_id = context.is_valid().then(|| context.trace_id()).or(trace_id);
        }
        if let Some(trace_id) = trace_id {
            request.extensions_mut().insert(TraceId(trace_id.to_string()));
        }
        let traced = Traced {
            caller: caller.clone(),
            span: span.clone(),
            end: End::default(),
        };
        let _attached = caller.clone().attach();
        let response = span.in_scope(|| self.0.call(request));
        let ended = async move { Ok(until_end(response.await?, traced)) };
        // The span's own trace, where it has one, stands within the caller's.
        Box::pin(ended.instrument(span).with_context(caller))
    }
}
