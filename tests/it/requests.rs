//! Invalid requests, over the wire. Each receives a status that says what is wrong, with details that
//! fit into the trailers of stock clients. The server keeps serving on the same connection.

mod compression;
mod hostile;
mod malformed;
mod oversized;
mod random;
mod transport;

use std::future::ready;

use bytes::Bytes;
use prost::Message;
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest, Tag, create_tape_with_barcode_request as barcode_request,
    create_tapes_request as tapes_request,
};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use crate::{
    harness::{GATEWAY, Refusal, Reply, SIZE, Service, Upstream, refusal, tape_arn},
    wire::{self, Raw},
};

const METHODS: [&str; 5] = [
    "CreateTapeWithBarcode",
    "CreateTapes",
    "DescribeTapeArchives",
    "DescribeTapes",
    "ListTapes",
];

/// A service with one connection that is observed.
struct Attacked {
    service: Service,
    channel: Channel,
    /// A stream of the same connection: it ends when that does.
    canary: tonic::Streaming<HealthCheckResponse>,
    upstream: Upstream,
}

impl Attacked {
    async fn start(flags: &[&str]) -> Self {
        let upstream = Upstream::answering(|asked| ready(Reply::ok(&asked.created()))).await;
        let service = Service::over(&upstream, flags).await;
        let channel = service.channel();
        let whole = HealthCheckRequest {
            service: String::new(),
        };
        let canary = HealthClient::new(channel.clone())
            .watch(whole)
            .await
            .unwrap()
            .into_inner();
        Self {
            service,
            channel,
            canary,
            upstream,
        }
    }

    /// POSTs a body as it is.
    async fn post(&self, method: &str, headers: &[(&str, &str)], body: Bytes) -> Raw {
        let path = format!("/tapegate.v1.TapeService/{method}");
        let raw = wire::post(self.channel.clone(), &path, headers, body).await;
        raw.expect("the connection holds")
    }

    /// POSTs one message, and reads its refusal.
    async fn refused(&self, method: &str, message: &[u8]) -> Refusal {
        refused(&self.post(method, &[], wire::frame(message)).await)
    }

    /// Checks that all is well still, on the same connection.
    async fn ends_well(mut self) {
        for method in METHODS {
            let raw = self.post(method, &[], wire::frame(&valid(method))).await;
            assert_eq!(raw.status().code(), Code::Ok, "{method}: {:?}", raw.status());
        }
        while let Some(told) = futures_util::FutureExt::now_or_never(self.canary.message()) {
            told.expect("the connection held")
                .expect("the service was not stopped");
        }
        drop(self.upstream);
        self.service.stop().await.unwrap();
    }
}

/// Reads an error of this service itself, which fits into the trailers of stock clients.
fn refused(raw: &Raw) -> Refusal {
    let status = raw.status();
    let refused = refusal(&status);
    assert_eq!(refused.domain, "tapegate", "{refused:?}");
    assert!(!refused.message.is_empty(), "{refused:?}");
    raw.assert_complete();
    refused
}

#[track_caller]
fn assert_refused(refused: &Refusal, code: Code, reason: &str, says: &str) {
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (code, reason),
        "{}",
        refused.message
    );
    assert!(
        refused.message.contains(says),
        "no {says:?} in: {}",
        refused.message
    );
}

/// An encoded request with every field.
fn valid(method: &str) -> Vec<u8> {
    let tag = |key: &str| Tag {
        key: key.into(),
        value: "value".into(),
    };
    let tags = vec![tag("one"), tag("two")];
    let tape_arns = vec![tape_arn("TEST01"), tape_arn("TEST02")];
    let (marker, limit, max_items) = ("marker".to_owned(), 10, 1);
    match method {
        "CreateTapeWithBarcode" => CreateTapeWithBarcodeRequest {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            tape_barcode: "TEST01".into(),
            kms_encrypted: Some(true),
            kms_key: Some("alias/key".into()),
            pool: Some(barcode_request::Pool::CustomPoolId("pool-1".into())),
            worm: Some(true),
            tags,
        }
        .encode_to_vec(),
        "CreateTapes" => CreateTapesRequest {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            client_token: "token".into(),
            num_tapes_to_create: 1,
            tape_barcode_prefix: "TEST".into(),
            kms_encrypted: Some(true),
            kms_key: Some("alias/key".into()),
            pool: Some(tapes_request::Pool::PoolId(1)),
            worm: Some(true),
            tags,
        }
        .encode_to_vec(),
        "DescribeTapes" => DescribeTapesRequest {
            gateway_arn: GATEWAY.into(),
            tape_arns,
            marker,
            limit,
            max_items,
        }
        .encode_to_vec(),
        "DescribeTapeArchives" => DescribeTapeArchivesRequest {
            tape_arns,
            marker,
            limit,
            max_items,
            region: Some("us-east-1".into()),
            account_id: Some("123456789012".into()),
        }
        .encode_to_vec(),
        "ListTapes" => ListTapesRequest {
            tape_arns,
            marker,
            limit,
            max_items,
            region: Some("us-east-1".into()),
            account_id: Some("123456789012".into()),
        }
        .encode_to_vec(),
        other => panic!("no method {other}"),
    }
}
