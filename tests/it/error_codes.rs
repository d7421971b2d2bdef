//! What callers receive for AWS error codes, over the wire: for each documented code, and for codes
//! that are not.

mod aws_messages;
mod retry_and_outcome;
mod secrets;
mod table;
mod verdict;

use std::sync::{Arc, Mutex};

use prost::Message;
use serde_json::{Value, json};
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest,
};
use tonic::Code;

use crate::{
    harness::{GATEWAY, Refusal, Reply, SIZE, Service, Upstream, refusal, tape_arn},
    wire::{self, Raw},
};

/// A service whose AWS sends the same response until it is given another.
struct Failing {
    service: Service,
    reply: Arc<Mutex<Reply>>,
    upstream: Upstream,
}

/// The operations by name, and whether they create tapes.
const OPERATIONS: [(&str, bool); 5] = [
    ("CreateTapeWithBarcode", true),
    ("CreateTapes", true),
    ("DescribeTapeArchives", false),
    ("DescribeTapes", false),
    ("ListTapes", false),
];

impl Failing {
    async fn start() -> Self {
        let reply = Arc::new(Mutex::new(Reply::ok(&json!({}))));
        let answered = reply.clone();
        let upstream =
            Upstream::answering(move |_| std::future::ready(answered.lock().unwrap().clone())).await;
        Self {
            // One attempt each, without waiting: other tests cover retries and pacing.
            service: Service::over(&upstream, &["--retry-attempts=1", "--pace-floor=1000"]).await,
            reply,
            upstream,
        }
    }

    /// Calls an operation while AWS sends this response; returns the number of requests to AWS, too.
    async fn ask(&self, operation: &str, http_status: u16, body: &Value) -> (Raw, usize) {
        *self.reply.lock().unwrap() = Reply::aws(http_status, body);
        let asked_for = || self.upstream.asked().len();
        let before = asked_for();
        let raw = wire::call(self.service.channel(), operation, &request(operation)).await;
        (raw, asked_for() - before)
    }

    async fn refusal(&self, operation: &str, http_status: u16, body: &Value) -> Refusal {
        refused(&self.ask(operation, http_status, body).await.0)
    }
}

/// Reads an error, and checks what holds for all.
fn refused(raw: &Raw) -> Refusal {
    let status = raw.status();
    raw.assert_complete();
    assert_ne!(
        status.code(),
        Code::Unauthenticated,
        "the caller's credentials are valid"
    );
    refusal(&status)
}

/// A valid request: reads of an account name one tape, all others the gateway.
fn request(operation: &str) -> Vec<u8> {
    let tape_arns = vec![tape_arn("TEST01")];
    match operation {
        "CreateTapeWithBarcode" => CreateTapeWithBarcodeRequest {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            tape_barcode: "TEST01".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "CreateTapes" => CreateTapesRequest {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            client_token: "token".into(),
            num_tapes_to_create: 1,
            tape_barcode_prefix: "TEST".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "DescribeTapes" => DescribeTapesRequest {
            gateway_arn: GATEWAY.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "DescribeTapeArchives" => DescribeTapeArchivesRequest {
            tape_arns,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListTapes" => ListTapesRequest {
            tape_arns,
            ..Default::default()
        }
        .encode_to_vec(),
        other => panic!("no operation {other}"),
    }
}

/// The body of an error that names its cause in the nested code.
fn nested(exception: &str, code: &str, message: &str) -> Value {
    json!({"__type": exception, "error": {"errorCode": code}, "message": message})
}

/// The body of an error that names its cause as its type.
fn named(name: &str, message: &str) -> Value {
    json!({"__type": name, "message": message})
}
