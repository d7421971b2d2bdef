//! gRPC-Web: lets browsers call the service, from pages of the allowed origins (`grpc_web.allowed_origins`).
//!
//! `GrpcWeb` stands around the [`inbound`](super::inbound) stack, for which a call of a browser is then a call like
//! any other. It translates requests and responses, and it answers the preflight requests of browsers (CORS). The
//! inbound stack rejects the requests of other origins, so that it observes them.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, Any, Cors, CorsLayer};

use crate::call::middleware::{Around, Middleware, Wrapped};

/// The origins of the pages that may call the service, as browsers send them: `https://console.example.com`.
pub type Origins = Arc<BTreeSet<HeaderValue>>;

/// How long a browser may remember the answer to a preflight request: as long as Chromium does at most.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Translates gRPC-Web and answers preflight requests.
#[derive(Clone, Debug)]
pub(super) struct GrpcWeb(CorsLayer);

impl GrpcWeb {
    /// For pages of these origins; `None` if there are none.
    pub(super) fn new(origins: &Origins) -> Option<Self> {
        let allowed: Vec<_> = origins.iter().cloned().collect();
        let cors = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(Method::POST)
            // Metadata may have any name. `*` would leave out `authorization`.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(Any)
            .max_age(MAX_AGE);
        (!origins.is_empty()).then_some(Self(cors))
    }
}

impl<S> Layer<S> for GrpcWeb {
    type Service = Cors<Wrapped<WatchStream, GrpcWebService<S>>>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0
            .layer(Around(WatchStream).layer(GrpcWebLayer::new().layer(inner)))
    }
}

/// Whether the stream of a request broke, in the request's extensions. Errors of the request's body are otherwise
/// errors of its base64 text.
#[derive(Clone, Debug, Default)]
pub(super) struct BrokenStream(Arc<AtomicBool>);

impl BrokenStream {
    /// Whether it has broken by now.
    pub(super) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds [`BrokenStream`] to each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchStream;

impl<S, R> Middleware<S, Request<Body>> for WatchStream
where
    S: Service<Request<Body>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Future = S::Future;

    fn call(&self, inner: &mut S, mut request: Request<Body>) -> S::Future {
        // tonic-web would reject it itself, and not as the inbound stack does.
        if request.method() != Method::POST {
            request.headers_mut().remove(CONTENT_TYPE);
        }
        let broken = BrokenStream::default();
        request.extensions_mut().insert(broken.clone());
        inner.call(request.map(|body| Body::new(WatchedStream { body, broken })))
    }
}

/// The body of a request before its text is decoded.
struct WatchedStream {
    body: Body,
    broken: BrokenStream,
}

impl http_body::Body for WatchedStream {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Err(_)))) {
            self.broken.0.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
