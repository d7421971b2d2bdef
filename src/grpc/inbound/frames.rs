use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// The most bytes that are handed to the connection at once: the default frame of HTTP/2.
const MOST: usize = 16 * 1024;

/// Hands answers to the connection in small pieces.
///
/// The connection takes whatever it is given, and asks for more, as soon as the reader has
/// made room for one byte. Given a page whole, it would have the next one fetched while the
/// reader has yet to make room for this one: so readers would be two pages behind.
#[derive(Clone, Copy, Debug)]
pub struct FramesLayer;

/// See [`FramesLayer`].
#[derive(Clone, Debug)]
pub struct Frames<S>(S);

impl<S> Layer<S> for FramesLayer {
    type Service = Frames<S>;

    fn layer(&self, inner: S) -> Frames<S> {
        Frames(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Frames<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<InFrames<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = self.0.call(request);
        Box::pin(async move {
            Ok(response.await?.map(|body| InFrames {
                body,
                rest: Bytes::new(),
            }))
        })
    }
}

pin_project! {
    /// A body that comes in small pieces.
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
        if this.rest.is_empty() {
            let frame = ready!(this.body.poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => *this.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(MOST.min(this.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
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
