//! What can go wrong with a call, and what follows from it.

mod row;
mod status_code;
pub mod table;

use std::time::Duration;

pub use self::{
    row::{
        AttemptResult, Classification, ErrorDomain, FailureRow, FaultOwner, LogLevel, Outcome, RetryRule,
        RetryVerdict,
    },
    status_code::StatusCode,
    table::ErrorKind,
};
use super::{AccountId, Attempts, OperationKind};

/// Why a call did not succeed, and what it took.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Failure {
    /// What went wrong, in the last attempt.
    pub fault: Fault,
    /// What the call cost.
    pub attempts: Attempts,
    /// What is known of the call, if it is a create.
    pub outcome: Outcome,
    /// What is known of the attempts before the last one, if the call is a create. Attempts of the
    /// caller's library are included.
    pub earlier: Outcome,
    /// How long AWS asks to wait before the next attempt (`Retry-After`).
    pub upstream_retry_after: Option<Duration>,
    /// How long the pacer lets the next attempt wait, where it holds attempts back.
    pub pacer_retry_after: Option<Duration>,
}

/// What can go wrong with a valid request.
///
/// The texts are for people; programs tell faults apart by the reason of their [row](Fault::row).
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// AWS rejected the request or failed, and named a code.
    #[error("AWS returned {code}: {message}")]
    Aws {
        /// The nested `error.errorCode` where there is one, else the exception's name.
        code: String,
        /// Whether `code` is the nested one.
        nested: bool,
        /// AWS's message; it differs by region and is never matched.
        message: String,
        /// The HTTP status of the response.
        http_status: u16,
        /// Whether the request's date was minutes off AWS's; that of the next request will not be.
        misdated: bool,
        /// Whether AWS calls it an error of its own (InternalServerError), whatever the HTTP status.
        is_internal: bool,
    },
    /// An error response without an AWS code: a proxy's page, an empty body.
    #[error("AWS or a proxy returned HTTP {http_status} without an AWS error code")]
    Http {
        /// The HTTP status of the response.
        http_status: u16,
    },
    /// A successful response that does not match the service model.
    #[error("the response of AWS is invalid: {what}")]
    Unreadable {
        /// What is wrong with it.
        what: String,
    },
    /// A successful response to a create that does not name the requested tapes.
    #[error("the response of AWS does not match the request: {what}; it names {}", if tape_arns.is_empty() { "no tape".to_owned() } else { tape_arns.join(", ") })]
    WrongTapes {
        /// Everything that is wrong with it.
        what: String,
        /// The ARNs that it names, as far as they have the length of an ARN; at most as many as a create
        /// can ask for.
        tape_arns: Vec<String>,
    },
    /// Nothing was sent: the connection failed.
    #[error("the connection to AWS failed: {cause}")]
    Unreachable {
        /// The error of the connector.
        cause: String,
    },
    /// The connection ended before the whole response came.
    #[error("the connection to AWS was lost: {cause}")]
    ConnectionLost {
        /// The error of the connection.
        cause: String,
    },
    /// An attempt took longer than its limit.
    #[error("AWS did not respond within the time limit of an attempt")]
    AttemptTimeout,
    /// The attempts of one fetch took longer than their limit.
    #[error("AWS did not respond within the time limit of all attempts")]
    OperationTimeout,
    /// The call's deadline passed.
    #[error("the deadline of the call passed{}", last.as_ref().map(|last| format!("; before that: {last}")).unwrap_or_default())]
    Deadline {
        /// Why the last attempt that ended before did not succeed.
        last: Option<Box<Fault>>,
    },
    /// The call's turn would come after its deadline.
    #[error("too many calls wait for AWS: the turn of this call would come in {wait:?}, after its deadline")]
    Paced {
        /// How long it would have to wait.
        wait: Duration,
    },
    /// No policy allows the call.
    #[error("the caller is not allowed {action} on {resource}")]
    Denied {
        /// The operation.
        action: &'static str,
        /// The gateway's ARN, or `ACCOUNT/REGION`.
        resource: String,
    },
    /// The caller reached one of its limits.
    #[error("the caller has reached its limit: {quota}")]
    QuotaUsedUp {
        /// The name of the caller.
        principal: Box<str>,
        /// Which limit, its value and its setting.
        quota: Box<str>,
        /// When a retry can succeed; `None` where it never can.
        wait: Option<Duration>,
    },
    /// The store in which replicas count created tapes together cannot be used.
    #[error("the store of shared limits cannot be used: {cause}")]
    LimitsUnavailable {
        /// Why.
        cause: String,
    },
    /// The barcode belongs to a tape of the gateway, or to an archived one.
    #[error("a tape with this barcode exists: it {}", if differs.is_empty() { "matches the request".to_owned() } else { format!("differs from the request in {}", differs.join(", ")) })]
    TapeExists {
        /// The members in which the tape differs from the request; empty when it matches.
        differs: Vec<&'static str>,
    },
    /// The barcode belongs to a tape of another gateway, which the caller may not see.
    #[error("the barcode belongs to a tape of another gateway")]
    BarcodeTaken,
    /// The service has no AWS credentials to sign with.
    #[error("no AWS credentials: {cause}")]
    NoCredentials {
        /// The error of the credentials chain.
        cause: String,
    },
    /// The credentials of the service belong to another account than the request.
    #[error("the request is for account {requested}, but the AWS credentials belong to account {owner}")]
    WrongAccount {
        /// The account of the request.
        requested: AccountId,
        /// The account of the credentials.
        owner: AccountId,
    },
    /// The list would never end.
    #[error("AWS sent the same marker twice: the list would never end")]
    MarkerRepeated,
    /// A page with more rows than requested, where that would break `max_items`.
    #[error("AWS sent {rows} rows, but the request had a limit of {limit}")]
    PageTooLong {
        /// How many rows came.
        rows: usize,
        /// How many were requested.
        limit: u32,
    },
    /// AWS rejected a create that may have succeeded before, and the look-up of its tape failed.
    #[error("{refusal}; the look-up of the tape failed: {cause}")]
    LookUpFailed {
        /// How AWS rejected the create.
        refusal: Box<Fault>,
        /// Why the look-up failed.
        cause: Box<Fault>,
    },
    /// The SDK could not make the request: its configuration is wrong, or the credentials did not
    /// come in time.
    #[error("the request to AWS could not be sent: {cause}")]
    NotSent {
        /// The error of the SDK.
        cause: String,
    },
    /// The shutdown of the service ended the call.
    #[error("the shutdown of the service ended the call")]
    ShuttingDown,
    /// The service closed the connection of the call.
    #[error("the service closed the connection of the call: it was too old, or its place was needed")]
    ConnectionClosed,
    /// The service itself ended the call, because of a defect.
    #[error("the service ended the call: {cause}")]
    Internal {
        /// What happened.
        cause: String,
    },
}

impl Fault {
    /// The fault as a failure of a call that took `attempts`.
    pub fn after(self, attempts: Attempts) -> Failure {
        Failure {
            outcome: self.outcome(),
            fault: self,
            attempts,
            earlier: Outcome::NotApplied,
            upstream_retry_after: None,
            pacer_retry_after: None,
        }
    }

    /// The row of the table of failures.
    pub fn row(&self) -> &'static FailureRow {
        let kind = match self {
            Self::Aws {
                code,
                http_status,
                is_internal,
                ..
            } => match table::find_aws(code) {
                Some(row) => return row,
                None => unknown_code(*http_status, *is_internal),
            },
            Self::Http { http_status } => http_error(*http_status),
            Self::Unreadable { .. } | Self::WrongTapes { .. } => ErrorKind::UpstreamUnreadable,
            Self::Unreachable { .. } => ErrorKind::UpstreamUnreachable,
            Self::ConnectionLost { .. } => ErrorKind::UpstreamConnectionLost,
            Self::AttemptTimeout => ErrorKind::AttemptTimeout,
            Self::OperationTimeout => ErrorKind::OperationTimeout,
            Self::Deadline { .. } => ErrorKind::DeadlineExceeded,
            Self::Paced { .. } => ErrorKind::UpstreamBusy,
            Self::Denied { .. } => ErrorKind::PermissionDenied,
            Self::QuotaUsedUp { .. } => ErrorKind::LimitReached,
            Self::LimitsUnavailable { .. } => ErrorKind::LimitsUnavailable,
            Self::TapeExists { .. } => ErrorKind::TapeExists,
            Self::BarcodeTaken => ErrorKind::BarcodeTaken,
            Self::NoCredentials { .. } => ErrorKind::NoAwsCredentials,
            Self::WrongAccount { .. } => ErrorKind::WrongAccount,
            Self::MarkerRepeated => ErrorKind::UpstreamMarkerRepeated,
            Self::PageTooLong { .. } => ErrorKind::UpstreamPageTooLong,
            // A caller's library may retry what is only unavailable; then the tape is looked up
            // again. So the status is that of the look-up.
            Self::LookUpFailed { cause, .. } => match cause.row().status {
                StatusCode::DeadlineExceeded => ErrorKind::LookUpDeadline,
                StatusCode::Unavailable => ErrorKind::LookUpUnavailable,
                _ => ErrorKind::LookUpFailed,
            },
            Self::NotSent { .. } => ErrorKind::UpstreamNotAsked,
            Self::ShuttingDown => ErrorKind::ShuttingDown,
            Self::ConnectionClosed => ErrorKind::ConnectionClosed,
            Self::Internal { .. } => ErrorKind::Internal,
        };
        kind.row()
    }

    /// Whether another attempt of the same call can follow.
    pub fn retry_rule(&self, kind: OperationKind) -> RetryRule {
        let row = self.row();
        match self.rejects_the_date(row) {
            true => RetryRule::Once,
            false => row.retry_rule(kind),
        }
    }

    /// What is known of a create after one attempt that ended so.
    pub fn outcome(&self) -> Outcome {
        self.row().outcome
    }

    /// Whether AWS throttles.
    pub fn is_throttling(&self) -> bool {
        let is_429 = matches!(self, Self::Aws { http_status: 429, .. });
        is_429 || self.row().attempt == AttemptResult::Throttled
    }

    /// Whether no response of AWS itself came: no connection, a timeout, or a proxy's response.
    pub fn is_no_answer(&self) -> bool {
        self.row().attempt == AttemptResult::NoAnswer
    }

    /// Whether the AWS credentials or the clock of this service are wrong, which no caller can fix.
    pub fn is_about_credentials(&self) -> bool {
        self.row().is_about_credentials()
    }

    /// Whether AWS rejected the date of a request and not the credentials that signed it.
    pub fn is_about_clock(&self) -> bool {
        self.rejects_the_date(self.row())
    }

    fn rejects_the_date(&self, row: &FailureRow) -> bool {
        match row.attempt {
            AttemptResult::BadClock => true,
            AttemptResult::BadSignature => matches!(self, Self::Aws { misdated: true, .. }),
            _ => false,
        }
    }
}

/// Whether an AWS code is about the credentials or the clock of this service.
pub fn is_about_credentials(code: &str) -> bool {
    table::find_aws(code).is_some_and(FailureRow::is_about_credentials)
}

fn http_error(http_status: u16) -> ErrorKind {
    match http_status {
        // AWS names a code where it refuses a request. Without one, the response is a proxy's, or that
        // of a server which is not AWS.
        401 | 403 | 404 | 405 | 407 => ErrorKind::HttpNotAws,
        408 => ErrorKind::Http408,
        429 => ErrorKind::Http429,
        400..=499 => ErrorKind::Http4xx,
        500 => ErrorKind::Http500,
        502 => ErrorKind::Http502,
        503 => ErrorKind::Http503,
        504 => ErrorKind::Http504,
        _ => ErrorKind::HttpOther,
    }
}

fn unknown_code(http_status: u16, is_internal: bool) -> ErrorKind {
    match http_status {
        408 => ErrorKind::UnknownCode408,
        429 => ErrorKind::UnknownCode429,
        // The model has status 400 for InternalServerError.
        400..=499 if is_internal => ErrorKind::UnknownCodeOther,
        400..=499 => ErrorKind::UnknownCode4xx,
        500 => ErrorKind::UnknownCode500,
        502..=504 => ErrorKind::UnknownCode50x,
        _ => ErrorKind::UnknownCodeOther,
    }
}
