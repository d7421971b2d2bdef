use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::sleep_until;
use tokio_util::task::AbortOnDropHandle;
use tower::{Layer, Service};

use super::{Deadline, connection::Peer};

/// How long after the caller's own timer an answer may still be on its way.
const GRACE: Duration = Duration::from_secs(1);

/// Cuts the connection of a caller that, after its own timer, has neither taken its answer
/// nor cancelled the call.
///
/// While a reader makes no room the connection does not look at the answer's body, so no
/// deadline inside it can fire, and the call would hold a page for as long as the reader
/// likes. A client that keeps its own timer is never met by this.
#[derive(Clone, Copy, Debug)]
pub struct OverdueLayer;

/// See [`OverdueLayer`].
#[derive(Clone, Debug)]
pub struct Overdue<S>(S);

impl<S> Layer<S> for OverdueLayer {
    type Service = Overdue<S>;

    fn layer(&self, inner: S) -> Overdue<S> {
        Overdue(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Overdue<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Body,
{
    type Response = Response<Watched<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let extensions = request.extensions();
        let due = extensions
            .get::<Deadline>()
            .copied()
            .zip(extensions.get::<Peer>().cloned());
        let response = self.0.call(request);
        Box::pin(async move {
            Ok(response.await?.map(|body| {
                let due = due.filter(|_| !body.is_end_stream());
                Watched {
                    body,
                    _watch: due.map(|(deadline, peer)| watch(deadline, peer)),
                }
            }))
        })
    }
}

fn watch(deadline: Deadline, peer: Peer) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        sleep_until(deadline.callers + GRACE).await;
        tracing::warn!(
            "a caller neither took its answer nor cancelled the call in time: its connection is cut"
        );
        peer.cut();
    }))
}

pin_project! {
    /// A body that is watched until it has ended.
    #[derive(Debug, Default)]
    pub struct Watched<B> {
        #[pin]
        body: B,
        _watch: Option<AbortOnDropHandle<()>>,
    }
}

impl<B: Body> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
