use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, FutureExt, ready};
use tower::{Layer, Service};

use crate::{
    access::Authority,
    domain::{Answer, Attempts, Call, Decision, Failure, Fault, Operation},
};

/// Lets a call go on that its caller may have. It stands above sharing, since what two ask
/// alike one of them may not have.
///
/// A call that is part of one that was decided, such as looking for a tape that a create may
/// have made, comes with that decision and is not decided anew.
#[derive(Clone, Debug)]
pub(super) struct AuthorizeLayer(Authority);

/// See [`AuthorizeLayer`].
#[derive(Clone, Debug)]
pub(super) struct Authorize<S> {
    authority: Authority,
    inner: S,
}

impl AuthorizeLayer {
    /// This authority decides.
    pub(super) fn new(authority: Authority) -> Self {
        Self(authority)
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    fn layer(&self, inner: S) -> Authorize<S> {
        Authorize {
            authority: self.0.clone(),
            inner,
        }
    }
}

impl<O, T, S> Service<Call<O>> for Authorize<S>
where
    O: Operation,
    T: Send + 'static,
    S: Service<Call<O>, Response = Answer<T>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<T>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Answer<T>, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call<O>) -> Self::Future {
        if call.progress.granted().is_none() {
            match self.authority.decide(&call.caller, &call.operation) {
                Ok(grant) => call.progress.grant(grant),
                Err(Decision { action, resource, .. }) => {
                    let denied = Fault::Denied { action, resource };
                    return ready(Err(denied.after(Attempts::default()))).boxed();
                }
            }
        }
        self.inner.call(call).boxed()
    }
}
