use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use tower::{Layer, Service};

/// Refuses what is not gRPC, as the protocol asks for: tonic would run a call that comes as
/// JSON or by GET, so a web page could make one.
#[derive(Clone, Copy, Debug)]
pub struct GrpcOnlyLayer;

/// See [`GrpcOnlyLayer`].
#[derive(Clone, Debug)]
pub struct GrpcOnly<S>(S);

impl<S> Layer<S> for GrpcOnlyLayer {
    type Service = GrpcOnly<S>;

    fn layer(&self, inner: S) -> GrpcOnly<S> {
        GrpcOnly(inner)
    }
}

impl<S, B, R> Service<Request<B>> for GrpcOnly<S>
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
        let refusal = match (request.method(), is_grpc(request.headers())) {
            (&Method::POST, true) => return Box::pin(self.0.call(request)),
            (&Method::POST, false) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        Box::pin(async move {
            let mut response = Response::new(R::default());
            *response.status_mut() = refusal;
            Ok(response)
        })
    }
}

/// `application/grpc`, alone or with a message format or a parameter behind it.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    match content_type.strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}
