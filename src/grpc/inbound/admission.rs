use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service};

use super::{held::Held, method};
use crate::{grpc::status, observability::metrics::Count};

/// Lets so many calls be in progress, to the last byte of their answers, and refuses the rest
/// at once: a call that waits holds memory too.
///
/// Reflection, and watching health, may stay for ever, so they have rooms of their own and
/// cannot fill the one of calls. Asking for health once is not counted, or a full replica would
/// look like a dead one.
#[derive(Clone, Debug)]
pub struct AdmissionLayer {
    calls: Arc<Semaphore>,
    reflection: Arc<Semaphore>,
    watches: Arc<Semaphore>,
    shed: Arc<Count>,
}

/// See [`AdmissionLayer`].
#[derive(Clone, Debug)]
pub struct Admission<S> {
    layer: AdmissionLayer,
    inner: S,
}

impl AdmissionLayer {
    /// At most `most` calls, and a tenth as many of what may stay; `shed` counts the others.
    pub(super) fn new(most: usize, shed: Arc<Count>) -> Self {
        let room = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self {
            calls: room(most),
            reflection: room(most.div_ceil(10)),
            watches: room(most.div_ceil(10)),
            shed,
        }
    }

    /// The room that a call of this path needs some of.
    fn room(&self, path: &str) -> Option<&Arc<Semaphore>> {
        match path {
            path if method::is_watch(path) => Some(&self.watches),
            path if method::is_health(path) => None,
            path if method::is_reflection(path) => Some(&self.reflection),
            _ => Some(&self.calls),
        }
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for Admission<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<Held<R, Option<OwnedSemaphorePermit>>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let permit = match self.layer.room(request.uri().path()) {
            None => None,
            Some(room) => match room.clone().try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) => {
                    self.layer.shed.add();
                    return ready(Ok(status::overloaded().into_http())).boxed();
                }
            },
        };
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Held::new(body, permit))) })
    }
}
