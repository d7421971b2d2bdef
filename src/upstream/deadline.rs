use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use tower::{Layer, Service};

use crate::domain::{Answer, Attempts, Call, Failure, Fault, Operation};

/// Ends the wait for a call at its deadline.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadlineLayer;

/// See [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub(super) struct Deadline<S>(S);

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline(inner)
    }
}

impl<O, S> Service<Call<O>> for Deadline<S>
where
    O: Operation,
    S: Service<Call<O>, Response = Answer<O::Output>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<O::Output>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: Call<O>) -> Self::Future {
        let deadline = call.deadline;
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let failure = Fault::Deadline { sent: false }.after(Attempts::default());
            return Box::pin(async { Err(failure) });
        }
        let answer = self.0.call(call);
        Box::pin(async move {
            let Some(deadline) = deadline else {
                return answer.await;
            };
            timeout_at(deadline, answer).await.unwrap_or_else(|_| {
                let attempts = Attempts::one(None);
                Err(Fault::Deadline { sent: true }.after(attempts))
            })
        })
    }
}
