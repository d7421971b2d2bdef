use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tower::Service;

use super::{context_of, method, until_status::UntilStatus};
use crate::{
    call::{CallContext, middleware::Middleware},
    domain::OperationKind,
    grpc::status,
};

/// Ends the calls that are still in progress when a shutdown cuts them: each gets its status and its
/// details instead of a closed connection. A response that has begun ends between two messages.
#[derive(Clone, Debug)]
pub struct EndAtShutdown(pub(super) CancellationToken);

impl<S, B, R> Middleware<S, Request<B>> for EndAtShutdown
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<UntilStatus<R>>;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let cut = Cut {
            token: self.0.clone(),
            context: context_of(&request).cloned(),
            operation: method::operation(path),
            is_create: method::kind(path) == Some(OperationKind::Create),
        };
        let response = inner.call(request);
        Box::pin(async move {
            // The status is made while the call is still there, so that it tells what was sent.
            let mut status = cut.status().boxed();
            tokio::select! {
                biased;
                response = response => Ok(response?.map(|body| UntilStatus::new(body, status))),
                status = &mut status => Ok(status.into_http()),
            }
        })
    }
}

/// A call that a shutdown can cut.
#[derive(Debug)]
struct Cut {
    token: CancellationToken,
    context: Option<Arc<CallContext>>,
    operation: Option<&'static str>,
    is_create: bool,
}

impl Cut {
    /// Waits until a shutdown cuts the call. Returns its status.
    async fn status(self) -> Status {
        self.token.cancelled().await;
        let (attempts, outcome) = self.context.map(|context| context.cut()).unzip();
        let outcome = outcome.filter(|_| self.is_create);
        status::shutting_down(self.operation, &attempts.unwrap_or_default(), outcome)
    }
}
