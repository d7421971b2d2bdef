use http::Uri;

use super::{
    Setting,
    values::Values,
    word::{Choice, Endpoint, Integer},
};

/// Where traces, metrics and logs are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// The collector (`otlp.endpoint`). Without one, what the environment says.
    pub endpoint: Option<Uri>,
    /// How it is spoken to (`otlp.protocol`).
    pub protocol: Protocol,
    /// How many of a hundred traces that begin here are kept (`otlp.sample_percent`).
    pub sample_percent: u8,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    Http,
}

pub(crate) static ENDPOINT: Setting<Endpoint> = Setting {
    key: "otlp.endpoint",
    kind: Endpoint,
    default: None,
    help: "The OpenTelemetry collector that traces, metrics and logs are sent to. Not given, \
           OTEL_EXPORTER_OTLP_ENDPOINT is looked at; without both, nothing is sent. OTEL_TRACES_EXPORTER, \
           OTEL_METRICS_EXPORTER and OTEL_LOGS_EXPORTER leave one out where they are none.",
};

pub(crate) static PROTOCOL: Setting<Choice<Protocol>> = Setting {
    key: "otlp.protocol",
    kind: Choice(&[("grpc", Protocol::Grpc), ("http", Protocol::Http)]),
    default: Some("grpc"),
    help: "How the collector of otlp.endpoint is spoken to: OTLP over gRPC, or over HTTP as protobuf. For the one \
           that the environment names, OTEL_EXPORTER_OTLP_PROTOCOL says.",
};

pub(crate) static SAMPLE_PERCENT: Setting<Integer<u8>> = Setting {
    key: "otlp.sample_percent",
    kind: Integer {
        range: 0..=100,
        unit: "percent",
    },
    default: Some("100"),
    help: "How many of a hundred traces that begin here are kept. Of a trace that a caller has begun, the caller has \
           decided. OTEL_TRACES_SAMPLER wins over it.",
};

impl Otlp {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        Some(Self {
            endpoint: values.optional(&ENDPOINT)?,
            protocol: values.get(&PROTOCOL)?,
            sample_percent: values.get(&SAMPLE_PERCENT)?,
        })
    }
}
