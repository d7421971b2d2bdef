use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::Report;
use crate::domain::Attempts;

const ATTEMPTS: HeaderName = HeaderName::from_static("x-tapegate-attempts");
const AWS_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Puts the [`Report`] of a call into its trailers, of a success too: a tonic handler has
/// no way to set those.
#[derive(Clone, Copy, Debug)]
pub struct TrailersLayer;

/// See [`TrailersLayer`].
#[derive(Clone, Debug)]
pub struct SetTrailers<S>(S);

impl<S> Layer<S> for TrailersLayer {
    type Service = SetTrailers<S>;

    fn layer(&self, inner: S) -> SetTrailers<S> {
        SetTrailers(inner)
    }
}

impl<S, B, R> Service<Request<B>> for SetTrailers<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<WithTrailers<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let report = request.extensions().get::<Report>().cloned().unwrap_or_default();
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            // An answer that is only trailers has them in its headers.
            if response.headers().contains_key(GRPC_STATUS) {
                write(&report, response.headers_mut());
            }
            Ok(response.map(|body| WithTrailers { body, report }))
        })
    }
}

pin_project! {
    /// A body whose trailers get what the [`Report`] says by then.
    #[derive(Debug, Default)]
    pub struct WithTrailers<B> {
        #[pin]
        body: B,
        report: Report,
    }
}

impl<B: Body> Body for WithTrailers<B> {
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
            write(this.report, trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

fn write(report: &Report, trailers: &mut HeaderMap) {
    let Some(Attempts { count, request_id }) = report.told().attempts else {
        return;
    };
    trailers.insert(ATTEMPTS, HeaderValue::from(count));
    if let Some(id) = request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        trailers.insert(AWS_REQUEST_ID, id);
    }
}
