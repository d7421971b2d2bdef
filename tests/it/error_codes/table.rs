//! Each row of the fixture, and codes that have no row.

use std::collections::HashMap;

use serde_json::{Value, json};
use tapegate::{domain::failure::table::AWS_CODES, grpc::proto::DescribeTapesRequest};
use tonic::Code;

use super::{Failing, OPERATIONS, named, nested, refused};
use crate::harness::{GATEWAY, Refusal, Reply, Service, Upstream, refusal, tape_arn};

const AWS: &str = "storagegateway.amazonaws.com";

/// One row of the fixture.
pub(super) struct Row {
    pub(super) code: &'static str,
    pub(super) nested: bool,
    pub(super) elsewhere: bool,
    pub(super) grpc: Code,
    /// Whether a retry can help: of CreateTapes, of CreateTapeWithBarcode, of a read.
    pub(super) retries: [&'static str; 3],
    pub(super) note: &'static str,
}

pub(super) fn rows() -> Vec<Row> {
    let mut lines = include_str!("../fixtures/error_codes.tsv").lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("error_code\twhere\ton_tape_ops\tgrpc_code\t")
    );
    lines.map(row).collect()
}

fn row(line: &'static str) -> Row {
    let columns: Vec<_> = line.split('\t').collect();
    let [code, place, on_tape_ops, grpc, tapes, with_barcode, read, note] = columns[..] else {
        panic!("not a row: {line}")
    };
    Row {
        code,
        nested: match place {
            "nested" => true,
            "type" => false,
            other => panic!("no place: {other}"),
        },
        elsewhere: on_tape_ops == "no",
        grpc: grpc_code(grpc),
        retries: [tapes, with_barcode, read],
        note,
    }
}

fn grpc_code(name: &str) -> Code {
    let all = (0..=16).map(Code::from_i32);
    let mut named = all.filter(|code| upper_snake(&format!("{code:?}")) == name);
    named.next().unwrap_or_else(|| panic!("no gRPC code: {name}"))
}

/// `IAMNotSupported` as `IAM_NOT_SUPPORTED`.
fn upper_snake(camel: &str) -> String {
    let chars: Vec<_> = camel.trim().chars().collect();
    let mut snake = String::new();
    for (index, c) in chars.iter().enumerate() {
        let after_small = index > 0 && chars[index - 1].is_ascii_lowercase();
        let before_small = index > 0 && chars.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && (after_small || before_small) {
            snake.push('_');
        }
        snake.push(c.to_ascii_uppercase());
    }
    snake
}

#[test]
fn the_table_has_the_codes_of_the_fixture_and_no_others() {
    let mut known: Vec<_> = AWS_CODES.iter().map(|row| row.name).collect();
    let mut documented: Vec<_> = rows().iter().map(|row| row.code).collect();
    known.sort_unstable();
    documented.sort_unstable();
    // ServiceUnavailable is nested, and the name of an exception.
    documented.dedup();
    assert_eq!(known, documented);
    let nested: Vec<_> = rows()
        .iter()
        // In responses and in the user guide, but not in the model.
        .filter(|row| row.nested && row.code != "UnsupportedOperationForGatewayType")
        .map(|row| row.code)
        .collect();
    assert_eq!(
        nested,
        crate::model::error_codes(),
        "the nested ones are those of the model"
    );
}

/// Calls every operation, and compares the errors with what is expected of all.
async fn check(
    failing: &Failing,
    http_status: u16,
    body: &Value,
    code: &str,
    grpc: Code,
    reason: &str,
) -> Vec<Refusal> {
    let mut all = Vec::new();
    // The tape of a rejected barcode is looked up, which this upstream rejects as well.
    let is_looked_up = |operation| operation == "CreateTapeWithBarcode" && code == "InvalidParameters";
    for (operation, creates) in OPERATIONS.into_iter().filter(|(name, _)| !is_looked_up(*name)) {
        let (raw, asked) = failing.ask(operation, http_status, body).await;
        let refused = refused(&raw);
        let case = format!("{operation}, HTTP {http_status}, {body}: {refused:?}");
        assert_eq!(
            (refused.code, refused.domain.as_str(), refused.reason.as_str()),
            (grpc, AWS, reason),
            "{case}"
        );
        let mut metadata = refused.metadata.clone();
        let outcome = metadata.remove("outcome");
        let scope = metadata.remove("outcome_scope");
        let is_not_applied = outcome.as_deref() == Some("not_applied");
        assert_eq!(scope.as_deref(), is_not_applied.then_some("call"), "{case}");
        let outcomes = if creates {
            &[Some("not_applied"), Some("unknown")][..]
        } else {
            &[None]
        };
        assert!(outcomes.contains(&outcome.as_deref()), "{case}");
        // Where the same call can help, there is a delay, or a create has to find out what it did.
        let verdict = metadata.remove("retry").unwrap();
        let can_help = refused.details.retry_info().is_some()
            || refused.code == Code::Aborted
            || (refused.code == Code::Internal
                && outcome.as_deref() == Some("unknown")
                && reason == "UPSTREAM_UNKNOWN");
        assert_eq!(
            verdict,
            if can_help { "same_call" } else { "after_change" },
            "{case}"
        );
        let expected = [
            ("operation", operation),
            ("attempts", &asked.to_string()),
            ("aws_request_id", "request-of-the-test"),
            ("upstream_code", code),
            ("http_status", &http_status.to_string()),
        ];
        let expected: HashMap<_, _> = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(metadata, expected, "{case}");
        assert_eq!(raw.trailers["x-tapegate-attempts"], asked.to_string(), "{case}");
        assert_eq!(raw.trailers["x-amzn-requestid"], "request-of-the-test", "{case}");
        assert!(refused.message.contains(code.trim()), "{case}");
        check_resource(operation, &refused);
        all.push(refused);
    }
    all
}

/// NOT_FOUND names the resource that the call named.
fn check_resource(operation: &str, refused: &Refusal) {
    let resource = refused.details.resource_info();
    if !matches!(refused.code, Code::NotFound | Code::AlreadyExists) {
        assert!(resource.is_none(), "{refused:?}");
        return;
    }
    let resource = resource.unwrap_or_else(|| panic!("no ResourceInfo: {refused:?}"));
    let gateway = (format!("{AWS}/Gateway"), GATEWAY.to_owned());
    let tape = (format!("{AWS}/Tape"), tape_arn("TEST01"));
    let expected = match operation {
        "ListTapes" | "DescribeTapeArchives" => tape,
        // The call names the tape by its barcode, and this code is about tapes.
        "CreateTapeWithBarcode" if refused.reason == "TAPE_CARTRIDGE_NOT_FOUND" => tape,
        _ => gateway,
    };
    assert_eq!(
        (resource.resource_type.clone(), resource.resource_name.clone()),
        expected
    );
}

#[tokio::test]
async fn each_code_has_its_status_and_details() {
    let failing = Failing::start().await;
    for Row {
        code,
        nested: is_nested,
        elsewhere,
        grpc,
        note,
        ..
    } in rows()
    {
        let bodies = if is_nested {
            vec![
                (400, nested("InvalidGatewayRequestException", code, "AWS's words")),
                (500, nested("InternalServerError", code, "AWS's words")),
                (400, nested("InternalServerError", code, "AWS's words")),
            ]
        } else {
            vec![
                (400, named(code, "AWS's words")),
                (503, named(code, "AWS's words")),
                (
                    400,
                    named(
                        &format!("com.amazonaws.storagegateway.v20130630#{code}"),
                        "AWS's words",
                    ),
                ),
            ]
        };
        let reason = match code {
            "InvalidGatewayRequestException" => "UPSTREAM_UNKNOWN".to_owned(),
            _ => upper_snake(code),
        };
        for (http_status, body) in bodies {
            for refused in check(&failing, http_status, &body, code, grpc, &reason).await {
                let outcome = refused.metadata.get("outcome").map(String::as_str);
                if note.contains("outcome unknown") || note.contains("outcome is unknown") {
                    assert_ne!(outcome, Some("not_applied"), "{code}");
                }
                if elsewhere {
                    assert_ne!(outcome, Some("unknown"), "{code}");
                }
                let quota = refused.details.quota_failure();
                assert_eq!(
                    quota.is_some(),
                    code == "MaximumTapeCartridgeCountExceeded",
                    "{code}"
                );
                if let Some(quota) = quota {
                    let [violation] = &quota.violations[..] else {
                        panic!("{quota:?}")
                    };
                    assert!(violation.description.contains("1,500"), "{quota:?}");
                    assert!(refused.details.retry_info().is_none(), "a quota is not a rate");
                }
            }
        }
    }
}

/// If a call names a gateway and a tape, the code decides which of them is not found.
#[tokio::test]
async fn the_code_decides_whether_gateway_or_tape_is_not_found() {
    let cases = [
        ("TapeCartridgeNotFound", format!("{AWS}/Tape"), tape_arn("TEST01")),
        ("GatewayNotFound", format!("{AWS}/Gateway"), GATEWAY.to_owned()),
    ];
    for (code, resource_type, resource_name) in cases {
        let body = nested("InvalidGatewayRequestException", code, "no");
        let upstream = Upstream::always(Reply::aws(400, &body)).await;
        let service = Service::over(&upstream, &[]).await;
        let request = DescribeTapesRequest {
            gateway_arn: GATEWAY.into(),
            tape_arns: vec![tape_arn("TEST01")],
            ..Default::default()
        };
        let status = service.client().describe_tapes(request).await.unwrap_err();
        let refused = refusal(&status);
        let resource = refused.details.resource_info().unwrap();
        assert_eq!(
            (&resource.resource_type, &resource.resource_name),
            (&resource_type, &resource_name)
        );
    }
}

#[tokio::test]
async fn unknown_codes_have_a_status_by_their_http_status() {
    let failing = Failing::start().await;
    let unknown = "UPSTREAM_UNKNOWN";
    for (http_status, exception, grpc, outcome) in [
        (
            400,
            "InvalidGatewayRequestException",
            Code::FailedPrecondition,
            "not_applied",
        ),
        (400, "InternalServerError", Code::Internal, "unknown"),
        (500, "InvalidGatewayRequestException", Code::Internal, "unknown"),
        (500, "InternalServerError", Code::Internal, "unknown"),
    ] {
        {
            let body = nested(exception, "TapeOnFire", "AWS's words");
            let all = check(&failing, http_status, &body, "TapeOnFire", grpc, unknown).await;
            assert!(all.iter().all(|refused| refused.message.contains("AWS's words")));
            assert!(
                all[..2]
                    .iter()
                    .all(|create| create.metadata["outcome"] == outcome)
            );
        }
    }
    let codes = [
        (400, Code::FailedPrecondition),
        (401, Code::FailedPrecondition),
        (403, Code::FailedPrecondition),
        (408, Code::Unavailable),
        (429, Code::Unavailable),
        (500, Code::Internal),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
    ];
    for (http_status, grpc) in codes {
        let body = named("TapeOnFireException", "AWS's words");
        let all = check(&failing, http_status, &body, "TapeOnFireException", grpc, unknown).await;
        // A 4xx blames the request, but not where a retry is what it asks for.
        let outcome = match http_status {
            400 | 401 | 403 => "not_applied",
            _ => "unknown",
        };
        assert!(
            all[..2]
                .iter()
                .all(|create| create.metadata["outcome"] == outcome)
        );
    }
    // Without a nested code, the name of the exception is used.
    let exception = "InvalidGatewayRequestException";
    let grpc = Code::FailedPrecondition;
    for error in [json!({}), Value::Null, json!({"errorDetails": {}})] {
        let mut body = named(exception, "AWS's words");
        body["error"] = error;
        check(&failing, 400, &body, exception, grpc, unknown).await;
        body["__type"] = "InternalServerError".into();
        check(
            &failing,
            500,
            &body,
            "InternalServerError",
            Code::Internal,
            "INTERNAL_SERVER_ERROR",
        )
        .await;
    }
    // The message of AWS is optional.
    check(
        &failing,
        400,
        &json!({"__type": exception}),
        exception,
        grpc,
        unknown,
    )
    .await;
}
