use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::Service;

use super::{
    context_of, method,
    wrap::{Wrap, Wrapping},
};
use crate::{
    call::{CallContext, middleware::Middleware},
    domain::{Attempts, OperationKind, Outcome},
    grpc::status,
};

const ATTEMPTS: HeaderName = HeaderName::from_static("x-tapegate-attempts");
const AWS_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Completes the trailers of every call, and the details of every error.
///
/// - Each call that the tape service handled gets its attempts and its last AWS request id; a
///   tonic handler cannot set the trailers of a success.
/// - Each error gets the call's request id. An error that tonic made itself (a message too large,
///   an unknown method) gets details. A create that was rejected before it was sent gets its
///   outcome, which is unknown if its client has sent it before.
#[derive(Clone, Copy, Debug)]
pub struct CompleteTrailers;

impl<S, B, R> Middleware<S, Request<B>> for CompleteTrailers
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<CompletedBody<R>>;
    type Future = Wrapping<S::Future, Completion>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let completion = Completion {
            context: context_of(&request).cloned(),
            outcome: match method::kind(request.uri().path()) {
                Some(OperationKind::Create) if method::is_resent(request.headers()) => Some(Outcome::Unknown),
                Some(OperationKind::Create) => Some(Outcome::NotApplied),
                _ => None,
            },
        };
        Wrapping::new(inner.call(request), completion)
    }
}

/// What the trailers of a call are completed with.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    context: Option<Arc<CallContext>>,
    outcome: Option<Outcome>,
}

impl Completion {
    fn complete(&self, trailers: &mut HeaderMap) {
        let Some(context) = &self.context else { return };
        if let Some(Attempts {
            count, request_id, ..
        }) = context.read(|facts| facts.attempts.clone())
        {
            trailers.insert(ATTEMPTS, HeaderValue::from(count));
            if let Some(id) = request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
                trailers.insert(AWS_REQUEST_ID, id);
            }
        }
        status::complete(trailers, self.outcome, context.request_id());
    }
}

impl<B> Wrap<B> for Completion {
    type Body = CompletedBody<B>;

    fn wrap(self, mut response: Response<B>) -> Response<CompletedBody<B>> {
        // A response without a body has its trailers in its headers.
        if response.headers().contains_key(GRPC_STATUS) {
            self.complete(response.headers_mut());
        }
        response.map(|body| CompletedBody {
            body,
            completion: self,
        })
    }
}

pin_project! {
    /// A body whose trailers are completed.
    #[derive(Debug, Default)]
    pub struct CompletedBody<B> {
        #[pin]
        body: B,
        completion: Completion,
    }
}

impl<B: Body> Body for CompletedBody<B> {
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
            this.completion.complete(trailers);
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
