//! Statuses of calls that are rejected before they reach the service.

use std::{collections::HashMap, fmt, time::Duration};

use tonic::Status;
use tonic_types::{ErrorDetails, QuotaViolation};

use super::{DOMAIN, OUTCOME, add_pushback, advice::Words, call_metadata, error_info_of, make, plain};
use crate::{
    access::{AuthError, limits::LimitExceeded},
    call::CallCut,
    domain::{Attempts, ErrorKind, Outcome, RetryVerdict},
};

/// The caller is not authenticated.
pub fn unauthenticated(error: AuthError) -> Status {
    let kind = kind(error);
    match kind.row().caller_delay {
        Some(_) => retryable(kind, &error.to_string()),
        None => plain(kind, &error.to_string()),
    }
}

/// The reason that [`unauthenticated`] has in its `ErrorInfo`.
pub fn reason_of(error: AuthError) -> &'static str {
    kind(error).row().reason
}

fn kind(error: AuthError) -> ErrorKind {
    match error {
        AuthError::CredentialsMissing(_) => ErrorKind::CredentialsMissing,
        AuthError::CredentialsMalformed(_) => ErrorKind::CredentialsMalformed,
        AuthError::TokenUnknown => ErrorKind::TokenUnknown,
        AuthError::TokenExpired => ErrorKind::TokenExpired,
        AuthError::TokenNotYetValid => ErrorKind::TokenNotYetValid,
        AuthError::TokenIssuerUnknown => ErrorKind::TokenIssuerUnknown,
        AuthError::TokenAudienceWrong => ErrorKind::TokenAudienceWrong,
        AuthError::TokenAlgorithmRejected => ErrorKind::TokenAlgorithmRefused,
        AuthError::TokenKeyUnknown => ErrorKind::TokenKeyUnknown,
        AuthError::TokenSignatureInvalid => ErrorKind::TokenSignatureWrong,
        AuthError::TokenClaimsInvalid(_) => ErrorKind::TokenClaimsUnusable,
        AuthError::IssuerKeysUnavailable => ErrorKind::IdentityKeysUnavailable,
        AuthError::CertificateNameRejected(_) => ErrorKind::CertificateNameRefused,
        AuthError::CertificateInvalid => ErrorKind::CertificateInvalid,
    }
}

/// The caller has reached one of its limits.
pub fn limited(exceeded: &LimitExceeded) -> Status {
    let LimitExceeded {
        principal,
        quota,
        retry_after,
    } = exceeded;
    let kind = ErrorKind::LimitReached;
    let mut details = error_info_of(kind);
    details.set_quota_failure([of_limit(principal, quota)]);
    // It is not known when another call of the same caller ends.
    let wait = retry_after
        .unwrap_or(delay_of(kind))
        .max(Duration::from_millis(1));
    details.set_retry_info(Some(wait));
    let message = format!("limit exceeded: {quota}; retry after the delay in `RetryInfo`");
    let mut status = make(kind.row().status.into(), &message, details);
    add_pushback(&mut status, wait);
    status
}

/// The limit of a principal that a call exceeds.
pub(super) fn of_limit(principal: &str, quota: &str) -> QuotaViolation {
    QuotaViolation::new(format!("{DOMAIN}:{principal}"), quota)
}

/// Why the service cannot take another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overload {
    /// Too many calls are in progress.
    Calls,
    /// The processors cannot keep up.
    Processors,
    /// Reads wait for a connection to AWS.
    Connections,
    /// Requests that have not arrived as a whole hold too many bytes.
    Requests,
}

impl Overload {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Calls, Self::Processors, Self::Connections, Self::Requests];

    /// The setting with the limit that was reached.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Calls => "max_concurrent_calls",
            Self::Processors => "max_scheduling_delay",
            Self::Connections => "upstream.max_connections",
            Self::Requests => "max_arriving_bytes",
        }
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calls => "too many calls are in progress (setting max_concurrent_calls)",
            Self::Processors => "the processors of the service cannot keep up (setting max_scheduling_delay)",
            Self::Connections => {
                "all connections to AWS are in use (settings upstream.max_connections, max_scheduling_delay)"
            }
            Self::Requests => {
                "requests that have not arrived as a whole hold too many bytes, and this one began before the others \
                 (setting max_arriving_bytes)"
            }
        })
    }
}

/// The service cannot take another call now.
pub fn overloaded(overload: Overload) -> Status {
    let kind = ErrorKind::Overloaded;
    let message = format!("{overload}; retry after the delay in `RetryInfo`");
    let mut status = retryable(kind, &message);
    add_pushback(&mut status, delay_of(kind));
    status
}

/// The service cuts a call that could go on. The `outcome` is that of a create.
pub fn cut(cut: CallCut, operation: Option<&str>, attempts: &Attempts, outcome: Option<Outcome>) -> Status {
    let row = cut.fault().row();
    let metadata = operation.map(|operation| call_metadata(operation, attempts));
    let outcomes = outcome.map(|outcome| (OUTCOME, outcome.to_string()));
    let metadata = metadata.into_iter().flatten().chain(outcomes);
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
    let mut details =
        ErrorDetails::with_error_info(row.reason, row.domain.as_str(), HashMap::from_iter(metadata));
    details.set_retry_info(row.caller_delay.map(Duration::from_secs));
    let why = match cut {
        CallCut::Shutdown => {
            "the service shuts down, and the call had not ended after shutdown.drain_timeout, or at a second signal"
        }
        CallCut::Connection => {
            "the service closes the connection, and the call took longer than max_connection_age_grace"
        }
    };
    let mut message = format!("{why}; retry after the delay in `RetryInfo`");
    let words = operation.map(Words::of);
    if let Some((words, outcome)) = words.zip(outcome)
        && let Some(about) = words.about_tapes(outcome, RetryVerdict::SameCall, false)
    {
        message = format!("{message}; {about}");
    }
    make(row.status.into(), &message, details)
}

fn retryable(kind: ErrorKind, message: &str) -> Status {
    let mut details = error_info_of(kind);
    details.set_retry_info(Some(delay_of(kind)));
    make(kind.row().status.into(), message, details)
}

fn delay_of(kind: ErrorKind) -> Duration {
    Duration::from_secs(kind.row().caller_delay.unwrap_or_default())
}
