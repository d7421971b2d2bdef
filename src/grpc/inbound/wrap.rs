//! Wrapping a response's body without a boxed future.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// What a layer makes of a response with a body of type `B`.
pub trait Wrap<B> {
    /// The type of the wrapped body.
    type Body;

    /// Wraps the response's body.
    fn wrap(self, response: Response<B>) -> Response<Self::Body>;
}

pin_project! {
    /// A future that wraps the response that it resolves to.
    #[derive(Debug)]
    pub struct Wrapping<F, W> {
        #[pin]
        response: F,
        wrap: Option<W>,
    }
}

impl<F, W> Wrapping<F, W> {
    /// Wraps the response that `response` resolves to.
    pub(super) fn new(response: F, wrap: W) -> Self {
        Self {
            response,
            wrap: Some(wrap),
        }
    }
}

impl<F, W, B, E> Future for Wrapping<F, W>
where
    F: Future<Output = Result<Response<B>, E>>,
    W: Wrap<B>,
{
    type Output = Result<Response<W::Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx))?;
        let wrap = this
            .wrap
            .take()
            .expect("a future is not polled after it is ready");
        Poll::Ready(Ok(wrap.wrap(response)))
    }
}

/// Keeps a value, such as a permit, until the response's body has ended or is dropped.
#[derive(Debug)]
pub struct Guard<G>(pub(super) G);

impl<B, G> Wrap<B> for Guard<G> {
    type Body = GuardedBody<B, G>;

    fn wrap(self, response: Response<B>) -> Response<GuardedBody<B, G>> {
        response.map(|body| GuardedBody { body, _guard: self.0 })
    }
}

pin_project! {
    /// A body that keeps a value until it has ended or is dropped.
    #[derive(Debug, Default)]
    pub struct GuardedBody<B, G> {
        #[pin]
        body: B,
        _guard: G,
    }
}

impl<B: Body, G> Body for GuardedBody<B, G> {
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
