//! The service's own credentials: where they come from, how they are renewed, and clock skew.

mod clock_skew;
mod files;
mod platform;
mod refresh;
mod sign_in;

use prost::Message;
use tapegate::grpc::proto::ListTapesRequest;
use tonic::{Code, transport::Channel};

use crate::wire;

/// Lists tapes, in a request like no other; how it ended, and after how many attempts.
async fn list(channel: Channel, limit: i32) -> (Code, String) {
    let request = ListTapesRequest {
        limit,
        ..Default::default()
    };
    let raw = wire::call(channel, "ListTapes", &request.encode_to_vec()).await;
    let attempts = raw.trailers["x-tapegate-attempts"].to_str().unwrap().to_owned();
    (raw.status().code(), attempts)
}
