use futures_util::future::BoxFuture;
use tower::Service;

use crate::{
    access::AuthorizedCall,
    call::{Answer, middleware::Middleware},
    domain::{Failure, Fault, Operation},
};

/// Ends an attempt in flight with DEADLINE_EXCEEDED when the call's deadline passes.
///
/// The other waits of a call end by themselves before its deadline: the wait for a turn, the
/// pause before a retry, and the wait for a coalesced fetch.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndAtDeadline;

impl<O, T, S> Middleware<S, AuthorizedCall<O>> for EndAtDeadline
where
    O: Operation,
    T: Send,
    S: Service<AuthorizedCall<O>, Response = Answer<T>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<T>;
    type Future = BoxFuture<'static, Result<Answer<T>, Failure>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        let deadline = call.deadline.clone();
        let last = call.attempt.after.clone();
        let live = call.live.clone();
        let attempt = inner.call(call);
        Box::pin(async move {
            tokio::select! {
                biased;
                outcome = attempt => outcome,
                () = deadline.passed() => Err(Fault::Deadline { last }.after(live.transmission().end())),
            }
        })
    }
}
