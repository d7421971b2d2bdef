//! `[log]` and `[otlp]`.

use http::Uri;

use super::{
    Setting,
    parsers::{Choice, ENDPOINT, Integer, LOG_FILTER, Parsed},
    values::Values,
};
use crate::observability::telemetry::{Directives, LogFormat, LogSettings, OtlpProtocol, OtlpSettings};

pub(crate) static FILTER: Setting<Parsed<Directives>> = Setting {
    key: "log.filter",
    kind: LOG_FILTER,
    default: Some("info,aws_config=error"),
    help: "Which lines are logged.",
};

pub(crate) static FORMAT: Setting<Choice<LogFormat>> = Setting {
    key: "log.format",
    kind: Choice(&[("human", LogFormat::Human), ("json", LogFormat::Json)]),
    default: Some("human"),
    help: "The format of a log line: text for people (human) or a JSON object (json).",
};

pub(crate) static QUEUE: Setting<Integer<usize>> = Setting {
    key: "log.queue",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "lines",
    },
    default: Some("10000"),
    help: "The maximum number of log lines that wait to be written to stderr. Further ones are lost and counted in \
           tapegate_log_lost_lines_total: a log that nobody reads stops no call.",
};

pub(crate) static OK_PERCENT: Setting<Integer<u8>> = Setting {
    key: "log.ok_percent",
    kind: Integer {
        range: 0..=100,
        unit: "percent",
    },
    default: Some("100"),
    help: "The percentage of the calls with the code OK that get a line in the log. All other calls get one.",
};

pub(crate) static OTLP_ENDPOINT: Setting<Parsed<Uri>> = Setting {
    key: "otlp.endpoint",
    kind: ENDPOINT,
    default: None,
    help: "The OpenTelemetry collector that receives traces, metrics and logs. Default: the variable \
           OTEL_EXPORTER_OTLP_ENDPOINT; if neither is set, nothing is exported. Set OTEL_TRACES_EXPORTER, \
           OTEL_METRICS_EXPORTER or OTEL_LOGS_EXPORTER to none to leave out one of them.",
};

pub(crate) static PROTOCOL: Setting<Choice<OtlpProtocol>> = Setting {
    key: "otlp.protocol",
    kind: Choice(&[("grpc", OtlpProtocol::Grpc), ("http", OtlpProtocol::Http)]),
    default: Some("grpc"),
    help: "The protocol of otlp.endpoint: OTLP over gRPC (grpc), or OTLP as protobuf over HTTP (http). For \
           OTEL_EXPORTER_OTLP_ENDPOINT, set the variable OTEL_EXPORTER_OTLP_PROTOCOL instead.",
};

pub(crate) static SAMPLE_PERCENT: Setting<Integer<u8>> = Setting {
    key: "otlp.sample_percent",
    kind: Integer {
        range: 0..=100,
        unit: "percent",
    },
    default: Some("100"),
    help: "The sampling percentage of traces that begin in this service. For a call with a traceparent, the service \
           follows the sampled flag of the caller. The variable OTEL_TRACES_SAMPLER takes precedence.",
};

pub(crate) fn log(values: &Values) -> Option<LogSettings> {
    Some(LogSettings {
        filter: values.get(&FILTER)?,
        format: values.get(&FORMAT)?,
        queue: values.get(&QUEUE)?,
        ok_percent: values.get(&OK_PERCENT)?,
    })
}

pub(super) fn otlp(values: &Values) -> Option<OtlpSettings> {
    Some(OtlpSettings {
        endpoint: values.optional(&OTLP_ENDPOINT)?,
        protocol: values.get(&PROTOCOL)?,
        sample_percent: values.get(&SAMPLE_PERCENT)?,
        proxies: values.environment().network.proxies.clone(),
    })
}
