//! Exporters to a collector, by the settings or by the standard environment variables.

use std::env;

use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig,
};
use opentelemetry_sdk::{
    logs::{
        BatchLogProcessor, OTEL_BLRP_MAX_QUEUE_SIZE, OTEL_BLRP_MAX_QUEUE_SIZE_DEFAULT, SdkLoggerProvider,
    },
    metrics::PeriodicReader,
    trace::{
        BatchSpanProcessor, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT, Sampler,
        SdkTracerProvider,
    },
};

use super::{
    OtlpProtocol, OtlpSettings,
    counted::{Bounded, Counted, RECORDS, SPANS},
    resource,
};
use crate::observability::metrics::Collector;

/// Whether a signal is sent at all.
fn is_sent(otlp: &OtlpSettings, signal: &str) -> bool {
    let is = |name: &str, word: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case(word));
    let is_named = |name: &str| env::var(name).is_ok_and(|value| !value.is_empty());
    let has_collector = otlp.endpoint.is_some()
        || is_named("OTEL_EXPORTER_OTLP_ENDPOINT")
        || is_named(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
    has_collector && !is("OTEL_SDK_DISABLED", "true") && !is(&format!("OTEL_{signal}_EXPORTER"), "none")
}

/// The address of a signal over HTTP.
fn over_http(endpoint: &http::Uri, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.to_string().trim_end_matches('/'))
}

/// An exporter of a signal: by the settings, or as the environment says.
macro_rules! exporter {
    ($exporter:ident, $otlp:expr, $signal:literal) => {
        match (&$otlp.endpoint, $otlp.protocol) {
            (None, _) => $exporter::builder().build(),
            (Some(endpoint), OtlpProtocol::Grpc) => $exporter::builder()
                .with_tonic()
                .with_endpoint(endpoint.to_string())
                .build(),
            (Some(endpoint), OtlpProtocol::Http) => $exporter::builder()
                .with_http()
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(over_http(endpoint, $signal))
                .build(),
        }
    };
}

/// What makes traces and sends them; `None` where none are sent.
pub(super) fn traces(otlp: &OtlpSettings) -> Result<Option<SdkTracerProvider>, ExporterBuildError> {
    if !is_sent(otlp, "TRACES") {
        return Ok(None);
    }
    let exporter = Counted::new(exporter!(SpanExporter, otlp, "traces")?, &SPANS);
    let batches = BatchSpanProcessor::builder(exporter).build();
    let builder = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_span_processor(Bounded::new(
            batches,
            OTEL_BSP_MAX_QUEUE_SIZE,
            OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT,
            &SPANS,
        ));
    let builder = match env::var_os("OTEL_TRACES_SAMPLER") {
        Some(_) => builder,
        None => {
            let ratio = Sampler::TraceIdRatioBased(f64::from(otlp.sample_percent) / 100.0);
            builder.with_sampler(Sampler::ParentBased(Box::new(ratio)))
        }
    };
    Ok(Some(builder.build()))
}

/// What sends log records; `None` where none are sent.
pub(super) fn logs(otlp: &OtlpSettings) -> Result<Option<SdkLoggerProvider>, ExporterBuildError> {
    if !is_sent(otlp, "LOGS") {
        return Ok(None);
    }
    let exporter = Counted::new(exporter!(LogExporter, otlp, "logs")?, &RECORDS);
    let batches = BatchLogProcessor::builder(exporter).build();
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_log_processor(Bounded::new(
            batches,
            OTEL_BLRP_MAX_QUEUE_SIZE,
            OTEL_BLRP_MAX_QUEUE_SIZE_DEFAULT,
            &RECORDS,
        ))
        .build();
    Ok(Some(provider))
}

/// What sends metrics; `None` where none are sent.
///
/// # Errors
///
/// When the collector's address, or what the environment says of it, cannot be used.
pub fn metrics(otlp: &OtlpSettings) -> Result<Option<Collector>, super::CannotExport> {
    if !is_sent(otlp, "METRICS") {
        return Ok(None);
    }
    let exporter = exporter!(MetricExporter, otlp, "metrics")?;
    Ok(Some(PeriodicReader::builder(exporter).build()))
}
