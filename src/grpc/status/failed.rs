//! The status of a call that failed after its request was valid.

use std::{collections::HashMap, time::Duration};

use tonic::Status;
use tonic_types::{ErrorDetails, QuotaViolation};

use super::{
    EARLIER_OUTCOME, LAST_REASON, MATCHES, OUTCOME, OUTCOME_SCOPE, add_pushback, advice::Words,
    call_metadata, make, rejected::of_limit, verdict,
};
use crate::domain::{
    AccountId, Failure, FailureRow, Fault, GatewayArn, Operation, OperationKind, Outcome, RetryRule,
    StatusCode, TapeArn, failure::table,
};

/// The most bytes of an AWS message that are passed on.
const MAX_AWS_MESSAGE: usize = 256;

/// Replaces AWS messages about the service's own identity, which only its operator may see.
const IN_THE_LOG: &str = "its message is in the log of the service";

/// The operation that failed, as far as its status shows it.
pub(super) struct FailedOperation {
    name: &'static str,
    kind: OperationKind,
    account: Option<AccountId>,
    gateway: Option<String>,
    tape: Option<String>,
    words: Words,
}

impl FailedOperation {
    pub(super) fn of<O: Operation>(operation: &O) -> Self {
        let created = operation.new_tape_arn().map(|tape| tape.to_string());
        Self {
            name: O::NAME,
            kind: O::KIND,
            account: operation.account().cloned(),
            gateway: operation.gateway().map(GatewayArn::to_string),
            words: Words::of(O::NAME),
            tape: match operation.tapes() {
                [tape] => Some(TapeArn::to_string(tape)),
                _ => created,
            },
        }
    }

    /// The type and name of the resource that `ResourceInfo` names. Most codes mean the gateway,
    /// where the call names both.
    fn resource(&self, row: &FailureRow) -> Option<(&'static str, &str)> {
        const GATEWAY: &str = "storagegateway.amazonaws.com/Gateway";
        const TAPE: &str = "storagegateway.amazonaws.com/Tape";
        let gateway = self.gateway.as_deref().map(|gateway| (GATEWAY, gateway));
        let tape = self.tape.as_deref().map(|tape| (TAPE, tape));
        let means_tape = matches!(
            row.reason,
            "TAPE_EXISTS" | "BARCODE_TAKEN" | "TAPE_CARTRIDGE_NOT_FOUND"
        );
        match means_tape {
            true => tape.or(gateway),
            false => gateway.or(tape),
        }
    }
}

/// The status of a failure.
pub(super) fn status(operation: &FailedOperation, failure: &Failure) -> Status {
    let Failure { fault, outcome, .. } = failure;
    let row = fault.row();
    let mut message = format!(
        "{}: {}; {}",
        operation.name,
        describe(operation, fault),
        advice(operation, fault)
    );
    if row.is_about_permissions() {
        message += &format!(" (storagegateway:{})", operation.name);
    }
    let mut details =
        ErrorDetails::with_error_info(row.reason, row.domain.as_str(), metadata(operation, failure));
    if matches!(row.status, StatusCode::NotFound | StatusCode::AlreadyExists)
        && let Some((resource_type, name)) = operation.resource(row)
    {
        details.set_resource_info(resource_type, name, "", "");
    }
    if row.reason == "MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED" {
        let gateway = operation.gateway.clone().unwrap_or_default();
        details.set_quota_failure([QuotaViolation::new(
            gateway,
            "tapes in the library: at most 1,500",
        )]);
    }
    if let Fault::QuotaUsedUp { principal, quota, .. } = fault {
        details.set_quota_failure([of_limit(principal, quota)]);
    }
    let delay = delay(operation.kind, failure);
    if let Some(delay) = delay {
        details.set_retry_info(Some(delay));
    }
    let verdict = verdict::of_row(row, delay.is_some(), *outcome, failure.earlier);
    if !matches!(fault, Fault::TapeExists { .. } | Fault::BarcodeTaken)
        && let Some(words) = operation
            .words
            .about_tapes(*outcome, verdict, is_looked_up(failure))
    {
        message = format!("{message}; {words}");
    }
    let mut status = make(row.status.into(), &message, details);
    if let Some(delay) = delay.filter(|_| holds_back(failure)) {
        add_pushback(&mut status, delay);
    }
    status
}

/// The metadata of `ErrorInfo`.
fn metadata(operation: &FailedOperation, failure: &Failure) -> HashMap<String, String> {
    let Failure {
        fault,
        attempts,
        outcome,
        ..
    } = failure;
    let mut metadata = call_metadata(operation.name, attempts);
    match fault {
        Fault::Aws {
            code, http_status, ..
        } => metadata.extend([
            ("upstream_code", truncate(code)),
            ("http_status", http_status.to_string()),
        ]),
        Fault::Http { http_status } => metadata.push(("http_status", http_status.to_string())),
        Fault::WrongTapes { tape_arns, .. } if !tape_arns.is_empty() => {
            metadata.push(("tape_arns", tape_arns.join(",")));
        }
        Fault::Denied { action, resource } => {
            metadata.extend([("action", (*action).to_owned()), ("resource", truncate(resource))]);
        }
        Fault::Deadline { last: Some(last) } => metadata.push((LAST_REASON, reason(last))),
        Fault::LookUpFailed { refusal, cause } => {
            metadata.extend([(LAST_REASON, reason(refusal)), ("lookup_reason", reason(cause))]);
        }
        Fault::TapeExists { differs } => {
            metadata.push((MATCHES, differs.is_empty().to_string()));
            if !differs.is_empty() {
                metadata.push(("differs", differs.join(",")));
            }
        }
        _ => {}
    }
    if operation.kind == OperationKind::Create {
        metadata.push((OUTCOME, outcome.to_string()));
        if *outcome == Outcome::Unknown && failure.earlier == Outcome::Unknown {
            metadata.push((EARLIER_OUTCOME, failure.earlier.to_string()));
        }
        if *outcome == Outcome::NotApplied && is_looked_up(failure) {
            metadata.push((OUTCOME_SCOPE, "barcode".to_owned()));
        }
    }
    metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// Whether a look-up of the tape has decided the outcome.
fn is_looked_up(failure: &Failure) -> bool {
    match &failure.fault {
        Fault::TapeExists { .. } | Fault::BarcodeTaken => true,
        // The code alone would leave the outcome unknown.
        fault @ Fault::Aws { .. } => {
            failure.outcome == Outcome::NotApplied && fault.outcome() == Outcome::Unknown
        }
        _ => false,
    }
}

fn reason(fault: &Fault) -> String {
    fault.row().reason.to_owned()
}

/// Whether the pacer holds calls back because AWS throttles or does not respond. Then client
/// libraries wait as well.
fn holds_back(failure: &Failure) -> bool {
    let fault = match &failure.fault {
        Fault::LookUpFailed { cause, .. } => cause,
        fault => fault,
    };
    failure.pacer_retry_after.is_some() || matches!(fault, Fault::Paced { .. }) || fault.is_throttling()
}

/// The delay in `RetryInfo`; `None` where a retry of the same call cannot succeed.
fn delay(kind: OperationKind, failure: &Failure) -> Option<Duration> {
    // A retry of the call looks the tape up again, which is a read.
    let (kind, fault) = match &failure.fault {
        Fault::LookUpFailed { cause, .. } => (OperationKind::Read, &**cause),
        fault => (kind, fault),
    };
    let usual = match fault {
        Fault::QuotaUsedUp { wait, .. } => (*wait)?,
        fault => match fault.row().caller_delay {
            Some(seconds) => Duration::from_secs(seconds),
            None => pause(fault.retry_rule(kind))?,
        },
    };
    let known = failure
        .upstream_retry_after
        .max(failure.pacer_retry_after)
        .unwrap_or(usual);
    // Whole seconds, at least one: the delays are no more exact than that.
    let seconds = known.as_secs() + u64::from(known.subsec_nanos() > 0);
    Some(Duration::from_secs(seconds.max(1)))
}

fn pause(rule: RetryRule) -> Option<Duration> {
    match rule {
        RetryRule::Never => None,
        RetryRule::Soon => Some(Duration::from_secs(1)),
        RetryRule::Once => Some(Duration::from_secs(10)),
        RetryRule::Slowly => Some(Duration::from_secs(30)),
    }
}

/// What the caller can do.
fn advice(operation: &FailedOperation, fault: &Fault) -> &'static str {
    match fault {
        Fault::QuotaUsedUp { wait: Some(_), .. } => "retry after the delay in `RetryInfo`",
        Fault::QuotaUsedUp { wait: None, .. } => "create fewer tapes in one call",
        fault => operation.words.advice(fault.row()),
    }
}

/// What happened, without what only the operator may see, and with the settings that change it.
fn describe(operation: &FailedOperation, fault: &Fault) -> String {
    match fault {
        Fault::Aws {
            code,
            message,
            http_status,
            ..
        } => describe_aws(code, message, *http_status),
        Fault::LimitsUnavailable { .. } => {
            "the store of shared limits (limits.shared.url) cannot be used; the log of the service has the cause".to_owned()
        }
        Fault::Unreachable { .. } => "the connection to AWS failed; the log of the service has the cause".to_owned(),
        Fault::NotSent { .. } => {
            "the request to AWS could not be sent; the log of the service has the cause".to_owned()
        }
        Fault::NoCredentials { .. } => {
            let account = operation.account.as_ref().map(|account| format!(" for account {account}"));
            format!(
                "the service has no AWS credentials{}; its log has the cause",
                account.unwrap_or_default()
            )
        }
        Fault::WrongAccount { requested, .. } => {
            format!("the AWS credentials of the service do not belong to account {requested}; readiness shows the cause to its operator")
        }
        // The details have its ARNs.
        Fault::WrongTapes { what, .. } => format!("the response of AWS does not match the request: {what}"),
        Fault::AttemptTimeout => {
            format!("{fault} (settings upstream.attempt_timeout and upstream.create_timeout)")
        }
        Fault::OperationTimeout => format!("{fault} (setting upstream.operation_timeout)"),
        // The reason of the last attempt is in the metadata.
        Fault::Deadline { .. } => {
            "the deadline of the call passed: its `grpc-timeout`, or the limit of the service (settings deadline.*)".to_owned()
        }
        Fault::LookUpFailed { refusal, cause } => format!(
            "{}; the look-up of the tape failed with {}",
            describe(operation, refusal),
            cause.row().reason
        ),
        fault => fault.to_string(),
    }
}

fn describe_aws(code: &str, message: &str, http_status: u16) -> String {
    match table::find_aws(code) {
        // The message names the role or the credentials of the service.
        Some(row)
            if row.status == StatusCode::PermissionDenied
                || row.is_about_permissions()
                || row.is_about_credentials() =>
        {
            format!("AWS returned {}", row.error_type())
        }
        Some(row) => {
            let message = redact(message);
            format!(
                "AWS returned {}: {}",
                row.error_type(),
                message.trim_end_matches('.')
            )
        }
        None => {
            let message = match http_status {
                401 | 403 => IN_THE_LOG.to_owned(),
                _ => redact(message),
            };
            let code = truncate(code);
            format!("AWS returned {code}, a code that this version does not know: {message}")
        }
    }
}

/// An AWS message as it is passed on: shortened, and not at all if it names a role or a user.
fn redact(message: &str) -> String {
    match [":iam::", ":sts::"]
        .iter()
        .any(|identity| message.contains(identity))
    {
        true => IN_THE_LOG.to_owned(),
        false => truncate(message),
    }
}

fn truncate(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_AWS_MESSAGE);
    text[..end].to_owned()
}
