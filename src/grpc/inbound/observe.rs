//! The observer of calls: one layer that watches each call to its end, and reports the end to four
//! sinks: the trace, the log, the metrics and the audit log.
//!
//! A call ends with the last byte of its response, or when its caller has gone and the response is
//! dropped. The observer reads the status once, from the response's headers or trailers.

mod audit;
mod log;
mod metrics;
mod trace;

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use ipnet::IpNet;
use opentelemetry::trace::FutureExt;
use pin_project_lite::pin_project;
use tokio_util::task::TaskTracker;
use tonic::{Code, Status};
use tonic_types::ErrorInfo;
use tower::Service;
use tracing::Instrument;

pub use self::metrics::CallMetrics;
use self::{log::CallLog, trace::CallTrace};
use super::{address, method, request_id::RequestId};
use crate::{
    access::audit::AuditLog,
    call::{CallContext, CallFacts, middleware::Middleware},
    domain::{Attempts, OperationKind},
    grpc::{
        connection::{CallCost, Peer},
        status,
    },
    observability::calls::CallRegistry,
};

/// Observes every call. It is the outermost layer, so that it sees every end of a call. It also gives
/// each call its [`CallContext`] and its request id.
#[derive(Clone, Debug)]
pub struct ObserveCalls(Arc<Sinks>);

/// Where the ends of calls are reported, beside the trace.
#[derive(Debug)]
pub(super) struct Sinks {
    /// The calls in progress, which a shutdown waits for.
    pub(super) in_progress: TaskTracker,
    /// The calls in progress and the last failures, for the admin page.
    pub(super) registry: Arc<CallRegistry>,
    pub(super) metrics: Arc<CallMetrics>,
    pub(super) audit: Arc<AuditLog>,
    /// The percentage of the calls with the code OK that get a line in the log.
    pub(super) log_ok_percent: u8,
    /// The proxies whose `x-forwarded-for` is trusted.
    pub(super) trusted_proxies: BTreeSet<IpNet>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default)]
enum End {
    /// Without a status: the caller has gone, or the connection was closed.
    #[default]
    GivenUp,
    /// With a gRPC status.
    Grpc(Code),
    /// With an HTTP status, since the request was not gRPC.
    Http(StatusCode),
}

/// A call that has ended, as the sinks see it.
struct EndedCall<'a> {
    context: &'a CallContext,
    facts: &'a CallFacts,
    /// The attempts of all steps, the one in progress included.
    attempts: Option<Attempts>,
    end: End,
    info: Option<&'a ErrorInfo>,
    /// Of a create: `applied`, `not_applied` or `unknown`. A caller can be told `unknown` of a create that
    /// was applied, if it could not be given the response.
    outcome: Option<&'a str>,
    took: Duration,
}

impl ObserveCalls {
    pub(super) fn new(sinks: Sinks) -> Self {
        Self(Arc::new(sinks))
    }
}

impl<S, B, R> Middleware<S, Request<B>> for ObserveCalls
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<ObservedBody<R>>;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn call(&self, inner: &mut S, mut request: Request<B>) -> Self::Future {
        let request_id = RequestId::of(&request);
        let trace = CallTrace::begin(&request, request_id.as_str());
        let path = request.uri().path();
        let peer = request.extensions().get::<Peer>();
        let context = Arc::new(CallContext::new(
            method::shown(path),
            request_id.as_str(),
            trace.id.as_deref(),
            peer.map(Peer::address),
        ));
        if let Some(peer) = peer {
            let trusted = &self.0.trusted_proxies;
            context.set_address(address::of_caller(peer.address(), request.headers(), trusted));
        }
        let cost = peer.map(Peer::call_cost);
        let method = method::index(path);
        let _attached = trace.span.context().clone().attach();
        let log = CallLog::begin(&self.0, &context);
        self.0.metrics.begin(method);
        request.extensions_mut().insert(context.clone());
        if let Some(cost) = &cost {
            request.extensions_mut().insert(cost.clone());
        }

        let observer = Observer {
            sinks: self.0.clone(),
            context,
            cost,
            method,
            end: End::default(),
            info: None,
            has_message: false,
            log,
            trace,
        };
        let (span, traced) = (observer.log.span.clone(), observer.trace.span.context().clone());
        let response = span.in_scope(|| inner.call(request));
        let observed = async move {
            let mut response = response.await?;
            request_id.echo(&mut response);
            Ok(observer.observe(response))
        };
        Box::pin(observed.instrument(span).with_context(traced))
    }
}

/// Observes one call. It is dropped when the call has ended, and then reports the end to the sinks.
#[derive(Debug)]
struct Observer {
    sinks: Arc<Sinks>,
    context: Arc<CallContext>,
    cost: Option<CallCost>,
    /// The method's index in [`method::KNOWN`].
    method: usize,
    end: End,
    info: Option<ErrorInfo>,
    has_message: bool,
    log: CallLog,
    trace: CallTrace,
}

impl Observer {
    fn observe<B>(mut self, response: Response<B>) -> Response<ObservedBody<B>> {
        if response.status() != StatusCode::OK {
            self.end = End::Http(response.status());
        }
        self.read_status(response.headers());
        // Not when the call ends, because its client decides when that is. UNAVAILABLE is not the client's
        // fault.
        let is_fault = !matches!(self.end, End::GivenUp | End::Grpc(Code::Ok | Code::Unavailable));
        let is_of_tapes = method::kind(self.context.method()).is_some();
        match &self.cost {
            Some(cost) if is_fault && !self.has_asked_aws() => cost.pay(),
            Some(cost) if is_of_tapes => cost.give_back(),
            _ => {}
        }
        response.map(|body| ObservedBody { body, observer: self })
    }

    fn has_asked_aws(&self) -> bool {
        let attempts = self.context.facts().attempts_so_far();
        attempts.is_some_and(|attempts| attempts.count > 0)
    }

    fn read_status(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.end = End::Grpc(status.code());
            self.info = status::error_info(&status);
        }
    }

    fn see_message(&mut self) {
        if !std::mem::replace(&mut self.has_message, true) {
            self.sinks.metrics.first_message(self.method, self.context.age());
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let facts = self.context.facts();
        let is_create = method::kind(self.context.method()) == Some(OperationKind::Create);
        // Also withdraws a request that is not sent yet, which is then no attempt.
        let outcome = is_create.then(|| match facts.end_create() {
            Ok(()) => "applied",
            Err(outcome) => outcome.as_str(),
        });
        let told = self
            .info
            .as_ref()
            .and_then(|info| info.metadata.get(status::OUTCOME));
        let ended = EndedCall {
            context: &self.context,
            facts: &facts,
            attempts: facts.attempts_so_far(),
            end: self.end,
            info: self.info.as_ref(),
            outcome: told.map(String::as_str).or(outcome),
            took: self.context.age(),
        };
        self.sinks.metrics.end(self.method, &ended);
        let _attached = self.trace.span.context().clone().attach();
        if audit::has_own_record(&self.sinks.audit, &ended) {
            audit::record(&self.sinks.audit, &ended);
            self.log.end(&ended);
        }
        self.trace.end(&ended);
    }
}

impl End {
    /// The gRPC code; CANCELLED for a call that its caller has given up.
    fn code(self) -> Code {
        match self {
            Self::Grpc(code) => code,
            Self::GivenUp | Self::Http(_) => Code::Cancelled,
        }
    }
}

pin_project! {
    /// The body of a response whose call is observed.
    #[derive(Debug)]
    pub struct ObservedBody<B> {
        #[pin]
        body: B,
        observer: Observer,
    }
}

impl<B: Body> Body for ObservedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _attached = this.observer.trace.span.context().clone().attach();
        let _entered = this.observer.log.span.clone().entered();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            match frame.trailers_ref() {
                Some(trailers) => this.observer.read_status(trailers),
                None => this.observer.see_message(),
            }
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
