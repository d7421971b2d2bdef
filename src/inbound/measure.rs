use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::method;
use crate::{
    metrics::{Histogram, Metrics, catalog},
    status,
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
struct Measured {
    calls: Arc<Calls>,
    method: usize,
    began: Instant,
    has_begun_to_answer: bool,
    code: Option<Code>,
    refused: Option<StatusCode>,
}

impl Measured {
    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = Some(status.code());
        }
    }

    fn answers(&mut self) {
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
        match (self.code, &self.refused) {
            (None, Some(refused)) => attributes.push(("error.type", refused.as_str())),
            (code, _) => {
                // Whoever has gone away has cancelled.
                let code = code.unwrap_or(Code::Cancelled);
                attributes.push(("rpc.response.status_code", status::name_of(code)));
                if status::is_error_of_server(code) {
                    attributes.push(("error.type", status::name_of(code)));
                }
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
    type Response = Response<MeasuredBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = method::index(request.uri().path());
        self.calls.active[method].fetch_add(1, Ordering::Relaxed);
        let mut measured = Measured {
            calls: self.calls.clone(),
            method,
            began: Instant::now(),
            has_begun_to_answer: false,
            code: None,
            refused: None,
        };
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await?;
            measured.read(response.headers());
            measured.refused = Some(response.status()).filter(|status| *status != StatusCode::OK);
            Ok(response.map(|body| MeasuredBody { body, measured }))
        })
    }
}

pin_project! {
    /// A body whose end is measured.
    #[derive(Debug)]
    pub struct MeasuredBody<B> {
        #[pin]
        body: B,
        measured: Measured,
    }
}

impl<B: Body> Body for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            match frame.trailers_ref() {
                Some(trailers) => this.measured.read(trailers),
                None => this.measured.answers(),
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
