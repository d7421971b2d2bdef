//! Creating a tape with a barcode, once.
//!
//! AWS takes a barcode once and for ever. So a repeat of CreateTapeWithBarcode can never make
//! a second tape, but it can fail because the first attempt succeeded, and AWS says no more
//! than InvalidParameters then. [`create_with_barcode`] looks the tape up before it believes
//! such a refusal.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tower::ServiceExt;

use crate::{
    domain::{
        Answer, Call, CreateTapeWithBarcode, CreatedTape, Deadline, DescribeTapeArchives, DescribeTapes,
        Failure, Fault, Kind, KmsKey, KnownStatus, ListTapes, NewTape, Outcome, PageRequest, Pool, Repeat,
        Scope, Tape, TapeArchive, TapeArn, TapeInfo, Timestamp,
    },
    upstream::Upstream,
};

/// When a tape that is found can be a call's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How far AWS's clock may be behind this machine's.
    pub clock_skew: Duration,
    /// How long before the call its client may have sent it the first time, where the client
    /// says that it did.
    pub resend_window: Duration,
}

/// Creates a tape with a barcode. `resent` says whether the client's library had sent the
/// call before.
///
/// # Errors
///
/// Those of the upstream, and [`Fault::TapeExists`], [`Fault::BarcodeTaken`] and
/// [`Fault::LookUpFailed`]. An own tape is no error.
pub async fn create_with_barcode(
    upstream: &Upstream,
    settings: Settings,
    call: Call<CreateTapeWithBarcode>,
    resent: bool,
) -> Result<Answer<Arc<CreatedTape>>, Failure> {
    let began = SystemTime::now();
    let refused = match upstream
        .create_tape_with_barcode
        .clone()
        .oneshot(call.clone())
        .await
    {
        Err(failure) if is_refusal(&failure.fault) => failure,
        answer => return answer,
    };
    let was_sent_before = resent || call.progress.was_unclear_before();
    if !is_invalid_parameters(&refused.fault) && !was_sent_before {
        return Err(refused);
    }
    let tally = &upstream.tally;
    tally.creates_looked_up.add();
    let arn = call.operation.tape.gateway.tape(&call.operation.barcode);
    let found = match look_up(upstream, &call.operation.tape, &arn, &call.deadline).await {
        Ok(found) => found,
        Err(cause) => {
            let fault = Fault::LookUpFailed {
                refusal: Box::new(refused.fault),
                cause: Box::new(cause.fault),
            };
            return Err(Failure {
                fault,
                outcome: Outcome::Unknown,
                ..refused
            });
        }
    };
    let window = settings.clock_skew
        + if resent {
            settings.resend_window
        } else {
            Duration::ZERO
        };
    let since = began.checked_sub(window).unwrap_or(SystemTime::UNIX_EPOCH);
    let (fault, outcome) = match found {
        Found::Nothing => (refused.fault, Outcome::NotApplied),
        Found::Elsewhere => (Fault::BarcodeTaken, Outcome::NotApplied),
        Found::Tape { differs, created } => {
            let may_be_own = differs.is_empty() && created.is_none_or(|created| created.is_since(since));
            if may_be_own && was_sent_before {
                tally.creates_reconciled.add();
                let tape_arn = arn.to_string();
                tracing::info!(tape_arn, "a create whose answer was lost had succeeded");
                return Ok(Answer {
                    output: Arc::new(CreatedTape { tape_arn }),
                    attempts: refused.attempts,
                });
            }
            let outcome = match may_be_own {
                true => Outcome::Unknown,
                false => Outcome::NotApplied,
            };
            (Fault::TapeExists { differs }, outcome)
        }
    };
    Err(Failure {
        fault,
        outcome,
        ..refused
    })
}

/// Whether AWS refused, for good. After an attempt that may have succeeded, any refusal may
/// be of the repeat alone: a library that the tape has filled, for one.
fn is_refusal(fault: &Fault) -> bool {
    matches!(fault, Fault::Aws { nested: true, .. }) && fault.repeat(Kind::Create) == Repeat::Never
}

fn is_invalid_parameters(fault: &Fault) -> bool {
    matches!(fault, Fault::Aws { code, nested: true, .. } if code == "InvalidParameters")
}

/// What has the barcode.
enum Found {
    Nothing,
    /// A tape in the library of another gateway.
    Elsewhere,
    Tape {
        /// In what it is not the one that was asked for.
        differs: Vec<&'static str>,
        created: Option<Timestamp>,
    },
}

async fn look_up(
    upstream: &Upstream,
    asked: &NewTape,
    arn: &TapeArn,
    deadline: &Deadline,
) -> Result<Found, Failure> {
    let scope = Scope {
        region: asked.gateway.region().clone(),
        account: Some(asked.gateway.account().clone()),
    };
    let tapes: Arc<[TapeArn]> = Arc::new([arn.clone()]);
    let page = PageRequest::default();

    let list = ListTapes {
        scope: scope.clone(),
        tapes: tapes.clone(),
        page: page.clone(),
    };
    let listed = Call::new(list, deadline.clone()).fresh(true);
    let listed = upstream.list_tapes.clone().oneshot(listed).await?.output;
    // A RETRIEVED tape may be there twice: where it is says more than where it was.
    let of_it = |info: &&TapeInfo| info.tape_arn == arn.as_str();
    let mut infos: Vec<&TapeInfo> = listed.rows.iter().filter(of_it).collect();
    infos.sort_by_key(|info| info.gateway_arn.is_none());
    let Some(info) = infos.first() else {
        return Ok(Found::Nothing);
    };
    let in_library = match info.gateway_arn.as_deref() {
        Some(gateway) if gateway != asked.gateway.as_str() => return Ok(Found::Elsewhere),
        gateway => gateway.is_some(),
    };

    if in_library {
        let describe = DescribeTapes {
            gateway: asked.gateway.clone(),
            tapes,
            page,
        };
        let described = Call::new(describe, deadline.clone()).fresh(true);
        let described = upstream.describe_tapes.clone().oneshot(described).await?.output;
        let mut rows = described.rows.iter();
        Ok(rows
            .find(|tape| tape.tape_arn == arn.as_str())
            .map_or_else(|| sight(asked, info), |tape| compare(asked, &tape.into(), &[])))
    } else {
        let describe = DescribeTapeArchives { scope, tapes, page };
        let described = Call::new(describe, deadline.clone()).fresh(true);
        let described = upstream
            .describe_tape_archives
            .clone()
            .oneshot(described)
            .await?
            .output;
        let mut rows = described.rows.iter();
        // An archived tape is of no gateway, so not of the one that was asked for.
        let elsewhere = &["gateway_arn"];
        Ok(rows.find(|tape| tape.tape_arn == arn.as_str()).map_or_else(
            || sight(asked, info),
            |tape| compare(asked, &tape.into(), elsewhere),
        ))
    }
}

/// What a description says of what a create asked for.
struct Described<'a> {
    size: Option<i64>,
    status: Option<KnownStatus>,
    created: Option<Timestamp>,
    pool: Option<&'a Pool>,
    worm: bool,
    kms_key: Option<&'a KmsKey>,
}

impl<'a> From<&'a Tape> for Described<'a> {
    fn from(tape: &'a Tape) -> Self {
        Self {
            size: tape.tape_size_in_bytes,
            status: tape.tape_status.as_ref().and_then(|status| status.known()),
            created: tape.tape_created_date,
            pool: tape.pool_id.as_ref(),
            worm: tape.worm,
            kms_key: tape.kms_key.as_ref(),
        }
    }
}

impl<'a> From<&'a TapeArchive> for Described<'a> {
    fn from(tape: &'a TapeArchive) -> Self {
        Self {
            size: tape.tape_size_in_bytes,
            status: tape.tape_status.as_ref().and_then(|status| status.known()),
            created: tape.tape_created_date,
            pool: tape.pool_id.as_ref(),
            worm: tape.worm,
            kms_key: tape.kms_key.as_ref(),
        }
    }
}

/// A tape that is listed and, moving meanwhile or deleted, not described: its row tells
/// little, so it is not taken for the one that was asked for.
fn sight(asked: &NewTape, info: &TapeInfo) -> Found {
    let mut differs = vec!["tape_status"];
    if info
        .tape_size_in_bytes
        .is_some_and(|size| size != asked.size.bytes())
    {
        differs.push("tape_size_in_bytes");
    }
    Found::Tape {
        differs,
        created: None,
    }
}

fn compare(asked: &NewTape, tape: &Described<'_>, already: &[&'static str]) -> Found {
    let mut differs = already.to_vec();
    let mut check = |name, is_same: bool| {
        if !is_same {
            differs.push(name);
        }
    };
    check("tape_size_in_bytes", tape.size == Some(asked.size.bytes()));
    check("worm", tape.worm == (asked.worm == Some(true)));
    // Where none was asked for, AWS chose.
    let pool = asked.pool.as_ref();
    check("pool", pool.is_none_or(|pool| tape.pool == Some(pool)));
    let keys = asked.encryption.kms_key().zip(tape.kms_key);
    let comparable = keys.filter(|(asked, has)| asked.is_key_arn() && has.is_key_arn());
    check("kms_key", comparable.is_none_or(|(asked, has)| asked == has));
    let is_deleted = matches!(tape.status, Some(KnownStatus::Deleting | KnownStatus::Deleted));
    check("tape_status", !is_deleted);
    Found::Tape {
        differs,
        created: tape.created,
    }
}
