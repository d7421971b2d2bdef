//! Creating a tape with a barcode, once.
//!
//! AWS takes a barcode once and for ever. So a repeat of CreateTapeWithBarcode can never make
//! a second tape, but it can fail because the first attempt succeeded, and AWS says no more
//! than InvalidParameters then. [`create_with_barcode`] looks the tape up before it believes
//! such a refusal.

mod compare;
mod look_up;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tower::ServiceExt;

use self::look_up::{Found, look_up};
use crate::{
    domain::{
        Answer, Call, CreateTapeWithBarcode, CreateTapes, CreatedTape, CreatedTapes, Failure, Fault,
        OperationKind, Outcome, RetryRule,
    },
    upstream::{Upstream, detach_creates::Watch},
};

/// When an existing tape counts as created by the call that finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// How far the clock of AWS may be behind the clock of this machine.
    pub clock_skew: Duration,
    /// The maximum age of an earlier attempt of the call, if the client reports one.
    pub resend_window: Duration,
}

/// Creates tapes with barcodes that AWS makes. A repeat under the same token, which is the
/// only one that there is, makes no more of them.
///
/// # Errors
///
/// Those of the upstream.
pub async fn create_tapes(
    upstream: &Upstream,
    call: Call<CreateTapes>,
) -> Result<Answer<Arc<CreatedTapes>>, Failure> {
    let watch = Watch::over(&call, &upstream.metrics);
    let answer = upstream.create_tapes.clone().oneshot(call).await;
    watch.told();
    answer
}

/// Creates a tape with a barcode.
///
/// # Errors
///
/// Those of the upstream, and [`Fault::TapeExists`], [`Fault::BarcodeTaken`] and
/// [`Fault::LookUpFailed`]. An own tape is no error.
pub async fn create_with_barcode(
    upstream: &Upstream,
    settings: ReconcileSettings,
    call: Call<CreateTapeWithBarcode>,
) -> Result<Answer<Arc<CreatedTape>>, Failure> {
    let watch = Watch::over(&call, &upstream.metrics);
    let answer = create_or_find(upstream, settings, call).await;
    watch.told();
    answer
}

async fn create_or_find(
    upstream: &Upstream,
    settings: ReconcileSettings,
    call: Call<CreateTapeWithBarcode>,
) -> Result<Answer<Arc<CreatedTape>>, Failure> {
    let began = SystemTime::now();
    let stack = upstream.create_tape_with_barcode.clone();
    let refused = match stack.oneshot(call.clone()).await {
        Err(failure) if is_refusal(&failure.fault) => failure,
        answer => return answer,
    };
    let was_sent_before = call.progress.was_unclear_before();
    if !is_invalid_parameters(&refused.fault) && !was_sent_before {
        return Err(refused);
    }
    upstream.metrics.creates_looked_up.add();
    let arn = call.operation.tape.gateway.tape(&call.operation.barcode);
    let found = look_up(upstream, &call, &arn).await;
    let (fault, outcome) = match found {
        Err(Failure {
            fault: cause,
            retry_after,
            asked,
            ..
        }) => {
            let fault = Fault::LookUpFailed {
                refusal: Box::new(refused.fault),
                cause: Box::new(cause),
            };
            return Err(Failure {
                fault,
                outcome: Outcome::Unknown,
                asked,
                retry_after,
                ..refused
            });
        }
        // What was sent before and never answered may still arrive.
        Ok(Found::Nothing) if was_sent_before => (refused.fault, Outcome::Unknown),
        Ok(Found::Nothing) => (refused.fault, Outcome::NotApplied),
        Ok(Found::Elsewhere) => (Fault::BarcodeTaken, Outcome::NotApplied),
        Ok(Found::Tape(found)) => {
            let age = found
                .created
                .map(|created| created.is_since(settings.since(began, call.resent)));
            if found.differs.is_empty() && age == Some(true) && was_sent_before {
                upstream.metrics.creates_reconciled.add();
                let tape_arn = arn.to_string();
                tracing::info!(tape_arn, "a create whose answer was lost had succeeded");
                return Ok(Answer {
                    output: Arc::new(CreatedTape { tape_arn }),
                    attempts: refused.attempts,
                });
            }
            let outcome = match found.is_others || age == Some(false) {
                true => Outcome::NotApplied,
                false => Outcome::Unknown,
            };
            (
                Fault::TapeExists {
                    differs: found.differs,
                },
                outcome,
            )
        }
    };
    Err(Failure {
        fault,
        outcome,
        ..refused
    })
}

impl ReconcileSettings {
    /// Since when a tape can have been made for a call that began then.
    fn since(self, began: SystemTime, resent: bool) -> SystemTime {
        let window = match resent {
            true => self.clock_skew + self.resend_window,
            false => self.clock_skew,
        };
        began.checked_sub(window).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// Whether AWS refused, for good. After an attempt that may have succeeded, any refusal may
/// be of the repeat alone: a library that the tape has filled, for one.
fn is_refusal(fault: &Fault) -> bool {
    matches!(fault, Fault::Aws { nested: true, .. })
        && fault.retry_rule(OperationKind::Create) == RetryRule::Never
}

fn is_invalid_parameters(fault: &Fault) -> bool {
    is_nested(fault, "InvalidParameters")
}

fn is_nested(fault: &Fault, nested: &str) -> bool {
    matches!(fault, Fault::Aws { code, nested: true, .. } if code == nested)
}
