use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::{
    access::AuthorizedCall,
    call::middleware::Middleware,
    domain::{Failure, Operation, OperationKind},
};

/// The part of the places that only creates can take.
const FOR_CREATES: usize = 10;

/// Limits the attempts in flight, and with them the connections to AWS, because each attempt uses one.
/// Further attempts wait for a place, at most until the deadline of their call. Reads cannot take all
/// places, so that lists do not keep creates waiting.
#[derive(Clone, Debug)]
pub(super) struct LimitAttempts {
    all: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

impl LimitAttempts {
    /// A limit of `max` attempts in flight.
    pub(super) fn to(max: usize) -> Self {
        let reads = (max - max.div_ceil(FOR_CREATES)).max(1);
        Self {
            all: Arc::new(Semaphore::new(max)),
            reads: Arc::new(Semaphore::new(reads)),
        }
    }

    /// Waits for a place, which is free again when the permits are dropped.
    async fn place(self, kind: OperationKind) -> (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit) {
        let permit = async |places: Arc<Semaphore>| places.acquire_owned().await.expect("it is never closed");
        // First, so that a waiting read takes no place from a create.
        let of_reads = match kind {
            OperationKind::Read => Some(permit(self.reads).await),
            OperationKind::Create => None,
        };
        (of_reads, permit(self.all).await)
    }
}

impl<O, S> Middleware<S, AuthorizedCall<O>> for LimitAttempts
where
    O: Operation,
    S: Service<AuthorizedCall<O>, Error = Failure>,
    S::Response: Send,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Future = BoxFuture<'static, Result<S::Response, Failure>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        let places = self.clone();
        // It begins when it is polled.
        let attempt = inner.call(call);
        Box::pin(async move {
            let _place = places.place(O::KIND).await;
            attempt.await
        })
    }
}
