//! What AWS receives: each field as the caller set it, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest, PoolId, Tag, create_tape_with_barcode_request as barcode_request,
    create_tapes_request as tapes_request, tape_service_client::TapeServiceClient,
};
use tonic::{Status, transport::Channel};

use crate::{
    harness::{Asked, GATEWAY, Reply, SIZE, Service, Upstream, collect, tape_arn},
    model,
};

type Client = TapeServiceClient<Channel>;

/// A change that sets a field, and the fields that AWS receives then.
type Member<R> = (fn(&mut R), Value);

async fn upstream() -> Upstream {
    Upstream::answering(|asked: Asked| std::future::ready(Reply::ok(&asked.created()))).await
}

/// Sends the request with none of `members`, with each alone, and with all.
async fn check<R: Clone + Default>(
    operation: &str,
    required: &[Member<R>],
    optional: &[Member<R>],
    send: impl AsyncFn(Client, R) -> Result<(), Status>,
) {
    let received = required
        .iter()
        .chain(optional)
        .flat_map(|(_, received)| received.as_object().unwrap().keys());
    let received: BTreeSet<_> = received.map(String::as_str).collect();
    let all: BTreeSet<_> = model::members(operation).into_keys().collect();
    assert_eq!(
        received, all,
        "the members that this test knows, and those of {operation}"
    );

    let upstream = upstream().await;
    let service = Service::over(&upstream, &[]).await;
    let alone = optional.iter().map(std::slice::from_ref);
    for chosen in alone.chain([&[], optional]) {
        let mut request = R::default();
        let mut expected = Map::new();
        for (set, received) in required.iter().chain(chosen) {
            set(&mut request);
            expected.extend(received.as_object().unwrap().clone());
        }
        send(service.client(), request).await.unwrap();
        let asked = upstream.asked().pop().unwrap();
        assert_eq!(
            (asked.operation.as_str(), asked.body),
            (operation, Value::Object(expected))
        );
    }
}

fn tags() -> Vec<Tag> {
    let tag = |key: &str, value: &str| Tag {
        key: key.into(),
        value: value.into(),
    };
    vec![tag("Größe 本", "a=b, \"c\"\n"), tag("AWS:b", "")]
}

fn tags_received() -> Value {
    json!([{"Key": "Größe 本", "Value": "a=b, \"c\"\n"}, {"Key": "AWS:b", "Value": ""}])
}

fn two_tapes() -> Vec<String> {
    vec![tape_arn("TEST01"), tape_arn("TEST02")]
}

const KMS_KEY: &str = "arn:aws:kms:us-east-1:123456789012:alias/tapes";

#[tokio::test]
async fn create_tapes_sends_every_field() {
    use tapes_request::Pool;
    let required: [Member<CreateTapesRequest>; 5] = [
        (|r| r.gateway_arn = GATEWAY.into(), json!({"GatewayARN": GATEWAY})),
        (|r| r.tape_size_in_bytes = SIZE, json!({"TapeSizeInBytes": SIZE})),
        (
            |r| r.client_token = "tök €n".into(),
            json!({"ClientToken": "tök €n"}),
        ),
        (|r| r.num_tapes_to_create = 10, json!({"NumTapesToCreate": 10})),
        (
            |r| r.tape_barcode_prefix = "TEST".into(),
            json!({"TapeBarcodePrefix": "TEST"}),
        ),
    ];
    let optional: [Member<CreateTapesRequest>; 9] = [
        (|r| r.kms_encrypted = Some(false), json!({"KMSEncrypted": false})),
        (|r| r.kms_encrypted = Some(true), json!({"KMSEncrypted": true})),
        (
            |r| (r.kms_encrypted, r.kms_key) = (Some(true), Some(KMS_KEY.into())),
            json!({"KMSEncrypted": true, "KMSKey": KMS_KEY}),
        ),
        (|r| r.worm = Some(false), json!({"Worm": false})),
        (|r| r.worm = Some(true), json!({"Worm": true})),
        (|r| r.tags = tags(), json!({"Tags": tags_received()})),
        (
            |r| r.pool = Some(Pool::PoolId(PoolId::DeepArchive.into())),
            json!({"PoolId": "DEEP_ARCHIVE"}),
        ),
        (
            |r| r.pool = Some(Pool::CustomPoolId("NEW_CLASS".into())),
            json!({"PoolId": "NEW_CLASS"}),
        ),
        (
            |r| r.pool = Some(Pool::PoolId(PoolId::Glacier.into())),
            json!({"PoolId": "GLACIER"}),
        ),
    ];
    check(
        "CreateTapes",
        &required,
        &optional,
        async |mut client, request| client.create_tapes(request).await.map(drop),
    )
    .await;
}

#[tokio::test]
async fn create_tape_with_barcode_sends_every_field() {
    use barcode_request::Pool;
    let required: [Member<CreateTapeWithBarcodeRequest>; 3] = [
        (|r| r.gateway_arn = GATEWAY.into(), json!({"GatewayARN": GATEWAY})),
        (
            |r| r.tape_size_in_bytes = 15 << 40,
            json!({"TapeSizeInBytes": 15_i64 << 40}),
        ),
        (
            |r| r.tape_barcode = "TEST01".into(),
            json!({"TapeBarcode": "TEST01"}),
        ),
    ];
    let optional: [Member<CreateTapeWithBarcodeRequest>; 8] = [
        (|r| r.kms_encrypted = Some(false), json!({"KMSEncrypted": false})),
        (|r| r.kms_encrypted = Some(true), json!({"KMSEncrypted": true})),
        (
            |r| (r.kms_encrypted, r.kms_key) = (Some(true), Some("alias/ключ".into())),
            json!({"KMSEncrypted": true, "KMSKey": "alias/ключ"}),
        ),
        (|r| r.worm = Some(false), json!({"Worm": false})),
        (|r| r.worm = Some(true), json!({"Worm": true})),
        (|r| r.tags = tags(), json!({"Tags": tags_received()})),
        (
            |r| r.pool = Some(Pool::PoolId(PoolId::DeepArchive.into())),
            json!({"PoolId": "DEEP_ARCHIVE"}),
        ),
        (
            |r| r.pool = Some(Pool::CustomPoolId("pool-12345678".into())),
            json!({"PoolId": "pool-12345678"}),
        ),
    ];
    check(
        "CreateTapeWithBarcode",
        &required,
        &optional,
        async |mut client, request| client.create_tape_with_barcode(request).await.map(drop),
    )
    .await;
}

#[tokio::test]
async fn describe_tapes_sends_every_field() {
    let required: [Member<DescribeTapesRequest>; 1] =
        [(|r| r.gateway_arn = GATEWAY.into(), json!({"GatewayARN": GATEWAY}))];
    let optional: [Member<DescribeTapesRequest>; 4] = [
        (|r| r.tape_arns = two_tapes(), json!({"TapeARNs": two_tapes()})),
        (|r| r.marker = "märk\n er".into(), json!({"Marker": "märk\n er"})),
        // How many in all is this service's own affair, which shows in the last page's limit.
        (|r| r.max_items = 1 << 40, json!({"Limit": 100})),
        (|r| r.limit = 1_000, json!({"Limit": 1_000})),
    ];
    check(
        "DescribeTapes",
        &required,
        &optional,
        async |mut client, request| collect(client.describe_tapes(request).await).await.map(drop),
    )
    .await;
}

#[tokio::test]
async fn describe_tape_archives_sends_every_field() {
    let optional: [Member<DescribeTapeArchivesRequest>; 5] = [
        (|r| r.tape_arns = two_tapes(), json!({"TapeARNs": two_tapes()})),
        (
            |r| r.marker = "m".repeat(2_000),
            json!({"Marker": "m".repeat(2_000)}),
        ),
        (|r| r.limit = 1, json!({"Limit": 1})),
        // Where a call goes is in its endpoint and its credentials, not in its body.
        (|r| r.region = Some("us-east-1".into()), json!({})),
        (|r| r.account_id = Some("123456789012".into()), json!({})),
    ];
    check(
        "DescribeTapeArchives",
        &[],
        &optional,
        async |mut client, request| {
            collect(client.describe_tape_archives(request).await)
                .await
                .map(drop)
        },
    )
    .await;
}

#[tokio::test]
async fn list_tapes_sends_every_field() {
    let optional: [Member<ListTapesRequest>; 5] = [
        (|r| r.tape_arns = two_tapes(), json!({"TapeARNs": two_tapes()})),
        (|r| r.marker = "m".into(), json!({"Marker": "m"})),
        (|r| r.max_items = 7, json!({"Limit": 7})),
        (|r| r.region = Some("us-east-1".into()), json!({})),
        (|r| r.account_id = Some("123456789012".into()), json!({})),
    ];
    check("ListTapes", &[], &optional, async |mut client, request| {
        collect(client.list_tapes(request).await).await.map(drop)
    })
    .await;
}
