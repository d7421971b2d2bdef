//! The part of an AWS message that callers receive is limited.

use axum::{Router, body::Body, extract::Request, http::HeaderValue, response::Response};
use serde_json::json;
use tonic::Code;

use super::{Failing, OPERATIONS, named, nested, refused, request};
use crate::{
    harness::{HttpServer, Service, tape_arn},
    wire,
};

#[tokio::test]
async fn long_and_odd_messages_and_codes_are_shortened() {
    let failing = Failing::start().await;
    for unit in [" ", "x", "é", "本", "🎞", "%", "\u{0}", "\n", "\"", "a b\r\nc: d"] {
        let long = unit.repeat(20_000 / unit.len());
        let bodies = [
            nested("InvalidGatewayRequestException", "InvalidParameters", &long),
            nested("InvalidGatewayRequestException", "GatewayNotFound", &long),
            nested("InvalidGatewayRequestException", &long, &long),
            named("InternalServerError", &long),
            named(&long, &long),
        ];
        for body in bodies {
            for (operation, _) in OPERATIONS {
                let refused = failing.refusal(operation, 400, &body).await;
                assert!(!refused.message.contains(&long));
                assert!(
                    !refused.reason.is_empty() && refused.reason.len() <= 63,
                    "{}",
                    refused.reason
                );
            }
        }
    }
}

/// The message says what is wrong with the response, and does not contain it.
#[tokio::test]
async fn long_invalid_responses_are_not_passed_on() {
    let failing = Failing::start().await;
    for unit in ["x", "🎞", "%", "\u{1b}"] {
        let name = unit.repeat(20_000 / unit.len());
        let body = json!({"TapeARN": tape_arn("TEST01"), &name: [null]});
        for (operation, _) in OPERATIONS {
            let refused = failing.refusal(operation, 200, &body).await;
            assert_eq!(
                (refused.code, refused.reason.as_str()),
                (Code::Internal, "UPSTREAM_UNREADABLE")
            );
        }
    }
}

/// An AWS that responds with 200 or 400 and this request id.
async fn with_request_id(id: &str) -> HttpServer {
    let id = HeaderValue::from_bytes(id.as_bytes()).unwrap();
    let router = Router::new().fallback(move |request: Request| {
        let id = id.clone();
        async move {
            let list = request.headers()["x-amz-target"]
                .as_bytes()
                .ends_with(b".ListTapes");
            let (status, body) = match list {
                true => (200, json!({"TapeInfos": []})),
                false => (400, named("ThrottlingException", "slow down")),
            };
            let response = Response::builder().status(status).header("x-amzn-requestid", id);
            response.body(Body::from(body.to_string())).unwrap()
        }
    });
    HttpServer::start(router).await
}

#[tokio::test]
async fn only_valid_aws_request_ids_are_passed_on() {
    let longest = "r".repeat(128);
    let ids = [
        ("8b54ba5f-96c2-4d1f-a1b5-2d3f4e5a6b7c", true),
        (&longest, true),
        (&"r".repeat(129), false),
        (&"r".repeat(7_000), false),
        ("größe", false),
        ("with space", false),
        ("", false),
    ];
    for (id, usable) in ids {
        let server = with_request_id(id).await;
        let service = Service::at(&server.url, &[]).await;
        let expected = usable.then_some(id);

        let listed = wire::call(service.channel(), "ListTapes", &request("ListTapes")).await;
        listed.assert_bounded();
        assert_eq!(listed.status().code(), Code::Ok);
        assert_eq!(listed.trailers["x-tapegate-attempts"], "1");
        let told = listed
            .trailers
            .get("x-amzn-requestid")
            .map(|id| id.to_str().unwrap());
        assert_eq!(told, expected);

        let raw = wire::call(service.channel(), "CreateTapes", &request("CreateTapes")).await;
        let told = raw
            .trailers
            .get("x-amzn-requestid")
            .map(|id| id.to_str().unwrap());
        assert_eq!(told, expected);
        assert_eq!(
            refused(&raw).metadata.get("aws_request_id").map(String::as_str),
            expected
        );
    }
}
