//! Idempotent creates.
//!
//! CreateTapes is idempotent at AWS, by its client token. CreateTapeWithBarcode is not: AWS accepts
//! a barcode only once, so a retry never creates a second tape, but it fails with InvalidParameters
//! if the first attempt has succeeded. [`create_with_barcode`] therefore looks the tape up before it
//! reports such a rejection.

mod compare;
mod look_up;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tower::ServiceExt;

use self::look_up::{LookUp, look_up};
use super::{Upstream, detach_creates::AbandonedCreate};
use crate::{
    access::AuthorizedCall,
    call::Answer,
    domain::{
        CreateTapeWithBarcode, CreateTapes, CreatedTape, CreatedTapes, Failure, Fault, OperationKind,
        Outcome, RetryRule,
    },
};

/// When an existing tape counts as created by the call that finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// How far the clock of AWS may be behind the clock of this machine.
    pub clock_skew: Duration,
    /// The maximum age of an earlier attempt of the call, if the client reports one.
    pub resend_window: Duration,
}

/// Creates tapes with barcodes that AWS makes. A retry with the same `client_token` creates no
/// further tapes.
///
/// # Errors
///
/// Those of the upstream stack.
pub async fn create_tapes(
    upstream: &Upstream,
    call: AuthorizedCall<CreateTapes>,
) -> Result<Answer<Arc<CreatedTapes>>, Failure> {
    let guard = AbandonedCreate::guard(&call, &upstream.metrics);
    let answer = upstream.create_tapes.clone().oneshot(call).await;
    guard.answered();
    answer
}

/// Creates a tape with a barcode.
///
/// # Errors
///
/// Those of the upstream stack, and [`Fault::TapeExists`], [`Fault::BarcodeTaken`] and
/// [`Fault::LookUpFailed`]. That the call's own earlier attempt created the tape is no error.
pub async fn create_with_barcode(
    upstream: &Upstream,
    settings: ReconcileSettings,
    call: AuthorizedCall<CreateTapeWithBarcode>,
) -> Result<Answer<Arc<CreatedTape>>, Failure> {
    let guard = AbandonedCreate::guard(&call, &upstream.metrics);
    let answer = create_or_find(upstream, settings, call).await;
    guard.answered();
    answer
}

async fn create_or_find(
    upstream: &Upstream,
    settings: ReconcileSettings,
    call: AuthorizedCall<CreateTapeWithBarcode>,
) -> Result<Answer<Arc<CreatedTape>>, Failure> {
    let began = SystemTime::now();
    let stack = upstream.create_tape_with_barcode.clone();
    let rejected = match stack.oneshot(call.clone()).await {
        Err(failure) if is_rejection(&failure.fault) => failure,
        answer => return answer,
    };
    let may_be_own = rejected.earlier == Outcome::Unknown;
    if !may_be_own && !can_be_due_to_own_tape(&rejected.fault) {
        return Err(rejected);
    }
    upstream.metrics.creates_looked_up.add();
    let arn = call.operation.tape.gateway.tape(&call.operation.barcode);
    let mut attempts = rejected.attempts.clone();
    let found = look_up(upstream, &call, &arn, &mut attempts).await;
    let rejected = Failure { attempts, ..rejected };
    let (fault, outcome) = match found {
        // The rejection says enough: that of a full library does not depend on the barcode.
        Err(_) if !may_be_own && !is_invalid_parameters(&rejected.fault) => return Err(rejected),
        Err(Failure {
            fault: cause,
            pacer_retry_after,
            upstream_retry_after,
            ..
        }) => {
            let fault = Fault::LookUpFailed {
                refusal: Box::new(rejected.fault),
                cause: Box::new(cause),
            };
            return Err(Failure {
                fault,
                outcome: Outcome::Unknown,
                upstream_retry_after,
                pacer_retry_after,
                ..rejected
            });
        }
        // An earlier attempt without a response may still reach AWS.
        Ok(LookUp::NoTape) if may_be_own => (rejected.fault, Outcome::Unknown),
        Ok(LookUp::NoTape) => (rejected.fault, Outcome::NotApplied),
        Ok(LookUp::OtherGateway) => (Fault::BarcodeTaken, Outcome::NotApplied),
        Ok(LookUp::Tape(tape)) => {
            let is_new = tape
                .created
                .map(|created| created.is_since(settings.earliest_creation(began, call.resent)));
            if tape.differences.is_empty() && is_new == Some(true) && may_be_own {
                upstream.metrics.creates_reconciled.add();
                let tape_arn = arn.to_string();
                tracing::info!(tape_arn, "a create whose response was lost had succeeded");
                return Ok(Answer {
                    output: Arc::new(CreatedTape {
                        tape_arn,
                        unconfirmed_tags: call.operation.tape.tags.clone(),
                    }),
                    attempts: rejected.attempts,
                });
            }
            let outcome = match tape.is_another_tape || is_new == Some(false) {
                true => Outcome::NotApplied,
                false => Outcome::Unknown,
            };
            (
                Fault::TapeExists {
                    differs: tape.differences,
                },
                outcome,
            )
        }
    };
    Err(Failure {
        fault,
        outcome,
        ..rejected
    })
}

impl ReconcileSettings {
    /// The earliest time at which a tape can have been created for a call that began at `began`.
    fn earliest_creation(self, began: SystemTime, resent: bool) -> SystemTime {
        let window = match resent {
            true => self.clock_skew + self.resend_window,
            false => self.clock_skew,
        };
        began.checked_sub(window).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// Whether AWS rejected the create and a retry would not help. After an attempt that may have
/// succeeded, the reason may concern the retry only: for example, that tape has filled the library.
fn is_rejection(fault: &Fault) -> bool {
    matches!(fault, Fault::Aws { nested: true, .. })
        && fault.retry_rule(OperationKind::Create) == RetryRule::Never
}

/// Whether AWS may have rejected the create because an earlier call of the caller created the tape:
/// the tape has the barcode, or it has filled the library.
fn can_be_due_to_own_tape(fault: &Fault) -> bool {
    is_invalid_parameters(fault) || is_nested(fault, "MaximumTapeCartridgeCountExceeded")
}

fn is_invalid_parameters(fault: &Fault) -> bool {
    is_nested(fault, "InvalidParameters")
}

fn is_nested(fault: &Fault, nested: &str) -> bool {
    matches!(fault, Fault::Aws { code, nested: true, .. } if code == nested)
}
