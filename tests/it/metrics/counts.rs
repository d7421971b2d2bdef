use std::time::Duration;

use http_body_util::Full;
use serde_json::json;
use tapegate::{
    grpc::proto::{CreateTapesRequest, ListTapesRequest},
    observability::metrics::catalog,
};
use tokio::time::timeout;
use tonic::Code;

use super::Scrape;
use crate::{
    harness::{GATEWAY, Reply, SIZE, Service, Site, Upstream, bearer, collect, refusal, tape_arn},
    wire,
};

fn page(marker: Option<&str>, barcodes: &[&str]) -> Reply {
    let rows: Vec<_> = barcodes
        .iter()
        .map(|barcode| json!({ "TapeARN": tape_arn(barcode) }))
        .collect();
    Reply::ok(&json!({ "TapeInfos": rows, "Marker": marker }))
}

/// Waits until a series has this value: a call is counted when its response has ended, which is
/// shortly after its caller received it.
async fn becomes(service: &Service, series: &str, value: f64) {
    let look = async {
        while Scrape::of(service).await.value(series) != value {
            tokio::task::yield_now().await;
        }
    };
    if timeout(Duration::from_secs(10), look).await.is_err() {
        let seen = Scrape::of(service).await;
        panic!("{series} is {} and not {value}", seen.value(series));
    }
}

#[tokio::test]
async fn a_list_is_counted_by_pages_attempts_and_retries() {
    let throttled = Reply::aws(
        400,
        &json!({ "__type": "ThrottlingException", "message": "slow down" }),
    );
    let replies = [
        page(Some("next"), &["ONE00001", "ONE00002"]),
        throttled,
        page(None, &["ONE00003"]),
    ];
    let upstream = Upstream::script(replies).await;
    let service = Service::over(&upstream, &["--retry-throttled-base=10ms"]).await;
    collect(service.client().list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();

    let calls = r#"rpc_server_call_duration_seconds_count{cloud_region="us-east-1",rpc_method="tapegate.v1.TapeService/ListTapes",rpc_response_status_code="OK",rpc_system_name="grpc"}"#;
    becomes(&service, calls, 1.0).await;
    let seen = Scrape::of(&service).await;
    for (series, value) in [
        (
            r#"tapegate_list_pages_total{tapegate_operation="ListTapes"}"#,
            2.0,
        ),
        (
            r#"tapegate_list_tapes_total{tapegate_operation="ListTapes"}"#,
            3.0,
        ),
        (
            r#"tapegate_upstream_attempt_duration_seconds_count{cloud_region="us-east-1",tapegate_operation="ListTapes",tapegate_outcome="ok"}"#,
            2.0,
        ),
        (
            r#"tapegate_upstream_attempt_duration_seconds_count{cloud_region="us-east-1",error_type="ThrottlingException",tapegate_operation="ListTapes",tapegate_outcome="throttled"}"#,
            1.0,
        ),
        (
            r#"tapegate_upstream_retries_total{tapegate_operation="ListTapes",tapegate_reason="throttling"}"#,
            1.0,
        ),
        ("tapegate_upstream_throttled_attempts_total", 1.0),
        (
            r#"tapegate_server_first_message_duration_seconds_count{rpc_method="tapegate.v1.TapeService/ListTapes"}"#,
            1.0,
        ),
        (
            r#"tapegate_server_active_calls{rpc_method="tapegate.v1.TapeService/ListTapes"}"#,
            0.0,
        ),
        (
            r#"tapegate_server_connections_total{tapegate_result="accepted"}"#,
            1.0,
        ),
        ("tapegate_server_open_connections", 1.0),
        ("tapegate_ready", 1.0),
    ] {
        assert_eq!(seen.value(series), value, "{series}");
    }
    let pace = r#"tapegate_upstream_pace_hertz{cloud_region="us-east-1",tapegate_kind="read"}"#;
    assert!(seen.value(pace) > 0.0, "throttled reads are paced");
}

#[tokio::test]
async fn a_create_with_an_unknown_outcome_and_the_retry_budget_are_counted() {
    let lost = Reply::text(502, "text/html", "<p>a balancer's page");
    let upstream = Upstream::always(lost).await;
    let flags = [
        "--retry-attempts=2",
        "--retry-base=1ms",
        "--retry-budget-reserve=1",
    ];
    let service = Service::over(&upstream, &flags).await;
    let create = CreateTapesRequest {
        gateway_arn: GATEWAY.to_owned(),
        tape_size_in_bytes: SIZE,
        client_token: "token-of-this-test".to_owned(),
        num_tapes_to_create: 1,
        tape_barcode_prefix: "UNCL".to_owned(),
        ..Default::default()
    };
    let refused = refusal(&service.client().create_tapes(create).await.unwrap_err());
    assert_eq!(refused.metadata["outcome"], "unknown");
    collect(service.client().list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap_err();
    let seen = Scrape::of(&service).await;
    for (series, value) in [
        // Not the list, which creates nothing.
        ("tapegate_creates_unclear_total", 1.0),
        // Of ten retries, the gateway of the create and the lists without one have each used one.
        (r#"tapegate_upstream_retry_budget{cloud_region="us-east-1"}"#, 9.0),
        (
            r#"tapegate_upstream_retries_ended_total{tapegate_reason="attempts"}"#,
            2.0,
        ),
    ] {
        assert_eq!(seen.value(series), value, "{series}");
    }
    // The series exists before the first event, so that `increase` sees it.
    assert!(
        seen.0
            .contains_key(r#"tapegate_upstream_retries_ended_total{tapegate_reason="budget"}"#)
    );
}

#[tokio::test]
async fn rejected_callers_are_counted_by_reason() {
    let upstream = Upstream::script([]).await;
    let site = Site::new();
    let config = format!("{}\n[limits]\nconcurrent_streams = 1\n", site.config());
    let service = site.over(&upstream, &config, &[]).await;
    let refused = async |token: Option<&str>| {
        let mut client = bearer(service.channel(), token);
        collect(client.list_tapes(ListTapesRequest::default()).await)
            .await
            .unwrap_err();
    };
    refused(None).await;
    refused(Some("tapegate_nonsense")).await;
    let stranger = site.token("stranger", &[]);
    // The file is reloaded shortly after the token was created.
    while Scrape::of(&service)
        .await
        .value(r#"tapegate_reloads_total{tapegate_result="applied",tapegate_setting="auth.tokens.file"}"#)
        == 0.0
    {
        tokio::task::yield_now().await;
    }
    refused(Some(&stranger)).await;
    // A broken file is not loaded, and is counted.
    site.write("tokens.toml", "no table");
    let broken = r#"tapegate_reloads_total{tapegate_result="refused",tapegate_setting="auth.tokens.file"}"#;
    becomes(&service, broken, 1.0).await;
    // Until it is repaired.
    let is_broken = r#"tapegate_files_broken{tapegate_setting="auth.tokens.file"}"#;
    becomes(&service, is_broken, 1.0).await;
    site.write("tokens.toml", "");
    becomes(&service, is_broken, 0.0).await;
    for (series, value) in [
        (
            r#"tapegate_auth_refusals_total{tapegate_reason="CREDENTIALS_MISSING"}"#,
            1.0,
        ),
        (
            r#"tapegate_auth_refusals_total{tapegate_reason="CREDENTIALS_MALFORMED"}"#,
            1.0,
        ),
        (
            r#"tapegate_policy_decisions_total{tapegate_decision="deny"}"#,
            1.0,
        ),
    ] {
        becomes(&service, series, value).await;
    }
    let denied = r#"rpc_server_call_duration_seconds_count{cloud_region="us-east-1",rpc_method="tapegate.v1.TapeService/ListTapes",rpc_response_status_code="PERMISSION_DENIED",rpc_system_name="grpc",tapegate_account="123456789012",tapegate_fault_owner="caller"}"#;
    becomes(&service, denied, 1.0).await;
    // An unauthenticated caller can send any deadline, and must not affect the objectives.
    let address = service.addresses.grpc;
    let path = "/tapegate.v1.TapeService/ListTapes";
    let late = wire::post_at(
        address,
        path,
        &[("grpc-timeout", "1n")],
        Full::new(wire::frame(&[])),
    );
    assert_eq!(late.await.status().code(), Code::DeadlineExceeded);
    let stranger = r#"rpc_server_call_duration_seconds_count{error_type="DEADLINE_EXCEEDED",rpc_method="tapegate.v1.TapeService/ListTapes",rpc_response_status_code="DEADLINE_EXCEEDED",rpc_system_name="grpc",tapegate_fault_owner="unauthenticated"}"#;
    becomes(&service, stranger, 1.0).await;
    // A caller's mistake is not an error of the service.
    let seen = Scrape::of(&service).await;
    assert!(
        !seen
            .0
            .keys()
            .any(|series| series.contains("error_type=\"PERMISSION_DENIED\""))
    );
}

#[tokio::test]
async fn every_exported_metric_is_declared() {
    let service = Service::dev(&[]).await;
    collect(service.client().list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();
    let declared: Vec<_> = catalog::ALL
        .iter()
        .map(|metric| metric.prometheus_name())
        .collect();
    let seen = Scrape::of(&service).await;
    for name in seen.names() {
        assert!(
            name == "target_info" || declared.iter().any(|declared| declared == name),
            "{name}"
        );
    }
    assert!(seen.names().contains(&"tokio_runtime_workers"));
}
