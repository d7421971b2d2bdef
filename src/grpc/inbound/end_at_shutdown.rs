use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tower::Service;

use super::{context_of, method};
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
    type Response = Response<UntilShutdown<R>>;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let cut = Cut {
            token: self.0.clone(),
            context: context_of(&request).cloned(),
            is_create: method::kind(request.uri().path()) == Some(OperationKind::Create),
        };
        let response = inner.call(request);
        Box::pin(async move {
            // The status is made while the call is still there, so that it tells what was sent.
            let status = async {
                cut.token.cancelled().await;
                cut.status()
            };
            tokio::select! {
                biased;
                response = response => {
                    let begun = response?;
                    Ok(begun.map(|body| UntilShutdown::new(body, cut)))
                }
                status = status => Ok(status.into_http()),
            }
        })
    }
}

/// A call that a shutdown can cut.
#[derive(Debug)]
struct Cut {
    token: CancellationToken,
    context: Option<Arc<CallContext>>,
    is_create: bool,
}

impl Cut {
    fn status(&self) -> Status {
        let outcome = self.context.as_ref().map(|context| context.cut());
        status::shutting_down(outcome.filter(|_| self.is_create))
    }
}

pin_project! {
    /// A body that ends when a shutdown cuts its call.
    #[derive(Debug)]
    pub struct UntilShutdown<B> {
        // `None` once the call was cut.
        #[pin]
        body: Option<B>,
        // `None` once the body has ended.
        cut: Option<(Pin<Box<WaitForCancellationFutureOwned>>, Cut)>,
    }
}

impl<B> UntilShutdown<B> {
    fn new(body: B, cut: Cut) -> Self {
        let cancelled = Box::pin(cut.token.clone().cancelled_owned());
        Self {
            body: Some(body),
            cut: Some((cancelled, cut)),
        }
    }
}

/// The empty body of a response that has its status in its headers.
impl<B> Default for UntilShutdown<B> {
    fn default() -> Self {
        Self {
            body: None,
            cut: None,
        }
    }
}

impl<B: Body> Body for UntilShutdown<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if let Some((cancelled, cut)) = this.cut
            && cancelled.as_mut().poll(cx).is_ready()
        {
            let mut trailers = HeaderMap::new();
            cut.status()
                .add_header(&mut trailers)
                .expect("what is percent-encoded or base64 can be in a header");
            *this.cut = None;
            this.body.set(None);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let Some(body) = this.body.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(body.poll_frame(cx));
        if frame
            .as_ref()
            .is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers))
        {
            *this.cut = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
