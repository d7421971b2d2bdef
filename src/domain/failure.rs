use super::Attempts;

/// Why a call did not succeed, and what it took.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Failure {
    /// What went wrong, in the last attempt.
    pub fault: Fault,
    /// What the call cost.
    pub attempts: Attempts,
}

/// What can go wrong beyond the request itself.
///
/// The texts are for people; programs tell faults apart by the reason that
/// [`crate::status`] gives each.
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
    #[error("the upstream did not answer in time (setting upstream.attempt_timeout)")]
    AttemptTimeout,
    /// The caller's deadline passed.
    #[error("the call's deadline passed")]
    Deadline {
        /// Whether an attempt had begun.
        sent: bool,
    },
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
            fault: self,
            attempts,
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
}

/// Whether an AWS code is about the credentials or the clock of whoever signed. Services
/// differ in whether a name ends in `Exception`.
pub fn is_about_credentials(code: &str) -> bool {
    const NAMES: [&str; 8] = [
        "AuthenticationFailure",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignature",
        "MissingAuthenticationToken",
        "RequestExpired",
        "UnrecognizedClient",
    ];
    NAMES.contains(&code.strip_suffix("Exception").unwrap_or(code))
}
