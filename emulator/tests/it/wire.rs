use proptest::prelude::*;
use serde_json::{Value, json};
use tapegate_emulator::Settings;

use super::{Answer, GATEWAY, Raw, Running, SIZE, settings};

async fn start() -> Running {
    Running::start(settings()).await
}

async fn call(emulator: &Running, operation: &str, body: &Value) -> Answer {
    emulator.request(operation, body.to_string()).send().await
}

fn new_tape() -> Value {
    json!({"GatewayARN": GATEWAY, "TapeSizeInBytes": SIZE, "TapeBarcode": "MINE01"})
}

fn new_tapes() -> Value {
    json!({
        "GatewayARN": GATEWAY, "TapeSizeInBytes": SIZE, "ClientToken": "token-1",
        "NumTapesToCreate": 1, "TapeBarcodePrefix": "NEW"
    })
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

#[tokio::test]
async fn an_error_has_the_shape_of_an_aws_error() {
    let answer = call(
        &start().await,
        "CreateTapeWithBarcode",
        &with(new_tape(), "TapeSizeInBytes", json!(1)),
    )
    .await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    let members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["__type", "error", "message"]);
    assert_eq!(body["__type"], "InvalidGatewayRequestException");
    assert_eq!(body["error"], json!({"errorCode": "InvalidParameters"}));
    assert!(
        answer
            .message()
            .starts_with("The specified request contains invalid parameters.")
    );
    assert!(
        answer
            .head
            .contains("content-type: application/x-amz-json-1.1\r\n"),
        "{}",
        answer.head
    );
    assert!(answer.head.contains("x-amzn-requestid: "), "{}", answer.head);
    assert!(!answer.head.contains("x-amzn-errortype"), "{}", answer.head);
}

#[tokio::test]
async fn an_answer_has_a_request_id_and_an_accurate_date() {
    let answer = call(&start().await, "ListTapes", &json!({"Limit": 1})).await;
    let header = |name: &str| {
        let line = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", answer.head))
            .to_owned()
    };
    assert_eq!(header("content-type"), "application/x-amz-json-1.1");
    uuid::Uuid::parse_str(&header("x-amzn-requestid")).unwrap();
    let date = jiff::fmt::rfc2822::parse(&header("date")).unwrap().timestamp();
    assert!(jiff::Timestamp::now().duration_since(date).abs().as_secs() < 5);
}

#[tokio::test]
async fn times_are_numbers_and_absent_members_are_absent() {
    let emulator = start().await;
    let body = call(
        &emulator,
        "DescribeTapes",
        &json!({"GatewayARN": GATEWAY, "Limit": 1000}),
    )
    .await
    .json();
    let tapes = body["Tapes"].as_array().unwrap();
    assert_eq!(tapes[0]["TapeCreatedDate"], json!(1_672_531_200.125));
    let archive = call(&emulator, "DescribeTapeArchives", &json!({"Limit": 1000}))
        .await
        .json();
    let list = call(&emulator, "ListTapes", &json!({"Limit": 1000})).await.json();
    for answer in [&body, &archive, &list] {
        assert!(!answer.to_string().contains("null"), "a null in an answer");
    }
}

#[tokio::test]
async fn a_request_without_a_known_operation_is_an_unknown_operation() {
    let emulator = start().await;
    for target in [
        "StorageGateway_20130630.DeleteEverything",
        "StorageGateway_20130630.",
        "StorageGateway_20130630",
        "StorageGateway_20120630.ListTapes",
        "ListTapes",
    ] {
        let mut request = emulator.request("ListTapes", "{}");
        request.set("x-amz-target", target);
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (400, "UnknownOperationException"),
            "{target}"
        );
    }
    let mut empty = emulator.request("ListTapes", "{}");
    empty.set("x-amz-target", "");
    for without in [empty, emulator.request("ListTapes", "{}").without("x-amz-target")] {
        let answer = without.send().await;
        assert_eq!((answer.status, answer.kind().as_str()), (400, "MissingAction"));
    }
    for content_type in ["application/json", "text/plain", "application/x-amz-json-1.0"] {
        let mut request = emulator.request("ListTapes", "{}");
        request.set("content-type", content_type);
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (400, "UnknownOperationException")
        );
        assert!(answer.message().contains("Content-Type"), "{}", answer.message());
    }
    let got = Raw {
        method: "GET",
        ..emulator.request("ListTapes", "")
    }
    .send()
    .await;
    assert_eq!(
        (got.status, got.kind().as_str()),
        (405, "UnknownOperationException")
    );
    assert!(got.head.contains("allow: post"), "{}", got.head);
    let elsewhere = Raw {
        path: "/tapes",
        ..emulator.request("ListTapes", "{}")
    }
    .send()
    .await;
    assert_eq!(
        (elsewhere.status, elsewhere.kind().as_str()),
        (404, "UnknownOperationException")
    );
}

#[tokio::test]
async fn a_body_of_an_impossible_length_is_not_waited_for() {
    let emulator = start().await;
    let request = emulator.request("ListTapes", "{}");
    let answer = request.send_announcing(99_999_999_999_999).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.message().contains("max_request_bytes"),
        "{}",
        answer.message()
    );
}

#[tokio::test]
async fn a_body_that_is_not_a_json_object_is_a_serialization_exception() {
    let emulator = start().await;
    let deep = format!("{{\"Tags\":{}", "[".repeat(100_000));
    let bodies: [&[u8]; 10] = [
        b"",
        b"{",
        b"{\"Limit\":",
        b"[]",
        b"null",
        b"\"text\"",
        b"{\"Marker\":\"\xff\xfe\"}",
        b"\x00\x01",
        b"{} {}",
        deep.as_bytes(),
    ];
    for body in bodies {
        for operation in [
            "ListTapes",
            "DescribeTapes",
            "DescribeTapeArchives",
            "CreateTapes",
            "CreateTapeWithBarcode",
        ] {
            let answer = emulator.request(operation, body).send().await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            assert_eq!(
                (answer.status, answer.kind().as_str()),
                (400, "SerializationException"),
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_cut_short_is_rejected() {
    let emulator = start().await;
    let answer = emulator.request("ListTapes", "{}").send_announcing(100).await;
    assert_eq!(
        (answer.status, answer.kind().as_str()),
        (400, "SerializationException")
    );
}

#[tokio::test]
async fn a_member_of_the_wrong_type_is_a_serialization_exception() {
    let emulator = start().await;
    let cases = [
        ("ListTapes", json!({"Limit": "ten"})),
        ("ListTapes", json!({"Limit": 1.5})),
        ("ListTapes", json!({"Limit": 5_000_000_000_i64})),
        ("ListTapes", json!({"Marker": 5})),
        ("ListTapes", json!({"TapeARNs": "one"})),
        ("ListTapes", json!({"TapeARNs": [1]})),
        ("ListTapes", json!({"TapeARNs": [null]})),
        ("DescribeTapes", json!({"GatewayARN": {}})),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "TapeSizeInBytes", json!("107374182400")),
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "TapeSizeInBytes", json!(1e30)),
        ),
        ("CreateTapeWithBarcode", with(new_tape(), "Worm", json!("true"))),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "KMSEncrypted", json!(1)),
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "Tags", json!({"a": "b"})),
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "Tags", json!([["a", "b"]])),
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "Tags", json!([{"Key": "a", "Value": true}])),
        ),
        ("CreateTapes", with(new_tapes(), "NumTapesToCreate", json!([1]))),
    ];
    for (operation, body) in cases {
        let answer = call(&emulator, operation, &body).await;
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (400, "SerializationException"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn every_constraint_of_the_model_is_checked() {
    let emulator = start().await;
    let arn = |barcode: &str| format!("arn:aws:storagegateway:us-east-1:123456789012:tape/{barcode}");
    let cases = [
        ("ListTapes", json!({"Limit": 0}), "'limit'"),
        ("ListTapes", json!({"Limit": -1}), "'limit'"),
        ("ListTapes", json!({"Marker": ""}), "'marker'"),
        ("ListTapes", json!({"Marker": "m".repeat(2001)}), "'marker'"),
        (
            "ListTapes",
            json!({"TapeARNs": [arn("TST000001"), arn("lower1")]}),
            "'tapeARNs.2.member'",
        ),
        (
            "ListTapes",
            json!({"TapeARNs": [format!("x{}", arn("TST000001"))]}),
            "'tapeARNs.1.member'",
        ),
        (
            "DescribeTapeArchives",
            json!({"TapeARNs": [arn("ABCD")]}),
            "'tapeARNs.1.member'",
        ),
        ("DescribeTapes", json!({}), "Value null at 'gatewayARN'"),
        (
            "DescribeTapes",
            json!({"GatewayARN": null}),
            "Value null at 'gatewayARN'",
        ),
        (
            "DescribeTapes",
            json!({"GatewayARN": "g".repeat(49)}),
            "greater than or equal to 50",
        ),
        (
            "DescribeTapes",
            json!({"GatewayARN": "g".repeat(501)}),
            "less than or equal to 500",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "TapeBarcode", json!("ABCD")),
            "'tapeBarcode'",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "TapeBarcode", json!("A".repeat(17))),
            "'tapeBarcode'",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "TapeBarcode", json!("ABC-01")),
            "^[A-Z0-9]*$",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "PoolId", json!("")),
            "'poolId'",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "KMSKey", json!("arn:aws:kms:nowhere")),
            "'kMSKey'",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "Tags", json!([{"Key": "a"}])),
            "'tags.1.member.value'",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "Tags", json!([{"Key": "", "Value": ""}])),
            "'tags.1.member.key'",
        ),
        (
            "CreateTapeWithBarcode",
            with(new_tape(), "Tags", json!([{"Key": "a*", "Value": ""}])),
            "'tags.1.member.key'",
        ),
        (
            "CreateTapes",
            with(new_tapes(), "NumTapesToCreate", json!(0)),
            "'numTapesToCreate'",
        ),
        (
            "CreateTapes",
            with(new_tapes(), "NumTapesToCreate", json!(11)),
            "less than or equal to 10",
        ),
        (
            "CreateTapes",
            with(new_tapes(), "TapeBarcodePrefix", json!("LONGER")),
            "'tapeBarcodePrefix'",
        ),
        (
            "CreateTapes",
            with(new_tapes(), "TapeBarcodePrefix", json!("A1")),
            "^[A-Z]*$",
        ),
        (
            "CreateTapes",
            with(new_tapes(), "ClientToken", json!("four")),
            "'clientToken'",
        ),
        (
            "CreateTapes",
            with(new_tapes(), "ClientToken", json!("t".repeat(101))),
            "'clientToken'",
        ),
    ];
    for (operation, body, says) in cases {
        let answer = call(&emulator, operation, &body).await;
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (400, "ValidationException"),
            "{body}"
        );
        assert!(
            answer.message().starts_with("1 validation error detected: "),
            "{}",
            answer.message()
        );
        assert!(
            answer.message().contains(says),
            "{says} is not in {}",
            answer.message()
        );
    }
    // A tag's key may be of any script, and unknown members are nobody's business.
    let odd = with(
        new_tape(),
        "Tags",
        json!([{"Key": "größe — no".replace('—', "-"), "Value": ""}]),
    );
    assert_eq!(
        call(&emulator, "CreateTapeWithBarcode", &with(odd, "New", json!({})))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn all_violations_are_listed_at_once() {
    let emulator = start().await;
    let answer = call(&emulator, "CreateTapes", &json!({"TapeBarcodePrefix": "lower"})).await;
    let message = answer.message();
    assert!(message.starts_with("6 validation errors detected: "), "{message}");
    for member in [
        "gatewayARN",
        "tapeSizeInBytes",
        "clientToken",
        "numTapesToCreate",
        "tapeBarcodePrefix",
    ] {
        assert!(message.contains(member), "{member} is not in {message}");
    }
    let many = vec!["x"; 10_000];
    let answer = call(&emulator, "ListTapes", &json!({"TapeARNs": many})).await;
    assert!(answer.message().starts_with("20000 validation errors detected: "));
    assert!(answer.body.len() < 10_000, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn a_body_over_the_limit_is_rejected_after_it_was_read() {
    let emulator = start().await;
    let huge = json!({"Marker": "m".repeat(3 << 20)});
    let answer = call(&emulator, "ListTapes", &huge).await;
    assert_eq!(
        (answer.status, answer.kind().as_str()),
        (400, "InvalidGatewayRequestException")
    );
    assert_eq!(
        answer.json()["error"]["errorCode"],
        "MaximumContentLengthExceeded"
    );

    let emulator = Running::start(Settings {
        max_request_bytes: 10,
        ..settings()
    })
    .await;
    assert_eq!(
        call(&emulator, "ListTapes", &json!({"Limit":1})).await.status,
        400
    );
    assert_eq!(call(&emulator, "ListTapes", &json!({})).await.status, 200);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,60}".prop_map(Value::from),
        Just(Value::from(GATEWAY)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("Key|Value|.{0,3}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_body_breaks_the_emulator(
        operation in proptest::sample::select(&[
            "CreateTapeWithBarcode", "CreateTapes", "DescribeTapeArchives", "DescribeTapes", "ListTapes",
        ][..]),
        members in proptest::collection::vec((proptest::sample::select(&[
            "GatewayARN", "TapeSizeInBytes", "TapeBarcode", "KMSEncrypted", "KMSKey", "PoolId", "Worm", "Tags",
            "ClientToken", "NumTapesToCreate", "TapeBarcodePrefix", "TapeARNs", "Marker", "Limit",
        ][..]), any_json()), 0..8),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let emulator = Running::start(Settings { seed_tapes: 20, ..settings() }).await;
            let object: Value = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            for body in [object.to_string().into_bytes(), bytes] {
                let answer = emulator.request(operation, body).send().await;
                assert!(matches!(answer.status, 200 | 400), "{}", answer.status);
                assert!(answer.status == 200 || !answer.message().is_empty());
            }
        });
    }
}
