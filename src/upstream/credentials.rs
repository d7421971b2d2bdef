use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tower::{Layer, Service};

use crate::{
    domain::{Answer, Call, Failure, Fault, Operation, Region},
    observability::readiness::Readiness,
};

/// Tells readiness what the end of a call says of the service's own credentials.
///
/// An attempt alone says too little: one that is refused because credentials expired or the clock is
/// wrong is followed by another, which goes well once they are renewed.
#[derive(Clone, Debug)]
pub(super) struct CredentialsLayer(Readiness);

/// See [`CredentialsLayer`].
#[derive(Clone, Debug)]
pub(super) struct Credentials<S> {
    readiness: Readiness,
    inner: S,
}

impl CredentialsLayer {
    /// Tells this one.
    pub(super) fn new(readiness: Readiness) -> Self {
        Self(readiness)
    }
}

impl<S> Layer<S> for CredentialsLayer {
    type Service = Credentials<S>;

    fn layer(&self, inner: S) -> Credentials<S> {
        Credentials {
            readiness: self.0.clone(),
            inner,
        }
    }
}

impl<O, T, S> Service<Call<O>> for Credentials<S>
where
    O: Operation,
    T: Send,
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
        let readiness = self.readiness.clone();
        let region = call.operation.region().clone();
        let ended = self.inner.call(call);
        Box::pin(async move {
            let outcome = ended.await;
            tell(
                &readiness,
                &region,
                outcome.as_ref().err().map(|failure| &failure.fault),
            );
            outcome
        })
    }
}

fn tell(readiness: &Readiness, region: &Region, fault: Option<&Fault>) {
    match fault {
        None => readiness.credentials_accepted(region),
        Some(Fault::NoCredentials { cause }) => readiness.credentials_missing(cause),
        Some(fault @ Fault::Aws { code, .. }) if fault.is_about_credentials() => {
            readiness.credentials_rejected(region, code);
        }
        // Only a request whose signature held gets as far as a nested code.
        Some(Fault::Aws { nested: true, .. }) => readiness.credentials_accepted(region),
        Some(_) => {}
    }
}
