use futures_util::future::{Either, Ready, ready};
use http::{HeaderValue, Request, Response, StatusCode, header::ORIGIN};
use tower::Service;

use super::context_of;
use crate::{call::middleware::Middleware, grpc::web::Origins};

/// How much of an origin is logged, in bytes.
const MAX_SHOWN: usize = 256;

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
        let is_refused = |origin: &&HeaderValue| !self.0.contains(*origin);
        let Some(refused) = origins.find(is_refused).filter(|_| !self.0.is_empty()) else {
            return Either::Left(inner.call(request));
        };
        if let Some(context) = context_of(&request) {
            let shown = &refused.as_bytes()[..refused.len().min(MAX_SHOWN)];
            context.reject(&format!(
                "the origin {:?} is not in grpc_web.allowed_origins",
                String::from_utf8_lossy(shown)
            ));
        }
        let mut response = Response::new(R::default());
        *response.status_mut() = StatusCode::FORBIDDEN;
        Either::Right(ready(Ok(response)))
    }
}
