use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use tonic::Status;
use tonic_types::ErrorInfo;
use tower::{Layer, Service};

use super::{
    Report, method,
    until_end::{End, Onlooker, UntilEnd, until_end},
};
use crate::{
    grpc::status,
    observability::metrics::{Histogram, Metrics, catalog},
};

/// What is measured of calls.
#[derive(Debug, Default)]
pub struct Calls {
    duration: Histogram,
    first_message: Histogram,
    active: [AtomicI64; method::KNOWN.len() + 1],
}

impl Calls {
    /// Calls whose figures `metrics` shows.
    pub fn shown_by(metrics: &Metrics) -> Arc<Self> {
        let calls = Arc::new(Self {
            duration: metrics.histogram(&catalog::CALL_DURATION),
            first_message: metrics.histogram(&catalog::FIRST_MESSAGE),
            active: Default::default(),
        });
        let shown = calls.clone();
        metrics.gauges(&catalog::ACTIVE_CALLS, move |seen| {
            for (index, active) in shown.active.iter().enumerate() {
                let count = u32::try_from(active.load(Ordering::Relaxed)).unwrap_or_default();
                seen(f64::from(count), &[("rpc.method", method::name(index))]);
            }
        });
        calls
    }
}

/// Measures every call from its head to the last byte of its answer.
#[derive(Clone, Debug)]
pub struct MeasureLayer(Arc<Calls>);

/// See [`MeasureLayer`].
#[derive(Clone, Debug)]
pub struct Measure<S> {
    calls: Arc<Calls>,
    inner: S,
}

impl MeasureLayer {
    /// Into these figures.
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self(calls)
    }
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure {
            calls: self.0.clone(),
            inner,
        }
    }
}

/// A call that is being measured, until it is dropped.
#[derive(Debug)]
pub struct Measured {
    calls: Arc<Calls>,
    method: usize,
    began: Instant,
    has_begun_to_answer: bool,
    end: End,
    report: Report,
    info: Option<ErrorInfo>,
}

impl Onlooker for Measured {
    fn status(&mut self, status: &Status) {
        self.end = End::Grpc(status.code());
        self.info = status::error_info(status);
    }

    fn not_grpc(&mut self, status: StatusCode) {
        self.end = End::Http(status);
    }

    fn message(&mut self) {
        if !std::mem::replace(&mut self.has_begun_to_answer, true) {
            let waited = self.began.elapsed().as_secs_f64();
            let name = method::name(self.method);
            self.calls.first_message.record(waited, &[("rpc.method", name)]);
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.calls.active[self.method].fetch_sub(1, Ordering::Relaxed);
        let mut attributes = vec![
            ("rpc.system.name", "grpc"),
            ("rpc.method", method::name(self.method)),
        ];
        match &self.end {
            End::Http(status) => attributes.push(("error.type", status.as_str())),
            end => {
                let code = end.code();
                attributes.push(("rpc.response.status_code", status::name_of(code)));
                if status::is_server_error(code) {
                    attributes.push(("error.type", status::name_of(code)));
                }
                let is_let_in = self.report.knows_caller();
                let owner = status::classify(code, self.info.as_ref(), is_let_in).owner;
                attributes.extend(owner.map(|owner| ("tapegate.fault_owner", owner.as_str())));
            }
        }
        let seconds = self.began.elapsed().as_secs_f64();
        self.calls.duration.record(seconds, &attributes);
    }
}

impl<S, B, R> Service<Request<B>> for Measure<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<UntilEnd<R, Measured>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = method::index(request.uri().path());
        self.calls.active[method].fetch_add(1, Ordering::Relaxed);
        let measured = Measured {
            calls: self.calls.clone(),
            method,
            began: Instant::now(),
            has_begun_to_answer: false,
            end: End::default(),
            report: request.extensions().get::<Report>().cloned().unwrap_or_default(),
            info: None,
        };
        let response = self.inner.call(request);
        Box::pin(async move { Ok(until_end(response.await?, measured)) })
    }
}
