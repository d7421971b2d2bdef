use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tower::{Layer, Service};

use crate::status;

/// Gives a status that tonic made itself (a message too large, an unknown method) the
/// details that every error of this service has.
///
/// Such a status comes before any message, so it is in the headers.
#[derive(Clone, Copy, Debug)]
pub struct CompleteLayer;

/// See [`CompleteLayer`].
#[derive(Clone, Debug)]
pub struct Complete<S>(S);

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
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = self.0.call(request);
        Box::pin(async move {
            let response = response.await?;
            Ok(match Status::from_header_map(response.headers()) {
                Some(status) if status.code() != tonic::Code::Ok && status.details().is_empty() => {
                    let (mut parts, body) = response.into_parts();
                    let complete = status::completed(&status).into_http::<R>();
                    parts.headers.extend(complete.headers().clone());
                    Response::from_parts(parts, body)
                }
                _ => response,
            })
        })
    }
}
