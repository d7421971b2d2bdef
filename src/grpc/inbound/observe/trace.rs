use http::Request;
use opentelemetry::{
    Context as TraceContext,
    trace::{Status as SpanStatus, TraceContextExt},
};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{End, EndedCall, method};
use crate::{
    grpc::status,
    observability::{
        metrics::labels,
        telemetry::{SPAN_TARGET, propagation},
    },
};

/// The trace of a call: that of its `traceparent`, or a new one. Health is not traced, because probes
/// are many. If this service creates no traces, the caller's trace context is forwarded to AWS.
#[derive(Debug)]
pub(super) struct CallTrace {
    /// The trace context that the caller sent.
    pub(super) caller: TraceContext,
    /// The call's span, which ends with the last byte of the response.
    pub(super) span: Span,
    /// The trace id as 32 hexadecimal digits: this service's, or else the caller's.
    pub(super) id: Option<String>,
}

impl CallTrace {
    pub(super) fn begin<B>(request: &Request<B>, request_id: &str) -> Self {
        let path = request.uri().path();
        let name = method::name(method::index(path));
        let span = match method::is_health(path) {
            true => Span::none(),
            false => {
                // An unknown method must not be a span name (OpenTelemetry's conventions for RPC).
                let shown = if name == labels::OTHER { "grpc" } else { name };
                info_span!(target: SPAN_TARGET, "call", otel.name = shown, otel.kind = "server")
            }
        };
        let caller = propagation::extract(request.headers());
        let sent = caller.span().span_context().clone();
        let mut id = sent.is_valid().then(|| sent.trace_id());
        if !span.is_disabled() {
            // It cannot fail, because the span has not started.
            let _ = span.set_parent(caller.clone());
            span.set_attribute("rpc.system.name", "grpc");
            span.set_attribute("rpc.method", name);
            if name == labels::OTHER {
                let original = method::shown(path).trim_start_matches('/').to_owned();
                span.set_attribute("rpc.method_original", original);
            }
            span.set_attribute("tapegate.request_id", request_id.to_owned());
            let own = span.context().span().span_context().clone();
            id = own.is_valid().then(|| own.trace_id()).or(id);
        }
        Self {
            caller,
            span,
            id: id.map(|id| id.to_string()),
        }
    }

    pub(super) fn end(&self, call: &EndedCall<'_>) {
        let span = &self.span;
        if span.is_disabled() {
            return;
        }
        if let End::Http(status) = call.end {
            span.set_attribute("error.type", status.as_str().to_owned());
            return;
        }
        let code = call.end.code();
        let name = status::name_of(code);
        span.set_attribute("rpc.response.status_code", name);
        if status::is_server_error(code) {
            span.set_attribute("error.type", name);
            span.set_status(SpanStatus::error(name));
        }
    }
}
