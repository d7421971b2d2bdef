//! What each kind of fault does to a client.

use std::time::{Duration, Instant, SystemTime};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

/// A status, and the body's type, of an error that no SDK has a type for.
fn status<E: std::fmt::Debug>(error: &SdkError<E>) -> u16 {
    error.raw_response().expect("an answer").status().as_u16()
}

async fn raw(emulator: &Running) -> Answer {
    emulator.request("ListTapes", "{}").send().await
}

/// What a client on a bare socket reads after it sent a whole request.
async fn read_to_end(emulator: &Running) -> (Vec<u8>, std::io::Result<usize>) {
    let request = emulator.request("ListTapes", "{}");
    let mut text = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("content-length: 2\r\n\r\n{}");
    let mut stream = TcpStream::connect(emulator.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    (bytes, end)
}

#[tokio::test]
async fn errors_of_aws_come_with_their_status_and_code() {
    for (rule, expected_status, code, nested) in [
        (json!({"code": "InternalFailure"}), 500, "InternalFailure", ""),
        (
            json!({"code": "ServiceUnavailable"}),
            503,
            "ServiceUnavailable",
            "",
        ),
        (
            json!({"code": "InternalServerError"}),
            500,
            "InternalServerError",
            "",
        ),
        (
            json!({"code": "InternalServerError", "status": 400, "nested": "InternalError"}),
            400,
            "InternalServerError",
            "InternalError",
        ),
        (
            json!({"code": "AccessDeniedException"}),
            400,
            "AccessDeniedException",
            "",
        ),
        (
            json!({"code": "ExpiredTokenException"}),
            400,
            "ExpiredTokenException",
            "",
        ),
        (
            json!({"code": "RequestTimeoutException"}),
            408,
            "RequestTimeoutException",
            "",
        ),
        (
            json!({"code": "SomethingNew", "status": 418}),
            418,
            "SomethingNew",
            "",
        ),
        (
            json!({"nested": "GatewayNotConnected"}),
            400,
            "InvalidGatewayRequestException",
            "GatewayNotConnected",
        ),
    ] {
        let mut rule = rule;
        rule["kind"] = json!("error");
        let emulator = with(&rule).await;
        let error = list(&emulator.client()).await.unwrap_err();
        assert_eq!(status(&error), expected_status, "{rule}");
        assert_eq!(codes(&error), (code.to_owned(), nested.to_owned()), "{rule}");
        assert!(raw(&emulator).await.head.contains("x-amzn-requestid: "), "{rule}");
    }
}

#[tokio::test]
async fn the_sdk_knows_an_error_of_the_model_by_its_type() {
    let emulator = with(&json!({"kind": "error", "nested": "GatewayNotConnected"})).await;
    let error = list(&emulator.client()).await.unwrap_err().into_service_error();
    let ListTapesError::InvalidGatewayRequestException(error) = error else {
        panic!("{error:?}");
    };
    let code = error.error().unwrap().error_code().unwrap();
    assert_eq!(code.as_str(), "GatewayNotConnected");
}

#[tokio::test]
async fn an_error_before_creates_no_tape_and_an_error_after_creates_it() {
    for (when, made) in [("before", false), ("after", true)] {
        let emulator = with(&json!({"kind": "error", "code": "InternalServerError", "when": when})).await;
        let error = create(&emulator.client(), "LOST01").await.unwrap_err();
        assert_eq!(codes(&error).0, "InternalServerError");
        assert_eq!(exists(&emulator, "LOST01").await, made, "{when}");
    }
}

#[tokio::test]
async fn a_bad_gateway_response_is_html_without_a_request_id() {
    let emulator = with(&json!({"kind": "bad-gateway"})).await;
    let answer = raw(&emulator).await;
    assert_eq!(answer.status, 502);
    assert!(answer.head.contains("content-type: text/html"), "{}", answer.head);
    assert!(!answer.head.contains("x-amzn-requestid"), "{}", answer.head);
    assert!(answer.body.starts_with(b"<html>"));
    let error = list(&emulator.client()).await.unwrap_err();
    assert_eq!(status(&error), 502);
}

#[tokio::test]
async fn an_http_response_is_not_of_aws() {
    for (rule, expected_status, content_type, body) in [
        (json!({"status": 404}), 404, "text/html", "404 Not Found"),
        (
            json!({"status": 200, "body": "<html>Please sign in</html>"}),
            200,
            "text/html",
            "Please sign in",
        ),
        (
            json!({"status": 403, "body": "denied by the proxy", "content_type": "text/plain"}),
            403,
            "text/plain",
            "denied by the proxy",
        ),
    ] {
        let mut rule = rule;
        rule["kind"] = json!("http");
        let emulator = with(&rule).await;
        let answer = raw(&emulator).await;
        assert_eq!(answer.status, expected_status, "{rule}");
        assert!(
            answer.head.contains(&format!("content-type: {content_type}")),
            "{}",
            answer.head
        );
        assert!(!answer.head.contains("x-amzn-requestid"), "{}", answer.head);
        assert!(String::from_utf8(answer.body).unwrap().contains(body), "{rule}");
    }
    let emulator = with(&json!({"kind": "http", "status": 502, "when": "after"})).await;
    create(&emulator.client(), "HTTP01").await.unwrap_err();
    assert!(exists(&emulator, "HTTP01").await);
}

#[tokio::test]
async fn a_reset_is_a_tcp_reset_without_a_byte_of_a_response() {
    let emulator = with(&json!({"kind": "reset"})).await;
    let (bytes, end) = read_to_end(&emulator).await;
    assert_eq!(bytes, b"");
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reset_before_creates_no_tape_and_a_reset_after_creates_it() {
    for (when, made) in [("before", false), ("after", true)] {
        let emulator = with(&json!({"kind": "reset", "when": when})).await;
        let error = create(&emulator.client(), "LOST01").await.unwrap_err();
        assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
        assert_eq!(exists(&emulator, "LOST01").await, made, "{when}");
    }
}

#[tokio::test]
async fn a_reset_ends_only_its_own_connection() {
    let emulator = with(&json!({"kind": "reset", "operations": ["ListTapes"]})).await;
    let client = emulator.client();
    list(&client).await.unwrap_err();
    create(&client, "NEXT01").await.unwrap();
}

#[tokio::test]
async fn a_reset_under_another_server_closes_the_connection_without_a_response() {
    let rule = tapegate_emulator::FaultRule::read_all(r#"{"kind": "reset"}"#).unwrap();
    let settings = tapegate_emulator::Settings {
        faults: rule,
        ..settings()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let emulator = tapegate_emulator::Emulator::new(settings);
    tokio::spawn(axum::serve(listener, emulator.router()).into_future());
    let (bytes, _) = read_to_end(&Running { emulator, address }).await;
    assert_eq!(bytes, b"");
}

#[tokio::test]
async fn a_truncated_response_is_shorter_than_its_content_length() {
    let emulator = with(&json!({"kind": "truncated"})).await;
    let answer = raw(&emulator).await;
    let length = answer.head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.len(), length / 2);
    let error = list(&emulator.client()).await.unwrap_err();
    assert!(!matches!(error, SdkError::ServiceError(_)), "{error:?}");
    create(&emulator.client(), "LOST01").await.unwrap_err();
    assert!(exists(&emulator, "LOST01").await);
}

#[tokio::test]
async fn a_malformed_response_is_valid_http_with_half_of_the_json() {
    let emulator = with(&json!({"kind": "malformed"})).await;
    let answer = raw(&emulator).await;
    assert_eq!(answer.status, 200);
    let length = format!("content-length: {}\r\n", answer.body.len());
    assert!(answer.head.contains(&length), "{}", answer.head);
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
    let error = list(&emulator.client()).await.unwrap_err();
    assert!(matches!(error, SdkError::ResponseError(_)), "{error:?}");
    create(&emulator.client(), "LOST01").await.unwrap_err();
    assert!(exists(&emulator, "LOST01").await);
}

#[tokio::test]
async fn wrong_tapes_change_the_response_of_a_create_and_not_its_tapes() {
    let arn = |account: &str, region: &str, barcode: &str| {
        format!("arn:aws:storagegateway:{region}:{account}:tape/{barcode}")
    };
    let cases = [
        ("fewer", None),
        ("repeated", Some(arn("123456789012", "us-east-1", "WRONG01"))),
        ("other-account", Some(arn("999999999999", "us-east-1", "WRONG01"))),
        (
            "other-region",
            Some(arn("123456789012", "eu-central-1", "WRONG01")),
        ),
        (
            "other-barcode",
            Some(arn("123456789012", "us-east-1", "WRONG0001")),
        ),
        ("barcodes", Some("WRONG01".to_owned())),
    ];
    for (tapes, expected) in cases {
        let emulator = with(&json!({"kind": "wrong-tapes", "tapes": tapes})).await;
        let client = emulator.client();
        let one = client.create_tape_with_barcode().gateway_arn(GATEWAY);
        let one = one
            .tape_size_in_bytes(SIZE)
            .tape_barcode("WRONG01")
            .send()
            .await
            .unwrap();
        assert_eq!(one.tape_arn().map(str::to_owned), expected, "{tapes}");
        let two = client
            .create_tapes()
            .gateway_arn(GATEWAY)
            .tape_size_in_bytes(SIZE);
        let two = two
            .client_token("token")
            .num_tapes_to_create(2)
            .tape_barcode_prefix("TWO");
        let two = two.send().await.unwrap();
        let arns = two.tape_arns();
        match tapes {
            "fewer" => assert_eq!(arns.len(), 1, "{arns:?}"),
            "repeated" => assert!(arns.len() == 3 && arns[0] == arns[2], "{arns:?}"),
            _ => assert_eq!(arns.len(), 2, "{arns:?}"),
        }
        // Other operations are as they were.
        list(&client).await.unwrap();
        assert!(exists(&emulator, "WRONG01").await, "{tapes}");
    }
}

#[tokio::test]
async fn a_hang_never_responds_and_creates_the_tape_or_not() {
    for (when, made) in [("before", false), ("after", true)] {
        let emulator = with(&json!({"kind": "hang", "when": when})).await;
        let client = emulator.client();
        let call = tokio::spawn(async move { create(&client, "HUNG01").await });
        while shown(&emulator).await[0]["hit"] == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(exists(&emulator, "HUNG01").await, made, "{when}");
        assert!(!call.is_finished(), "{when}");
    }
}

#[tokio::test]
async fn latency_is_spread_and_combines_with_the_next_rule() {
    let emulator = with(&json!([
        {"kind": "latency", "min_ms": 20, "max_ms": 40},
        {"kind": "latency", "min_ms": 30, "when": "after"},
        {"kind": "error", "code": "ServiceUnavailable"}
    ]))
    .await;
    let begun = Instant::now();
    let answer = raw(&emulator).await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn a_token_bucket_passes_its_burst_and_throttles_the_rest() {
    let emulator = with(&json!({"kind": "throttle", "rate": 0, "burst": 3})).await;
    assert_eq!(hits(&emulator, 5).await, [false, false, false, true, true]);
    let error = list(&emulator.client()).await.unwrap_err();
    assert_eq!(status(&error), 400);
    assert_eq!(codes(&error).0, "ThrottlingException");
    assert_eq!(shown(&emulator).await[0]["hit"], 3);
}

#[tokio::test]
async fn clock_skew_shifts_the_date_header_and_the_signature_check() {
    for (seconds, word) in [
        (3_600, "Signature expired: "),
        (-3_600, "Signature not yet current: "),
    ] {
        let emulator = with(&json!({"kind": "clock-skew", "seconds": seconds})).await;
        let answer = raw(&emulator).await;
        assert_eq!(answer.kind(), "InvalidSignatureException");
        assert!(answer.message().starts_with(word), "{}", answer.message());
        let date = answer
            .head
            .split("\r\ndate: ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        let date = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
        let off = date.as_second() - jiff::Timestamp::now().as_second();
        assert!((off - seconds).abs() <= 2, "{off}");

        // Signed by the emulator's clock, a request is right, as an SDK's second try is.
        let mut request = emulator.unsigned("ListTapes", "{}");
        let offset = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            SystemTime::now() - offset
        } else {
            SystemTime::now() + offset
        };
        request.sign(super::super::KEY_ID, super::super::SECRET, time);
        assert_eq!(request.send().await.status, 200);
    }
}
