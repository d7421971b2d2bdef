use axum::{
    body::Body,
    http::{HeaderMap, header::CONTENT_LENGTH},
};
use http_body_util::BodyExt;

use crate::protocol::{Code, Error};

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("The body is shorter than its Content-Length.")]
    Short,
    #[error("The body is longer than {0} bytes, the setting max_request_bytes.")]
    Long(usize),
}

impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Short => Self::serialization(unreadable.to_string()),
            Unreadable::Long(_) => Self::gateway(Code::MaximumContentLengthExceeded, unreadable.to_string()),
        }
    }
}

/// Reads a body up to the limit. A longer one is read and dropped up to a second limit, since a
/// client whose connection closes while it writes does not read the error.
pub(super) async fn read(mut body: Body, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, Unreadable> {
    const DRAINED: usize = 16;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // It would be dropped, and may never come.
    if announced.is_some_and(|length| length > limit.saturating_mul(DRAINED)) {
        return Err(Unreadable::Long(limit));
    }
    let mut kept = Vec::with_capacity(announced.unwrap_or(0).min(limit));
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unreadable::Short)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= limit {
            kept.extend_from_slice(&data);
        } else if seen > limit.saturating_mul(DRAINED) {
            break;
        }
    }
    if seen > limit {
        return Err(Unreadable::Long(limit));
    }
    Ok(kept)
}
