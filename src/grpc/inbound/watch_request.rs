use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tower::Service;

use super::context_of;
use crate::{
    call::{CallContext, middleware::Middleware},
    grpc::{status, web::BrokenStream},
};

/// Records that the stream of a request broke before the request was complete. tonic takes a stream that
/// the client has reset for an empty request.
#[derive(Clone, Copy, Debug)]
pub struct WatchRequest;

impl<S, R> Middleware<S, Request<Body>> for WatchRequest
where
    S: Service<Request<Body>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Future = S::Future;

    fn call(&self, inner: &mut S, request: Request<Body>) -> S::Future {
        let context = context_of(&request).cloned();
        let stream = request.extensions().get::<BrokenStream>().cloned();
        inner.call(request.map(|body| {
            Body::new(WatchedBody {
                body,
                context,
                stream,
            })
        }))
    }
}

/// The body of a request, whose errors are recorded.
struct WatchedBody {
    body: Body,
    context: Option<Arc<CallContext>>,
    /// Of gRPC-Web.
    stream: Option<BrokenStream>,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if !matches!(frame, Poll::Ready(Some(Err(_)))) {
            return frame;
        }
        if self.stream.as_ref().is_some_and(|stream| !stream.is_broken()) {
            let what = "the body of application/grpc-web-text is not base64";
            return Poll::Ready(Some(Err(status::malformed(what))));
        }
        if let Some(context) = &self.context {
            context.record_broken_request();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
