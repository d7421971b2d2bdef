//! The AWS SDK, and nothing else of the service knows it.
//!
//! One file per operation: how its request is written and its answer read. The SDK's own
//! retries are off, because it knows no idempotency and would turn a lost answer into a
//! false "already exists"; its required members are filled by types that cannot be empty.

mod client;
mod clock;
mod create_tape_with_barcode;
mod create_tapes;
mod describe_tape_archives;
mod describe_tapes;
mod failure;
mod identities;
mod list_tapes;
mod propagate_trace;
mod read;
mod retry_after;
mod strict;
mod timestamped_provider;
mod write;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use aws_sdk_storagegateway::Client;
use futures_util::future::BoxFuture;
use tower::Service;

pub use self::client::{Clients, SdkSettings};
use crate::{
    access::AuthorizedCall,
    call::Answer,
    domain::{Attempts, Failure, Fault, Operation},
};

/// An operation that the SDK can send.
pub trait SdkOperation: Operation {
    /// Sends it once.
    ///
    /// # Errors
    ///
    /// What AWS, or the way to it, made of the attempt.
    fn send(self, client: &Client) -> impl Future<Output = Result<Answer<Self::Output>, Failure>> + Send;
}

/// The transport of every stack: sends a call by the client of its region.
#[derive(Clone, Debug)]
pub struct Sdk(Arc<Clients>);

impl Sdk {
    /// Sends by one of `clients`.
    pub fn new(clients: Arc<Clients>) -> Self {
        Self(clients)
    }
}

impl<O: SdkOperation> Service<AuthorizedCall<O>> for Sdk {
    type Response = Answer<O::Output>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: AuthorizedCall<O>) -> Self::Future {
        let clients = self.0.clone();
        Box::pin(async move {
            let region = call.operation.region();
            let Some(client) = clients.of(region) else {
                let cause = format!("no client was made for region {region}");
                return Err(Fault::Internal { cause }.after(Attempts::default()));
            };
            let epoch = clients.identities.epoch();
            let outcome = call.operation.clone().send(client).await;
            if let Err(Failure { fault, .. }) = &outcome
                && matches!(fault, Fault::Aws { .. })
                && fault.is_about_credentials()
                && !fault.is_about_clock()
            {
                clients.identities.refused(epoch);
            }
            outcome
        })
    }
}
