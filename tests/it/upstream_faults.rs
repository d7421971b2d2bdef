//! An unreadable or missing upstream response gives a clear status, never a silent default.

use std::time::Duration;

use serde_json::json;
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, DescribeTapeArchivesRequest, DescribeTapesRequest, ListTapesRequest,
    tape_service_client::TapeServiceClient,
};
use tokio::net::TcpListener;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::harness::{
    GATEWAY, Program, Refusal, Reply, SIZE, Service, Upstream, collect, get, one_new_tape, refusal, tape_arn,
};

/// What an attempt comes to is what is looked at here; how calls are repeated, in `repeats`.
const ONCE: [&str; 1] = ["--retry-attempts=1"];

async fn list(service: &Service) -> Refusal {
    let answer = collect(service.client().list_tapes(ListTapesRequest::default()).await).await;
    refusal(&answer.unwrap_err())
}

async fn create(service: &Service) -> Refusal {
    let request = one_new_tape("token-1");
    refusal(&service.client().create_tapes(request).await.unwrap_err())
}

/// Checks a read and a create alike; the create's outcome is as given.
async fn check(service: &Service, code: Code, reason: &str, outcome: &str) {
    for (refused, outcome) in [
        (list(service).await, None),
        (create(service).await, Some(outcome)),
    ] {
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (code, reason),
            "{refused:?}"
        );
        assert_eq!(refused.domain, "tapegate", "{refused:?}");
        assert_eq!(
            refused.metadata.get("outcome").map(String::as_str),
            outcome,
            "{refused:?}"
        );
        // Attempts are requests to AWS.
        let attempts = if reason == "UPSTREAM_UNREACHABLE" {
            "0"
        } else {
            "1"
        };
        assert_eq!(refused.metadata["attempts"], attempts);
    }
}

#[tokio::test]
async fn a_response_that_does_not_match_the_model_is_unreadable() {
    let json = "application/x-amz-json-1.1";
    let answers = [
        Reply::text(200, json, ""),
        Reply::text(200, json, "null"),
        Reply::text(200, json, "[]"),
        Reply::text(200, json, "garbage"),
        Reply::text(200, "text/html", "<html><body>Welcome to nginx</body></html>"),
        Reply::text(200, json, r#"{"TapeInfos":[{"TapeARN":"arn"#),
        Reply::text(200, json, r#"{"TapeInfos":[],"TapeARNs":["a"]} trailing"#),
        Reply::text(200, json, r#"{"TapeInfos":"none","TapeARNs":"none"}"#),
        Reply::text(200, json, r#"{"TapeInfos":[null],"TapeARNs":["a", null]}"#),
        Reply::text(200, json, r#"{"TapeInfos":[{}],"TapeARNs":[]}"#),
        Reply::text(200, json, r#"{"TapeInfos":[{"TapeARN":""}],"TapeARNs":[""]}"#),
        Reply::text(200, json, r#"{"TapeInfos":[{"TapeARN":null}]}"#),
    ];
    for answer in answers {
        let upstream = Upstream::always(answer.clone()).await;
        let service = Service::over(&upstream, &ONCE).await;
        check(&service, Code::Internal, "UPSTREAM_UNREADABLE", "unknown").await;
        // The AWS request id is what support asks for first.
        assert_eq!(
            list(&service).await.metadata["aws_request_id"],
            "request-of-the-test",
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn members_of_a_wrong_type_or_value_are_unreadable() {
    let wrong = [
        json!({"TapeSizeInBytes": "100"}),
        json!({"TapeSizeInBytes": {}}),
        json!({"TapeBarcode": 7}),
        json!({"TapeStatus": []}),
        json!({"PoolId": true}),
        json!({"Worm": "true"}),
        json!({"Progress": "half"}),
        json!({"TapeCreatedDate": "1700000000"}),
        json!({"TapeCreatedDate": 1e15}),
        json!({"RetentionStartDate": -1e12}),
    ];
    for mut row in wrong {
        row["TapeARN"] = tape_arn("ODD00001").into();
        let upstream = Upstream::always(Reply::ok(&json!({ "Tapes": [row] }))).await;
        let service = Service::over(&upstream, &ONCE).await;
        let request = DescribeTapesRequest {
            gateway_arn: GATEWAY.into(),
            ..Default::default()
        };
        let answer = collect(service.client().describe_tapes(request).await).await;
        let refused = refusal(&answer.unwrap_err());
        assert_eq!(refused.reason, "UPSTREAM_UNREADABLE", "{row}: {refused:?}");
    }
}

#[tokio::test]
async fn a_create_response_without_a_tape_is_an_error() {
    let upstream = Upstream::always(Reply::ok(&json!({}))).await;
    let service = Service::over(&upstream, &ONCE).await;
    let request = CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "MINE0001".into(),
        ..Default::default()
    };
    let refused = refusal(
        &service
            .client()
            .create_tape_with_barcode(request)
            .await
            .unwrap_err(),
    );
    assert_eq!(refused.reason, "UPSTREAM_UNREADABLE");
    assert_eq!(refused.metadata["outcome"], "unknown");
}

#[tokio::test]
async fn absent_lists_are_empty() {
    // The model requires neither list.
    let upstream = Upstream::always(Reply::ok(&json!({}))).await;
    let service = Service::over(&upstream, &ONCE).await;
    let request = DescribeTapeArchivesRequest::default();
    let pages = collect(service.client().describe_tape_archives(request).await)
        .await
        .unwrap();
    assert_eq!(pages.len(), 1);
    assert!(pages[0].tape_archives.is_empty() && pages[0].marker.is_empty());
}

#[tokio::test]
async fn failures_without_a_code_follow_the_http_status() {
    let html = "<html><head><title>Bad Gateway</title></head></html>";
    let cases = [
        (Reply::text(502, "text/html", html), Code::Unavailable),
        (Reply::text(503, "text/html", html), Code::Unavailable),
        (Reply::text(504, "text/plain", ""), Code::Unavailable),
        (
            Reply::text(500, "application/x-amz-json-1.1", "{}"),
            Code::Internal,
        ),
        (
            Reply::text(400, "application/x-amz-json-1.1", "{}"),
            Code::Internal,
        ),
        (Reply::text(401, "text/html", html), Code::Internal),
        (Reply::text(403, "text/html", html), Code::Internal),
        (Reply::text(404, "text/html", html), Code::Internal),
        (Reply::text(429, "text/plain", "slow down"), Code::Unavailable),
        (Reply::text(302, "text/html", html), Code::Internal),
    ];
    for (answer, code) in cases {
        let status = answer.status;
        let upstream = Upstream::always(answer).await;
        let service = Service::over(&upstream, &ONCE).await;
        // A proxy can give up on a request that it has passed on, so AWS may have carried it out.
        check(&service, code, "UPSTREAM_HTTP_ERROR", "unknown").await;
        assert_eq!(list(&service).await.metadata["http_status"], status.to_string());
    }
}

/// A code that is not known is one of AWS only in a response of AWS.
#[tokio::test]
async fn json_of_a_proxy_proves_nothing_about_a_create() {
    for (status, code) in [
        (403, Code::Internal),
        (404, Code::Internal),
        (429, Code::Unavailable),
    ] {
        let reply = Reply::aws(
            status,
            &json!({ "code": "rate_limited", "message": "of a proxy" }),
        );
        let upstream = Upstream::always(reply.of_proxy()).await;
        let service = Service::over(&upstream, &ONCE).await;
        check(&service, code, "UPSTREAM_HTTP_ERROR", "unknown").await;
    }
}

#[tokio::test]
async fn a_throttle_of_aws_proves_that_a_create_was_not_made() {
    let throttled = json!({ "__type": "ThrottlingException", "message": "Rate exceeded" });
    let upstream = Upstream::always(Reply::aws(429, &throttled)).await;
    let service = Service::over(&upstream, &ONCE).await;
    let refused = create(&service).await;
    assert_eq!(refused.reason, "THROTTLING_EXCEPTION");
    assert_eq!(refused.metadata["outcome"], "not_applied");
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let service = Service::at(&endpoint, &ONCE).await;
    check(&service, Code::Unavailable, "UPSTREAM_UNREACHABLE", "not_applied").await;
}

#[tokio::test]
async fn a_host_that_does_not_resolve_is_unreachable() {
    let service = Service::at("http://nowhere.invalid:4588", &ONCE).await;
    check(&service, Code::Unavailable, "UPSTREAM_UNREACHABLE", "not_applied").await;
}

#[tokio::test]
async fn a_connection_that_closes_early_is_lost() {
    let upstreams = [
        Upstream::raw(b"").await,
        Upstream::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"TapeInfos\":[").await,
        Upstream::raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"Tap").await,
    ];
    for upstream in upstreams {
        let service = Service::over(&upstream, &ONCE).await;
        check(&service, Code::Unavailable, "UPSTREAM_CONNECTION_LOST", "unknown").await;
    }
}

#[tokio::test]
async fn a_response_that_is_not_http_is_reported() {
    let upstream = Upstream::raw(b"\x16\x03\x01 this is not HTTP\r\n\r\n").await;
    let service = Service::over(&upstream, &ONCE).await;
    let refused = list(&service).await;
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::Unavailable, "UPSTREAM_CONNECTION_LOST")
    );
}

#[tokio::test]
async fn an_attempt_ends_at_its_timeout() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let flags = [
        "--upstream-attempt-timeout=50ms",
        "--upstream-create-timeout=50ms",
        "--upstream-connect-timeout=50ms",
        ONCE[0],
    ];
    let service = Service::over(&upstream, &flags).await;
    check(&service, Code::Unavailable, "UPSTREAM_TIMEOUT", "unknown").await;
}

#[tokio::test]
async fn a_response_that_is_too_long_is_cut_off() {
    let rows: Vec<_> = (0..100)
        .map(|row| json!({ "TapeARN": tape_arn(&format!("{row:06}")) }))
        .collect();
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": rows }))).await;
    let service = Service::over(&upstream, &["--upstream-max-answer-bytes=1024"]).await;
    let refused = list(&service).await;
    assert_eq!(refused.reason, "UPSTREAM_UNREADABLE");
    assert!(
        refused.message.contains("upstream.max_answer_bytes"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn the_callers_deadline_ends_a_call_with_a_reason() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let service = Service::over(&upstream, &ONCE).await;
    let mut request = tonic::Request::new(ListTapesRequest::default());
    request.set_timeout(Duration::from_secs(4));
    let refused = refusal(&service.client().list_tapes(request).await.unwrap_err());
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
}

#[tokio::test]
async fn without_aws_credentials_nothing_is_sent_and_readiness_says_why() {
    let upstream = Upstream::script([]).await;
    // No home with a profile, and no instance to ask.
    let variables = [("HOME", "/nonexistent"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let program = Program::serve(&upstream.endpoint(), variables);
    let (status, body) = get(&format!("{}/readyz", program.admin)).await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("aws_credentials_missing"), "{body}");

    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    for _ in 0..7 {
        let refused = refusal(&client.list_tapes(ListTapesRequest::default()).await.unwrap_err());
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (Code::Unavailable, "NO_AWS_CREDENTIALS")
        );
    }
    // Nobody can tell how AWS is that was not asked.
    let (_, metrics) = get(&format!("{}/metrics", program.admin)).await;
    let silent = r#"tapegate_upstream_condition{cloud_region="us-east-1",tapegate_condition="no_answer"} 0"#;
    assert!(metrics.contains(silent), "{metrics}");
}

/// AWS's refusal of a session token, which repeats what was signed.
fn expired() -> Reply {
    let words = "expired; the canonical request was x-amz-security-token:PLANTED-TOKEN";
    Reply::aws(
        400,
        &json!({ "__type": "ExpiredTokenException", "message": words }),
    )
}

#[tokio::test]
async fn rejected_service_credentials_change_readiness_and_are_not_the_callers_error() {
    let upstream = Upstream::script([expired(), Reply::ok(&json!({ "TapeInfos": [] }))]).await;
    let service = Service::over(&upstream, &["--upstream-credentials-pause=1h", ONCE[0]]).await;
    assert_eq!(
        service.admin("/readyz").await,
        (200, r#"{"ready":true,"reasons":[],"aws":[]}"#.into())
    );

    let refused = list(&service).await;
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::Unavailable, "EXPIRED_TOKEN_EXCEPTION")
    );
    let (status, body) = service.admin("/readyz").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("aws_credentials_refused") && body.contains("us-east-1: ExpiredTokenException"));
    assert!(!body.contains("PLANTED") && !format!("{refused:?}").contains("PLANTED"));

    collect(service.client().list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();
    assert_eq!(service.admin("/readyz").await.0, 200);
}

#[tokio::test]
async fn no_error_message_shows_a_session_token() {
    let words = "The Canonical String for this request should have been 'X-Amz-Security-Token:PLANTED-TOKEN'";
    for (status, code) in [
        (403, "SignatureDoesNotMatch"),
        (400, "ValidationException"),
        (500, "InternalFailure"),
    ] {
        let reply = Reply::aws(status, &json!({ "__type": code, "message": words }));
        let upstream = Upstream::always(reply).await;
        let mut program = Program::over(&upstream.endpoint(), "info");
        let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
        let refused = client.list_tapes(ListTapesRequest::default()).await.unwrap_err();
        assert!(
            !format!("{:?}", refusal(&refused)).contains("PLANTED"),
            "{refused:?}"
        );
        let line = program.logged("call ended").await;
        assert!(line.contains(code) && !line.contains("PLANTED"), "{line}");
    }
}

#[tokio::test]
async fn rejected_credentials_are_forgotten_without_further_calls() {
    let upstream = Upstream::script([expired()]).await;
    let service = Service::over(&upstream, &["--upstream-credentials-pause=50ms", ONCE[0]]).await;
    let mut watch = service.watch_health().await;
    let mut status = async || watch.message().await.unwrap().unwrap().status();
    while status().await != ServingStatus::Serving {}
    list(&service).await;
    assert_eq!(status().await, ServingStatus::NotServing);
    assert_eq!(status().await, ServingStatus::Serving);
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn rejected_credentials_in_one_region_leave_the_others_ready() {
    let upstream = Upstream::always(expired()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tapegate.toml");
    std::fs::write(&file, "regions = ['us-east-1', 'eu-west-1']\n").unwrap();
    let config = format!("--config={}", file.display());
    let service = Service::over(&upstream, &[&config, "--upstream-credentials-pause=1h", ONCE[0]]).await;
    for (region, ready) in [("eu-west-1", 200), ("us-east-1", 503)] {
        let request = ListTapesRequest {
            region: Some(region.into()),
            ..Default::default()
        };
        service.client().list_tapes(request).await.unwrap_err();
        assert_eq!(service.admin("/readyz").await.0, ready, "{region}");
    }
}
