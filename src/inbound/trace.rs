use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::trace::{Status as SpanStatus, TraceContextExt};
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{RequestId, method};
use crate::{
    status,
    telemetry::{SPANS, propagation},
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
struct Traced {
    span: Span,
    code: Option<Code>,
    refused: Option<StatusCode>,
}

impl Traced {
    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = Some(status.code());
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let Self { span, code, refused } = self;
        if span.is_disabled() {
            return;
        }
        if let (None, Some(refused)) = (*code, *refused) {
            span.set_attribute("error.type", refused.as_str().to_owned());
            return;
        }
        // Whoever has gone away has cancelled.
        let code = code.unwrap_or(Code::Cancelled);
        let name = status::name_of(code);
        span.set_attribute("rpc.response.status_code", name);
        if status::is_error_of_server(code) {
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
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let span = match method::is_health(path) {
            true => Span::none(),
            false => {
                let name = method::name(method::index(path));
                info_span!(target: SPANS, "call", otel.name = name, otel.kind = "server")
            }
        };
        let parent = propagation::extract(request.headers());
        let caller = parent.span().span_context().clone();
        let mut trace_id = caller.is_valid().then(|| caller.trace_id());
        if !span.is_disabled() {
            // A span that has not begun has no parent yet.
            let _ = span.set_parent(parent);
            span.set_attribute("rpc.system.name", "grpc");
            span.set_attribute("rpc.method", method::name(method::index(path)));
            if let Some(id) = request.extensions().get::<RequestId>() {
                span.set_attribute("tapegate.request_id", id.as_str().to_owned());
            }
            let context = span.context().span().span_context().clone();
            trace_id = context.is_valid().then(|| context.trace_id()).or(trace_id);
        }
        if let Some(trace_id) = trace_id {
            request.extensions_mut().insert(TraceId(trace_id.to_string()));
        }
        let mut traced = Traced {
            span: span.clone(),
            code: None,
            refused: None,
        };
        let response = span.in_scope(|| self.0.call(request));
        let ended = async move {
            let response = response.await?;
            traced.read(response.headers());
            traced.refused = Some(response.status()).filter(|status| *status != StatusCode::OK);
            Ok(response.map(|body| TracedBody { body, traced }))
        };
        Box::pin(ended.instrument(span))
    }
}

pin_project! {
    /// A body that is sent within its call's span.
    #[derive(Debug)]
    pub struct TracedBody<B> {
        #[pin]
        body: B,
        traced: Traced,
    }
}

impl<B: Body> Body for TracedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _entered = this.traced.span.clone().entered();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            this.traced.read(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
