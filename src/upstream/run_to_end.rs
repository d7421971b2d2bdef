use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tower::{Layer, Service};
use tracing::{Instrument, Span};

use super::{
    lane::{Lane, Lanes},
    tally::Tally,
};
use crate::domain::{Answer, Attempts, Call, Failure, Fault, GatewayArn, Kind, Operation};

/// Lets an attempt of a create that was sent run to its end, though its caller has gone: dropped half
/// way, nobody would ever know whether it made a tape. What it came to is then logged.
///
/// Reads pass through, and end with their caller.
#[derive(Clone, Debug)]
pub(super) struct RunToEndLayer {
    sent: TaskTracker,
    lanes: Lanes,
    tally: Arc<Tally>,
}

/// See [`RunToEndLayer`].
#[derive(Clone, Debug)]
pub(super) struct RunToEnd<S> {
    layer: RunToEndLayer,
    inner: S,
}

impl RunToEndLayer {
    /// Keeps account of the creates in `sent`, and begins a generation in their lane when
    /// they have ended.
    pub(super) fn new(sent: TaskTracker, lanes: Lanes, tally: Arc<Tally>) -> Self {
        Self { sent, lanes, tally }
    }
}

impl<S> Layer<S> for RunToEndLayer {
    type Service = RunToEnd<S>;

    fn layer(&self, inner: S) -> RunToEnd<S> {
        RunToEnd {
            layer: self.clone(),
            inner,
        }
    }
}

impl<O, S> Service<Call<O>> for RunToEnd<S>
where
    O: Operation,
    S: Service<Call<O>, Response = Answer<O::Output>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<O::Output>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call<O>) -> Self::Future {
        if O::KIND == Kind::Read {
            return Box::pin(self.inner.call(call));
        }
        let RunToEndLayer { sent, lanes, tally } = self.layer.clone();
        let lane = lanes.of(&call.operation);
        let operation = call.operation.clone();
        let answer = self.inner.call(call);
        let (tell, told) = oneshot::channel();
        let left = LeftEarly(lane.clone());
        let run = async move {
            let answer = answer.await;
            // Before anybody is told, so that whoever then reads sees what was made.
            lane.begin_generation();
            if let Err(unheard) = tell.send(answer) {
                tally.creates_unheard.add();
                log_unheard(&operation, &unheard);
            }
        };
        sent.spawn(run.instrument(Span::current()));
        Box::pin(async move {
            let _left = left;
            told.await.unwrap_or_else(|_| {
                let cause = format!("the task of a sent {} ended early", O::NAME);
                Err(Fault::Internal { cause }.after(Attempts::one(None)))
            })
        })
    }
}

/// Begins a generation when a caller stops waiting for a create: it may be made by now.
struct LeftEarly(Arc<Lane>);

impl Drop for LeftEarly {
    fn drop(&mut self) {
        self.0.begin_generation();
    }
}

/// What an operator needs to find a tape that nobody was told of, or to know there is none.
fn log_unheard<O: Operation>(operation: &O, outcome: &Result<Answer<O::Output>, Failure>) {
    let gateway = operation.gateway().map(GatewayArn::as_str);
    let asked = operation.trace();
    match outcome {
        Ok(Answer { output, attempts }) => {
            let aws_request_id = attempts.request_id.as_deref();
            tracing::warn!(
                operation = O::NAME,
                gateway,
                asked,
                ?output,
                aws_request_id,
                "a create succeeded after its caller had gone"
            );
        }
        Err(Failure { fault, attempts, .. }) => {
            let aws_request_id = attempts.request_id.as_deref();
            let fault = fault.to_string();
            tracing::warn!(
                operation = O::NAME,
                gateway,
                asked,
                fault,
                aws_request_id,
                "a create failed after its caller had gone"
            );
        }
    }
}
