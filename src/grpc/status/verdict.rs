//! What a caller may do after an error: the value of `retry` in the metadata of `ErrorInfo`.

use tonic::Code;
use tonic_types::ErrorInfo;

use super::{AWS_DOMAIN, EARLIER_OUTCOME, MATCHES, OUTCOME, fault_owner};
use crate::domain::{
    ErrorKind, FailureRow, Outcome, RetryVerdict, StatusCode, failure::table::UPSTREAM_UNKNOWN,
};

/// The verdict on an error with this code and this `ErrorInfo`.
pub(super) fn of_status(code: Code, info: &ErrorInfo, has_delay: bool) -> RetryVerdict {
    let is = |key: &str, value: &str| info.metadata.get(key).is_some_and(|found| found == value);
    let is_done = info.reason == ErrorKind::TapeExists.row().reason && is(MATCHES, "true");
    if is_done || info.reason == ErrorKind::UnknownMethod.row().reason {
        return RetryVerdict::Never;
    }
    let outcome = |key| match is(key, Outcome::Unknown.as_str()) {
        true => Outcome::Unknown,
        false => Outcome::NotApplied,
    };
    if must_find_out(outcome(OUTCOME), outcome(EARLIER_OUTCOME)) {
        return RetryVerdict::SameCall;
    }
    verdict(
        fault_owner::status_code(code),
        &info.domain,
        &info.reason,
        has_delay,
        outcome(OUTCOME),
    )
}

/// The verdict on a failure with this row and, if it is of a create, these outcomes of all attempts and
/// of those before the last one.
pub(super) fn of_row(row: &FailureRow, has_delay: bool, outcome: Outcome, earlier: Outcome) -> RetryVerdict {
    if must_find_out(outcome, earlier) {
        return RetryVerdict::SameCall;
    }
    verdict(row.status, row.domain.as_str(), row.reason, has_delay, outcome)
}

/// Whether an attempt before the last one may have made the tapes. Then only the same call can find out,
/// whatever the error of the last attempt was.
fn must_find_out(outcome: Outcome, earlier: Outcome) -> bool {
    outcome == Outcome::Unknown && earlier == Outcome::Unknown
}

fn verdict(
    status: StatusCode,
    domain: &str,
    reason: &str,
    has_delay: bool,
    outcome: Outcome,
) -> RetryVerdict {
    // If AWS names a cause that does not pass by itself, the same call would fail again, also where
    // its outcome is unknown. So would the same look-up.
    let is_named = domain == AWS_DOMAIN && reason != UPSTREAM_UNKNOWN;
    let is_looked_up = reason == ErrorKind::LookUpFailed.row().reason;
    let outcome = Some(outcome).filter(|_| !is_named && !is_looked_up);
    RetryVerdict::of(status, has_delay, outcome)
}
