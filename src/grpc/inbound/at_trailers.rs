use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// What has something to put into the trailers of an answer.
pub trait Trailing {
    /// Puts it in, as it is by then.
    fn put_into(&self, trailers: &mut HeaderMap);
}

pin_project! {
    /// A body whose trailers get what a [`Trailing`] has for them.
    #[derive(Debug, Default)]
    pub struct AtTrailers<B, T> {
        #[pin]
        body: B,
        trailing: T,
    }
}

impl<B, T> AtTrailers<B, T> {
    /// This body, with what `trailing` has.
    pub(super) fn new(body: B, trailing: T) -> Self {
        Self { body, trailing }
    }
}

impl<B: Body, T: Trailing> Body for AtTrailers<B, T> {
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
            this.trailing.put_into(trailers);
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
