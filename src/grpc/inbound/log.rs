use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tonic::Status;
use tonic_types::ErrorInfo;
use tower::{Layer, Service};
use tracing::{Instrument, Span, error_span};

use super::{
    Report, RequestId, View, method,
    trace::TraceId,
    until_end::{End, Onlooker, UntilEnd, until_end},
    view::InView,
};
use crate::{domain::LogLevel, grpc::status};

/// Puts a span around every call, and writes one line when it has ended: streams at their
/// last byte, calls that were given up when they are dropped.
///
/// It also keeps account of the calls in progress, which shutdown waits for and operators look
/// at. Health and reflection are neither told nor counted: probes are many, and their streams
/// may stay.
#[derive(Clone, Debug)]
pub struct LogLayer {
    calls: TaskTracker,
    view: Arc<View>,
}

/// See [`LogLayer`].
#[derive(Clone, Debug)]
pub struct Log<S> {
    layer: LogLayer,
    inner: S,
}

impl LogLayer {
    /// Keeps account in `calls`, and shows them in `view`.
    pub(super) fn new(calls: TaskTracker, view: Arc<View>) -> Self {
        Self { calls, view }
    }
}

/// Writes the line, at the latest when it is dropped.
#[derive(Debug)]
pub struct Line {
    /// What the call's own span stands in: its trace.
    around: Span,
    span: Span,
    report: Report,
    began: Instant,
    in_progress: Option<(TaskTrackerToken, InView)>,
    end: End,
    info: Option<ErrorInfo>,
}

impl Onlooker for Line {
    fn status(&mut self, status: &Status) {
        self.end = End::Grpc(status.code());
        self.info = status::error_info(status);
    }

    fn not_grpc(&mut self, status: StatusCode) {
        self.end = End::Http(status);
    }

    fn span(&self) -> Span {
        self.span.clone()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let told = self.report.told();
        let (attempts, aws_request_id) = match &told.attempts {
            Some(attempts) => (Some(attempts.count), attempts.request_id.as_deref()),
            None => (None, None),
        };
        let code = match self.end {
            End::Grpc(code) => format!("{code:?}"),
            End::Http(status) => format!("none: not gRPC, HTTP {}", status.as_u16()),
            End::GivenUp => "none: given up by the caller, or cut".to_owned(),
        };
        let reason = self.info.as_ref().map(|info| info.reason.as_str());
        let caller = told.caller.as_ref();
        let principal = told.principal();
        let resource = caller.and_then(|caller| Some(caller.trail.decision()?.resource));
        let seconds = self.began.elapsed().as_secs_f64();
        let fault = told.fault.as_deref();
        let (_around, _entered) = (self.around.enter(), self.span.enter());
        let Some((_, in_view)) = &self.in_progress else {
            tracing::debug!(code, seconds, "call ended");
            return;
        };
        let level = match self.end {
            End::Grpc(code) => status::classify(code, self.info.as_ref(), caller.is_some()).level,
            End::Http(_) | End::GivenUp => LogLevel::Info,
        };
        if let End::Grpc(code) = self.end
            && level >= LogLevel::Warn
        {
            in_view.failed(code);
        }
        macro_rules! tell {
            ($event:ident) => {
                tracing::$event!(
                    code,
                    reason,
                    principal,
                    resource,
                    seconds,
                    attempts,
                    aws_request_id,
                    fault,
                    "call ended"
                )
            };
        }
        match level {
            LogLevel::Error => tell!(error),
            LogLevel::Warn => tell!(warn),
            LogLevel::Info => tell!(info),
        }
    }
}

impl<S> Layer<S> for LogLayer {
    type Service = Log<S>;

    fn layer(&self, inner: S) -> Log<S> {
        Log {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for Log<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<UntilEnd<R, Line>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let report = Report::default();
        request.extensions_mut().insert(report.clone());
        let method = method::shown(request.uri().path());
        let request_id = request.extensions().get::<RequestId>().map(RequestId::as_str);
        let LogLayer { calls, view } = &self.layer;
        let in_progress = (!method.starts_with("/grpc.")).then(|| {
            let in_view = view.begin(method, request_id.unwrap_or_default(), &report);
            (calls.token(), in_view)
        });
        let trace_id = request.extensions().get::<TraceId>().map(TraceId::as_str);
        // So that a filter which lets a line pass lets it say of which call it is.
        let span = error_span!("call", method, request_id, trace_id);
        let line = Line {
            around: Span::current(),
            span: span.clone(),
            report,
            began: Instant::now(),
            in_progress,
            end: End::default(),
            info: None,
        };
        let response = span.in_scope(|| self.inner.call(request));
        let logged = async move { Ok(until_end(response.await?, line)) };
        Box::pin(logged.instrument(span))
    }
}
