use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tracing::Span;

use super::{
    context_of,
    wrap::{Wrap, Wrapping},
};
use crate::{
    call::{CallContext, middleware::Middleware},
    grpc::connection::{Peer, Sending, Unread},
};

/// How long after the caller's deadline a response may still be on its way.
const GRACE: Duration = Duration::from_secs(1);

/// Ends the call of a caller that does not read its response: when it has not read for `send_timeout`,
/// when it has neither read nor cancelled the call by its own deadline, or when all responses wait with
/// more than `max_unread_bytes` and this one for the longest time.
#[derive(Clone, Copy, Debug)]
pub struct EndStalledReaders;

impl<S, B, R> Middleware<S, Request<B>> for EndStalledReaders
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<R>;
    type Future = Wrapping<S::Future, StalledReader>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let reader = StalledReader {
            context: context_of(&request).cloned(),
            peer: request.extensions().get::<Peer>().cloned(),
        };
        Wrapping::new(inner.call(request), reader)
    }
}

/// The reader of a response.
#[derive(Debug)]
pub struct StalledReader {
    context: Option<Arc<CallContext>>,
    peer: Option<Peer>,
}

impl<B: Body> Wrap<B> for StalledReader {
    type Body = B;

    fn wrap(self, response: Response<B>) -> Response<B> {
        if response.body().is_end_stream() {
            return response;
        }
        let Self { context, peer } = self;
        let deadline = context.as_ref().and_then(|context| context.deadline());
        // In the span of the call, so that the line has its method and request id.
        let span = Span::current();
        Sending::begin(deadline.map(|deadline| deadline.callers + GRACE), move |why| {
            let _entered = span.entered();
            let caller = context.as_ref().and_then(|context| context.caller());
            let principal = caller.map(|caller| caller.principal.name());
            let peer = peer.map(|peer| peer.address().to_string());
            if let Some(context) = &context {
                context.reject(match why {
                    Unread::TimedOut => {
                        "its client did not read the response for send_timeout, or by its deadline"
                    }
                    Unread::Displaced => {
                        "max_unread_bytes: its client had not read the response for the longest time"
                    }
                });
            }
            match why {
                Unread::TimedOut => tracing::warn!(
                    peer,
                    principal,
                    "ending a call: its client did not read the response for send_timeout, or by its deadline"
                ),
                Unread::Displaced => tracing::warn!(
                    peer,
                    principal,
                    "ending a call: responses wait for their clients with more than max_unread_bytes, and this \
                     one for the longest time"
                ),
            }
        });
        response
    }
}
