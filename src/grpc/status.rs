//! The only place that makes a [`Status`].
//!
//! Every error carries an `ErrorInfo`: reasons of this service have the domain [`DOMAIN`], codes of
//! AWS have [`AWS_DOMAIN`]. Codes and reasons stand in the
//! [table of failures](crate::domain::failure::table).
//!
//! Stock clients accept 8 KiB of trailers, and nginx 4 KiB. So a message has at most [`MAX_MESSAGE`], and
//! message and details together have at most [`MAX_ENCODED`].

mod advice;
mod failed;
mod fault_owner;
mod rejected;
mod verdict;

use std::{collections::HashMap, time::Duration};

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, ErrorInfo, FieldViolation, StatusExt};

pub use self::{
    fault_owner::{classify, is_server_error, name_of},
    rejected::{Overload, cut, limited, overloaded, reason_of, unauthenticated},
};
use crate::{
    domain::{Attempts, ErrorDomain, ErrorKind, Failure, Operation, Outcome},
    grpc::violations::Violations,
};

/// The `ErrorInfo` domain of this service's own reasons.
pub const DOMAIN: &str = ErrorDomain::Tapegate.as_str();

/// The `ErrorInfo` domain of AWS codes.
pub const AWS_DOMAIN: &str = ErrorDomain::Aws.as_str();

/// The most bytes of message and details as they go on the wire: percent-encoded, and in base64. 640 bytes of
/// nginx's 4 KiB are left for the other headers and the frames around them.
pub const MAX_ENCODED: usize = 3456;

/// The most bytes of a message as it goes on the wire, percent-encoded.
pub const MAX_MESSAGE: usize = 1024;

/// The key in the metadata of `ErrorInfo` for the outcome of a failed create.
pub const OUTCOME: &str = "outcome";

/// The key in the metadata of `ErrorInfo` for what is known of the attempts before the last one: there only
/// if that is `unknown`.
pub const EARLIER_OUTCOME: &str = "earlier_outcome";

/// The key of the reason of the last failed attempt in the metadata of `ErrorInfo`.
pub const LAST_REASON: &str = "last_reason";

/// The key in the metadata of `ErrorInfo` for what `not_applied` is said of: `call`, this call alone,
/// or `barcode`, which was looked up.
pub const OUTCOME_SCOPE: &str = "outcome_scope";

/// The key in the metadata of `ErrorInfo` for what the caller may do.
pub const RETRY: &str = "retry";

/// The key in the metadata of `ErrorInfo` for whether an existing tape matches the request.
const MATCHES: &str = "matches";

/// The trailer that makes a client's library wait before it retries the call (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

const BROKEN_REQUEST: &str =
    "the client cancelled the call or lost the connection before its request was complete";

/// What a message of tonic about a request that is too large lacks.
const TOO_LARGE_ADVICE: &str = "(setting max_request_bytes); name fewer tapes in one call";

const NO_METHOD: &str = "unknown method; use one that reflection lists";

/// The metadata of `ErrorInfo` that say which operation failed, and what it took.
fn call_metadata(operation: &str, attempts: &Attempts) -> Vec<(&'static str, String)> {
    let id = attempts.request_id.as_ref();
    [
        ("operation", operation.to_owned()),
        ("attempts", attempts.count.to_string()),
    ]
    .into_iter()
    .chain(id.map(|id| ("aws_request_id", id.to_string())))
    .collect()
}

/// The bytes of the details that are kept free for [`complete`]: `RequestInfo` with an id of 128
/// characters, an outcome with its scope, and a verdict.
const RESERVED: usize = 320;

/// The most bytes of the message about an invalid request, percent-encoded. It is shorter than others, so that
/// the details have room for the longest violation in full.
const MAX_INVALID_MESSAGE: usize = 512;

/// An invalid request. All violations are reported at once, as far as they fit.
pub fn invalid(violations: &Violations) -> Status {
    let all = violations.as_slice();
    let shown = |count: usize| {
        let mut details = error_info_of(ErrorKind::InvalidRequest);
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
            left => format!(" ({left} of them are left out of the details, which are full)"),
        };
        // The numbers have room however long the first violation is.
        let numbers = others + &left_out;
        let room = MAX_INVALID_MESSAGE - wire_length(&numbers);
        let first = shortened(&format!("invalid request: {first}"), room);
        make(
            ErrorKind::InvalidRequest.row().status.into(),
            &(first + &numbers),
            details,
        )
    };
    // How many fit is found by bisection, so that 1,000 violations cost ten tries.
    let fits = |count: &usize| {
        let status = shown(*count);
        wire_length(status.message()) + base64_length(status.details().len() + RESERVED) <= MAX_ENCODED
    };
    let count = if fits(&all.len()) {
        all.len()
    } else {
        largest(all.len(), fits)
    };
    shown(count)
}

/// A call that failed after its request was valid.
pub fn failed<O: Operation>(operation: &O, failure: &Failure) -> Status {
    failed::status(&failed::FailedOperation::of(operation), failure)
}

/// Bytes that cannot be decoded as a request of the method.
pub fn malformed(what: &str) -> Status {
    plain(ErrorKind::MalformedRequest, what)
}

/// A call whose deadline passed before its request was read.
pub fn out_of_time() -> Status {
    plain(
        ErrorKind::DeadlineExceeded,
        "the deadline of the call passed before its request was read; set a longer deadline",
    )
}

/// A health watch or a reflection stream whose deadline has passed.
pub fn stream_deadline() -> Status {
    plain(
        ErrorKind::DeadlineExceeded,
        "the deadline of the call passed: its `grpc-timeout`; set a longer deadline, or open the stream again",
    )
}

/// A health check of a service that does not exist.
pub fn unknown_service() -> Status {
    plain(
        ErrorKind::NotFound,
        "unknown service; check the health of tapegate.v1.TapeService, or of \"\"",
    )
}

/// A call of a method that does not exist.
pub fn unknown_method() -> Status {
    plain(ErrorKind::UnknownMethod, NO_METHOD)
}

/// The `ErrorInfo` of a status, if it has one.
pub fn error_info(status: &Status) -> Option<ErrorInfo> {
    status.get_details_error_info()
}

/// A defect of this service.
pub fn internal(what: &str) -> Status {
    plain(ErrorKind::Internal, what)
}

/// Completes the error in these headers or trailers, if there is one.
///
/// Each error gets the call's request id. One that tonic made itself, before any code of this
/// service ran, gets details, and the code that gRPC has for its case. A create without an
/// outcome in its details gets this `outcome`. Each error says what the caller may do.
///
/// If the stream of the request broke (`is_broken`), that is the cause of an error of tonic, which takes a
/// reset stream for an empty request.
pub fn complete(
    headers: &mut HeaderMap,
    outcome: impl FnOnce() -> Option<Outcome>,
    is_broken: bool,
    request_id: &str,
) {
    if let Some(status) = Status::from_header_map(headers)
        && status.code() != Code::Ok
    {
        completed(&status, outcome(), is_broken, request_id)
            .add_header(headers)
            .expect("what is percent-encoded or base64 can be in a header");
    }
}

fn completed(status: &Status, outcome: Option<Outcome>, is_broken: bool, request_id: &str) -> Status {
    let (code, message, mut details) = if status.details().is_empty() {
        let kind = match is_broken {
            true => ErrorKind::Transport,
            false => kind_of_tonic(status),
        };
        let message = match (kind, status.message()) {
            (ErrorKind::Transport, _) if is_broken => BROKEN_REQUEST.to_owned(),
            (ErrorKind::UnknownMethod, _) => NO_METHOD.to_owned(),
            (ErrorKind::RequestTooLarge, message) => format!("{message} {TOO_LARGE_ADVICE}"),
            (_, message) => message.to_owned(),
        };
        (kind.row().status.into(), message, error_info_of(kind))
    } else {
        let message = status.message().to_owned();
        (status.code(), message, status.get_error_details())
    };
    if let Some(info) = details.error_info() {
        let mut info = info.clone();
        if let Some(outcome) = outcome {
            let known = info.metadata.entry(OUTCOME.to_owned());
            known.or_insert_with(|| outcome.to_string());
        }
        if info
            .metadata
            .get(OUTCOME)
            .is_some_and(|outcome| outcome == Outcome::NotApplied.as_str())
        {
            let scope = info.metadata.entry(OUTCOME_SCOPE.to_owned());
            scope.or_insert_with(|| "call".to_owned());
        }
        let verdict = verdict::of_status(code, &info, details.retry_info().is_some());
        info.metadata
            .insert(RETRY.to_owned(), verdict.as_str().to_owned());
        details.set_error_info(info.reason, info.domain, info.metadata);
    }
    details.set_request_info(request_id, "");
    make(code, &message, details)
}

/// The failure behind a status that tonic, or its health and reflection services, made.
fn kind_of_tonic(status: &Status) -> ErrorKind {
    match status.code() {
        // A message over the limit, before or after it is decompressed.
        Code::OutOfRange | Code::ResourceExhausted => ErrorKind::RequestTooLarge,
        // For an unknown path tonic sends no message.
        Code::Unimplemented if status.message().is_empty() => ErrorKind::UnknownMethod,
        Code::Unimplemented => ErrorKind::UnsupportedCompression,
        // A message that cannot be decoded.
        Code::Internal | Code::InvalidArgument => ErrorKind::MalformedRequest,
        Code::NotFound => ErrorKind::NotFound,
        // A stream that broke while it was read.
        _ => ErrorKind::Transport,
    }
}

fn plain(kind: ErrorKind, message: &str) -> Status {
    make(kind.row().status.into(), message, error_info_of(kind))
}

fn error_info_of(kind: ErrorKind) -> ErrorDetails {
    let row = kind.row();
    ErrorDetails::with_error_info(row.reason, row.domain.as_str(), HashMap::new())
}

/// Makes a client's library wait before it retries.
fn add_pushback(status: &mut Status, delay: Duration) {
    let millis = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
    status.metadata_mut().insert(PUSHBACK, millis.into());
}

fn make(code: Code, message: &str, details: ErrorDetails) -> Status {
    Status::with_error_details(code, shortened(message, MAX_MESSAGE), details)
}

/// The largest count below `over` that `fits`; all smaller ones fit as well.
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

/// The message, or as much of its beginning as takes at most `max` bytes on the wire.
fn shortened(message: &str, max: usize) -> String {
    const MORE: &str = "…";
    if wire_length(message) <= max {
        return message.to_owned();
    }
    let mut room = max.saturating_sub(wire_length(MORE));
    let mut kept = String::new();
    for c in message.chars() {
        match room.checked_sub(wire_length(c.encode_utf8(&mut [0; 4]))) {
            Some(left) => room = left,
            None => return kept + MORE,
        }
        kept.push(c);
    }
    kept + MORE
}

/// The bytes of a message on the wire. Each byte that tonic escapes takes three: spaces, and more
/// punctuation than gRPC requires.
fn wire_length(text: &str) -> usize {
    const ESCAPED: &[u8] = b"\"#%<>`?{}";
    let length = |byte: u8| match byte.is_ascii_graphic() && !ESCAPED.contains(&byte) {
        true => 1,
        false => 3,
    };
    text.bytes().map(length).sum()
}

/// The length of so many bytes in base64 without padding.
fn base64_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}
