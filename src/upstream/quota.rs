use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use tower::{Layer, Service};

use crate::{
    access::limits::{LimitExceeded, Limits},
    domain::{Answer, Attempts, Call, Failure, Fault, Operation, Outcome, Principal, Progress},
};

/// Holds creates to the number of tapes that their caller may make in an hour. It stands below
/// the decision, so that what is denied costs nothing, and above repeats, which cost nothing
/// more.
#[derive(Clone, Debug)]
pub(super) struct QuotaLayer(Arc<Limits>);

/// See [`QuotaLayer`].
#[derive(Clone, Debug)]
pub(super) struct Quota<S> {
    limits: Arc<Limits>,
    inner: S,
}

impl QuotaLayer {
    /// By these limits.
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self(limits)
    }
}

impl<S> Layer<S> for QuotaLayer {
    type Service = Quota<S>;

    fn layer(&self, inner: S) -> Quota<S> {
        Quota {
            limits: self.0.clone(),
            inner,
        }
    }
}

impl<O, T, S> Service<Call<O>> for Quota<S>
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
        let Some(count) = call.operation.new_tapes().map(|new| new.count) else {
            return self.inner.call(call).boxed();
        };
        let principal = call.caller.principal.clone();
        if let Err(LimitExceeded { quota, retry_after }) = self.limits.reserve_tapes(&principal, count) {
            let fault = Fault::QuotaUsedUp {
                quota,
                wait: retry_after,
            };
            return ready(Err(fault.after(Attempts::default()))).boxed();
        }
        let counted = Counted {
            limits: self.limits.clone(),
            principal,
            count,
            progress: call.progress.clone(),
            is_made: false,
        };
        let answer = self.inner.call(call);
        Box::pin(async move {
            let mut counted = counted;
            let answer = answer.await;
            counted.is_made = answer.is_ok();
            answer
        })
    }
}

/// Tapes that were counted; those that were surely not made are given back.
struct Counted {
    limits: Arc<Limits>,
    principal: Arc<Principal>,
    count: u8,
    progress: Progress,
    is_made: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.is_made && self.progress.outcome() == Outcome::NotApplied {
            self.limits.release_tapes(&self.principal, self.count);
        }
    }
}
