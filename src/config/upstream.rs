use std::time::Duration;

use http::Uri;

use super::{
    Setting,
    values::Values,
    word::{Endpoint, Integer, Span},
};

/// How AWS is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The server to call in the place of AWS (`upstream.endpoint`).
    pub endpoint: Option<Uri>,
    /// The longest that opening a connection takes (`upstream.connect_timeout`).
    pub connect_timeout: Duration,
    /// The longest that one attempt takes, connecting included (`upstream.attempt_timeout`).
    pub attempt_timeout: Duration,
    /// The longest that an operation takes, all its attempts included (`upstream.operation_timeout`).
    pub operation_timeout: Duration,
    /// The largest answer that is read, in bytes (`upstream.max_answer_bytes`).
    pub max_answer_bytes: usize,
    /// How long after trouble with AWS credentials they are tried again (`upstream.credentials_pause`).
    pub credentials_pause: Duration,
}

const fn up_to(max: Duration) -> Span {
    Span(Duration::from_millis(1)..=max)
}

pub(crate) static ENDPOINT: Setting<Endpoint> = Setting {
    key: "upstream.endpoint",
    kind: Endpoint,
    default: None,
    help: "The server to call in the place of AWS, such as the emulator. FIPS and dual-stack \
           variants are then off. Not given, AWS's own of each region.",
};

pub(crate) static CONNECT_TIMEOUT: Setting<Span> = Setting {
    key: "upstream.connect_timeout",
    kind: up_to(Duration::from_secs(60)),
    default: Some("3100ms"),
    help: "The longest that opening a connection takes.",
};

pub(crate) static ATTEMPT_TIMEOUT: Setting<Span> = Setting {
    key: "upstream.attempt_timeout",
    kind: up_to(Duration::from_secs(10 * 60)),
    default: Some("20s"),
    help: "The longest that one attempt of an operation takes, connecting included.",
};

pub(crate) static OPERATION_TIMEOUT: Setting<Span> = Setting {
    key: "upstream.operation_timeout",
    kind: up_to(Duration::from_secs(60 * 60)),
    default: Some("60s"),
    help: "The longest that an operation takes, all its attempts included. There is one attempt as yet.",
};

pub(crate) static MAX_ANSWER_BYTES: Setting<Integer<usize>> = Setting {
    key: "upstream.max_answer_bytes",
    kind: Integer {
        range: 1024..=1024 * 1024 * 1024,
        unit: "bytes",
    },
    default: Some("16777216"),
    help: "The largest answer that is read; a larger one is an error.",
};

pub(crate) static CREDENTIALS_PAUSE: Setting<Span> = Setting {
    key: "upstream.credentials_pause",
    kind: up_to(Duration::from_secs(60 * 60)),
    default: Some("10s"),
    help: "How long after AWS credentials could not be had, or were refused, readiness gives them another try.",
};

impl Upstream {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let connect = values.get(&CONNECT_TIMEOUT);
        let attempt = values.get(&ATTEMPT_TIMEOUT);
        let operation = values.get(&OPERATION_TIMEOUT);
        not_longer(values, (&CONNECT_TIMEOUT, connect), (&ATTEMPT_TIMEOUT, attempt));
        not_longer(
            values,
            (&ATTEMPT_TIMEOUT, attempt),
            (&OPERATION_TIMEOUT, operation),
        );
        Some(Self {
            endpoint: values.optional(&ENDPOINT)?,
            connect_timeout: connect?,
            attempt_timeout: attempt?,
            operation_timeout: operation?,
            max_answer_bytes: values.get(&MAX_ANSWER_BYTES)?,
            credentials_pause: values.get(&CREDENTIALS_PAUSE)?,
        })
    }
}

/// Refuses a part that takes longer than its whole.
fn not_longer(
    values: &mut Values,
    (part, part_span): (&Setting<Span>, Option<Duration>),
    (whole, whole_span): (&Setting<Span>, Option<Duration>),
) {
    if let (Some(part_span), Some(whole_span)) = (part_span, whole_span)
        && part_span > whole_span
    {
        let [part_span, whole_span] = [part_span, whole_span].map(humantime::format_duration);
        // Of the two, the one that somebody gave is the one to put right.
        let (wrong, message) = if values.is_given(part) {
            (
                part,
                format!(
                    "{part_span} is longer than {} ({whole_span}); shorten it",
                    whole.key
                ),
            )
        } else {
            (
                whole,
                format!(
                    "{whole_span} is shorter than {} ({part_span}); lengthen it",
                    part.key
                ),
            )
        };
        values.fault(wrong, message);
    }
}
