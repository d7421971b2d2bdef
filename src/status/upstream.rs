use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, QuotaViolation};

use super::{AWS_DOMAIN, DOMAIN, OUTCOME, codes, make};
use crate::domain::{Failure, Fault, GatewayArn, Kind, Operation, Repeat, TapeArn};

/// The most bytes of AWS's own words that are passed on.
const MAX_WORDS: usize = 256;

/// What a status tells of the call that failed.
pub(super) struct Subject {
    name: &'static str,
    kind: Kind,
    gateway: Option<String>,
    tape: Option<String>,
}

/// What a fault means to a caller.
struct Meaning {
    code: Code,
    domain: &'static str,
    reason: &'static str,
    message: String,
}

impl Subject {
    pub(super) fn of<O: Operation>(operation: &O) -> Self {
        let tape = match operation.tapes() {
            [tape] => Some(TapeArn::to_string(tape)),
            _ => operation.creates().map(|tape| tape.to_string()),
        };
        Self {
            name: O::NAME,
            kind: O::KIND,
            gateway: operation.gateway().map(GatewayArn::to_string),
            tape,
        }
    }

    /// The resource that a code speaks of: type and name. Of what the call named, a gateway
    /// is likelier than a tape, unless the code says otherwise.
    fn resource(&self, reason: &str) -> Option<(&'static str, &str)> {
        const GATEWAY: &str = "storagegateway.amazonaws.com/Gateway";
        const TAPE: &str = "storagegateway.amazonaws.com/Tape";
        let gateway = self.gateway.as_deref().map(|gateway| (GATEWAY, gateway));
        let tape = self.tape.as_deref().map(|tape| (TAPE, tape));
        match reason {
            "TAPE_CARTRIDGE_NOT_FOUND" | "TAPE_EXISTS" | "BARCODE_TAKEN" => tape.or(gateway),
            _ => gateway.or(tape),
        }
    }
}

pub(super) fn status(subject: &Subject, failure: &Failure) -> Status {
    let Failure {
        fault,
        attempts,
        outcome,
        ..
    } = failure;
    let Meaning {
        code,
        domain,
        reason,
        message,
    } = meaning(subject, fault);
    let mut metadata = HashMap::from([
        ("operation".to_owned(), subject.name.to_owned()),
        ("attempts".to_owned(), attempts.count.to_string()),
    ]);
    metadata.extend(
        attempts
            .request_id
            .as_ref()
            .map(|id| ("aws_request_id".to_owned(), words(id))),
    );
    match fault {
        Fault::Aws {
            code, http_status, ..
        } => {
            metadata.insert("upstream_code".to_owned(), words(code));
            metadata.insert("http_status".to_owned(), http_status.to_string());
        }
        Fault::Http { http_status } => {
            metadata.insert("http_status".to_owned(), http_status.to_string());
        }
        _ => {}
    }
    match fault {
        // Why attempts failed before the time was up.
        Fault::Deadline { last: Some(last) } => {
            let last = meaning(subject, last).reason;
            metadata.insert("last_reason".to_owned(), last.to_owned());
        }
        Fault::LookUpFailed { refusal, .. } => {
            let refusal = meaning(subject, refusal).reason;
            metadata.insert("last_reason".to_owned(), refusal.to_owned());
        }
        Fault::TapeExists { differs } => {
            metadata.insert("matches".to_owned(), differs.is_empty().to_string());
            metadata.insert("differs".to_owned(), differs.join(","));
        }
        _ => {}
    }
    if subject.kind == Kind::Create {
        metadata.insert(OUTCOME.to_owned(), outcome.to_string());
    }
    let mut details = ErrorDetails::with_error_info(reason, domain, metadata);
    if matches!(code, Code::NotFound | Code::AlreadyExists)
        && let Some((kind, name)) = subject.resource(reason)
    {
        details.set_resource_info(kind, name, "", &message);
    }
    if reason == "MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED" {
        let gateway = subject.gateway.clone().unwrap_or_default();
        details.set_quota_failure([QuotaViolation::new(
            gateway,
            "tapes in the library: at most 1,500",
        )]);
    }
    let delay = delay(subject.kind, failure);
    if let Some(delay) = delay {
        details.set_retry_info(Some(delay));
    }
    let mut status = make(code, &format!("{}: {message}", subject.name), details);
    // Told to stay away for so long, a client's library does (gRFC A6).
    if let Some(delay) = delay.filter(|_| is_overload(fault)) {
        let millis = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        status.metadata_mut().insert(PUSHBACK, millis.into());
    }
    status
}

/// How long a client's library is to wait before it repeats the call (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

fn is_overload(fault: &Fault) -> bool {
    match fault {
        Fault::LookUpFailed { cause, .. } => is_overload(cause),
        fault => matches!(fault, Fault::Paced { .. }) || fault.is_throttling(),
    }
}

/// After how long a repeat of the whole call can help; `None` where it cannot.
fn delay(kind: Kind, failure: &Failure) -> Option<Duration> {
    let Failure {
        fault,
        asked,
        retry_after,
        ..
    } = failure;
    let (kind, fault) = match fault {
        Fault::LookUpFailed { cause, .. } => (Kind::Read, &**cause),
        fault => (kind, fault),
    };
    let usual = match fault {
        Fault::NoCredentials { .. } => Duration::from_secs(10),
        Fault::Paced { .. } | Fault::OperationTimeout => Duration::from_secs(1),
        _ => match fault.repeat(kind) {
            Repeat::Never => return None,
            Repeat::Soon => Duration::from_secs(1),
            Repeat::Once => Duration::from_secs(10),
            Repeat::Slowly => Duration::from_secs(30),
        },
    };
    // A whole number of seconds and at least one: nothing finer is meant.
    let known = (*asked).max(*retry_after).unwrap_or(usual);
    Some(Duration::from_secs(known.as_secs_f64().ceil().max(1.0) as u64))
}

fn meaning(subject: &Subject, fault: &Fault) -> Meaning {
    let own = |code, reason| Meaning {
        code,
        domain: DOMAIN,
        reason,
        message: fault.to_string(),
    };
    match fault {
        Fault::Aws {
            code,
            message,
            http_status,
            ..
        } => match codes::find(code) {
            Some(row) => documented(subject, fault, row, message),
            None => undocumented(code, message, *http_status),
        },
        Fault::Http { http_status } => own(http_code(*http_status), "UPSTREAM_HTTP_ERROR"),
        Fault::Unreadable { .. } => own(Code::Internal, "UPSTREAM_UNREADABLE"),
        Fault::Unreachable { .. } => own(Code::Unavailable, "UPSTREAM_UNREACHABLE"),
        Fault::ConnectionLost { .. } => own(Code::Unavailable, "UPSTREAM_CONNECTION_LOST"),
        Fault::AttemptTimeout => own(Code::Unavailable, "UPSTREAM_TIMEOUT"),
        Fault::OperationTimeout => own(Code::Unavailable, "UPSTREAM_TIMEOUT"),
        Fault::Deadline { .. } => Meaning {
            // Why attempts failed before is in the log, and a reason in the metadata.
            message: "the call's deadline passed".to_owned(),
            ..own(Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
        },
        Fault::Paced { .. } => own(Code::Unavailable, "UPSTREAM_BUSY"),
        Fault::TapeExists { .. } => own(Code::AlreadyExists, "TAPE_EXISTS"),
        Fault::LookUpFailed { refusal, cause } => look_up_failed(subject, refusal, cause),
        Fault::BarcodeTaken => own(Code::AlreadyExists, "BARCODE_TAKEN"),
        Fault::NoCredentials { .. } => Meaning {
            // What the chain said is for the operator, by the log and readiness.
            message: "the service has no AWS credentials; its operator is told by readiness".to_owned(),
            ..own(Code::Unavailable, "NO_AWS_CREDENTIALS")
        },
        Fault::MarkerRepeated => own(Code::DataLoss, "UPSTREAM_MARKER_REPEATED"),
        Fault::PageTooLong { .. } => own(Code::Internal, "UPSTREAM_PAGE_TOO_LONG"),
        Fault::NotSent { .. } => own(Code::Internal, "UPSTREAM_NOT_ASKED"),
        Fault::Internal { .. } => own(Code::Internal, "INTERNAL"),
    }
}

fn documented(subject: &Subject, fault: &Fault, row: &codes::Row, message: &str) -> Meaning {
    let code = row.code.trim_end();
    let message = match row.grpc {
        // AWS's words here name the service's role and credentials, which are the
        // operator's business; they are in the log.
        Code::PermissionDenied => {
            format!(
                "AWS answered {code}: {} (storagegateway:{})",
                row.advice, subject.name
            )
        }
        _ if fault.is_about_credentials() => format!("AWS answered {code}: {}", row.advice),
        _ => format!(
            "AWS answered {code}: {}; {}",
            said(message).trim_end_matches('.'),
            row.advice
        ),
    };
    Meaning {
        code: row.grpc,
        domain: AWS_DOMAIN,
        reason: row.reason,
        message,
    }
}

/// A refusal of a create that nobody can be sure of. Its code would say that the create has
/// failed, so the code is that of what stood in the way of knowing: a caller that repeats the
/// call when that is over learns what has become of it.
fn look_up_failed(subject: &Subject, refusal: &Fault, cause: &Fault) -> Meaning {
    let refused = meaning(subject, refusal);
    let failed = meaning(subject, cause);
    let message = format!(
        "{}; whether the tape exists all the same could not be looked up: {}: look, or repeat the call",
        refused.message, failed.message
    );
    Meaning { message, ..failed }
}

/// A word that nobody knew: its HTTP status is all there is to go by.
fn undocumented(code: &str, message: &str, http_status: u16) -> Meaning {
    let grpc = match http_status {
        408 | 429 => Code::Unavailable,
        400..=499 => Code::FailedPrecondition,
        _ => http_code(http_status),
    };
    let message = match http_status {
        401 | 403 => IN_THE_LOG.to_owned(),
        _ => said(message),
    };
    let message = format!(
        "AWS answered {}, a code that this build does not know: {message}",
        words(code)
    );
    Meaning {
        code: grpc,
        domain: AWS_DOMAIN,
        reason: "UPSTREAM_UNKNOWN",
        message,
    }
}

/// The code for an HTTP status that comes without a word of AWS: a proxy's, mostly. None
/// of them says anything of the caller, who is never UNAUTHENTICATED or denied by it.
fn http_code(http_status: u16) -> Code {
    match http_status {
        404 => Code::Unimplemented,
        408 | 429 | 502..=504 => Code::Unavailable,
        _ => Code::Internal,
    }
}

/// Stands for AWS's words about the service's own identity, which are its operator's
/// business.
const IN_THE_LOG: &str = "what it said is in the log of the service";

/// AWS's message, as far as it is passed on: not where it names a role or a user, whatever
/// its code. That is the service's own.
fn said(message: &str) -> String {
    match [":iam::", ":sts::"]
        .iter()
        .any(|identity| message.contains(identity))
    {
        true => IN_THE_LOG.to_owned(),
        false => words(message),
    }
}

/// The upstream's words, as many as are passed on.
fn words(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_WORDS);
    text[..end].to_owned()
}
