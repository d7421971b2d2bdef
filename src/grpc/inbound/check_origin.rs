use futures_util::future::{Either, Ready, ready};
use http::{Request, Response, StatusCode, header::ORIGIN};
use tower::Service;

use crate::{call::middleware::Middleware, grpc::web::Origins};

/// Rejects requests of web pages that no allowed origin has, with an HTTP status: without this, a browser would send
/// the request and only keep the response from the page.
///
/// If no origin is allowed, `Origin` has no meaning: browsers cannot call the service then, and a proxy that
/// translates gRPC-Web may leave it.
#[derive(Clone, Debug)]
pub struct CheckOrigin(pub(super) Origins);

impl<S, B, R> Middleware<S, Request<B>> for CheckOrigin
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let mut origins = request.headers().get_all(ORIGIN).iter();
        if self.0.is_empty() || origins.all(|origin| self.0.contains(origin)) {
            return Either::Left(inner.call(request));
        }
        let mut response = Response::new(R::default());
        *response.status_mut() = StatusCode::FORBIDDEN;
        Either::Right(ready(Ok(response)))
    }
}
