use reqwest::{Method, header::HeaderMap};
use serde_json::json;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::{Request, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use super::ask;
use crate::harness::{Program, Reply, Upstream};

async fn list(program: &Program) {
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    client.list_tapes(ListTapesRequest::default()).await.unwrap();
}

#[tokio::test]
async fn the_log_filter_is_changed_and_restored_at_run_time() {
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": [] }))).await;
    let mut program = Program::over(&upstream.endpoint(), "warn,tapegate::observability::admin=info");
    let url = format!("{}/log-filter", program.admin);
    let filter = async |method, body| ask(&url, method, HeaderMap::new(), body).await;

    let (status, _, now) = filter(Method::GET, "").await;
    assert_eq!(
        (status, now.as_str()),
        (200, "warn,tapegate::observability::admin=info\n")
    );

    // A directive for one module.
    let (status, _, now) = filter(Method::PUT, "warn,tapegate::grpc::inbound::observe::log=info\n").await;
    assert_eq!(
        (status, now.as_str()),
        (200, "warn,tapegate::grpc::inbound::observe::log=info\n")
    );
    list(&program).await;
    let line = program.logged("call ended").await;
    assert!(line.contains("INFO"), "{line}");

    let (status, _, now) = filter(Method::DELETE, "").await;
    assert_eq!(
        (status, now.as_str()),
        (200, "warn,tapegate::observability::admin=info\n")
    );
    list(&program).await;
    filter(Method::PUT, "off").await;
    // No line is between these two: the second list is below the level.
    for to in ["to=\"warn,tapegate::observability::admin=info\"", "to=\"off\""] {
        let line = program.logged("").await;
        assert!(line.contains("log filter changed") && line.contains(to), "{line}");
    }
}

#[tokio::test]
async fn health_and_reflection_calls_have_a_line_at_debug() {
    let upstream = Upstream::script([]).await;
    let mut program = Program::over(&upstream.endpoint(), "info,tapegate::grpc::inbound=debug");
    let channel = Endpoint::from_shared(program.grpc.clone())
        .unwrap()
        .connect_lazy();
    let mut health = HealthClient::new(channel.clone());
    health.check(HealthCheckRequest::default()).await.unwrap();
    let unknown = HealthCheckRequest {
        service: "unknown".into(),
    };
    health.check(unknown).await.unwrap_err();
    let nothing = futures_util::stream::empty();
    let mut reflection = ServerReflectionClient::new(channel);
    reflection.server_reflection_info(nothing).await.unwrap();
    // A call has its line when the response has been sent, which the client does not wait for.
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(program.logged("call ended").await);
    }
    for (method, code) in [
        ("/grpc.health.v1.Health/Check", "\"OK\""),
        ("/grpc.health.v1.Health/Check", "\"NOT_FOUND\""),
        (
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "\"OK\"",
        ),
    ] {
        let wanted = |line: &&String| [method, code, "DEBUG"].iter().all(|part| line.contains(part));
        assert_eq!(
            lines.iter().filter(wanted).count(),
            1,
            "{method} {code} in {lines:#?}"
        );
    }
}

#[tokio::test]
async fn a_log_line_identifies_its_call_at_any_level() {
    let upstream = Upstream::always(Reply::aws(500, &json!({ "__type": "InternalServerError" }))).await;
    let mut program = Program::over(&upstream.endpoint(), "error");
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let mut request = Request::new(ListTapesRequest::default());
    let metadata = request.metadata_mut();
    metadata.insert("x-request-id", "looked-for".parse().unwrap());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    metadata.insert(
        "traceparent",
        format!("00-{trace}-00f067aa0ba902b7-01").parse().unwrap(),
    );
    client.list_tapes(request).await.unwrap_err();
    let line = program.logged("call ended").await;
    for part in [
        "looked-for",
        trace,
        "ListTapes",
        "reason=\"INTERNAL_SERVER_ERROR\"",
        "principal=\"anonymous\"",
        "request-of-the-test",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[tokio::test]
async fn a_filter_cannot_silence_the_audit_or_changes_of_the_filter() {
    let upstream = Upstream::script([]).await;
    let mut program = Program::over(&upstream.endpoint(), "info");
    let url = format!("{}/log-filter", program.admin);
    for silencing in ["tapegate::audit=off", "info, tapegate::audit = warn"] {
        let (status, _, said) = ask(&url, Method::PUT, HeaderMap::new(), silencing).await;
        assert_eq!(status, 400, "{said}");
    }
    for (from, to) in [("info", "off"), ("off", "info,tapegate=off")] {
        assert_eq!(ask(&url, Method::PUT, HeaderMap::new(), to).await.0, 200);
        let line = program.logged("log filter changed").await;
        assert!(line.contains(from) && line.contains(to), "{line}");
    }
}

#[tokio::test]
async fn an_invalid_filter_changes_nothing() {
    let upstream = Upstream::script([]).await;
    let program = Program::over(&upstream.endpoint(), "info");
    let url = format!("{}/log-filter", program.admin);
    for wrong in [
        "",
        "wran",
        "tapegate=lots",
        "\u{0}",
        "info,,",
        &"x".repeat(100_000),
    ] {
        let (status, _, said) = ask(&url, Method::PUT, HeaderMap::new(), wrong).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(said.contains("target=level"), "{said}");
    }
    let (_, _, now) = ask(&url, Method::GET, HeaderMap::new(), "").await;
    assert_eq!(now, "info\n");
}
