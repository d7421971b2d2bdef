//! Errors of calls that were not let in.

use std::time::Duration;

use tonic::Status;
use tonic_types::QuotaViolation;

use super::{DOMAIN, PUSHBACK, make, own, plain, reasons::Reason};
use crate::access::{AuthError, limits::LimitExceeded};

/// A caller that is not known.
pub fn refused(refused: AuthError) -> Status {
    let reason = reason(refused);
    match refused {
        AuthError::IssuerKeysUnavailable => retryable(reason, &refused.to_string(), Duration::from_secs(5)),
        _ => plain(reason, &refused.to_string()),
    }
}

/// The word for why a caller is not known.
pub fn reason_of(refused: AuthError) -> &'static str {
    reason(refused).as_str()
}

fn reason(refused: AuthError) -> Reason {
    match refused {
        AuthError::CredentialsMissing(_) => Reason::CredentialsMissing,
        AuthError::CredentialsMalformed(_) => Reason::CredentialsMalformed,
        AuthError::TokenUnknown => Reason::TokenUnknown,
        AuthError::TokenExpired => Reason::TokenExpired,
        AuthError::TokenNotYetValid => Reason::TokenNotYetValid,
        AuthError::TokenIssuerUnknown => Reason::TokenIssuerUnknown,
        AuthError::TokenAudienceWrong => Reason::TokenAudienceWrong,
        AuthError::TokenAlgorithmRejected => Reason::TokenAlgorithmRefused,
        AuthError::TokenKeyUnknown => Reason::TokenKeyUnknown,
        AuthError::TokenSignatureInvalid => Reason::TokenSignatureWrong,
        AuthError::TokenClaimsInvalid(_) => Reason::TokenClaimsUnusable,
        AuthError::IssuerKeysUnavailable => Reason::IdentityKeysUnavailable,
        AuthError::CertificateNameRejected(_) => Reason::CertificateNameRefused,
        AuthError::CertificateInvalid => Reason::CertificateInvalid,
    }
}

/// A caller that has reached one of its limits.
pub fn limited(principal: &str, reached: &LimitExceeded) -> Status {
    let LimitExceeded { quota, retry_after } = reached;
    let mut details = own(Reason::LimitReached);
    details.set_quota_failure([QuotaViolation::new(format!("{DOMAIN}:{principal}"), quota)]);
    // When another call of the same caller ends, nobody knows.
    let wait = retry_after
        .unwrap_or(Duration::from_secs(1))
        .max(Duration::from_millis(1));
    details.set_retry_info(Some(wait));
    make(
        Reason::LimitReached.code(),
        &format!("limit exceeded: {quota}; retry after the delay in RetryInfo"),
        details,
    )
}

/// A call for which there is no room.
pub fn overloaded() -> Status {
    let message = "the service has as many calls in progress as it takes (setting max_concurrent_calls)";
    let wait = Duration::from_secs(1);
    let mut status = retryable(Reason::Overloaded, message, wait);
    let millis = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
    status.metadata_mut().insert(PUSHBACK, millis.into());
    status
}

fn retryable(reason: Reason, message: &str, wait: Duration) -> Status {
    let mut details = own(reason);
    details.set_retry_info(Some(wait));
    make(reason.code(), message, details)
}
