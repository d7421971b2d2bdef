use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{RequestId, method};
use crate::{
    domain::{Kind, Outcome},
    status,
};

/// Gives every error what it lacks: all of them the call's id, one that tonic made itself (a
/// message too large, an unknown method) its details, and a create that was refused before
/// it was sent its outcome, which nobody knows if its client sent it before.
#[derive(Clone, Copy, Debug)]
pub struct CompleteLayer;

/// See [`CompleteLayer`].
#[derive(Clone, Debug)]
pub struct Complete<S>(S);

/// What is known of the call that an error ends.
#[derive(Clone, Debug, Default)]
struct Known {
    outcome: Option<Outcome>,
    request_id: String,
}

impl<S> Layer<S> for CompleteLayer {
    type Service = Complete<S>;

    fn layer(&self, inner: S) -> Complete<S> {
        Complete(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Complete<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<Completed<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request_id = request.extensions().get::<RequestId>().map(RequestId::as_str);
        let outcome = match method::kind(request.uri().path()) {
            Some(Kind::Create) if method::is_resent(request.headers()) => Some(Outcome::Unknown),
            Some(Kind::Create) => Some(Outcome::NotApplied),
            _ => None,
        };
        let known = Known {
            outcome,
            request_id: request_id.unwrap_or_default().to_owned(),
        };
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            status::complete(response.headers_mut(), known.outcome, &known.request_id);
            Ok(response.map(|body| Completed { body, known }))
        })
    }
}

pin_project! {
    /// A body whose trailers are completed if they are of an error.
    #[derive(Debug, Default)]
    pub struct Completed<B> {
        #[pin]
        body: B,
        known: Known,
    }
}

impl<B: Body> Body for Completed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            status::complete(trailers, this.known.outcome, &this.known.request_id);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
