//! The tags of CreateTapeWithBarcode, which AWS drops: the response names them, or the service adds
//! them.

use std::{future::pending, time::Duration};

use serde_json::{Value, json};
use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, CreateTapeWithBarcodeResponse, Tag};
use tapegate_emulator::Settings;
use tonic::{Request, Response};

use super::account::Account;
use crate::harness::{Asked, GATEWAY, Reply, SIZE, Service, Upstream, tape_arn};

const BARCODE: &str = "TAGGED01";
const ADD: &str = "--create-add-tags=true";

fn tags() -> Vec<Tag> {
    let tag = |key: &str, value: &str| Tag {
        key: key.into(),
        value: value.into(),
    };
    vec![tag("owner", "agent-7"), tag("site", "")]
}

fn request() -> Request<CreateTapeWithBarcodeRequest> {
    Request::new(CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: BARCODE.into(),
        tags: tags(),
        ..Default::default()
    })
}

async fn create(service: &Service) -> Response<CreateTapeWithBarcodeResponse> {
    service
        .client()
        .create_tape_with_barcode(request())
        .await
        .unwrap()
}

/// An upstream that creates the tape and answers AddTagsToResource in this way.
async fn adding<A: Future<Output = Reply> + Send + 'static>(
    add: impl Fn() -> A + Clone + Send + Sync + 'static,
) -> Upstream {
    Upstream::answering(move |asked: Asked| {
        let add = add.clone();
        async move {
            match asked.operation.as_str() {
                "AddTagsToResource" => add().await,
                _ => Reply::ok(&json!({ "TapeARN": tape_arn(BARCODE) })),
            }
        }
    })
    .await
}

fn operations(upstream: &Upstream) -> Vec<String> {
    upstream
        .asked()
        .into_iter()
        .map(|asked| asked.operation)
        .collect()
}

/// The value of a counter without labels.
async fn counter(service: &Service, name: &str) -> u64 {
    let (_, page) = service.admin("/metrics").await;
    let value = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// The tags that the tape has at AWS.
async fn tags_at_aws(account: &Account) -> Vec<(String, String)> {
    let list = account.client().list_tags_for_resource();
    let tags = list.resource_arn(tape_arn(BARCODE)).send().await.unwrap();
    let tags = tags.tags().iter();
    tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

#[tokio::test]
async fn the_response_names_the_tags_that_aws_drops() {
    let account = Account::new(Settings::default()).await;
    let service = Service::at(&account.endpoint, &[]).await;
    let created = create(&service).await.into_inner();
    assert_eq!(created.unconfirmed_tags, tags());
    assert!(tags_at_aws(&account).await.is_empty());

    let mut without = request();
    without.get_mut().tape_barcode = "TAGGED02".into();
    without.get_mut().tags.clear();
    let created = service.client().create_tape_with_barcode(without).await.unwrap();
    assert!(created.into_inner().unconfirmed_tags.is_empty());
}

#[tokio::test]
async fn the_service_adds_the_tags_if_the_operator_allows_it() {
    let account = Account::new(Settings::default()).await;
    let service = Service::at(&account.endpoint, &[ADD]).await;
    let created = create(&service).await;
    assert_eq!(created.metadata().get("x-tapegate-attempts").unwrap(), "2");
    assert!(created.into_inner().unconfirmed_tags.is_empty());
    let expected = tags().into_iter().map(|tag| (tag.key, tag.value));
    assert_eq!(tags_at_aws(&account).await, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn the_tags_of_a_create_whose_response_was_lost_are_added() {
    let account = Account::new(Settings::default()).await;
    let lost =
        json!([{ "kind": "reset", "when": "after", "operations": ["CreateTapeWithBarcode"], "calls": 1 }]);
    account.faults(&lost).await;
    let service = Service::at(&account.endpoint, &[ADD, "--retry-base=1ms"]).await;
    assert!(create(&service).await.into_inner().unconfirmed_tags.is_empty());
    assert_eq!(tags_at_aws(&account).await.len(), 2);
}

#[tokio::test]
async fn adding_tags_is_retried_after_throttling() {
    let account = Account::new(Settings::default()).await;
    let throttled = json!([{
        "kind": "error", "code": "ThrottlingException", "operations": ["AddTagsToResource"], "calls": 2,
    }]);
    account.faults(&throttled).await;
    let service = Service::at(&account.endpoint, &[ADD, "--retry-throttled-base=1ms"]).await;
    assert!(create(&service).await.into_inner().unconfirmed_tags.is_empty());
    assert_eq!(tags_at_aws(&account).await.len(), 2);
}

#[tokio::test]
async fn a_create_whose_tags_cannot_be_added_succeeds_and_names_them() {
    let denied = json!({ "__type": "AccessDeniedException", "message": "not authorized" });
    let upstream = adding(move || std::future::ready(Reply::aws(400, &denied))).await;
    let service = Service::over(&upstream, &[ADD]).await;
    let created = create(&service).await.into_inner();
    assert_eq!(created.tape_arn, tape_arn(BARCODE));
    assert_eq!(created.unconfirmed_tags, tags());
    assert_eq!(
        operations(&upstream),
        ["CreateTapeWithBarcode", "AddTagsToResource"]
    );
    let sent = &upstream.asked()[1].body;
    assert_eq!(sent["ResourceARN"], tape_arn(BARCODE));
    let expected: Value = json!([{ "Key": "owner", "Value": "agent-7" }, { "Key": "site", "Value": "" }]);
    assert_eq!(sent["Tags"], expected);
    assert_eq!(counter(&service, "tapegate_tags_not_added_total").await, 1);
}

#[tokio::test]
async fn a_create_ends_before_its_deadline_while_its_tags_are_added() {
    let upstream = adding(pending::<Reply>).await;
    let service = Service::over(&upstream, &[ADD]).await;
    let mut request = request();
    request.set_timeout(Duration::from_secs(2));
    let created = service.client().create_tape_with_barcode(request).await.unwrap();
    assert_eq!(created.into_inner().unconfirmed_tags, tags());
}
