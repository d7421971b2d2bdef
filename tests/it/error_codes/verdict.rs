//! What callers may do after each failure of each operation: the verdict `retry`, and a message that
//! fits the operation.

use serde_json::{Value, json};
use tonic::Code;

use super::{Failing, OPERATIONS, named, nested, refused, table::rows};
use crate::harness::{Refusal, tape_arn};

/// Responses without an AWS code.
const HTTP: [u16; 14] = [
    400, 401, 403, 404, 405, 407, 408, 413, 429, 500, 501, 502, 503, 504,
];

/// A response of AWS: its status, its body, and whether the service retries each kind of operation.
struct Failure {
    what: String,
    http_status: u16,
    body: Value,
    /// `None`: not known to this test.
    retries: Option<[bool; 3]>,
}

fn failures() -> Vec<Failure> {
    let documented = rows().into_iter().map(|row| Failure {
        what: row.code.to_owned(),
        http_status: 400,
        body: match row.nested {
            true => nested("InvalidGatewayRequestException", row.code, "of the test"),
            false => named(row.code, "of the test"),
        },
        retries: Some(row.retries.map(|rule| rule != "no")),
    });
    let without_code = HTTP.into_iter().map(|http_status| Failure {
        what: http_status.to_string(),
        http_status,
        body: json!("of a proxy"),
        retries: None,
    });
    let unknown = [400, 500].into_iter().map(|http_status| Failure {
        what: format!("an unknown code with {http_status}"),
        http_status,
        body: named("AWordOfTomorrow", "of the test"),
        retries: None,
    });
    documented.chain(without_code).chain(unknown).collect()
}

/// A response with which every operation succeeds.
fn success() -> Value {
    json!({
        "TapeARN": tape_arn("TEST01"), "TapeARNs": [tape_arn("TEST01")],
        "Tapes": [], "TapeArchives": [], "TapeInfos": [],
    })
}

/// What `retry` must be after the failure.
fn expected(retries: bool, creates: bool, refused: &Refusal) -> &'static str {
    let is_unknown = creates && refused.metadata["outcome"] == "unknown";
    let names_cause = refused.domain != "tapegate" && refused.reason != "UPSTREAM_UNKNOWN"
        || refused.reason == "TAPE_LOOKUP_FAILED";
    match refused.code {
        _ if retries => "same_call",
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted => "same_call",
        Code::Internal if is_unknown && !names_cause => "same_call",
        _ => "after_change",
    }
}

/// The message speaks of what the operation has.
fn check_words(operation: &str, refused: &Refusal) {
    let has = |word: &str| refused.message.contains(word);
    let (outcome, retry) = (refused.metadata.get("outcome"), &refused.metadata["retry"]);
    match operation {
        "CreateTapes" => assert!(!has("barcode") && !has("marker"), "{refused:?}"),
        "CreateTapeWithBarcode" => assert!(!has("client_token") && !has("marker"), "{refused:?}"),
        _ => assert!(
            !has("barcode") && !has("client_token") && outcome.is_none(),
            "{refused:?}"
        ),
    }
    let Some(outcome) = outcome else { return };
    let by = match operation {
        "CreateTapes" => "client_token",
        _ => "barcode",
    };
    let words = match (outcome.as_str(), retry.as_str()) {
        ("unknown", "same_call") => format!("retrying with the same {by} is safe"),
        ("unknown", _) => format!("find out with ListTapes before you use another {by}"),
        _ => format!("an earlier call with the same {by} may have"),
    };
    assert!(has(&words), "{words}: {refused:?}");
    let scope = refused.metadata.get("outcome_scope").map(String::as_str);
    assert_eq!(scope, (outcome == "not_applied").then_some("call"), "{refused:?}");
}

#[tokio::test]
async fn every_failure_of_every_operation_has_a_verdict_and_a_message_that_fit() {
    let failing = Failing::start().await;
    for Failure {
        what,
        http_status,
        body,
        retries,
    } in failures()
    {
        for (operation, creates) in OPERATIONS {
            let refused = failing.refusal(operation, http_status, &body).await;
            let has_delay = refused.details.retry_info().is_some();
            let retry = refused.metadata["retry"].as_str();
            let of_operation = match operation {
                "CreateTapes" => 0,
                "CreateTapeWithBarcode" => 1,
                _ => 2,
            };
            let retries = retries.map_or(has_delay, |retries| retries[of_operation]);
            assert_eq!(has_delay, retries, "{what} {operation}: {refused:?}");
            assert_eq!(
                retry,
                expected(retries, creates, &refused),
                "{what} {operation}: {refused:?}"
            );
            check_words(operation, &refused);
        }
    }
}

/// A program that reads nothing but `retry`, with a limit of its own on the number of calls.
async fn obey(failing: &Failing, operation: &str, replies: [(u16, &Value); 3]) -> Vec<String> {
    let mut verdicts = Vec::new();
    for (http_status, body) in replies {
        let (raw, _) = failing.ask(operation, http_status, body).await;
        if raw.status().code() == Code::Ok {
            verdicts.push("done".to_owned());
            break;
        }
        let retry = refused(&raw).metadata["retry"].clone();
        verdicts.push(retry.clone());
        if retry != "same_call" {
            break;
        }
    }
    verdicts
}

#[tokio::test]
async fn an_agent_that_obeys_the_verdict_ends_with_what_a_change_must_mend_and_outlasts_what_passes() {
    let failing = Failing::start().await;
    let success = success();
    for Failure {
        what,
        http_status,
        body,
        ..
    } in failures()
    {
        for (operation, _) in OPERATIONS {
            let failure = (http_status, &body);
            let verdicts = obey(&failing, operation, [failure, (200, &success), (200, &success)]).await;
            let is_passed = verdicts == ["same_call", "done"];
            assert!(
                is_passed || verdicts == ["after_change"],
                "{what} {operation}: {verdicts:?}"
            );
        }
    }
}

/// A pool that does not exist, and a client token that was used with other parameters.
#[tokio::test]
async fn invalid_parameters_end_an_agent_that_obeys_the_verdict() {
    let failing = Failing::start().await;
    let body = nested(
        "InvalidGatewayRequestException",
        "InvalidParameters",
        "of the test",
    );
    let refused = failing.refusal("CreateTapes", 400, &body).await;
    assert_eq!(refused.metadata["retry"], "after_change");
    assert_eq!(refused.metadata["outcome"], "unknown");
    for words in [
        "pool",
        "if an earlier call sent this client_token with other parameters",
    ] {
        assert!(refused.message.contains(words), "{}", refused.message);
    }
}
