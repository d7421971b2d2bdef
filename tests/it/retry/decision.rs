//! The retry decision for every failure, operation, number of attempts and time left follows the
//! table of error codes.

use std::time::Duration;

use tapegate::{
    domain::{Fault, OperationKind},
    upstream::retry::{FailedAttempt, RetryDecision, RetrySettings, StopReason},
};

use crate::harness::transport;

/// Whether a call may be repeated, in the words of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum May {
    No,
    Yes,
    Slowly,
    Once,
}

impl May {
    fn parse(word: &str) -> Self {
        match word {
            "no" => Self::No,
            "yes" => Self::Yes,
            "yes-slow" => Self::Slowly,
            "once" => Self::Once,
            other => panic!("{other}"),
        }
    }
}

/// Each outcome, with what a create and a read may do after it.
fn outcomes() -> Vec<(Fault, May, May)> {
    let rows = include_str!("../fixtures/error_codes.tsv").lines().skip(1);
    let of_aws = rows.map(|row| {
        let columns: Vec<_> = row.split('\t').collect();
        let [code, place, _, _, create_tapes, create_with_barcode, read, _] = columns[..] else {
            panic!("not a row: {row}")
        };
        assert_eq!(create_tapes, create_with_barcode, "both are decided as creates");
        let fault = Fault::Aws {
            code: code.to_owned(),
            nested: place == "nested",
            message: String::new(),
            misdated: false,
            is_internal: false,
            http_status: 400,
        };
        (fault, May::parse(create_tapes), May::parse(read))
    });
    let text = String::new;
    let transport = [
        Fault::Unreachable { cause: text() },
        Fault::ConnectionLost { cause: text() },
        Fault::AttemptTimeout,
    ];
    let transport = transport.map(|fault| (fault, May::Yes, May::Yes));
    let ours = [
        Fault::Unreadable { what: text() },
        Fault::OperationTimeout,
        Fault::Deadline { last: None },
        Fault::Paced {
            wait: Duration::from_secs(1),
        },
        Fault::Denied {
            action: "ListTapes",
            resource: text(),
        },
        Fault::QuotaUsedUp {
            principal: text().into(),
            quota: text().into(),
            wait: Some(Duration::from_secs(1)),
        },
        Fault::TapeExists { differs: Vec::new() },
        Fault::BarcodeTaken,
        Fault::NoCredentials { cause: text() },
        Fault::WrongAccount {
            requested: "123456789012".parse().unwrap(),
            owner: "210987654321".parse().unwrap(),
        },
        Fault::MarkerRepeated,
        Fault::PageTooLong { rows: 2, limit: 1 },
        Fault::LookUpFailed {
            refusal: Box::new(Fault::BarcodeTaken),
            cause: Box::new(Fault::AttemptTimeout),
        },
        Fault::NotSent { cause: text() },
        Fault::Internal { cause: text() },
    ];
    let ours = ours.map(|fault| (fault, May::No, May::No));
    // What names no code that anybody knew goes by its status.
    let by_status = (300..600).flat_map(|http_status| {
        let may = match http_status {
            408 | 429 | 500 | 502 | 503 | 504 => May::Yes,
            _ => May::No,
        };
        let unknown = Fault::Aws {
            code: "SomethingNew".to_owned(),
            nested: false,
            message: String::new(),
            misdated: false,
            is_internal: false,
            http_status,
        };
        [(Fault::Http { http_status }, may, may), (unknown, may, may)]
    });
    of_aws.chain(transport).chain(ours).chain(by_status).collect()
}

/// Whether an outcome is throttling, by what the facts call it and by HTTP's 429.
fn throttles(fault: &Fault) -> bool {
    match fault {
        Fault::Aws {
            code, http_status, ..
        } => {
            let name = code.trim_end_matches("Exception");
            ["Throttling", "TooManyRequests", "RequestLimitExceeded"].contains(&name) || *http_status == 429
        }
        Fault::Http { http_status } => *http_status == 429,
        _ => false,
    }
}

const BASE: Duration = Duration::from_millis(100);
const THROTTLED_BASE: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(2);
const LEAST: Duration = Duration::from_millis(5);

fn settings(attempts: u32) -> RetrySettings {
    RetrySettings {
        attempts,
        base: BASE,
        throttled_base: THROTTLED_BASE,
        cap: CAP,
        ..transport::settings().retry
    }
}

fn expected(may: May, attempts: u32, failed: &FailedAttempt<'_>) -> RetryDecision {
    let FailedAttempt {
        was_made,
        attempts_made,
        was_renewed,
        upstream_retry_after,
        time_left,
        ..
    } = *failed;
    let end = RetryDecision::Stop;
    if may == May::No || (may == May::Once && was_renewed) {
        return end(StopReason::NotRetryable);
    }
    if !was_made {
        return end(StopReason::NotSent);
    }
    if attempts_made >= attempts {
        return end(StopReason::Attempts);
    }
    let (least, spread) = match may {
        May::Slowly => (CAP / 2, CAP / 2),
        May::Once => (Duration::ZERO, Duration::ZERO),
        _ => {
            let longest = match throttles(failed.fault) {
                true => [500, 500, 1_000, 2_000, 2_000, 2_000, 2_000, 2_000],
                false => [100, 100, 200, 400, 800, 1_600, 2_000, 2_000],
            };
            (
                Duration::ZERO,
                Duration::from_millis(longest[attempts_made as usize]),
            )
        }
    };
    let least = least.max(upstream_retry_after.unwrap_or(Duration::ZERO));
    if least + LEAST >= time_left {
        return end(StopReason::Deadline);
    }
    RetryDecision::Retry {
        min_pause: least,
        max_pause: (least + spread).min(time_left - LEAST),
    }
}

#[test]
fn every_retry_decision_follows_the_table() {
    let millis = Duration::from_millis;
    let mut situations = 0;
    for (fault, create, read) in outcomes() {
        for (kind, may) in [(OperationKind::Create, create), (OperationKind::Read, read)] {
            for (attempts, made) in [1, 2, 4, 8]
                .into_iter()
                .flat_map(|all| (0..8).map(move |made| (all, made)))
            {
                for (sent, renewed) in [(true, false), (true, true), (false, false), (false, true)] {
                    for upstream_retry_after in [None, Some(0), Some(70), Some(1_500), Some(30_000)] {
                        for left in [0, 4, 5, 6, 76, 900, 1_100, 3_000, 60_000] {
                            let failed = FailedAttempt {
                                fault: &fault,
                                was_made: sent,
                                kind,
                                attempts_made: made,
                                was_renewed: renewed,
                                upstream_retry_after: upstream_retry_after.map(millis),
                                time_left: millis(left),
                            };
                            assert_eq!(
                                settings(attempts).decide(failed),
                                expected(may, attempts, &failed),
                                "of {attempts} attempts, {failed:?}"
                            );
                            situations += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{situations} situations");
}

#[test]
fn extreme_settings_do_not_overflow() {
    let failed = FailedAttempt {
        fault: &Fault::AttemptTimeout,
        was_made: true,
        kind: OperationKind::Read,
        attempts_made: u32::MAX - 1,
        was_renewed: false,
        upstream_retry_after: Some(Duration::MAX),
        time_left: Duration::MAX,
    };
    let settings = RetrySettings {
        cap: Duration::MAX,
        ..settings(u32::MAX)
    };
    assert_eq!(settings.decide(failed), RetryDecision::Stop(StopReason::Deadline));
    let unasked = FailedAttempt {
        upstream_retry_after: None,
        ..failed
    };
    assert!(matches!(settings.decide(unasked), RetryDecision::Retry { .. }));
}
