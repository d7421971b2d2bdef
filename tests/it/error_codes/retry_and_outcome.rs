//! The retry rules and the outcome of each code: the fixture against the domain.

use tapegate::domain::{Fault, OperationKind, Outcome, RetryRule};
use tonic::Code;

use super::table::{Row, rows};

fn fault(code: &str, nested: bool, misdated: bool) -> Fault {
    Fault::Aws {
        code: code.to_owned(),
        nested,
        message: "AWS's words".to_owned(),
        http_status: 400,
        misdated,
        is_internal: false,
    }
}

fn retry_rule(word: &str) -> RetryRule {
    match word {
        "no" => RetryRule::Never,
        "once" => RetryRule::Once,
        "yes" => RetryRule::Soon,
        "yes-slow" => RetryRule::Slowly,
        other => panic!("not a word of the table: {other}"),
    }
}

/// The outcome that follows from the fixture. A rejected create is not applied; throttling rejects.
/// It may have been applied if something failed on the way: these codes have the status INTERNAL,
/// UNAVAILABLE or ABORTED for a tape operation, and a read is retried. The same holds if AWS names
/// no cause, or if the note says so.
fn outcome(row: &Row) -> Outcome {
    let failed = matches!(row.grpc, Code::Internal | Code::Unavailable | Code::Aborted);
    let passes = ["yes", "yes-slow"].contains(&row.retries[2]);
    let throttled = row.code.starts_with("Throttling")
        || row.note.contains("throttling")
        || row.note.contains("RetryInfo")
        || row.note.contains("older spelling");
    let on_its_way = failed && passes && !row.elsewhere && !throttled;
    let names_no_cause = row.note.contains("UPSTREAM_UNKNOWN");
    let says_so = ["outcome unknown", "outcome is unknown"]
        .iter()
        .any(|words| row.note.contains(words));
    match on_its_way || names_no_cause || says_so {
        true => Outcome::Unknown,
        false => Outcome::NotApplied,
    }
}

#[test]
fn each_code_has_the_retry_rules_of_the_fixture() {
    for row in rows() {
        let fault = fault(row.code, row.nested, false);
        let [tapes, with_barcode, read] = row.retries.map(retry_rule);
        assert_eq!(fault.retry_rule(OperationKind::Create), tapes, "{}", row.code);
        assert_eq!(
            fault.retry_rule(OperationKind::Create),
            with_barcode,
            "{}",
            row.code
        );
        assert_eq!(fault.retry_rule(OperationKind::Read), read, "{}", row.code);
    }
}

#[test]
fn each_code_has_the_outcome_of_the_fixture() {
    for row in rows() {
        assert_eq!(
            fault(row.code, row.nested, false).outcome(),
            outcome(&row),
            "{}",
            row.code
        );
    }
}

/// AWS services spell the common codes with or without `Exception`.
#[test]
fn both_spellings_of_a_code_have_the_same_rules() {
    for row in rows().iter().filter(|row| !row.nested) {
        let other = match row.code.strip_suffix("Exception") {
            Some(short) => short.to_owned(),
            None => format!("{}Exception", row.code),
        };
        let (one, other) = (fault(row.code, false, false), fault(&other, false, false));
        for kind in [OperationKind::Read, OperationKind::Create] {
            assert_eq!(one.retry_rule(kind), other.retry_rule(kind), "{}", row.code);
        }
        assert_eq!(one.outcome(), other.outcome(), "{}", row.code);
        assert_eq!(
            one.is_about_credentials(),
            other.is_about_credentials(),
            "{}",
            row.code
        );
        assert_eq!(one.is_throttling(), other.is_throttling(), "{}", row.code);
    }
}

/// A signature that is rejected for its date is retried once; a wrong one is not.
#[test]
fn a_wrong_date_changes_the_rules_of_signatures_only() {
    for row in rows() {
        for kind in [OperationKind::Read, OperationKind::Create] {
            let (right, wrong) = (
                fault(row.code, row.nested, false),
                fault(row.code, row.nested, true),
            );
            match row.code {
                "InvalidSignatureException" => {
                    assert_eq!(
                        (right.retry_rule(kind), wrong.retry_rule(kind)),
                        (RetryRule::Never, RetryRule::Once)
                    );
                }
                code => assert_eq!(right.retry_rule(kind), wrong.retry_rule(kind), "{code}"),
            }
            assert_eq!(right.outcome(), wrong.outcome());
        }
    }
}

#[test]
fn an_unknown_code_is_not_retried_and_its_class_decides_the_outcome() {
    for (is_internal, outcome) in [(false, Outcome::NotApplied), (true, Outcome::Unknown)] {
        let unknown = Fault::Aws {
            code: "TapeOnFire".to_owned(),
            nested: true,
            message: String::new(),
            http_status: 400,
            misdated: false,
            is_internal,
        };
        for kind in [OperationKind::Read, OperationKind::Create] {
            assert_eq!(unknown.retry_rule(kind), RetryRule::Never);
        }
        assert_eq!(unknown.outcome(), outcome);
    }
}
