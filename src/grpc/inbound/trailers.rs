use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service};

use super::{
    Report,
    at_trailers::{AtTrailers, Trailing},
};
use crate::domain::Attempts;

const ATTEMPTS: HeaderName = HeaderName::from_static("x-tapegate-attempts");
const AWS_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Puts the [`Report`] of a call into its trailers, of a success too: a tonic handler has
/// no way to set those.
#[derive(Clone, Copy, Debug)]
pub struct TrailersLayer;

/// See [`TrailersLayer`].
#[derive(Clone, Debug)]
pub struct SetTrailers<S>(S);

impl<S> Layer<S> for TrailersLayer {
    type Service = SetTrailers<S>;

    fn layer(&self, inner: S) -> SetTrailers<S> {
        SetTrailers(inner)
    }
}

impl<S, B, R> Service<Request<B>> for SetTrailers<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<AtTrailers<R, Report>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let report = request.extensions().get::<Report>().cloned().unwrap_or_default();
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            // An answer that is only trailers has them in its headers.
            if response.headers().contains_key(GRPC_STATUS) {
                report.put_into(response.headers_mut());
            }
            Ok(response.map(|body| AtTrailers::new(body, report)))
        })
    }
}

impl Trailing for Report {
    fn put_into(&self, trailers: &mut HeaderMap) {
        let Some(Attempts { count, request_id }) = self.told().attempts else {
            return;
        };
        trailers.insert(ATTEMPTS, HeaderValue::from(count));
        if let Some(id) = request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            trailers.insert(AWS_REQUEST_ID, id);
        }
    }
}
