//! Attributes of a bounded number of values, made of what can be anything.

use crate::{domain::Fault, grpc::status};

/// What anything is called that has no name here (OpenTelemetry's word for it).
pub const OTHER: &str = "_OTHER";

/// Of an attempt whose answer did not come before the call's deadline.
pub const DEADLINE: &str = "deadline";

/// Of an attempt whose caller has gone.
pub const GIVEN_UP: &str = "given_up";

/// How an attempt ended, in a word: throttling and silence are no errors of AWS's.
pub fn outcome(fault: Option<&Fault>) -> &'static str {
    match fault {
        None => "ok",
        Some(fault) if fault.is_throttling() => "throttled",
        Some(Fault::Paced { .. } | Fault::NotSent { .. } | Fault::NoCredentials { .. }) => "not_sent",
        Some(fault) if fault.is_no_answer() => "no_answer",
        Some(_) => "error",
    }
}

/// What went wrong: a code of AWS's, if it is one that is known, or a reason of this service.
pub fn error_type(fault: &Fault) -> &'static str {
    match fault {
        Fault::Aws { code, .. } => status::known_code(code).unwrap_or(OTHER),
        Fault::Http { http_status } => match http_status {
            429 => "429",
            502 => "502",
            503 => "503",
            504 => "504",
            400..=499 => "4xx",
            _ => "5xx",
        },
        Fault::Unreadable { .. } => "unreadable",
        Fault::Unreachable { .. } => "unreachable",
        Fault::ConnectionLost { .. } => "connection_lost",
        Fault::AttemptTimeout | Fault::OperationTimeout => "timeout",
        Fault::Deadline { .. } => DEADLINE,
        Fault::Paced { .. } => "paced",
        Fault::NoCredentials { .. } => "no_credentials",
        Fault::NotSent { .. } => "not_sent",
        Fault::MarkerRepeated | Fault::PageTooLong { .. } => "wrong_page",
        Fault::Denied { .. }
        | Fault::QuotaUsedUp { .. }
        | Fault::TapeExists { .. }
        | Fault::BarcodeTaken
        | Fault::LookUpFailed { .. }
        | Fault::Internal { .. } => OTHER,
    }
}
