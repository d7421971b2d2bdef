//! gRPC-Web, as browsers send it: the same calls as gRPC, from pages of the allowed origins.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tapegate::grpc::proto::{ListTapesRequest, ListTapesResponse};
use tonic::{Code, Status, body::Body, transport::Channel};
use tower::{Service as _, ServiceExt};

use crate::{
    harness::{Service, Site, Upstream, bearer, collect, refusal},
    wire::{self, frame},
};

const ORIGIN: &str = "https://console.example.com";
const OPERATORS: &[&str] = &["operators"];
const LIST_TAPES: &str = "/tapegate.v1.TapeService/ListTapes";

/// The bit of a frame's first byte that marks the trailers (gRPC-Web protocol).
const TRAILERS: u8 = 0x80;

fn config(site: &Site) -> String {
    format!("{}\n[grpc_web]\nallowed_origins = [{ORIGIN:?}]\n", site.config())
}

async fn start() -> (Site, Service) {
    let site = Site::new();
    let service = site.run(&config(&site), &[]).await;
    (site, service)
}

async fn send(
    mut channel: Channel,
    method: Method,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(LIST_TAPES);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::new(Full::new(body.into()))).unwrap();
    channel.ready().await.unwrap().call(request).await.unwrap()
}

/// Sends a request of a page of this origin.
async fn post(
    service: &Service,
    origin: &str,
    content_type: &str,
    token: Option<&str>,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![
        ("origin", origin),
        ("content-type", content_type),
        ("x-grpc-web", "1"),
    ];
    headers.extend(bearer.iter().map(|bearer| ("authorization", &**bearer)));
    send(service.channel(), Method::POST, &headers, body).await
}

/// The messages and the status of a response.
async fn read(response: Response<Body>) -> (Vec<Bytes>, Status) {
    assert_eq!(response.status(), StatusCode::OK);
    let (head, body) = response.into_parts();
    let mut rest = body.collect().await.unwrap().to_bytes();
    let mut status = Status::from_header_map(&head.headers);
    let mut messages = Vec::new();
    while rest.has_remaining() {
        let kind = rest.get_u8();
        let length = rest.get_u32().try_into().unwrap();
        let content = rest.split_to(length);
        match kind {
            TRAILERS => status = Status::from_header_map(&trailers(&content)),
            0 => messages.push(content),
            other => panic!("a frame of the kind {other}"),
        }
    }
    (messages, status.expect("a status"))
}

fn trailers(text: &[u8]) -> HeaderMap {
    let lines = std::str::from_utf8(text).unwrap().lines();
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect()
}

fn three_tapes() -> Vec<u8> {
    let request = ListTapesRequest {
        max_items: 3,
        ..Default::default()
    };
    request.encode_to_vec()
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_gets_what_grpc_gets() {
    let (site, service) = start().await;
    let token = site.jwt("somebody", OPERATORS);
    let request = ListTapesRequest::decode(&*three_tapes()).unwrap();
    let mut client = bearer(service.channel(), Some(&token));
    let of_grpc = collect(client.list_tapes(request).await).await.unwrap();
    assert_eq!(of_grpc[0].tape_infos.len(), 3);
    for content_type in ["application/grpc-web", "application/grpc-web+proto"] {
        let response = post(
            &service,
            ORIGIN,
            content_type,
            Some(&token),
            frame(&three_tapes()),
        )
        .await;
        assert_eq!(response.headers()["access-control-allow-origin"], ORIGIN);
        assert_eq!(response.headers()["access-control-expose-headers"], "*");
        assert!(response.headers().contains_key("x-request-id"));
        let (messages, status) = read(response).await;
        assert_eq!(status.code(), Code::Ok);
        let messages: Result<Vec<_>, _> = messages.into_iter().map(ListTapesResponse::decode).collect();
        assert_eq!(messages.unwrap()[0].tape_infos, of_grpc[0].tape_infos);
    }
}

#[tokio::test]
async fn the_text_format_of_old_browsers_works_too() {
    let (site, service) = start().await;
    let token = site.jwt("somebody", OPERATORS);
    let kind = "application/grpc-web-text";
    let body = BASE64_STANDARD.encode(frame(&three_tapes()));
    let bearer = format!("Bearer {token}");
    let headers = [
        ("origin", ORIGIN),
        ("content-type", kind),
        ("accept", kind),
        ("authorization", &bearer),
    ];
    let response = send(service.channel(), Method::POST, &headers, body).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/grpc-web-text+proto"
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    // Each frame is encoded on its own, and may be padded.
    let text = std::str::from_utf8(&body).unwrap();
    let quartets = text.as_bytes().chunks(4);
    let decoded: Vec<u8> = quartets
        .flat_map(|quartet| BASE64_STANDARD.decode(quartet).unwrap())
        .collect();
    let (messages, status) = read(Response::new(Body::new(Full::new(decoded.into())))).await;
    assert_eq!(status.code(), Code::Ok);
    let list = ListTapesResponse::decode(messages[0].clone()).unwrap();
    assert_eq!(list.tape_infos.len(), 3);

    let response = post(&service, ORIGIN, kind, Some(&token), "AAA!").await;
    let (_, status) = read(response).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(refusal(&status).reason, "MALFORMED_REQUEST");
}

#[tokio::test]
async fn a_page_needs_an_identity_like_every_caller() {
    let (site, service) = start().await;
    for token in [None, Some("not-a-token"), Some(&*site.jwt("stranger", &[]))] {
        let response = post(
            &service,
            ORIGIN,
            "application/grpc-web",
            token,
            frame(&three_tapes()),
        )
        .await;
        // Without it, the page could not read the error.
        assert_eq!(response.headers()["access-control-allow-origin"], ORIGIN);
        let (messages, status) = read(response).await;
        assert!(messages.is_empty());
        let denied = token.is_some_and(|token| token != "not-a-token");
        let expected = if denied {
            Code::PermissionDenied
        } else {
            Code::Unauthenticated
        };
        assert_eq!(status.code(), expected);
        assert!(!refusal(&status).reason.is_empty());
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_rejected_before_anything_runs() {
    let site = Site::new();
    let upstream = Upstream::answering(|_| async { panic!("it is not asked") }).await;
    let service = site.over(&upstream, &config(&site), &[]).await;
    let token = site.jwt("somebody", OPERATORS);
    let others = [
        "https://evil.example.com",
        "http://console.example.com",
        "https://console.example.com:8443",
        "https://console.example.com.evil.example",
        "https://CONSOLE.example.com",
        "https://console.example.com/",
        "null",
        "*",
        "",
    ];
    for origin in others {
        for content_type in ["application/grpc-web", "application/grpc", "text/plain"] {
            let response = post(
                &service,
                origin,
                content_type,
                Some(&token),
                frame(&three_tapes()),
            )
            .await;
            assert_eq!(
                response.status(),
                StatusCode::FORBIDDEN,
                "{origin} {content_type}"
            );
            assert!(!response.headers().contains_key("access-control-allow-origin"));
        }
        let asks = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        let answer = send(service.channel(), Method::OPTIONS, &asks, "").await;
        assert!(
            !answer.headers().contains_key("access-control-allow-origin"),
            "{origin}"
        );
    }
    for method in [Method::GET, Method::PUT] {
        let headers = [("origin", others[0]), ("content-type", "application/grpc-web")];
        let response = send(service.channel(), method, &headers, "").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
    let two = [
        ("origin", ORIGIN),
        ("origin", "https://evil.example.com"),
        ("content-type", "application/grpc-web"),
    ];
    let response = send(service.channel(), Method::POST, &two, frame(&three_tapes())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(upstream.asked().is_empty());
}

#[tokio::test]
async fn a_preflight_request_allows_the_metadata_that_it_asks_for_and_no_cookies() {
    let (_site, service) = start().await;
    let asks = [
        ("origin", ORIGIN),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type,x-grpc-web",
        ),
    ];
    let answer = send(service.channel(), Method::OPTIONS, &asks, "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = answer.headers();
    assert_eq!(headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(headers["access-control-allow-methods"], "POST");
    assert_eq!(
        headers["access-control-allow-headers"],
        "authorization,content-type,x-grpc-web"
    );
    assert_eq!(headers["access-control-max-age"], "7200");
    assert!(!headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn a_request_that_is_neither_is_told_both() {
    let (_site, service) = start().await;
    let headers = [("content-type", "application/json")];
    let response = send(service.channel(), Method::POST, &headers, "{}").await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        response.headers()["accept-post"],
        "application/grpc, application/grpc-web, application/grpc-web-text"
    );
    let headers = [("content-type", "application/grpc-web")];
    let response = send(service.channel(), Method::GET, &headers, "").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "POST");
    assert!(response.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn an_origin_means_nothing_while_grpc_web_is_off() {
    let service = Service::dev(&[]).await;
    let headers = [("origin", "https://anything.example.com")];
    let raw = wire::post(service.channel(), LIST_TAPES, &headers, frame(&three_tapes())).await;
    assert_eq!(raw.unwrap().status().code(), Code::Ok);
}
