//! Reading what AWS answers: what the model promises is checked, all else is kept.

use aws_sdk_storagegateway::primitives::DateTime;

use crate::domain::{Answer, Attempts, Fault, Marker, Page, Timestamp};

/// An answer to the first attempt.
pub(super) fn answer<T>(
    output: Result<T, Fault>,
    request_id: Option<String>,
) -> Result<Answer<T>, crate::domain::Failure> {
    let attempts = Attempts { count: 1, request_id };
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
pub(super) fn time(member: &str, at: Option<DateTime>) -> Result<Option<Timestamp>, Fault> {
    at.map(|at| {
        Timestamp::new(at.secs(), at.subsec_nanos()).map_err(|invalid| Fault::Unreadable {
            what: format!("{member}: {invalid}"),
        })
    })
    .transpose()
}
