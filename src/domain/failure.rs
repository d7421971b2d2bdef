use std::time::Duration;

use super::{
    Attempts, OperationKind, Outcome,
    aws_code::{self, RetryRule, is_about_credentials},
};

/// Why a call did not succeed, and what it took.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Failure {
    /// What went wrong, in the last attempt.
    pub fault: Fault,
    /// What the call cost.
    pub attempts: Attempts,
    /// What it has come to, if it was a create.
    pub outcome: Outcome,
    /// What the attempts before the last one have come to, if it was a create; those of the
    /// caller's library included.
    pub earlier: Outcome,
    /// How long the upstream asks to wait before the next attempt.
    pub asked: Option<Duration>,
    /// How long a caller had better wait before a repeat of the call, where that is known.
    pub retry_after: Option<Duration>,
}

/// What can go wrong beyond the request itself.
///
/// The texts are for people; programs tell faults apart by the reason that
/// [`crate::grpc::status`] gives each.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// AWS refused or failed, and named a code.
    #[error("AWS answered {code}: {message}")]
    Aws {
        /// The nested `error.errorCode` where there is one, else the exception's name.
        code: String,
        /// Whether `code` is the nested one.
        nested: bool,
        /// AWS's own words; they differ by region and are never matched.
        message: String,
        /// The HTTP status of the answer.
        http_status: u16,
        /// Whether the request's date was off AWS's by minutes; the next one's will not be.
        misdated: bool,
    },
    /// An answer of failure that names no code: a proxy's page, an empty body.
    #[error("the upstream answered HTTP {http_status} without an AWS error code")]
    Http {
        /// The HTTP status of the answer.
        http_status: u16,
    },
    /// An answer of success that is not what the service model promises.
    #[error("the upstream's answer could not be understood: {what}")]
    Unreadable {
        /// What is wrong with it.
        what: String,
    },
    /// Nothing was sent: no connection came about.
    #[error("the upstream cannot be reached: {cause}")]
    Unreachable {
        /// What the connector said.
        cause: String,
    },
    /// The connection ended before a whole answer came.
    #[error("the connection to the upstream was lost: {cause}")]
    ConnectionLost {
        /// What the connection said.
        cause: String,
    },
    /// An attempt took longer than its bound.
    #[error(
        "the upstream did not answer in time (settings upstream.attempt_timeout and upstream.create_timeout)"
    )]
    AttemptTimeout,
    /// The attempts of one fetch took longer than their bound.
    #[error("the upstream gave no answer in time (setting upstream.operation_timeout)")]
    OperationTimeout,
    /// The call's deadline passed.
    #[error("the call's deadline passed{}", last.as_ref().map(|last| format!("; before that: {last}")).unwrap_or_default())]
    Deadline {
        /// Why the last attempt that ended before did not succeed.
        last: Option<Box<Fault>>,
    },
    /// So many calls wait for their turn that this one's would come too late.
    #[error(
        "too many calls wait for their turn upstream: this one's would come in {wait:?}, after its deadline"
    )]
    Paced {
        /// How long its turn is away.
        wait: Duration,
    },
    /// No policy lets the caller do this.
    #[error("the caller is not allowed {action} on {resource}")]
    Denied {
        /// The operation.
        action: &'static str,
        /// The gateway's ARN, or `ACCOUNT/REGION`.
        resource: String,
    },
    /// The caller has used up what it may have.
    #[error("the caller's quota is used up: {quota}")]
    QuotaUsedUp {
        /// Which quota, and how much it is.
        quota: String,
        /// When there will be room for the call again; `None` where there never is.
        wait: Option<Duration>,
    },
    /// The barcode has a tape already.
    #[error("a tape with this barcode exists already: {}", if differs.is_empty() { "it matches".to_owned() } else { format!("it differs in {}", differs.join(", ")) })]
    TapeExists {
        /// In what the tape is not the one that was asked for; empty when it matches.
        differs: Vec<&'static str>,
    },
    /// The barcode has a tape already, of which the caller is to learn no more.
    #[error("the barcode is taken by a tape of another gateway")]
    BarcodeTaken,
    /// The service has no AWS credentials to sign with.
    #[error("no AWS credentials: {cause}")]
    NoCredentials {
        /// What the credentials chain said.
        cause: String,
    },
    /// A list that goes in circles.
    #[error("the upstream repeated a marker: the list would never end")]
    MarkerRepeated,
    /// A page with more rows than were asked for, where that would break `max_items`.
    #[error("the upstream sent {rows} rows where at most {limit} were asked for")]
    PageTooLong {
        /// How many came.
        rows: usize,
        /// How many were asked for.
        limit: u32,
    },
    /// AWS refused a create that may have succeeded before, and whether it had could not be
    /// found out.
    #[error("{refusal}; whether the tape exists could not be looked up: {cause}")]
    LookUpFailed {
        /// What AWS said of the create.
        refusal: Box<Fault>,
        /// Why looking failed.
        cause: Box<Fault>,
    },
    /// The SDK could not so much as make the request: its configuration is wrong, or the
    /// credentials did not come in time.
    #[error("the request to the upstream could not be made: {cause}")]
    NotSent {
        /// What the SDK said.
        cause: String,
    },
    /// The service ended the call from within: a defect, or a stop.
    #[error("the call was ended from within: {cause}")]
    Internal {
        /// What happened.
        cause: String,
    },
}

impl Fault {
    /// The fault as a failure of a call that cost `attempts`.
    pub fn after(self, attempts: Attempts) -> Failure {
        Failure {
            outcome: self.outcome(),
            fault: self,
            attempts,
            earlier: Outcome::NotApplied,
            asked: None,
            retry_after: None,
        }
    }

    /// Whether the fault is the service's own trouble with its AWS credentials or its
    /// clock, which no caller can mend.
    pub fn is_about_credentials(&self) -> bool {
        match self {
            Self::NoCredentials { .. } => true,
            Self::Aws { code, .. } => is_about_credentials(code),
            _ => false,
        }
    }

    /// Whether AWS refused a request for its date, and not for the credentials that signed it.
    pub fn is_about_clock(&self) -> bool {
        match self {
            Self::Aws { code, misdated, .. } => aws_code::is_about_clock(code, *misdated),
            _ => false,
        }
    }

    /// Whether the upstream says that it is asked too much.
    pub fn is_throttling(&self) -> bool {
        match self {
            Self::Aws {
                code, http_status, ..
            } => aws_code::is_throttling(code) || *http_status == 429,
            Self::Http { http_status } => *http_status == 429,
            _ => false,
        }
    }

    /// Whether the upstream gave no answer that had anything to do with the call: it could
    /// not be reached, not even by a proxy, or went silent.
    pub fn is_no_answer(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::ConnectionLost { .. }
                | Self::AttemptTimeout
                | Self::Http {
                    http_status: 502..=504,
                }
        )
    }

    /// What an attempt of a create has come to that ended so.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Aws { code, .. } => aws_code::outcome(code),
            Self::Http { http_status: 429 }
            | Self::Unreachable { .. }
            | Self::NoCredentials { .. }
            | Self::NotSent { .. }
            | Self::Denied { .. }
            | Self::QuotaUsedUp { .. }
            | Self::Paced { .. }
            | Self::MarkerRepeated
            | Self::PageTooLong { .. }
            | Self::TapeExists { .. }
            | Self::BarcodeTaken => Outcome::NotApplied,
            Self::Http { .. }
            | Self::Unreadable { .. }
            | Self::ConnectionLost { .. }
            | Self::AttemptTimeout
            | Self::OperationTimeout
            | Self::Deadline { .. }
            | Self::LookUpFailed { .. }
            | Self::Internal { .. } => Outcome::Unknown,
        }
    }

    /// Whether an attempt that ended so may be followed by another of the same call.
    pub fn retry_rule(&self, kind: OperationKind) -> RetryRule {
        match self {
            Self::Aws { .. } if self.is_about_clock() => RetryRule::Once,
            Self::Aws {
                code, http_status, ..
            } => aws_code::retry_rule(code, kind).unwrap_or_else(|| by_status(*http_status)),
            Self::Http { http_status } => by_status(*http_status),
            Self::Unreachable { .. } | Self::ConnectionLost { .. } | Self::AttemptTimeout => RetryRule::Soon,
            _ => RetryRule::Never,
        }
    }
}

/// Whether a call can be repeated that was answered with this status and no code that says.
fn by_status(http_status: u16) -> RetryRule {
    match http_status {
        408 | 429 | 500 | 502..=504 => RetryRule::Soon,
        _ => RetryRule::Never,
    }
}
