use std::collections::HashMap;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tapegate::grpc::proto::CreateTapesRequest;
use tonic::{Code, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

use super::{GATEWAY, SIZE};

/// A create of one tape with this client token.
pub fn one_new_tape(client_token: &str) -> CreateTapesRequest {
    CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        client_token: client_token.into(),
        num_tapes_to_create: 1,
        tape_barcode_prefix: "NEW".into(),
        ..Default::default()
    }
}

/// What a program reads of an error.
#[derive(Debug)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
    pub domain: String,
    pub reason: String,
    pub metadata: HashMap<String, String>,
    pub details: ErrorDetails,
}

impl Refusal {
    /// The fields that are at fault, in order.
    pub fn fields(&self) -> Vec<&str> {
        let bad = self.details.bad_request().map(|bad| &bad.field_violations);
        bad.into_iter()
            .flatten()
            .map(|violation| violation.field.as_str())
            .collect()
    }
}

/// Reads an error. Every error has an `ErrorInfo`, so that is checked here.
pub fn refusal(status: &Status) -> Refusal {
    super::secrets::check(&format!("{status:?}"));
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"))
        .clone();
    Refusal {
        code: status.code(),
        message: status.message().to_owned(),
        domain: info.domain,
        reason: info.reason,
        metadata: info.metadata,
        details,
    }
}

/// All messages of a stream, or its error.
pub async fn collect<T>(answer: Result<Response<Streaming<T>>, Status>) -> Result<Vec<T>, Status> {
    answer?.into_inner().try_collect().await
}

/// A page over HTTP: status and body.
pub async fn get(url: &str) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(url.parse().unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}
