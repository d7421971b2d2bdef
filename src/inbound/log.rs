use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, info_span};

use super::{Report, RequestId, trace::TraceId};

/// Puts a span around every call, and writes one line when it has ended: streams at their
/// last byte, calls that were given up when they are dropped.
///
/// It also keeps account of the calls in progress, which shutdown waits for. Health and
/// reflection are neither told nor counted: probes are many, and their streams may stay.
#[derive(Clone, Debug)]
pub struct LogLayer {
    calls: TaskTracker,
}

/// See [`LogLayer`].
#[derive(Clone, Debug)]
pub struct Log<S> {
    calls: TaskTracker,
    inner: S,
}

impl LogLayer {
    /// Keeps account in `calls`.
    pub(super) fn new(calls: TaskTracker) -> Self {
        Self { calls }
    }
}

/// The longest method that is logged, in bytes.
const MAX_METHOD: usize = 100;

/// Writes the line, at the latest when it is dropped.
#[derive(Debug)]
struct Line {
    /// What the call's own span stands in: its trace.
    around: Span,
    span: Span,
    report: Report,
    began: Instant,
    in_progress: Option<TaskTrackerToken>,
    code: Option<Code>,
    refused: Option<StatusCode>,
}

impl Line {
    /// Looks for the call's status in headers or trailers.
    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = Some(status.code());
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let told = self.report.told();
        let (attempts, aws_request_id) = match &told.attempts {
            Some(attempts) => (Some(attempts.count), attempts.request_id.as_deref()),
            None => (None, None),
        };
        let code = match (self.code, self.refused) {
            (Some(code), _) => format!("{code:?}"),
            (None, Some(status)) => format!("none: not gRPC, HTTP {}", status.as_u16()),
            (None, None) => "none: given up by the caller, or cut".to_owned(),
        };
        let seconds = self.began.elapsed().as_secs_f64();
        let fault = told.fault.as_deref();
        let (_around, _entered) = (self.around.enter(), self.span.enter());
        match self.code {
            _ if self.in_progress.is_none() => tracing::debug!(code, seconds, "call ended"),
            Some(Code::Internal | Code::Unknown | Code::DataLoss) => {
                tracing::error!(code, seconds, attempts, aws_request_id, fault, "call ended");
            }
            // Mostly a matter for operators: a role, a gateway, time.
            Some(
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::PermissionDenied
                | Code::FailedPrecondition
                | Code::ResourceExhausted,
            ) => {
                tracing::warn!(code, seconds, attempts, aws_request_id, fault, "call ended");
            }
            _ => tracing::info!(code, seconds, attempts, aws_request_id, fault, "call ended"),
        }
    }
}

impl<S> Layer<S> for LogLayer {
    type Service = Log<S>;

    fn layer(&self, inner: S) -> Log<S> {
        Log {
            calls: self.calls.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for Log<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<Logged<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let report = Report::default();
        request.extensions_mut().insert(report.clone());
        let path = request.uri().path();
        // The caller can write there what it likes.
        let method = &path[..path.floor_char_boundary(MAX_METHOD)];
        let request_id = request.extensions().get::<RequestId>().map(RequestId::as_str);
        let trace_id = request.extensions().get::<TraceId>().map(TraceId::as_str);
        let span = info_span!("call", method, request_id, trace_id);
        let mut line = Line {
            around: Span::current(),
            span: span.clone(),
            report,
            began: Instant::now(),
            in_progress: (!method.starts_with("/grpc.")).then(|| self.calls.token()),
            code: None,
            refused: None,
        };
        let response = span.in_scope(|| self.inner.call(request));
        let logged = async move {
            let response = response.await?;
            line.read(response.headers());
            line.refused = Some(response.status()).filter(|status| *status != StatusCode::OK);
            Ok(response.map(|body| Logged { body, line }))
        };
        Box::pin(logged.instrument(span))
    }
}

pin_project! {
    /// A body whose end is logged.
    #[derive(Debug)]
    pub struct Logged<B> {
        #[pin]
        body: B,
        line: Line,
    }
}

impl<B: Body> Body for Logged<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _entered = this.line.span.clone().entered();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            this.line.read(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
