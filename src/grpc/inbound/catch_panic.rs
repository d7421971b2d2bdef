use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;
use tower::{Layer, Service};

use super::Report;
use crate::grpc::status;

/// Ends a call that panics with INTERNAL and its details, in the answer's body too: a caller
/// would otherwise see a broken stream, and take it for the network's fault.
#[derive(Clone, Copy, Debug)]
pub struct CatchPanicLayer;

/// See [`CatchPanicLayer`].
#[derive(Clone, Debug)]
pub struct CatchPanic<S>(S);

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic(inner)
    }
}

/// The status of a call that panicked. What the panic said is on stderr, by Rust's own hook.
fn status(report: &Report) -> Status {
    report.panicked();
    tracing::error!("the call panicked: this is a defect of the service; please report it");
    status::internal("the service has a defect, which its log says more of")
}

impl<S, B, R> Service<Request<B>> for CatchPanic<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<Caught<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let report = request.extensions().get::<Report>().cloned().unwrap_or_default();
        let called = catch_unwind(AssertUnwindSafe(|| self.0.call(request)));
        Box::pin(async move {
            let answered = match called {
                Ok(answer) => AssertUnwindSafe(answer).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            Ok(match answered {
                Ok(answer) => answer?.map(|body| Caught {
                    body: Some(body),
                    report,
                }),
                Err(_) => status(&report).into_http(),
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
        report: Report,
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
                // What has panicked is not looked at again.
                this.body.set(None);
                let mut trailers = http::HeaderMap::new();
                let written = status(this.report).add_header(&mut trailers);
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
    use tower::{ServiceExt, service_fn};

    use super::*;

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
            let report = Report::default();
            let mut request = Request::new(Empty::new());
            request.extensions_mut().insert(report.clone());
            let response = CatchPanicLayer.layer(service).oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let collected = body.collect().await.unwrap();
            let trailers = collected.trailers().cloned().unwrap_or_default();
            let code = |headers: &HeaderMap| Status::from_header_map(headers).map(|status| status.code());
            let expected = (at != At::Nowhere).then_some(Code::Internal);
            assert_eq!(code(&head.headers).or(code(&trailers)), expected, "{at:?}");
            assert_eq!(report.told().panicked, at != At::Nowhere, "{at:?}");
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
