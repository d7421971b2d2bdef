//! Calls that are rejected before their message is read.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request};
use http_body::{Body, Frame};
use http_body_util::{Full, StreamBody};
use tonic::Code;
use tower::{Service, ServiceExt};

use super::{Attacked, METHODS, assert_refused, refused, valid};
use crate::{
    harness::{Refusal, eventually},
    wire,
};

#[tokio::test]
async fn unknown_methods_and_services_are_unimplemented() {
    let attacked = Attacked::start(&[]).await;
    let paths = [
        "/tapegate.v1.TapeService/DeleteTape",
        "/tapegate.v1.TapeService/",
        "/tapegate.v1.TapeService/listtapes",
        "/tapegate.v1.TapeService/ListTapes/",
        "/tapegate.v2.TapeService/ListTapes",
        "/ListTapes",
        "/",
        "/%00/..%2f",
        "/grpc.health.v1.Health/Nothing",
    ];
    for path in paths {
        let body = wire::frame(&valid("ListTapes"));
        let raw = wire::post(attacked.channel.clone(), path, &[], body)
            .await
            .unwrap();
        assert_refused(
            &refused(&raw),
            Code::Unimplemented,
            "UNKNOWN_METHOD",
            "reflection",
        );
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn requests_that_are_not_grpc_get_an_http_status_and_run_nothing() {
    let attacked = Attacked::start(&[]).await;
    let path = "/tapegate.v1.TapeService/CreateTapes";
    let cases = [
        (Method::POST, Some("application/json"), 415),
        (Method::POST, Some("text/plain"), 415),
        (Method::POST, Some("application/grpc-web"), 415),
        (Method::POST, Some("application/grpcx"), 415),
        (Method::POST, None, 415),
        (Method::GET, Some("application/grpc"), 405),
        (Method::PUT, Some("application/grpc"), 405),
        (Method::POST, Some("application/grpc"), 200),
        (Method::POST, Some("application/grpc+proto"), 200),
        (Method::POST, Some("application/grpc; charset=utf-8"), 200),
    ];
    for (method, content_type, status) in cases {
        let mut request = Request::builder().method(method.clone()).uri(path);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        // A body that would be refused, were it read.
        let request = request
            .body(tonic::body::Body::new(Full::new(wire::frame(b"\xff"))))
            .unwrap();
        let mut channel = attacked.channel.clone();
        let response = channel.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), status, "{method} {content_type:?}");
        let expected = match status {
            415 => Some(("accept-post", "application/grpc")),
            405 => Some(("allow", "POST")),
            _ => None,
        };
        if let Some((name, value)) = expected {
            assert_eq!(response.headers()[name], value, "{method} {content_type:?}");
        }
    }
    assert!(attacked.upstream.asked().is_empty());
    attacked.ends_well().await;
}

#[tokio::test]
async fn invalid_timeouts_are_malformed() {
    let attacked = Attacked::start(&[]).await;
    let body = wire::frame(&valid("ListTapes"));
    let wrong = [
        "",
        "S",
        "1",
        "-1S",
        "+1S",
        "1.5S",
        " 1S",
        "1 S",
        "123456789S",
        "1x",
        "1s",
        "１S",
        "1é",
        "1SS",
        "0x1S",
    ];
    for timeout in wrong {
        let raw = attacked
            .post("ListTapes", &[("grpc-timeout", timeout)], body.clone())
            .await;
        assert_refused(
            &refused(&raw),
            Code::InvalidArgument,
            "MALFORMED_REQUEST",
            "grpc-timeout",
        );
    }
    for timeout in [
        "99999999H",
        "99999999M",
        "10S",
        "00000010S",
        "60000m",
        "60000000u",
    ] {
        let raw = attacked
            .post("ListTapes", &[("grpc-timeout", timeout)], body.clone())
            .await;
        assert_eq!(raw.status().code(), Code::Ok, "{timeout}");
    }
    attacked.ends_well().await;
}

/// A timeout of zero is a deadline that has passed.
#[tokio::test]
async fn a_timeout_that_has_passed_ends_the_call() {
    let attacked = Attacked::start(&[]).await;
    for timeout in ["0S", "0n", "00000000H", "1n", "99u"] {
        for method in METHODS {
            let body = Full::new(wire::frame(&valid(method)));
            let refused = out_of_time(&attacked, method, timeout, body).await;
            let outcome = refused.metadata.get("outcome").map(String::as_str);
            assert_eq!(outcome, method.starts_with("Create").then_some("not_applied"));
        }
    }
    attacked.ends_well().await;
}

/// The deadline applies while the request is read.
#[tokio::test]
async fn a_missing_message_ends_at_the_deadline() {
    let attacked = Attacked::start(&[]).await;
    let never = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    out_of_time(&attacked, "CreateTapes", "200m", never).await;
    attacked.ends_well().await;
}

async fn out_of_time<B>(attacked: &Attacked, method: &str, timeout: &str, body: B) -> Refusal
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let grpc = attacked.service.addresses.grpc;
    let path = format!("/tapegate.v1.TapeService/{method}");
    let raw = wire::post_at(grpc, &path, &[("grpc-timeout", timeout)], body).await;
    let refused = refused(&raw);
    assert_refused(&refused, Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "");
    assert!(attacked.upstream.asked().is_empty());
    refused
}

#[tokio::test]
async fn a_call_whose_client_resets_the_stream_within_the_request_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let flags = [&format!("--audit-file={}", path.display()), "--audit-reads=true"];
    let attacked = Attacked::start(&flags).await;
    let of_method = |method: &str| format!("rpc_method=\"tapegate.v1.TapeService/{method}\"");
    for method in METHODS {
        // A part of a message, and no end.
        let part = wire::frame(&valid(method)).split_to(7);
        let frames = stream::iter([Ok::<_, Infallible>(Frame::data(part))]).chain(stream::pending());
        let path = format!("/tapegate.v1.TapeService/{method}");
        let address = attacked.service.addresses.grpc;
        let call =
            tokio::spawn(async move { wire::post_at(address, &path, &[], StreamBody::new(frames)).await });
        let active = format!("tapegate_server_active_calls{{{}}} 1\n", of_method(method));
        eventually("the call is in progress", async || {
            attacked.service.admin("/metrics").await.1.contains(&active)
        })
        .await;
        call.abort();
        let ended = active.replace("} 1", "} 0");
        eventually("the call has ended", async || {
            attacked.service.admin("/metrics").await.1.contains(&ended)
        })
        .await;
    }
    let (_, metrics) = attacked.service.admin("/metrics").await;
    for method in METHODS {
        let mut series = metrics.lines().filter(|line| {
            line.starts_with("rpc_server_call_duration_seconds_count") && line.contains(&of_method(method))
        });
        let counted = series.next().unwrap();
        assert!(
            counted.contains("rpc_response_status_code=\"CANCELLED\""),
            "{counted}"
        );
        assert!(counted.contains("tapegate_fault_owner=\"caller\""), "{counted}");
        assert!(series.next().is_none(), "{metrics}");
    }
    attacked.service.stop().await.unwrap();
    let records = std::fs::read_to_string(path).unwrap();
    assert_eq!(records.lines().count(), METHODS.len(), "{records}");
    for record in records.lines() {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        let told = (record["code"].as_str().unwrap(), record["reason"].as_str());
        assert!(
            [("CANCELLED", Some("TRANSPORT")), ("given up", None)].contains(&told),
            "{record}"
        );
    }
}
