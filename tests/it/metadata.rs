//! Metadata of a call: request headers, response headers and trailers.

use serde_json::json;
use tapegate::grpc::proto::ListTapesRequest;
use tonic::{Request, metadata::AsciiMetadataValue};

use crate::harness::{Reply, Service, Upstream, tape_arn};

#[tokio::test]
async fn trailers_of_a_success_have_attempts_and_aws_request_id() {
    let pages = [
        json!({ "TapeInfos": [{ "TapeARN": tape_arn("FIRST001") }], "Marker": "a" }),
        json!({ "TapeInfos": [{ "TapeARN": tape_arn("SECOND01") }] }),
    ];
    let upstream = Upstream::script(pages.iter().map(Reply::ok)).await;
    let service = Service::over(&upstream, &[]).await;
    let mut pages = service
        .client()
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    while pages.message().await.unwrap().is_some() {}
    let trailers = pages.trailers().await.unwrap().unwrap();
    assert_eq!(trailers.get("x-tapegate-attempts").unwrap(), "2");
    assert_eq!(trailers.get("x-amzn-requestid").unwrap(), "request-of-the-test");
}

#[tokio::test]
async fn trailers_of_a_failure_have_attempts_and_aws_request_id() {
    let upstream = Upstream::always(Reply::aws(400, &json!({ "__type": "ThrottlingException" }))).await;
    let service = Service::over(&upstream, &["--retry-attempts=2"]).await;
    let refused = service
        .client()
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.metadata().get("x-tapegate-attempts").unwrap(), "2");
    assert_eq!(
        refused.metadata().get("x-amzn-requestid").unwrap(),
        "request-of-the-test"
    );

    // A call that never got to AWS has taken nothing.
    let request = ListTapesRequest {
        limit: -1,
        ..Default::default()
    };
    let refused = service.client().list_tapes(request).await.unwrap_err();
    assert!(refused.metadata().get("x-tapegate-attempts").is_none());
}

#[tokio::test]
async fn a_request_id_is_returned_and_an_invalid_one_is_replaced() {
    let service = Service::dev(&["--emulator-seed-tapes=0"]).await;
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    let cases = [
        (Some("agent-7/job-42"), true),
        (Some(longest.as_str()), true),
        (Some(too_long.as_str()), false),
        (Some("has a space"), false),
        (Some(""), false),
        (None, false),
    ];
    for (sent, kept) in cases {
        // Of an answer and of a refusal alike.
        for limit in [0, -1] {
            let mut request = Request::new(ListTapesRequest {
                limit,
                ..Default::default()
            });
            if let Some(sent) = sent {
                request
                    .metadata_mut()
                    .insert("x-request-id", AsciiMetadataValue::try_from(sent).unwrap());
            }
            let metadata = match service.client().list_tapes(request).await {
                Ok(answer) => answer.metadata().clone(),
                Err(status) => status.metadata().clone(),
            };
            let back = metadata.get("x-request-id").unwrap().to_str().unwrap().to_owned();
            match kept {
                true => assert_eq!(Some(back.as_str()), sent),
                false => assert_eq!(back.len(), 36, "{back} for {sent:?}"),
            }
        }
    }
}
