use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use tower::{Layer, Service};

use crate::domain::{Answer, Call, Failure, Fault, Operation};

/// Ends the wait for a call at its deadline, and says of every call what it took and what it
/// has come to, whichever of the layers below ended it.
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

impl<O, T, S> Service<Call<O>> for Deadline<S>
where
    O: Operation,
    S: Service<Call<O>, Response = Answer<T>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<T>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Answer<T>, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: Call<O>) -> Self::Future {
        let (deadline, progress) = (call.deadline.moment(), call.progress.clone());
        let passed = move |last| Fault::Deadline { last }.after(Default::default());
        if deadline <= Instant::now() {
            let outcome = progress.outcome();
            return Box::pin(async move {
                Err(Failure {
                    outcome,
                    ..passed(None)
                })
            });
        }
        let answer = self.0.call(call);
        Box::pin(async move {
            let ended = timeout_at(deadline, answer)
                .await
                .unwrap_or_else(|_| Err(passed(progress.last_fault().map(Box::new))));
            let attempts = progress.attempts();
            match ended {
                Ok(answer) => Ok(Answer { attempts, ..answer }),
                Err(failure) => Err(Failure {
                    attempts,
                    outcome: progress.outcome(),
                    ..failure
                }),
            }
        })
    }
}
