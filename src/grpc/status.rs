//! The only place that makes a [`Status`].
//!
//! Every error carries an `ErrorInfo`: reasons of this service have the domain
//! [`DOMAIN`], codes of AWS have [`AWS_DOMAIN`]. What callers read is bounded, because
//! stock clients take 8 KiB of trailers: details are kept under [`MAX_DETAILS`], and the
//! message, which is sent beside them, under [`MAX_MESSAGE`].

mod blame;
pub mod codes;
mod entrance;
pub mod reasons;
mod upstream;

use std::collections::HashMap;

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, ErrorInfo, FieldViolation, StatusExt};

use self::reasons::Reason;
pub use self::{
    blame::{Blame, blame},
    entrance::{limited, overloaded, reason_of, refused},
};
use crate::{
    domain::{Failure, Operation, Outcome},
    grpc::convert::Violations,
};

/// The `ErrorInfo` domain of this service's own reasons.
pub const DOMAIN: &str = "tapegate";

/// The `ErrorInfo` domain of codes that AWS answered.
pub const AWS_DOMAIN: &str = "storagegateway.amazonaws.com";

/// The most bytes of the encoded `google.rpc.Status`.
pub const MAX_DETAILS: usize = 4096;

/// The most bytes of a message as it goes on the wire, percent-encoded.
pub const MAX_MESSAGE: usize = 1024;

/// The key in the metadata of `ErrorInfo` that says what a failed create has come to.
pub const OUTCOME: &str = "outcome";

/// How long a client's library is to wait before it repeats the call (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// What is kept free of the details for [`complete`] to add: `RequestInfo` with an id of 128
/// characters, and an outcome.
const RESERVED: usize = 256;

/// A request that breaks rules: every one of them is told at once, as far as they fit.
pub fn invalid(violations: &Violations) -> Status {
    let all = violations.as_slice();
    let shown = |count: usize| {
        let mut details = own(Reason::InvalidRequest);
        let fields = all
            .iter()
            .take(count)
            .map(|v| FieldViolation::new(&v.field, &v.description));
        details.set_bad_request(fields.collect::<Vec<_>>());
        let first = all
            .first()
            .map(|v| format!("{}: {}", v.field, v.description))
            .unwrap_or_default();
        let others = match all.len() {
            0 | 1 => String::new(),
            len => format!(" (and {} more in the details)", len - 1),
        };
        let left_out = match all.len() - count {
            0 => String::new(),
            left => format!(" ({left} of them are left out, for want of room)"),
        };
        make(
            Reason::InvalidRequest.code(),
            &format!("invalid request: {first}{others}{left_out}"),
            details,
        )
    };
    // How many fit is found by trying: halving first, so that 1,000 faults cost ten tries.
    let fits = |count: &usize| shown(*count).details().len() + RESERVED <= MAX_DETAILS;
    let count = if fits(&all.len()) {
        all.len()
    } else {
        largest(all.len(), fits)
    };
    shown(count)
}

/// A call that the upstream did not let succeed.
pub fn failed<O: Operation>(operation: &O, failure: &Failure) -> Status {
    upstream::status(&upstream::Subject::of(operation), failure)
}

/// Bytes that are not the request they should be.
pub fn malformed(what: &str) -> Status {
    plain(Reason::MalformedRequest, what)
}

/// A call whose deadline passed before its request was there.
pub fn out_of_time() -> Status {
    plain(
        Reason::DeadlineExceeded,
        "the call's deadline passed before its request was read",
    )
}

/// Health of a service that is not here.
pub fn unknown_service() -> Status {
    plain(
        Reason::NotFound,
        "no such service is served here: ask for tapegate.v1.TapeService, or for \"\"",
    )
}

/// A method of a service that is not served.
pub fn unknown_method() -> Status {
    plain(Reason::UnknownMethod, NO_METHOD)
}

/// What an error says in its `ErrorInfo`, if it has one.
pub fn error_info(status: &Status) -> Option<ErrorInfo> {
    status.get_details_error_info()
}

/// Whether a status says that this service failed, and not its caller (OpenTelemetry's
/// conventions for gRPC servers).
pub fn is_error_of_server(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// A code of AWS as it is documented, if it is.
pub fn known_code(code: &str) -> Option<&'static str> {
    codes::find(code).map(|row| row.code.trim_end())
}

/// A code as gRPC spells it.
pub fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

const NO_METHOD: &str = "this server has no such method; its reflection lists those it has";

/// A defect of this service.
pub fn internal(what: &str) -> Status {
    plain(Reason::Internal, what)
}

/// Gives the error in these headers or trailers, if there is one, what it lacks that every
/// error of this service has.
///
/// Each gets the call's id. One that tonic made itself, before any of this service's code
/// ran, gets details, and the code that gRPC has for its case. A create that does not say yet
/// what it has come to gets this `outcome`.
pub fn complete(headers: &mut HeaderMap, outcome: Option<Outcome>, request_id: &str) {
    if let Some(status) = Status::from_header_map(headers)
        && status.code() != Code::Ok
    {
        completed(&status, outcome, request_id)
            .add_header(headers)
            .expect("what is percent-encoded or base64 can be in a header");
    }
}

fn completed(status: &Status, outcome: Option<Outcome>, request_id: &str) -> Status {
    let (code, message, mut details) = if status.details().is_empty() {
        let reason = reason_of_tonic(status);
        let message = match (reason, status.message()) {
            (Reason::UnknownMethod, _) => NO_METHOD,
            (_, message) => message,
        };
        (reason.code(), message, own(reason))
    } else {
        (status.code(), status.message(), status.get_error_details())
    };
    if let Some(outcome) = outcome
        && let Some(info) = details.error_info()
        && !info.metadata.contains_key(OUTCOME)
    {
        let mut info = info.clone();
        info.metadata.insert(OUTCOME.to_owned(), outcome.to_string());
        details.set_error_info(info.reason, info.domain, info.metadata);
    }
    details.set_request_info(request_id, "");
    make(code, message, details)
}

/// What a status means that tonic, or its health and reflection, made.
fn reason_of_tonic(status: &Status) -> Reason {
    match status.code() {
        // A message over the limit.
        Code::OutOfRange => Reason::RequestTooLarge,
        // Of a path that it does not know, tonic says nothing.
        Code::Unimplemented if status.message().is_empty() => Reason::UnknownMethod,
        Code::Unimplemented => Reason::UnsupportedCompression,
        // What it cannot read.
        Code::Internal | Code::InvalidArgument => Reason::MalformedRequest,
        Code::NotFound => Reason::NotFound,
        // A stream that broke while it was read; hardly anybody will hear this.
        _ => Reason::Transport,
    }
}

fn plain(reason: Reason, message: &str) -> Status {
    make(reason.code(), message, own(reason))
}

fn own(reason: Reason) -> ErrorDetails {
    ErrorDetails::with_error_info(reason.as_str(), DOMAIN, HashMap::new())
}

fn make(code: Code, message: &str, details: ErrorDetails) -> Status {
    Status::with_error_details(code, bounded(message), details)
}

/// The largest count below `over` that `fits`; those that fit come first.
fn largest(over: usize, fits: impl Fn(&usize) -> bool) -> usize {
    let (mut low, mut high) = (0, over);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(&middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// A message that is short enough on the wire, where each byte that tonic escapes takes
/// three: among them the space, and more marks than gRPC asks for.
fn bounded(message: &str) -> String {
    const MORE: &str = "…";
    const ESCAPED: &str = "\"#%<>`?{}";
    let cost = |c: char| {
        if c.is_ascii_graphic() && !ESCAPED.contains(c) {
            1
        } else {
            3 * c.len_utf8()
        }
    };
    let mut room = MAX_MESSAGE - MORE.chars().map(cost).sum::<usize>();
    let mut kept = String::new();
    for c in message.chars() {
        match room.checked_sub(cost(c)) {
            Some(left) => room = left,
            None => return kept + MORE,
        }
        kept.push(c);
    }
    kept
}
