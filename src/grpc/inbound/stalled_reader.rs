use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio::time::sleep_until;
use tokio_util::task::AbortOnDropHandle;
use tower::Service;
use tracing::Instrument;

use super::{
    context_of,
    wrap::{GuardedBody, Wrap, Wrapping},
};
use crate::{
    call::{CallDeadline, middleware::Middleware},
    grpc::connection::Peer,
};

/// How long after the caller's deadline a response may still be on its way.
const GRACE: Duration = Duration::from_secs(1);

/// Closes the connection of a caller that, after its own deadline, has neither read its response
/// nor cancelled the call.
///
/// While a reader gives no flow-control window, the connection does not poll the response's body.
/// No deadline inside the body can fire then, and the call would hold a page for as long as the
/// reader likes. A client that enforces its own deadline is never affected.
#[derive(Clone, Copy, Debug)]
pub struct CloseStalledReaders;

impl<S, B, R> Middleware<S, Request<B>> for CloseStalledReaders
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<GuardedBody<R, Option<AbortOnDropHandle<()>>>>;
    type Future = Wrapping<S::Future, StalledReader>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let deadline = context_of(&request).and_then(|context| context.deadline());
        let peer = request.extensions().get::<Peer>().cloned();
        Wrapping::new(inner.call(request), StalledReader(deadline.zip(peer)))
    }
}

/// The reader of a response that must be read by its deadline.
#[derive(Debug)]
pub struct StalledReader(Option<(CallDeadline, Peer)>);

impl<B: Body> Wrap<B> for StalledReader {
    type Body = GuardedBody<B, Option<AbortOnDropHandle<()>>>;

    fn wrap(self, response: Response<B>) -> Response<Self::Body> {
        let limit = self.0.filter(|_| !response.body().is_end_stream());
        let task = limit.map(|(deadline, peer)| {
            let close = async move {
                sleep_until(deadline.callers + GRACE).await;
                tracing::warn!(
                    peer = %peer.address(),
                    "closing a connection: its client neither read the response nor cancelled the call by the deadline"
                );
                peer.close_connection();
            };
            // In the span of the call, so that the line has its method and request id.
            AbortOnDropHandle::new(tokio::spawn(close.in_current_span()))
        });
        super::wrap::Guard(task).wrap(response)
    }
}
