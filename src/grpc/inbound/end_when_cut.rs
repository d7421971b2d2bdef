use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tower::Service;

use super::{context_of, method, until_status::UntilStatus};
use crate::{
    call::{CallContext, CallCut, middleware::Middleware},
    domain::OperationKind,
    grpc::{connection::Peer, status},
};

/// Ends the calls that are still in progress when the service shuts down or closes their connection: each
/// gets its status and its details instead of a broken stream. A response that has begun ends between two messages.
#[derive(Clone, Debug)]
pub struct EndWhenCut(pub(super) CancellationToken);

impl<S, B, R> Middleware<S, Request<B>> for EndWhenCut
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
        let peer = request.extensions().get::<Peer>();
        let cut = Cuttable {
            shutdown: self.0.clone(),
            connection: peer.map(Peer::cut).unwrap_or_default(),
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

/// A call that can be cut.
#[derive(Debug)]
struct Cuttable {
    shutdown: CancellationToken,
    connection: CancellationToken,
    context: Option<Arc<CallContext>>,
    operation: Option<&'static str>,
    is_create: bool,
}

impl Cuttable {
    /// Waits until the call is cut. Returns its status.
    async fn status(self) -> Status {
        let cut = tokio::select! {
            () = self.shutdown.cancelled() => CallCut::Shutdown,
            () = self.connection.cancelled() => CallCut::Connection,
        };
        let (attempts, outcome) = self.context.map(|context| context.cut(cut)).unzip();
        let outcome = outcome.filter(|_| self.is_create);
        status::cut(cut, self.operation, &attempts.unwrap_or_default(), outcome)
    }
}
