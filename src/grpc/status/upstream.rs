use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, QuotaViolation};

use super::{AWS_DOMAIN, DOMAIN, OUTCOME, PUSHBACK, codes, make, reasons::Reason};
use crate::domain::{Failure, Fault, GatewayArn, Operation, OperationKind, Outcome, RetryRule, TapeArn};

/// The most bytes of AWS's own words that are passed on.
const MAX_WORDS: usize = 256;

/// What a status tells of the call that failed.
pub(super) struct Subject {
    name: &'static str,
    kind: OperationKind,
    gateway: Option<String>,
    tape: Option<String>,
}

/// What a fault means to a caller.
struct Meaning {
    code: Code,
    reason: Word,
    message: String,
}

/// Why, in a word.
#[derive(Clone, Copy)]
enum Word {
    Own(Reason),
    Aws(&'static str),
}

impl Word {
    fn domain(self) -> &'static str {
        match self {
            Self::Own(_) => DOMAIN,
            Self::Aws(_) => AWS_DOMAIN,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Own(reason) => reason.as_str(),
            Self::Aws(reason) => reason,
        }
    }
}

impl Subject {
    pub(super) fn of<O: Operation>(operation: &O) -> Self {
        let tape = match operation.tapes() {
            [tape] => Some(TapeArn::to_string(tape)),
            _ => operation.new_tape_arn().map(|tape| tape.to_string()),
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
    fn resource(&self, reason: Word) -> Option<(&'static str, &str)> {
        const GATEWAY: &str = "storagegateway.amazonaws.com/Gateway";
        const TAPE: &str = "storagegateway.amazonaws.com/Tape";
        let gateway = self.gateway.as_deref().map(|gateway| (GATEWAY, gateway));
        let tape = self.tape.as_deref().map(|tape| (TAPE, tape));
        match reason {
            Word::Own(Reason::TapeExists | Reason::BarcodeTaken) | Word::Aws("TAPE_CARTRIDGE_NOT_FOUND") => {
                tape.or(gateway)
            }
            _ => gateway.or(tape),
        }
    }
}

pub(super) fn status(subject: &Subject, failure: &Failure) -> Status {
    let Failure { fault, outcome, .. } = failure;
    let Meaning {
        code,
        reason,
        mut message,
    } = meaning(subject, fault);
    let mut details =
        ErrorDetails::with_error_info(reason.as_str(), reason.domain(), metadata(subject, failure));
    if matches!(code, Code::NotFound | Code::AlreadyExists)
        && let Some((kind, name)) = subject.resource(reason)
    {
        details.set_resource_info(kind, name, "", &message);
    }
    if matches!(reason, Word::Aws("MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED")) {
        let gateway = subject.gateway.clone().unwrap_or_default();
        details.set_quota_failure([QuotaViolation::new(
            gateway,
            "tapes in the library: at most 1,500",
        )]);
    }
    if let Fault::QuotaUsedUp { quota, .. } = fault {
        details.set_quota_failure([QuotaViolation::new(DOMAIN, quota)]);
    }
    let delay = delay(subject.kind, failure);
    if let Some(delay) = delay {
        details.set_retry_info(Some(delay));
    }
    let is_open = subject.kind == OperationKind::Create && *outcome == Outcome::Unknown;
    if is_open && code != Code::AlreadyExists {
        message += "; it may have been made all the same: the same call again makes nothing twice";
    }
    let mut status = make(code, &format!("{}: {message}", subject.name), details);
    // Told to stay away for so long, a client's library does (gRFC A6).
    if let Some(delay) = delay.filter(|_| is_overload(failure)) {
        let millis = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        status.metadata_mut().insert(PUSHBACK, millis.into());
    }
    status
}

/// What programs can tell from `ErrorInfo`, beside the reason.
fn metadata(subject: &Subject, failure: &Failure) -> HashMap<String, String> {
    let Failure {
        fault,
        attempts,
        outcome,
        ..
    } = failure;
    let mut told = vec![
        ("operation", subject.name.to_owned()),
        ("attempts", attempts.count.to_string()),
    ];
    told.extend(
        attempts
            .request_id
            .as_ref()
            .map(|id| ("aws_request_id", words(id))),
    );
    match fault {
        Fault::Aws {
            code, http_status, ..
        } => told.extend([
            ("upstream_code", words(code)),
            ("http_status", http_status.to_string()),
        ]),
        Fault::Http { http_status } => told.push(("http_status", http_status.to_string())),
        Fault::Denied { action, resource } => {
            told.extend([("action", (*action).to_owned()), ("resource", words(resource))]);
        }
        // Why attempts failed before the time was up.
        Fault::Deadline { last: Some(last) } => {
            told.push(("last_reason", reason(subject, last)));
        }
        Fault::LookUpFailed { refusal, cause } => told.extend([
            ("last_reason", reason(subject, refusal)),
            ("lookup_reason", reason(subject, cause)),
        ]),
        Fault::TapeExists { differs } => {
            told.push(("matches", differs.is_empty().to_string()));
            if !differs.is_empty() {
                told.push(("differs", differs.join(",")));
            }
        }
        _ => {}
    }
    if subject.kind == OperationKind::Create {
        told.push((OUTCOME, outcome.to_string()));
    }
    told.into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn reason(subject: &Subject, fault: &Fault) -> String {
    meaning(subject, fault).reason.as_str().to_owned()
}

/// Whether AWS is asked too much, or gives no answer and is spared: then the pace knows when
/// it is a call's turn.
fn is_overload(failure: &Failure) -> bool {
    let fault = match &failure.fault {
        Fault::LookUpFailed { cause, .. } => cause,
        fault => fault,
    };
    failure.retry_after.is_some() || matches!(fault, Fault::Paced { .. }) || fault.is_throttling()
}

/// After how long a repeat of the whole call can help; `None` where it cannot.
fn delay(kind: OperationKind, failure: &Failure) -> Option<Duration> {
    let Failure {
        fault,
        asked,
        retry_after,
        ..
    } = failure;
    let (kind, fault) = match fault {
        Fault::LookUpFailed { cause, .. } => (OperationKind::Read, &**cause),
        fault => (kind, fault),
    };
    let usual = match fault {
        Fault::NoCredentials { .. } => Duration::from_secs(10),
        Fault::QuotaUsedUp { wait, .. } => (*wait)?,
        Fault::Paced { .. } | Fault::OperationTimeout => Duration::from_secs(1),
        // Looking is a read, whatever was refused.
        Fault::LookUpFailed { cause, .. } => pause(cause.retry_rule(OperationKind::Read))?,
        _ => pause(fault.retry_rule(kind))?,
    };
    // A whole number of seconds and at least one: nothing finer is meant.
    let known = (*asked).max(*retry_after).unwrap_or(usual);
    let seconds = known.as_secs() + u64::from(known.subsec_nanos() > 0);
    Some(Duration::from_secs(seconds.max(1)))
}

fn pause(repeat: RetryRule) -> Option<Duration> {
    match repeat {
        RetryRule::Never => None,
        RetryRule::Soon => Some(Duration::from_secs(1)),
        RetryRule::Once => Some(Duration::from_secs(10)),
        RetryRule::Slowly => Some(Duration::from_secs(30)),
    }
}

fn meaning(subject: &Subject, fault: &Fault) -> Meaning {
    let own = |reason: Reason| Meaning {
        code: reason.code(),
        reason: Word::Own(reason),
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
        Fault::Http { http_status } => Meaning {
            code: http_code(*http_status),
            ..own(Reason::UpstreamHttpError)
        },
        Fault::Unreadable { .. } => own(Reason::UpstreamUnreadable),
        // Where the upstream is, and how the SDK is configured, is the operator's business.
        Fault::Unreachable { .. } => Meaning {
            message: "the upstream cannot be reached; why is in the log of the service".to_owned(),
            ..own(Reason::UpstreamUnreachable)
        },
        Fault::NotSent { .. } => Meaning {
            message: "the request to the upstream could not be made; why is in the log of the service"
                .to_owned(),
            ..own(Reason::UpstreamNotAsked)
        },
        Fault::ConnectionLost { .. } => own(Reason::UpstreamConnectionLost),
        Fault::AttemptTimeout | Fault::OperationTimeout => own(Reason::UpstreamTimeout),
        Fault::Deadline { .. } => Meaning {
            // Why attempts failed before is in the log, and a reason in the metadata.
            message: "the call's deadline passed: its grpc-timeout, or the service's own bound".to_owned(),
            ..own(Reason::DeadlineExceeded)
        },
        Fault::Denied { .. } => own(Reason::PermissionDenied),
        Fault::QuotaUsedUp { .. } => own(Reason::LimitReached),
        Fault::Paced { .. } => own(Reason::UpstreamBusy),
        Fault::TapeExists { .. } => own(Reason::TapeExists),
        Fault::BarcodeTaken => own(Reason::BarcodeTaken),
        Fault::LookUpFailed { refusal, cause } => look_up_failed(subject, refusal, cause),
        Fault::NoCredentials { .. } => Meaning {
            // What the chain said is for the operator, by the log and readiness.
            message: "the service has no AWS credentials; its operator is told by readiness".to_owned(),
            ..own(Reason::NoAwsCredentials)
        },
        Fault::MarkerRepeated => own(Reason::UpstreamMarkerRepeated),
        Fault::PageTooLong { .. } => own(Reason::UpstreamPageTooLong),
        Fault::Internal { .. } => own(Reason::Internal),
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
        reason: Word::Aws(row.reason),
        message,
    }
}

/// A refusal of a create that nobody can be sure of. The code is that of what failed last: a
/// caller's library may repeat what is only unavailable, and then it is looked up again.
fn look_up_failed(subject: &Subject, refusal: &Fault, cause: &Fault) -> Meaning {
    let refused = meaning(subject, refusal);
    let failed = meaning(subject, cause);
    let (code, reason) = match failed.code {
        Code::DeadlineExceeded => (failed.code, Reason::DeadlineExceeded),
        code if Reason::TapeLookupFailed.codes().contains(&code) => (code, Reason::TapeLookupFailed),
        _ => (Code::Internal, Reason::TapeLookupFailed),
    };
    let message = format!(
        "{}; whether the tape exists all the same could not be looked up: {}: look, or repeat the call",
        refused.message,
        failed.reason.as_str()
    );
    Meaning {
        code,
        reason: Word::Own(reason),
        message,
    }
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
        reason: Word::Aws(codes::UNKNOWN),
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
