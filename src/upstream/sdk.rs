//! The transport that sends requests with the AWS SDK. No other module names the SDK.
//!
//! Each operation has a file, which writes its request and reads its response. The SDK's retries are
//! off: it does not know which operations are idempotent, and would turn a lost response into a
//! false "already exists".

mod add_tags_to_resource;
mod assumed_role;
mod aws_files;
mod caller_sessions;
mod client_factory;
mod clients;
mod clock;
mod create_tape_with_barcode;
mod create_tapes;
mod created_tapes;
mod credentials;
mod credentials_chain;
mod describe_tape_archives;
mod describe_tapes;
mod failure;
mod http_client;
mod interceptors;
mod list_tapes;
mod members;
mod queue_responses;
mod renewal;
mod report_sending;
mod session;
mod settings;
mod signing;
mod sts;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use aws_sdk_storagegateway::Client;
use futures_util::future::BoxFuture;
use tower::Service;

pub use aws_credential_types::Credentials;
pub use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub use self::{
    aws_files::locate_aws_file,
    clients::Clients,
    http_client::http_client,
    queue_responses::queue_responses,
    settings::{AccountSettings, EndpointSettings, SdkSettings},
    sts::NoOwner,
};
use crate::{
    access::AuthorizedCall,
    call::{Answer, Transmission},
    domain::{Attempts, Failure, Fault, Operation},
};

/// An operation that the SDK can send.
pub trait SdkOperation: Operation {
    /// Sends the operation once, and reports by `transmission` when sending begins.
    ///
    /// # Errors
    ///
    /// An error of AWS or of the transport.
    fn send(
        self,
        client: &Client,
        transmission: Transmission,
    ) -> impl Future<Output = Result<Answer<Self::Output>, Failure>> + Send;
}

/// The transport of all upstream stacks: sends a call with the client of its account and region.
#[derive(Clone, Debug)]
pub struct Sdk(Arc<Clients>);

impl Sdk {
    /// Sends calls with `clients`.
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
        let transmission = call.live.prepare();
        Box::pin(async move {
            let operation = &call.operation;
            let not_sent = |fault: Fault| fault.after(Attempts::default());
            let clients = clients
                .of(operation.account(), call.caller.principal.name())
                .map_err(not_sent)?;
            let Some(client) = clients.of(operation.region()) else {
                let cause = format!("there is no client for region {}", operation.region());
                return Err(not_sent(Fault::Internal { cause }));
            };
            let epoch = clients.session.epoch();
            let sending = transmission.clone();
            let mut outcome = call.operation.clone().send(client, sending).await;
            if let Err(failure) = &mut outcome
                && matches!(
                    failure.fault,
                    Fault::AttemptTimeout | Fault::ConnectionLost { .. }
                )
            {
                failure.attempts = transmission.end();
            }
            if let Err(Failure { fault, .. }) = &outcome
                && matches!(fault, Fault::Aws { .. })
            {
                if fault.is_about_credentials() && !fault.is_about_clock() {
                    clients.session.rejected(epoch);
                } else if fault.row().is_about_permissions() {
                    clients.session.denied(epoch);
                }
            }
            outcome
        })
    }
}
