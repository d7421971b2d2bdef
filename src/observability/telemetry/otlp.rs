//! Exporters to a collector, configured by the settings or by the standard environment variables.

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
    export_counts::{BoundedProcessor, CountingExporter, LOG_RECORD_EXPORTS, SPAN_EXPORTS},
    resource,
};
use crate::observability::metrics::OtlpMetricReader;

/// Whether a signal is exported.
fn is_exported(otlp: &OtlpSettings, signal: &str) -> bool {
    let is = |name: &str, word: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case(word));
    let is_named = |name: &str| env::var(name).is_ok_and(|value| !value.is_empty());
    let has_collector = otlp.endpoint.is_some()
        || is_named("OTEL_EXPORTER_OTLP_ENDPOINT")
        || is_named(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
    has_collector && !is("OTEL_SDK_DISABLED", "true") && !is(&format!("OTEL_{signal}_EXPORTER"), "none")
}

/// The URL of a signal over HTTP.
fn http_url(endpoint: &http::Uri, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.to_string().trim_end_matches('/'))
}

/// The exporter of a signal, configured by the settings if they name an endpoint, otherwise by the
/// environment.
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
                .with_endpoint(http_url(endpoint, $signal))
                .build(),
        }
    };
}

/// Creates and exports traces; `None` if traces are not exported.
pub(super) fn traces(otlp: &OtlpSettings) -> Result<Option<SdkTracerProvider>, ExporterBuildError> {
    if !is_exported(otlp, "TRACES") {
        return Ok(None);
    }
    let exporter = CountingExporter::new(exporter!(SpanExporter, otlp, "traces")?, &SPAN_EXPORTS);
    let batches = BatchSpanProcessor::builder(exporter).build();
    let builder = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_span_processor(BoundedProcessor::new(
            batches,
            OTEL_BSP_MAX_QUEUE_SIZE,
            OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT,
            &SPAN_EXPORTS,
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

/// Exports log records; `None` if they are not exported.
pub(super) fn logs(otlp: &OtlpSettings) -> Result<Option<SdkLoggerProvider>, ExporterBuildError> {
    if !is_exported(otlp, "LOGS") {
        return Ok(None);
    }
    let exporter = CountingExporter::new(exporter!(LogExporter, otlp, "logs")?, &LOG_RECORD_EXPORTS);
    let batches = BatchLogProcessor::builder(exporter).build();
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_log_processor(BoundedProcessor::new(
            batches,
            OTEL_BLRP_MAX_QUEUE_SIZE,
            OTEL_BLRP_MAX_QUEUE_SIZE_DEFAULT,
            &LOG_RECORD_EXPORTS,
        ))
        .build();
    Ok(Some(provider))
}

/// Exports metrics; `None` if they are not exported.
///
/// # Errors
///
/// If the collector's address, in the settings or the environment, cannot be used.
pub fn metrics(otlp: &OtlpSettings) -> Result<Option<OtlpMetricReader>, super::CannotExport> {
    if !is_exported(otlp, "METRICS") {
        return Ok(None);
    }
    let exporter = exporter!(MetricExporter, otlp, "metrics")?;
    Ok(Some(PeriodicReader::builder(exporter).build()))
}
