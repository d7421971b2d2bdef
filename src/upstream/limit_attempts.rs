use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;
use tower::Service;

use crate::{
    access::{AuthorizedCall, limits::Limits},
    call::{Room, middleware::Middleware},
    domain::{Failure, Operation, OperationKind, Principal},
};

/// The part of the places that only creates can take.
const FOR_CREATES: usize = 10;

/// Limits the attempts in flight, and with them the connections to AWS, because each attempt uses one.
/// Further attempts wait for a place, at most until the deadline of their call. Reads cannot take all
/// places, so that lists do not keep creates waiting; and a principal has only so many, so that it does
/// not keep others waiting.
#[derive(Clone, Debug)]
pub(super) struct LimitAttempts {
    all: Room,
    reads: Room,
    of_principals: Arc<Limits>,
}

/// The place of an attempt, which is free again when this is dropped.
type Place = [Option<OwnedSemaphorePermit>; 3];

impl LimitAttempts {
    /// A limit of `max` attempts in flight, beside those of each principal.
    pub(super) fn new(max: usize, of_principals: Arc<Limits>) -> Self {
        let reads = (max - max.div_ceil(FOR_CREATES)).max(1);
        Self {
            all: Room::new(max),
            reads: Room::new(reads),
            of_principals,
        }
    }

    /// The rooms that all principals share.
    pub(super) fn rooms(&self) -> [Room; 2] {
        [self.all.clone(), self.reads.clone()]
    }

    /// Waits for a place.
    async fn place(self, principal: &Principal, kind: OperationKind) -> Place {
        // In this order, so that an attempt that waits takes no place from one that does not have to.
        let of_principal = self.of_principals.place_for_attempt(principal, kind).await;
        let of_reads = match kind {
            OperationKind::Read => Some(self.reads.place().await),
            OperationKind::Create => None,
        };
        [of_principal, of_reads, Some(self.all.place().await)]
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
        let principal = call.caller.principal.clone();
        // It begins when it is polled.
        let attempt = inner.call(call);
        Box::pin(async move {
            let _place = places.place(&principal, O::KIND).await;
            attempt.await
        })
    }
}
