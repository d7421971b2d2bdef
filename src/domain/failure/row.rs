use std::fmt;

use super::StatusCode;
use crate::domain::OperationKind;

/// One row of the [table of failures](super::table): all that follows from a failure.
#[derive(Clone, Debug)]
pub struct FailureRow {
    /// The AWS code as AWS spells it, or what metrics call a failure without one (`error.type`).
    pub name: &'static str,
    /// The domain of the reason in `ErrorInfo`.
    pub domain: ErrorDomain,
    /// The reason in `ErrorInfo`.
    pub reason: &'static str,
    /// The gRPC status code.
    pub status: StatusCode,
    /// Who can fix it.
    pub owner: FaultOwner,
    /// The level of the log line of a call that ends with it.
    pub level: LogLevel,
    /// Whether it counts against the availability objective.
    pub burns_objective: bool,
    /// Whether the service retries a read.
    pub read: RetryRule,
    /// Whether the service retries a create.
    pub create: RetryRule,
    /// What is known of a create after one attempt that ended with it.
    pub outcome: Outcome,
    /// How an attempt ended, for pacing, credentials and metrics.
    pub attempt: AttemptResult,
    /// After how many seconds a caller can retry, where that does not follow from the rules.
    pub caller_delay: Option<u64>,
    /// What a caller can do.
    pub advice: &'static str,
}

impl FailureRow {
    /// Whether the service retries a call of this kind.
    pub fn retry_rule(&self, kind: OperationKind) -> RetryRule {
        match kind {
            OperationKind::Read => self.read,
            OperationKind::Create => self.create,
        }
    }

    /// What metrics call the failure: the AWS code, or a word of OpenTelemetry or of this service.
    pub fn error_type(&self) -> &'static str {
        self.name.trim_end()
    }

    /// Whether the AWS credentials or the clock of this service are wrong.
    pub fn is_about_credentials(&self) -> bool {
        matches!(
            self.attempt,
            AttemptResult::NoCredentials
                | AttemptResult::BadCredentials
                | AttemptResult::BadSignature
                | AttemptResult::BadClock
        )
    }

    /// Whether the AWS role of this service lacks a permission.
    pub fn is_about_permissions(&self) -> bool {
        matches!(
            self.name,
            "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized"
        )
    }

    /// The part that log and metrics need.
    pub fn classification(&self) -> Classification {
        Classification {
            owner: Some(self.owner),
            level: self.level,
            burns_objective: self.burns_objective,
        }
    }
}

/// What log and metrics make of the end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classification {
    /// Who can fix the failure; `None` for a success.
    pub owner: Option<FaultOwner>,
    /// The level of the log line.
    pub level: LogLevel,
    /// Whether the call counts against the availability objective.
    pub burns_objective: bool,
}

impl Classification {
    /// The same for a call whose caller was not authenticated: its own mistakes and its deadline
    /// are nobody's to fix.
    #[must_use]
    pub fn unauthenticated(self) -> Self {
        match self.owner {
            Some(FaultOwner::Caller | FaultOwner::Deadline) => Self {
                owner: Some(FaultOwner::Unauthenticated),
                level: LogLevel::Info,
                burns_objective: false,
            },
            _ => self,
        }
    }
}

/// Who can fix a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultOwner {
    /// The caller: its request is invalid or not allowed, or it cancelled the call.
    Caller,
    /// A caller that was not authenticated, or whose call ended before that was checked.
    Unauthenticated,
    /// Not known: the call's deadline passed.
    Deadline,
    /// The operator of a gateway, which is offline or failed.
    Gateway,
    /// AWS, or the operator of the network to it.
    Aws,
    /// The operator of this service: its AWS role, its keys, its capacity, its defects.
    Service,
}

impl FaultOwner {
    /// All owners.
    pub const ALL: [Self; 6] = [
        Self::Caller,
        Self::Unauthenticated,
        Self::Deadline,
        Self::Gateway,
        Self::Aws,
        Self::Service,
    ];

    /// The value of the metric attribute `tapegate.fault_owner`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Unauthenticated => "unauthenticated",
            Self::Deadline => "deadline",
            Self::Gateway => "gateway",
            Self::Aws => "aws",
            Self::Service => "service",
        }
    }
}

/// The level of the log line of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Normal operation.
    Info,
    /// Probably something for an operator.
    Warn,
    /// A failure that should not happen.
    Error,
}

/// The domain of a reason in `ErrorInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorDomain {
    /// Reasons of this service.
    Tapegate,
    /// Codes of AWS.
    Aws,
}

impl ErrorDomain {
    /// The domain as `ErrorInfo` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tapegate => "tapegate",
            Self::Aws => "storagegateway.amazonaws.com",
        }
    }
}

/// Whether a retry of the same request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryRule {
    /// It cannot.
    Never,
    /// Once, after the service has refreshed its credentials or its clock.
    Once,
    /// After a pause.
    Soon,
    /// After the longest pause, because the obstacle takes long to go away.
    Slowly,
}

/// What is known of a create that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It made no tape.
    NotApplied,
    /// It may have made its tapes.
    Unknown,
}

/// The value of `outcome` in the metadata of `ErrorInfo`.
impl Outcome {
    /// The outcome as callers and operators see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an attempt ended that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// AWS throttles.
    Throttled,
    /// No response of AWS itself came.
    NoAnswer,
    /// The request was not sent.
    NotSent,
    /// The request was not sent, because there are no AWS credentials.
    NoCredentials,
    /// AWS rejected the credentials.
    BadCredentials,
    /// AWS rejected the signature. AWS's JSON services do so for a wrong date as well.
    BadSignature,
    /// AWS rejected the date of the signature.
    BadClock,
    /// Any other failure.
    Failed,
}

/// What a caller may do after a failure: the value of `retry` in the metadata of `ErrorInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryVerdict {
    /// Make the same call again, with the same token or barcode; after the delay of `RetryInfo`, if
    /// there is one. A create makes no second tape.
    SameCall,
    /// The same call fails again until the request, a permission or the state of something else
    /// changes.
    AfterChange,
    /// No further call is needed or can help.
    Never,
}

impl RetryVerdict {
    /// The verdict on an error with this status. `has_delay` says that it has a `RetryInfo`, and
    /// `outcome` is that of a create.
    pub fn of(status: StatusCode, has_delay: bool, outcome: Option<Outcome>) -> Self {
        match status {
            _ if has_delay => Self::SameCall,
            StatusCode::DeadlineExceeded
            | StatusCode::Unavailable
            | StatusCode::Aborted
            | StatusCode::Cancelled => Self::SameCall,
            // Only the same call can find out whether the tapes were created.
            StatusCode::Internal | StatusCode::Unknown | StatusCode::DataLoss
                if outcome == Some(Outcome::Unknown) =>
            {
                Self::SameCall
            }
            _ => Self::AfterChange,
        }
    }

    /// The verdict as callers see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameCall => "same_call",
            Self::AfterChange => "after_change",
            Self::Never => "never",
        }
    }
}
