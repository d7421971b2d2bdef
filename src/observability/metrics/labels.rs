//! Attribute values from bounded sets, for things that can be anything.

use crate::domain::{AttemptResult, Fault};

/// Stands for anything without a name here (OpenTelemetry's word).
pub use crate::domain::failure::table::OTHER;

/// An attempt that had no response when the call's deadline passed.
pub const DEADLINE: &str = "deadline";

/// An attempt whose caller cancelled.
pub const GIVEN_UP: &str = "given_up";

/// An attempt that panicked, which is a defect of the service.
pub const PANIC: &str = "panic";

/// The value of `tapegate.outcome` of an attempt that ended so.
pub fn outcome(fault: Option<&Fault>) -> &'static str {
    match fault {
        None => "ok",
        Some(fault) if fault.is_throttling() => "throttled",
        Some(fault) => match fault.row().attempt {
            AttemptResult::NotSent | AttemptResult::NoCredentials => "not_sent",
            AttemptResult::NoAnswer => "no_answer",
            _ => "error",
        },
    }
}

/// The value of `error.type`: an AWS code that has a row, or a word of this service.
pub fn error_type(fault: &Fault) -> &'static str {
    fault.row().error_type()
}
