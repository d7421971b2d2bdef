use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service};

use super::{held::Held, method};
use crate::{metrics::Count, status};

/// Lets so many calls be in progress, to the last byte of their answers, and refuses the rest
/// at once: a call that waits holds memory too. Health is not counted, or a full replica would
/// look like a dead one.
#[derive(Clone, Debug)]
pub struct AdmissionLayer {
    room: Arc<Semaphore>,
    shed: Arc<Count>,
}

/// See [`AdmissionLayer`].
#[derive(Clone, Debug)]
pub struct Admission<S> {
    layer: AdmissionLayer,
    inner: S,
}

impl AdmissionLayer {
    /// At most `most` calls; `shed` counts the others.
    pub(super) fn new(most: usize, shed: Arc<Count>) -> Self {
        Self {
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            shed,
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
        let permit = match method::is_health(request.uri().path()) {
            true => None,
            false => match self.layer.room.clone().try_acquire_owned() {
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
