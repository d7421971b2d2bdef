use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;
use tower::Service;

use super::context_of;
use crate::{
    call::{CallContext, middleware::Middleware},
    grpc::status,
};

/// Ends a call that panics, also within the response's body, with INTERNAL and its details. Without
/// this, the caller would see a broken stream and take it for a network failure.
#[derive(Clone, Copy, Debug)]
pub struct CatchPanic;

/// The status of a call that panicked. Rust's panic hook has written the message to stderr.
fn status(context: Option<&CallContext>) -> Status {
    if let Some(context) = context {
        context.record_panic();
    }
    tracing::error!("the call panicked: this is a defect of the service; please report it");
    status::internal("the service has a defect; its log has the cause")
}

impl<S, B, R> Middleware<S, Request<B>> for CatchPanic
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<Caught<R>>;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let context = context_of(&request).cloned();
        let called = catch_unwind(AssertUnwindSafe(|| inner.call(request)));
        Box::pin(async move {
            let answered = match called {
                Ok(answer) => AssertUnwindSafe(answer).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            Ok(match answered {
                Ok(answer) => answer?.map(|body| Caught {
                    body: Some(body),
                    context,
                }),
                Err(_) => status(context.as_deref()).into_http(),
            })
        })
    }
}

pin_project! {
    /// A body whose panics end it with a status.
    #[derive(Debug, Default)]
    pub struct Caught<B> {
        #[pin]
        body: Option<B>,
        context: Option<Arc<CallContext>>,
    }
}

impl<B: Body> Body for Caught<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
            Ok(frame) => frame,
            Err(_) => {
                // A body that has panicked is not polled again.
                this.body.set(None);
                let mut trailers = http::HeaderMap::new();
                let written = status(this.context.as_deref()).add_header(&mut trailers);
                Poll::Ready(written.is_ok().then(|| Ok(Frame::trailers(trailers))))
            }
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::stream::{self, StreamExt};
    use http::HeaderMap;
    use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
    use tonic::Code;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::call::middleware::Around;

    type Answer = Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible>;

    /// Where a service panics.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum At {
        Nowhere,
        Call,
        Answer,
        SecondFrame,
    }

    fn answer(at: At) -> Answer {
        assert!(at != At::Answer, "of the test");
        let frames = stream::iter([0, 1]).map(move |number| {
            assert!(at != At::SecondFrame || number != 1, "of the test");
            Ok(Frame::data(Bytes::from_static(b"frame")))
        });
        Ok(Response::new(StreamBody::new(frames).boxed_unsync()))
    }

    #[tokio::test]
    async fn a_panic_anywhere_ends_the_call_with_internal() {
        for at in [At::Nowhere, At::Call, At::Answer, At::SecondFrame] {
            let service = service_fn(move |_: Request<Empty<Bytes>>| {
                assert!(at != At::Call, "of the test");
                async move { answer(at) }
            });
            let context = Arc::new(CallContext::new("/method", "id", None, None));
            let mut request = Request::new(Empty::new());
            request.extensions_mut().insert(context.clone());
            let response = Around(CatchPanic).layer(service).oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let collected = body.collect().await.unwrap();
            let trailers = collected.trailers().cloned().unwrap_or_default();
            let code = |headers: &HeaderMap| Status::from_header_map(headers).map(|status| status.code());
            let expected = (at != At::Nowhere).then_some(Code::Internal);
            assert_eq!(code(&head.headers).or(code(&trailers)), expected, "{at:?}");
            assert_eq!(context.facts().panicked, at != At::Nowhere, "{at:?}");
            let frames = collected.to_bytes().len() / "frame".len();
            let shown = [(At::Nowhere, 2), (At::SecondFrame, 1)];
            let shown = shown
                .iter()
                .find(|(place, _)| *place == at)
                .map_or(0, |(_, count)| *count);
            assert_eq!(frames, shown, "{at:?}");
        }
    }
}
