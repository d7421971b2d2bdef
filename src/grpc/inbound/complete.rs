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
    call::{CallContext, CallFacts, middleware::Middleware},
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
///   an unknown method) gets details. A create whose error does not have its outcome gets it: it is
///   unknown if the create was sent before it panicked, or if its client has sent it before.
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
            is_create: method::kind(request.uri().path()) == Some(OperationKind::Create),
            is_resent: method::is_resent(request.headers()),
        };
        Wrapping::new(inner.call(request), completion)
    }
}

/// What the trailers of a call are completed with.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    context: Option<Arc<CallContext>>,
    is_create: bool,
    is_resent: bool,
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
        let is_broken = context.read(|facts| facts.is_request_broken);
        status::complete(
            trailers,
            || self.is_create.then(|| self.outcome(context)),
            is_broken,
            context.request_id(),
        );
    }

    /// The outcome of a create whose error does not have it, because it was rejected before it was sent, or
    /// panicked.
    fn outcome(&self, context: &CallContext) -> Outcome {
        match context.read(CallFacts::end_create) {
            Err(Outcome::NotApplied) if !self.is_resent => Outcome::NotApplied,
            // The caller does not learn of tapes that were created.
            _ => Outcome::Unknown,
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::convert::Infallible;

    use bytes::Bytes;
    use http_body_util::Empty;
    use tonic::Status;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::{
        call::{LiveAttempts, middleware::Around},
        grpc::inbound::catch_panic::CatchPanic,
    };

    /// The outcome that the caller of a create reads which panics when its attempt is so far.
    async fn outcome_of_a_panic(prepare: impl Fn(&LiveAttempts) + Clone + Send + 'static) -> String {
        let panics = service_fn(move |request: Request<Empty<Bytes>>| {
            let (context, prepare) = (context_of(&request).unwrap().clone(), prepare.clone());
            async move {
                let attempts = LiveAttempts::default();
                context.enter_step(&attempts);
                prepare(&attempts);
                assert!(
                    context.age().is_zero() && context.method().is_empty(),
                    "of the test"
                );
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        let stack = Around(CompleteTrailers).layer(Around(CatchPanic).layer(panics));
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = "/tapegate.v1.TapeService/CreateTapes".parse().unwrap();
        let context = CallContext::new("/method", "id", None, None);
        request.extensions_mut().insert(Arc::new(context));
        let response = stack.oneshot(request).await.unwrap();
        let told = Status::from_header_map(response.headers()).unwrap();
        let info = status::error_info(&told).unwrap();
        assert_eq!(info.reason, "INTERNAL");
        info.metadata[status::OUTCOME].clone()
    }

    #[tokio::test]
    async fn a_create_that_panics_after_it_was_sent_has_an_unknown_outcome() {
        assert_eq!(outcome_of_a_panic(|_| {}).await, "not_applied");
        let prepared = |attempts: &LiveAttempts| drop(attempts.prepare());
        assert_eq!(outcome_of_a_panic(prepared).await, "not_applied");
        assert_eq!(outcome_of_a_panic(LiveAttempts::begin).await, "unknown");
    }
}
