use std::{collections::HashMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A call that failed: what the service says in the details of the status, or what the client library says.
///
/// `docs/errors.md` of the service lists the reasons.
#[derive(Clone, Debug)]
pub struct Error {
    /// The code of the status.
    pub code: Code,
    /// The message, for people.
    pub message: String,
    /// The value to branch on, such as `GATEWAY_NOT_FOUND`. `None` if the error does not come from the service, but
    /// from the client library or a proxy.
    pub reason: Option<String>,
    /// Whether to make the same call again.
    pub verdict: Verdict,
    /// For a create: whether tapes may have been created.
    pub outcome: Option<Outcome>,
    /// How long to wait before the same call.
    pub retry_delay: Option<Duration>,
    /// The invalid fields of the request.
    pub violations: Vec<FieldViolation>,
    /// The id of the call in the log of the service.
    pub request_id: Option<String>,
    /// All metadata of the `ErrorInfo`.
    pub metadata: HashMap<String, String>,
}

/// Whether the same call can succeed (`retry` in the metadata of `ErrorInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make the same call again, with the same `client_token` or barcode; resume a list at its last marker.
    SameCall,
    /// The call fails until the request, a permission or the state of the gateway has changed.
    AfterChange,
    /// Nothing more is to be done.
    Never,
}

/// What is known of a create that failed (`outcome` in the metadata of `ErrorInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This call created no tape.
    NotApplied,
    /// Tapes may have been created.
    Unknown,
}

/// An invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Its name, such as `tags[0].key`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Error {
    /// Whether a create that failed with this error may have created tapes, in its last attempt or in one before. Then
    /// keep its `client_token` or barcode: only the same call can find out.
    pub fn may_have_created(&self) -> bool {
        self.outcome != Some(Outcome::NotApplied) || self.metadata.contains_key("earlier_outcome")
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let metadata = info.map(|info| info.metadata.clone()).unwrap_or_default();
        let violations = details.bad_request().map(|bad| &bad.field_violations);
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            reason: info.map(|info| info.reason.clone()),
            verdict: match metadata.get("retry").map(String::as_str) {
                Some("after_change") => Verdict::AfterChange,
                Some("never") => Verdict::Never,
                Some(_) => Verdict::SameCall,
                None => verdict_without_info(status.code()),
            },
            outcome: match metadata.get("outcome").map(String::as_str) {
                Some("not_applied") => Some(Outcome::NotApplied),
                Some(_) => Some(Outcome::Unknown),
                None => None,
            },
            retry_delay: details.retry_info().and_then(|retry| retry.retry_delay),
            violations: violations
                .into_iter()
                .flatten()
                .map(|violation| FieldViolation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect(),
            request_id: details.request_info().map(|info| info.request_id.clone()),
            metadata,
        }
    }
}

/// The verdict about an error of the client library or a proxy. Nobody knows what became of the call, but some codes say
/// that it fails again.
fn verdict_without_info(code: Code) -> Verdict {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::OutOfRange
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented => Verdict::AfterChange,
        _ => Verdict::SameCall,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref().unwrap_or("not from the service");
        write!(f, "{} ({:?}, {reason})", self.message, self.code)?;
        // The message has the first.
        for violation in self.violations.iter().skip(1) {
            write!(f, "; {}: {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
