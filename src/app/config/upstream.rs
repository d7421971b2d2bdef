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
    /// The longest that one attempt of a read takes, connecting included (`upstream.attempt_timeout`).
    pub attempt_timeout: Duration,
    /// The longest that one attempt of a create takes (`upstream.create_timeout`).
    pub create_timeout: Duration,
    /// The longest that a page takes, all its attempts included (`upstream.operation_timeout`).
    pub operation_timeout: Duration,
    /// The largest answer that is read, in bytes (`upstream.max_answer_bytes`).
    pub max_answer_bytes: usize,
    /// How long after trouble with AWS credentials they are tried, or fetched, again (`upstream.credentials_pause`).
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
    help: "The longest that one attempt of a read takes, connecting included, from its turn on.",
};

pub(crate) static CREATE_TIMEOUT: Setting<Span> = Setting {
    key: "upstream.create_timeout",
    kind: up_to(Duration::from_secs(10 * 60)),
    default: Some("30s"),
    help: "The longest that one attempt of a create takes, connecting included. Once sent it is left so long to end, \
           though its caller has gone; shutdown waits for it.",
};

pub(crate) static OPERATION_TIMEOUT: Setting<Span> = Setting {
    key: "upstream.operation_timeout",
    kind: up_to(Duration::from_secs(60 * 60)),
    default: Some("60s"),
    help: "The longest that one page of a list takes to fetch, all its attempts and waits included.",
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
    help: "How long after AWS credentials could not be had, or were refused, readiness gives them another try. Refused \
           ones are fetched anew at once, and at most so often.",
};

impl Upstream {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let [connect, attempt] = values.in_order([&CONNECT_TIMEOUT, &ATTEMPT_TIMEOUT]);
        let [_, operation] = values.in_order([&ATTEMPT_TIMEOUT, &OPERATION_TIMEOUT]);
        let [_, create] = values.in_order([&CONNECT_TIMEOUT, &CREATE_TIMEOUT]);
        Some(Self {
            endpoint: values.optional(&ENDPOINT)?,
            connect_timeout: connect?,
            attempt_timeout: attempt?,
            create_timeout: create?,
            operation_timeout: operation?,
            max_answer_bytes: values.get(&MAX_ANSWER_BYTES)?,
            credentials_pause: values.get(&CREDENTIALS_PAUSE)?,
        })
    }
}
