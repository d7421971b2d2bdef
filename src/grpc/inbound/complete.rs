use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

use super::{
    RequestId,
    at_trailers::{AtTrailers, Trailing},
    method,
};
use crate::{
    domain::{OperationKind, Outcome},
    grpc::status,
};

/// Gives every error what it lacks: all of them the call's id, one that tonic made itself (a
/// message too large, an unknown method) its details, and a create that was refused before
/// it was sent its outcome, which nobody knows if its client sent it before.
#[derive(Clone, Copy, Debug)]
pub struct CompleteLayer;

/// See [`CompleteLayer`].
#[derive(Clone, Debug)]
pub struct Complete<S>(S);

/// What is known of the call that an error ends.
#[derive(Clone, Debug, Default)]
pub struct Known {
    outcome: Option<Outcome>,
    request_id: String,
}

impl Trailing for Known {
    fn put_into(&self, trailers: &mut HeaderMap) {
        status::complete(trailers, self.outcome, &self.request_id);
    }
}

impl<S> Layer<S> for CompleteLayer {
    type Service = Complete<S>;

    fn layer(&self, inner: S) -> Complete<S> {
        Complete(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Complete<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<AtTrailers<R, Known>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request_id = request.extensions().get::<RequestId>().map(RequestId::as_str);
        let outcome = match method::kind(request.uri().path()) {
            Some(OperationKind::Create) if method::is_resent(request.headers()) => Some(Outcome::Unknown),
            Some(OperationKind::Create) => Some(Outcome::NotApplied),
            _ => None,
        };
        let known = Known {
            outcome,
            request_id: request_id.unwrap_or_default().to_owned(),
        };
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            known.put_into(response.headers_mut());
            Ok(response.map(|body| AtTrailers::new(body, known)))
        })
    }
}
