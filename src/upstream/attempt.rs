use std::{
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tower::{Layer, Service};
use tracing::{Instrument, field::Empty, info_span};

use crate::{
    domain::{Answer, Attempts, Call, Failure, Fault, GatewayArn, Operation},
    readiness::Readiness,
};

/// Bounds one attempt in time and puts a span around it. What AWS says of the service's
/// own credentials is passed on to readiness.
#[derive(Clone, Debug)]
pub(super) struct AttemptLayer {
    limit: Duration,
    readiness: Readiness,
}

/// See [`AttemptLayer`].
#[derive(Clone, Debug)]
pub(super) struct Attempt<S> {
    limit: Duration,
    readiness: Readiness,
    inner: S,
}

impl AttemptLayer {
    /// Each attempt may take `limit`.
    pub(super) fn new(limit: Duration, readiness: Readiness) -> Self {
        Self { limit, readiness }
    }
}

impl<S> Layer<S> for AttemptLayer {
    type Service = Attempt<S>;

    fn layer(&self, inner: S) -> Attempt<S> {
        Attempt {
            limit: self.limit,
            readiness: self.readiness.clone(),
            inner,
        }
    }
}

impl<O, S> Service<Call<O>> for Attempt<S>
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
        let span = info_span!(
            "attempt",
            operation = O::NAME,
            region = call.operation.region().as_str(),
            gateway = call.operation.gateway().map(GatewayArn::as_str),
            aws.request_id = Empty,
            error = Empty,
        );
        let limit = self.limit;
        let readiness = self.readiness.clone();
        let region = call.operation.region().clone();
        let sent = self.inner.call(call);
        let attempt = async move {
            let outcome = timeout(limit, sent)
                .await
                .unwrap_or_else(|_| Err(Fault::AttemptTimeout.after(Attempts::one(None))));
            let span = tracing::Span::current();
            let attempts = match &outcome {
                Ok(answer) => {
                    readiness.credentials_accepted(&region);
                    &answer.attempts
                }
                Err(Failure { fault, attempts }) => {
                    match fault {
                        Fault::NoCredentials { cause } => readiness.credentials_missing(cause),
                        Fault::Aws { code, .. } if fault.is_about_credentials() => {
                            readiness.credentials_refused(&region, code);
                        }
                        // Only a request whose signature held gets as far as a nested code.
                        Fault::Aws { nested: true, .. } => readiness.credentials_accepted(&region),
                        _ => {}
                    }
                    span.record("error", fault.to_string());
                    attempts
                }
            };
            span.record("aws.request_id", attempts.request_id.as_deref());
            outcome
        };
        Box::pin(attempt.instrument(span))
    }
}
