use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use tower::Service;

use crate::{
    access::{
        AuthorizedCall,
        limits::{LimitExceeded, Limits},
    },
    call::{Answer, LiveAttempts, middleware::Middleware},
    domain::{Failure, Fault, Operation, Outcome, Principal},
};

/// Enforces the number of tapes that a principal may create in an hour.
///
/// It stands below authorization, so that a denied call is not charged, and above retries, so that
/// they are not charged again.
#[derive(Clone, Debug)]
pub(super) struct TapeQuota(pub(super) Arc<Limits>);

impl<O, T, S> Middleware<S, AuthorizedCall<O>> for TapeQuota
where
    O: Operation,
    T: Send + 'static,
    S: Service<AuthorizedCall<O>, Response = Answer<T>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<T>;
    type Future = BoxFuture<'static, Result<Answer<T>, Failure>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        let Some(count) = call.operation.requested_tapes().map(|requested| requested.count) else {
            return inner.call(call).boxed();
        };
        let principal = call.caller.principal.clone();
        if let Err(LimitExceeded { quota, retry_after }) = self.0.reserve_tapes(&principal, count) {
            let rejected = call.not_sent(Fault::QuotaUsedUp {
                quota,
                wait: retry_after,
            });
            return ready(Err(rejected)).boxed();
        }
        let charge = Charge {
            limits: self.0.clone(),
            principal,
            count,
            live: call.live.clone(),
            is_final: false,
        };
        let answer = inner.call(call);
        Box::pin(async move {
            let mut charge = charge;
            let answer = answer.await;
            charge.is_final = match &answer {
                Ok(_) => true,
                Err(failure) => failure.outcome == Outcome::Unknown,
            };
            answer
        })
    }
}

/// Tapes charged to a principal's quota. They are refunded when this is dropped, if they were
/// certainly not created.
struct Charge {
    limits: Arc<Limits>,
    principal: Arc<Principal>,
    count: u8,
    live: LiveAttempts,
    is_final: bool,
}

impl Drop for Charge {
    fn drop(&mut self) {
        // An abandoned call has no result, but its attempts have an outcome.
        if !self.is_final && self.live.outcome() == Outcome::NotApplied {
            self.limits.release_tapes(&self.principal, self.count);
        }
    }
}
