//! A client of tapegate, the gRPC service for the virtual tapes of AWS Storage Gateway.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::TryStreamExt;
//! use tapegate_client::{GIVE_UP, Retry, endpoint, pb, walk};
//!
//! let channel = endpoint("http://127.0.0.1:50051")?.connect_lazy();
//! let client = pb::tape_service_client::TapeServiceClient::new(Retry::default().over(channel));
//!
//! let mut pages = std::pin::pin!(walk(client, pb::ListTapesRequest::default(), GIVE_UP));
//! while let Some(page) = pages.try_next().await? {
//!     for tape in page.tape_infos {
//!         println!("{}", tape.tape_arn);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`endpoint`] has the channel arguments that the service recommends.
//! - [`Retry`] retries by the service config that the service publishes, which tonic does not do.
//! - [`walk`] resumes a list that was cut.
//! - [`Error`] is what a [`tonic::Status`] of the service says, [`repeat`] makes a call until it may not be repeated.

mod error;
mod repeat;
mod retry;
mod service_config;
mod walk;

use std::time::Duration;

use tonic::{codegen::http::uri::InvalidUri, transport::Endpoint};

pub use self::{
    error::{Error, FieldViolation, Outcome, Verdict},
    repeat::{GIVE_UP, repeat},
    retry::{Retry, Retrying},
    service_config::{InvalidServiceConfig, ServiceConfig},
    walk::{List, walk},
};

/// The messages and the client of `tapegate.v1`.
#[allow(missing_docs, reason = "the proto files document their own names")]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
pub mod pb {
    tonic::include_proto!("tapegate.v1");
}

/// An endpoint with keepalive as `docs/service-config.md` recommends: a connection that the network has dropped is
/// noticed after 15 seconds. An `https` endpoint also needs [`Endpoint::tls_config`].
///
/// # Errors
///
/// The text is not a URI.
pub fn endpoint(uri: &str) -> Result<Endpoint, InvalidUri> {
    let endpoint = Endpoint::from(uri.parse::<tonic::codegen::http::Uri>()?)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .connect_timeout(Duration::from_secs(5));
    Ok(endpoint)
}
