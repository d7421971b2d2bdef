//! Members that several operations share: written to requests and read from responses.
//!
//! Of a response, what the service model promises is checked; everything else is kept as it is.

use aws_sdk_storagegateway::{primitives::DateTime, types::Tag as SdkTag};

use crate::{
    call::Answer,
    domain::{Attempts, Failure, Fault, Marker, Page, PageRequest, Tag, TapeArn, Timestamp},
};

/// The tags of a request; an empty list is omitted.
pub(super) fn tags(tags: &[Tag]) -> Result<Option<Vec<SdkTag>>, Fault> {
    let tag = |tag: &Tag| {
        SdkTag::builder()
            .key(tag.key.as_str())
            .value(tag.value.as_str())
            .build()
    };
    let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>();
    let tags = tags.map_err(|error| Fault::Internal {
        cause: error.to_string(),
    })?;
    Ok((!tags.is_empty()).then_some(tags))
}

/// The ARNs of a request; an empty list, which means all tapes, is omitted.
pub(super) fn tape_arns(tapes: &[TapeArn]) -> Option<Vec<String>> {
    (!tapes.is_empty()).then(|| tapes.iter().map(ToString::to_string).collect())
}

/// The marker and the limit of a request.
pub(super) fn page_request(page: PageRequest) -> (Option<String>, Option<i32>) {
    let limit = page
        .limit
        .map(|limit| i32::try_from(limit.get()).unwrap_or(i32::MAX));
    (page.marker.map(String::from), limit)
}

/// The result of an attempt whose response was read.
pub(super) fn answer<T>(output: Result<T, Fault>, attempts: Attempts) -> Result<Answer<T>, Failure> {
    match output {
        Ok(output) => Ok(Answer { output, attempts }),
        Err(fault) => Err(fault.after(attempts)),
    }
}

/// A page of a response, whose rows `row` reads.
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
    Ok(Page::new(rows, Marker::reported(marker)))
}

/// The ARN of a tape, the only member that every row must have.
pub(super) fn tape_arn(arn: Option<String>) -> Result<String, Fault> {
    arn.filter(|arn| !arn.is_empty())
        .ok_or_else(|| Fault::Unreadable {
            what: "a tape without TapeARN".to_owned(),
        })
}

/// A time of a response, which the API sends as seconds with a fraction.
///
/// The SDK parses a double and truncates it, so that a fraction of .123 seconds becomes 122,999,906
/// nanoseconds. A double of the present time is precise to the microsecond, so it is rounded to
/// that.
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
