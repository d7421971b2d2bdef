use std::time::Duration;

use http_body_util::Full;
use serde_json::{Value, json};
use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, DescribeTapesRequest, ListTapesRequest};
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    harness::{GATEWAY, Reply, SIZE, Service, Upstream, eventually},
    wire,
};

async fn readyz(service: &Service) -> (u16, Value) {
    let (status, body) = service.admin("/readyz").await;
    (status, serde_json::from_str(&body).unwrap())
}

async fn list(service: &Service) {
    let mut client = service.client();
    let call = client.list_tapes(ListTapesRequest::default());
    timeout(Duration::from_secs(10), call).await.unwrap().unwrap_err();
}

fn throttling() -> Reply {
    Reply::aws(
        400,
        &json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }),
    )
}

/// Waits until `/readyz` names this condition, or none, and returns its HTTP status.
async fn condition_is(service: &Service, condition: Option<&str>) -> u16 {
    let mut last = 0;
    eventually("the condition of AWS in /readyz", async || {
        let (status, said) = readyz(service).await;
        last = status;
        said["aws"][0]["condition"].as_str() == condition
    })
    .await;
    last
}

#[tokio::test]
async fn throttling_is_reported_and_the_replica_stays_ready() {
    let upstream = Upstream::always(throttling()).await;
    let flags = ["--retry-attempts=1", "--pace-forget=2s"];
    let service = Service::over(&upstream, &flags).await;
    list(&service).await;
    assert_eq!(condition_is(&service, Some("throttled")).await, 200);
    let (_, said) = readyz(&service).await;
    assert_eq!(
        (&said["ready"], &said["aws"][0]["region"]),
        (&json!(true), &json!("us-east-1"))
    );
    let (_, metrics) = service.admin("/metrics").await;
    let series = r#"tapegate_upstream_condition{cloud_region="us-east-1",tapegate_condition="throttled"} 1"#;
    assert!(metrics.contains(series), "{metrics}");
    // Without further calls the condition lapses.
    assert_eq!(condition_is(&service, None).await, 200);
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn with_readiness_aws_no_answer_makes_the_replica_not_ready_until_the_condition_lapses() {
    let upstream = Upstream::always(Reply::text(200, "text/html", "<p>a proxy's page")).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unreachable = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    for (setting, status) in [("report", 200), ("no_answer", 503), ("throttled", 503)] {
        let setting = format!("--readiness-aws={setting}");
        let flags = [
            "--retry-attempts=1",
            "--pace-silence=2",
            "--pace-forget=2s",
            &setting,
        ];
        let service = Service::at(&unreachable, &flags).await;
        list(&service).await;
        list(&service).await;
        assert_eq!(
            condition_is(&service, Some("no_answer")).await,
            status,
            "{setting}"
        );
        if status == 503 {
            let (_, said) = readyz(&service).await;
            assert_eq!(said["reasons"][0]["reason"], "aws_no_answer");
            let mut watch = service.watch_health().await;
            let mut told = async || watch.message().await.unwrap().unwrap().status();
            assert_eq!(told().await, ServingStatus::NotServing);
            // The replica receives no calls; the condition lapses after pace.forget.
            assert_eq!(told().await, ServingStatus::Serving);
        }
        condition_is(&service, None).await;
    }
    // Any HTTP response is an answer, even one that is not AWS's.
    let service = Service::over(&upstream, &["--retry-attempts=1", "--pace-silence=1"]).await;
    list(&service).await;
    assert_eq!(readyz(&service).await.1["aws"], json!([]));
}

#[tokio::test]
async fn a_hanging_upstream_is_counted_although_deadlines_end_every_attempt() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let service = Service::over(&upstream, &[]).await;
    let address = service.addresses.grpc;
    for _ in 0..2 {
        let path = "/tapegate.v1.TapeService/ListTapes";
        let ended = wire::post_at(
            address,
            path,
            &[("grpc-timeout", "300m")],
            Full::new(wire::frame(&[])),
        );
        assert_eq!(ended.await.status().code(), Code::DeadlineExceeded);
    }
    // An attempt whose caller is gone says nothing about AWS.
    let mut client = service.client();
    let call = tokio::spawn(async move { client.list_tapes(ListTapesRequest::default()).await });
    upstream.was_asked(3).await;
    call.abort();
    let count = "tapegate_upstream_attempt_duration_seconds_count";
    let [silent, given_up] = [("deadline", "no_answer", 2), ("given_up", "given_up", 1)].map(
        |(error_type, outcome, times)| {
            format!(
                r#"{count}{{cloud_region="us-east-1",error_type="{error_type}",tapegate_operation="ListTapes",tapegate_outcome="{outcome}"}} {times}"#
            )
        },
    );
    eventually("both kinds of attempts to be counted", async || {
        let (_, metrics) = service.admin("/metrics").await;
        metrics.contains(&silent) && metrics.contains(&given_up)
    })
    .await;
}

#[tokio::test]
async fn an_answer_to_one_kind_of_call_ends_the_no_answer_condition() {
    let upstream = Upstream::answering(|asked| {
        std::future::ready(match asked.operation.as_str() {
            "ListTapes" => Reply::ok(&json!({ "TapeInfos": [] })),
            _ => Reply::text(502, "text/html", "<p>a balancer's page"),
        })
    })
    .await;
    let flags = [
        "--retry-attempts=1",
        "--pace-silence=2",
        "--readiness-aws=no_answer",
    ];
    let service = Service::over(&upstream, &flags).await;
    let describe = async || {
        let request = DescribeTapesRequest {
            gateway_arn: GATEWAY.to_owned(),
            ..Default::default()
        };
        service.client().describe_tapes(request).await.unwrap_err();
    };
    let create = async || {
        let request = CreateTapeWithBarcodeRequest {
            gateway_arn: GATEWAY.to_owned(),
            tape_size_in_bytes: SIZE,
            tape_barcode: "SILENT01".to_owned(),
            ..Default::default()
        };
        service
            .client()
            .create_tape_with_barcode(request)
            .await
            .unwrap_err();
    };
    for _ in 0..3 {
        create().await;
    }
    assert_eq!(condition_is(&service, Some("no_answer")).await, 503);
    // A read is answered after the creates were not.
    let mut client = service.client();
    client.list_tapes(ListTapesRequest::default()).await.unwrap();
    assert_eq!(condition_is(&service, None).await, 200);
    // Then reads are not answered either.
    for _ in 0..3 {
        describe().await;
    }
    assert_eq!(condition_is(&service, Some("no_answer")).await, 503);
}

#[tokio::test]
async fn one_throttled_region_leaves_the_replica_ready() {
    let upstream = Upstream::always(throttling()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tapegate.toml");
    std::fs::write(&file, "regions = ['us-east-1', 'eu-west-1']\n").unwrap();
    let config = format!("--config={}", file.display());
    let flags = [&*config, "--retry-attempts=1", "--readiness-aws=throttled"];
    let service = Service::over(&upstream, &flags).await;
    for (region, ready) in [("eu-west-1", 200), ("us-east-1", 503)] {
        let request = ListTapesRequest {
            region: Some(region.into()),
            ..Default::default()
        };
        service.client().list_tapes(request).await.unwrap_err();
        eventually("AWS to be reported as throttled", async || {
            let (status, said) = readyz(&service).await;
            let named = said["aws"].as_array().unwrap().iter();
            status == ready && named.map(|one| &one["region"]).any(|name| name == region)
        })
        .await;
    }
}

#[tokio::test]
async fn a_region_that_rejects_the_credentials_is_reported_though_the_other_one_is_well() {
    let rejected =
        json!({ "__type": "UnrecognizedClientException", "message": "The security token is invalid." });
    let upstream = Upstream::always(Reply::aws(400, &rejected)).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tapegate.toml");
    std::fs::write(&config, "regions = [\"us-east-1\", \"eu-west-1\"]\n").unwrap();
    let config = format!("--config={}", config.display());
    let service = Service::over(&upstream, &[&config, "--upstream-credentials-pause=1h"]).await;
    let mut client = service.client();
    let request = ListTapesRequest {
        region: Some("eu-west-1".to_owned()),
        ..Default::default()
    };
    client.list_tapes(request).await.unwrap_err();
    assert_eq!(condition_is(&service, Some("credentials_refused")).await, 200);
    let (_, said) = readyz(&service).await;
    assert_eq!(said["aws"].as_array().unwrap().len(), 1);
    assert_eq!(said["aws"][0]["region"], "eu-west-1");
    let (_, metrics) = service.admin("/metrics").await;
    let series =
        r#"tapegate_upstream_condition{cloud_region="eu-west-1",tapegate_condition="credentials_refused"} 1"#;
    assert!(metrics.contains(series), "{metrics}");
}

#[tokio::test]
async fn an_upstream_that_is_not_aws_is_an_outage() {
    let html = "<html><body>404 Not Found</body></html>";
    let upstream = Upstream::always(Reply::text(404, "text/html", html)).await;
    let service = Service::over(&upstream, &["--pace-silence=2"]).await;
    for _ in 0..2 {
        list(&service).await;
    }
    assert_eq!(condition_is(&service, Some("no_answer")).await, 200);
    let (_, metrics) = service.admin("/metrics").await;
    let failed = |line: &&str| line.contains("tapegate_fault_owner=\"aws\"") && line.contains("INTERNAL");
    assert!(metrics.lines().any(|line| failed(&line)), "{metrics}");
}
