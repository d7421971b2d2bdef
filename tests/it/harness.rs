//! What the tests have in common: the service on real sockets, the client that `build.rs`
//! makes, and upstreams that answer what a test says.
//!
//! [`Service::dev`] is the service over the emulator. [`Service::over`] is the service over
//! an [`Upstream`] that a test scripts, for answers that no emulator gives.

mod certificates;
mod client;
mod eventually;
pub mod http2;
mod http_server;
mod program;
pub mod secrets;
mod service;
mod signer;
mod site;
pub mod transport;
mod upstream;

pub use certificates::{Ca, Certified, Valid, client_config, tls_channel};
pub use client::{Refusal, collect, get, one_new_tape, refusal};
pub use eventually::eventually;
pub use http_server::HttpServer;
pub use program::{CREDENTIALS, Program};
pub use service::Service;
pub use signer::{Signer, in_seconds, jwks};
pub use site::{AUDIENCE, Client, ISSUER, Site, With, bearer};
pub use upstream::{Asked, Reply, Upstream};

/// The gateway that the emulator is seeded with.
pub const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";

/// 100 GiB, the smallest tape.
pub const SIZE: i64 = 100 << 30;

/// The ARN of a tape of the gateway's account and region.
pub fn tape_arn(barcode: &str) -> String {
    format!("arn:aws:storagegateway:us-east-1:123456789012:tape/{barcode}")
}
