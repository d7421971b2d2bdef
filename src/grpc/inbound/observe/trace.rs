use http::Request;
use opentelemetry::trace::SpanKind;

use super::{End, EndedCall, method};
use crate::{
    grpc::status,
    observability::{
        metrics::labels,
        telemetry::{TraceSpan, propagation},
    },
};

/// The trace of a call: that of its `traceparent`, or a new one. Health is not traced, because probes
/// are many. If this service creates no traces, the caller's trace context is forwarded to AWS.
#[derive(Debug)]
pub(super) struct CallTrace {
    /// The call's span, which ends with the last byte of the response.
    pub(super) span: TraceSpan,
    /// The trace id as 32 hexadecimal digits: this service's, or else the caller's.
    pub(super) id: Option<String>,
}

impl CallTrace {
    pub(super) fn begin<B>(request: &Request<B>, request_id: &str) -> Self {
        let path = request.uri().path();
        let name = method::name(method::index(path));
        let caller = propagation::extract(request.headers());
        let span = match method::is_health(path) {
            true => TraceSpan::none_in(caller),
            false => {
                // An unknown method must not be a span name (OpenTelemetry's conventions for RPC).
                let shown = if name == labels::OTHER { "grpc" } else { name };
                TraceSpan::begin_in(caller, shown, SpanKind::Server)
            }
        };
        if span.is_recorded() {
            span.set("rpc.system.name", "grpc");
            span.set("rpc.method", name);
            if name == labels::OTHER {
                let original = method::shown(path).trim_start_matches('/').to_owned();
                span.set("rpc.method_original", original);
            }
            span.set("tapegate.request_id", request_id.to_owned());
        }
        let ids = span.ids();
        Self {
            span,
            id: ids.is_valid().then(|| ids.trace_id().to_string()),
        }
    }

    pub(super) fn end(&self, call: &EndedCall<'_>) {
        let span = &self.span;
        if let End::Http(status) = call.end {
            span.set("error.type", status.as_str().to_owned());
            return;
        }
        let code = call.end.code();
        let name = status::name_of(code);
        span.set("rpc.response.status_code", name);
        if status::is_server_error(code) {
            span.fail(name);
        }
    }
}
