use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use http::{Request, Response};
use tower::{Layer, Service};

use super::{held::Held, method};
use crate::{
    access::limits::{Limits, OpenCall},
    domain::Caller,
    grpc::status,
};

/// Holds each principal to the calls that it may make. It goes by who calls and never by where
/// from: behind a balancer all would be one.
#[derive(Clone, Debug)]
pub struct LimitLayer(Arc<Limits>);

/// See [`LimitLayer`].
#[derive(Clone, Debug)]
pub struct Limit<S> {
    limits: Arc<Limits>,
    inner: S,
}

impl LimitLayer {
    /// By these limits.
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self(limits)
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limit<S>;

    fn layer(&self, inner: S) -> Limit<S> {
        Limit {
            limits: self.0.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for Limit<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<Held<R, Option<OpenCall>>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let caller = request.extensions().get::<Caller>();
        let path = request.uri().path();
        let counts = method::kind(path).is_some() || method::is_reflection(path);
        let open = match caller.filter(|_| counts) {
            None => None,
            Some(caller) => match self.limits.admit_call(&caller.principal) {
                Ok(open) => open,
                Err(reached) => {
                    let status = status::limited(caller.principal.name(), &reached);
                    return ready(Ok(status.into_http())).boxed();
                }
            },
        };
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Held::new(body, open))) })
    }
}
