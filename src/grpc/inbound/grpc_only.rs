use futures_util::future::{Either, Ready, ready};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use tower::Service;

use crate::call::middleware::Middleware;

/// The content types that a resource takes by POST (Linked Data Platform 1.0, 7.1).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// Rejects requests that are not gRPC with an HTTP status, as the gRPC protocol requires, and says what is
/// expected instead. tonic would handle a request with another content type or method, so a web page could
/// send one.
#[derive(Clone, Debug)]
pub struct GrpcOnly {
    /// The content types that the service takes.
    expected: HeaderValue,
}

impl GrpcOnly {
    /// `has_web`: whether gRPC-Web has been translated already.
    pub(super) fn beside_grpc_web(has_web: bool) -> Self {
        Self {
            expected: HeaderValue::from_static(if has_web {
                "application/grpc, application/grpc-web, application/grpc-web-text"
            } else {
                "application/grpc"
            }),
        }
    }
}

impl<S, B, R> Middleware<S, Request<B>> for GrpcOnly
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let (status, expected) = match (request.method(), is_grpc(request.headers())) {
            (&Method::POST, true) => return Either::Left(inner.call(request)),
            (&Method::POST, false) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                (ACCEPT_POST, self.expected.clone()),
            ),
            _ => (
                StatusCode::METHOD_NOT_ALLOWED,
                (ALLOW, HeaderValue::from_static("POST")),
            ),
        };
        let mut response = Response::new(R::default());
        *response.status_mut() = status;
        let (name, value) = expected;
        response.headers_mut().insert(name, value);
        Either::Right(ready(Ok(response)))
    }
}

/// Whether the content type is `application/grpc`, with or without a message format or parameter.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    match content_type.strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}
