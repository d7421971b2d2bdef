use std::time::Duration;

use super::{Setting, values::Values, word::Span};

/// How long calls may take, those that name a `grpc-timeout` and those that do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// A unary call that names no timeout (`deadline.unary`).
    pub unary: Duration,
    /// Any unary call (`deadline.unary_max`).
    pub unary_max: Duration,
    /// A stream whose caller names no timeout (`deadline.stream`).
    pub stream: Duration,
    /// Any stream (`deadline.stream_max`).
    pub stream_max: Duration,
}

const ANY: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(24 * 60 * 60);

pub(crate) static UNARY: Setting<Span> = Setting {
    key: "deadline.unary",
    kind: Span(ANY),
    default: Some("1m"),
    help: "How long a unary call (the two creates) may take whose caller sends no grpc-timeout.",
};

pub(crate) static UNARY_MAX: Setting<Span> = Setting {
    key: "deadline.unary_max",
    kind: Span(ANY),
    default: Some("10m"),
    help: "The longest that a unary call may take, whatever its grpc-timeout says.",
};

pub(crate) static STREAM: Setting<Span> = Setting {
    key: "deadline.stream",
    kind: Span(ANY),
    default: Some("15m"),
    help: "How long a stream (the three reads) may take, from the call to the last page, whose caller sends no \
           grpc-timeout.",
};

pub(crate) static STREAM_MAX: Setting<Span> = Setting {
    key: "deadline.stream_max",
    kind: Span(ANY),
    default: Some("2h"),
    help: "The longest that a stream may take, whatever its grpc-timeout says.",
};

impl Deadline {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let [unary, unary_max] = values.in_order([&UNARY, &UNARY_MAX]);
        let [stream, stream_max] = values.in_order([&STREAM, &STREAM_MAX]);
        Some(Self {
            unary: unary?,
            unary_max: unary_max?,
            stream: stream?,
            stream_max: stream_max?,
        })
    }
}
