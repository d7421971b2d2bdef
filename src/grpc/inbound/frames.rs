use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tower::Service;

use super::wrap::{Wrap, Wrapping};
use crate::{call::middleware::Middleware, grpc::connection::Sending};

/// The largest frame in bytes, which is the default of HTTP/2.
const MAX_FRAME: usize = 16 * 1024;

/// Hands responses to the connection in small frames.
///
/// The connection takes a whole frame and polls for the next as soon as the reader's flow-control
/// window has room for one byte. If a frame were a whole page, the next page would be fetched
/// before the reader has read this one.
#[derive(Clone, Copy, Debug)]
pub struct SplitFrames;

impl<S, B, R> Middleware<S, Request<B>> for SplitFrames
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<InFrames<R>>;
    type Future = Wrapping<S::Future, Self>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        Wrapping::new(inner.call(request), *self)
    }
}

impl<B> Wrap<B> for SplitFrames {
    type Body = InFrames<B>;

    fn wrap(self, response: Response<B>) -> Response<InFrames<B>> {
        response.map(|body| InFrames {
            body,
            rest: Bytes::new(),
        })
    }
}

pin_project! {
    /// A body that is split into small frames.
    #[derive(Debug, Default)]
    pub struct InFrames<B> {
        #[pin]
        body: B,
        rest: Bytes,
    }
}

impl<B: Body<Data = Bytes>> Body for InFrames<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        Sending::asked();
        if this.rest.is_empty() {
            let frame = ready!(this.body.poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => *this.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        Sending::given(this.rest.len());
        let frame = this.rest.split_to(MAX_FRAME.min(this.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
