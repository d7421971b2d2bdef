//! Ending a response early, with a status.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;

pin_project! {
    /// A body that ends with a status if that comes before its own end.
    pub struct UntilStatus<B> {
        // `None` once the status has come.
        #[pin]
        body: Option<B>,
        // `None` if no status can come, and once the body has ended.
        end: Option<BoxFuture<'static, Status>>,
    }
}

impl<B> UntilStatus<B> {
    /// A body that ends with the status of `end`.
    pub(super) fn new(body: B, end: BoxFuture<'static, Status>) -> Self {
        Self {
            body: Some(body),
            end: Some(end),
        }
    }

    /// A body that ends by itself.
    pub(super) fn whole(body: B) -> Self {
        Self {
            body: Some(body),
            end: None,
        }
    }
}

/// The empty body of a response that has its status in its headers.
impl<B> Default for UntilStatus<B> {
    fn default() -> Self {
        Self {
            body: None,
            end: None,
        }
    }
}

impl<B: Body> Body for UntilStatus<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if let Some(end) = this.end
            && let Poll::Ready(status) = end.as_mut().poll(cx)
        {
            let mut trailers = HeaderMap::new();
            status
                .add_header(&mut trailers)
                .expect("what is percent-encoded or base64 can be in a header");
            *this.end = None;
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
            *this.end = None;
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
