use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use tokio::time::sleep_until;
use tower::Service;

use super::{context_of, method, until_status::UntilStatus};
use crate::{call::middleware::Middleware, grpc::status};

/// Ends a health watch or a reflection stream at the deadline of its caller. They have no upstream stack,
/// which ends the calls of the tape service.
#[derive(Clone, Copy, Debug)]
pub struct EndStreamsAtDeadline;

impl<S, B, R> Middleware<S, Request<B>> for EndStreamsAtDeadline
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<UntilStatus<R>>;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let deadline = match method::kind(request.uri().path()) {
            Some(_) => None,
            None => context_of(&request).and_then(|context| context.deadline()),
        };
        let response = inner.call(request);
        Box::pin(async move {
            let end = deadline.map(|deadline| sleep_until(deadline.ours).map(|()| status::stream_deadline()));
            Ok(response.await?.map(|body| match end {
                Some(end) => UntilStatus::new(body, end.boxed()),
                None => UntilStatus::whole(body),
            }))
        })
    }
}
