use std::sync::Arc;

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use super::{
    method,
    wrap::{Guard, GuardedBody, Wrapping},
};
use crate::{call::middleware::Middleware, grpc::status, observability::metrics::Count};

/// Limits the calls in progress, up to the last byte of their responses. Other calls are shed at
/// once, because a waiting call uses memory too.
///
/// Reflection streams and health watches may stay open forever, so they have separate, smaller
/// limits. Health checks are not limited, so that a busy replica does not look dead.
#[derive(Clone, Debug)]
pub struct Admission {
    calls: Arc<Semaphore>,
    reflection: Arc<Semaphore>,
    watches: Arc<Semaphore>,
    shed: Arc<Count>,
}

impl Admission {
    /// Admits `max_calls` calls, and a tenth as many reflection streams and health watches each;
    /// `shed` counts the calls that are not admitted.
    pub(super) fn new(max_calls: usize, shed: Arc<Count>) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            calls: permits(max_calls),
            reflection: permits(max_calls.div_ceil(10)),
            watches: permits(max_calls.div_ceil(10)),
            shed,
        }
    }

    /// The permits of calls with this path; `None` if they are not limited.
    fn permits(&self, path: &str) -> Option<&Arc<Semaphore>> {
        match path {
            path if method::is_watch(path) => Some(&self.watches),
            path if method::is_health(path) => None,
            path if method::is_reflection(path) => Some(&self.reflection),
            _ => Some(&self.calls),
        }
    }
}

type Permit = Option<OwnedSemaphorePermit>;

impl<S, B, R> Middleware<S, Request<B>> for Admission
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<GuardedBody<R, Permit>>;
    type Future = Either<Wrapping<S::Future, Guard<Permit>>, Ready<Result<Self::Response, S::Error>>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let permit = match self.permits(request.uri().path()) {
            None => None,
            Some(permits) => match permits.clone().try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) => {
                    self.shed.add();
                    return Either::Right(ready(Ok(status::overloaded().into_http())));
                }
            },
        };
        Either::Left(Wrapping::new(inner.call(request), Guard(permit)))
    }
}
