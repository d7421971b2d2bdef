//! Reading what AWS answers: what the model promises is checked, all else is kept.

use aws_sdk_storagegateway::primitives::DateTime;

use crate::{
    call::Answer,
    domain::{Attempts, Failure, Fault, Marker, Page, Timestamp},
};

/// What was read of an answer to these attempts.
pub(super) fn answer<T>(output: Result<T, Fault>, attempts: Attempts) -> Result<Answer<T>, Failure> {
    match output {
        Ok(output) => Ok(Answer { output, attempts }),
        Err(fault) => Err(fault.after(attempts)),
    }
}

/// A page, each row read by `row`.
pub(super) fn page<T, Row>(
    rows: Option<Vec<T>>,
    marker: Option<String>,
    row: impl FnMut(T) -> Result<Row, Fault>,
) -> Result<Page<Row>, Fault> {
    let rows = rows
        .unwrap_or_default()
        .into_iter()
        .map(row)
        .collect::<Result<_, _>>()?;
    Ok(Page {
        rows,
        next: Marker::reported(marker),
    })
}

/// The one member that no row can do without.
pub(super) fn tape_arn(arn: Option<String>) -> Result<String, Fault> {
    arn.filter(|arn| !arn.is_empty())
        .ok_or_else(|| Fault::Unreadable {
            what: "a tape without TapeARN".to_owned(),
        })
}

/// A time, which the API sends as seconds with a fraction.
///
/// The SDK reads a double and cuts it off, so .123 seconds of today become 122,999,906
/// nanoseconds. A double of today holds microseconds, so to those it is rounded.
pub(super) fn time(member: &str, at: Option<DateTime>) -> Result<Option<Timestamp>, Fault> {
    const MICROS: u32 = 1_000_000;
    at.map(|at| {
        let micros = (at.subsec_nanos() + 500) / 1_000;
        let seconds = at.secs().saturating_add((micros / MICROS).into());
        Timestamp::new(seconds, micros % MICROS * 1_000).map_err(|invalid| Fault::Unreadable {
            what: format!("{member}: {invalid}"),
        })
    })
    .transpose()
}
