//! Exporters to a collector, configured by the settings or by the standard environment variables.

use std::{env, thread, time::Duration};

use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
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
use reqwest::blocking::Client;

use super::{
    CannotExport, OtlpProtocol, OtlpSettings,
    export_counts::{BoundedProcessor, CountingExporter, LOG_RECORD_EXPORTS, SPAN_EXPORTS},
    resource,
};
use crate::{network::blocking_http_client, observability::metrics::OtlpMetricReader};

/// Whether a signal is exported.
fn is_exported(otlp: &OtlpSettings, signal: &str) -> bool {
    let is = |name: &str, word: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case(word));
    let has_collector = otlp.endpoint.is_some() || variable(signal, "ENDPOINT").is_some();
    has_collector && !is("OTEL_SDK_DISABLED", "true") && !is(&format!("OTEL_{signal}_EXPORTER"), "none")
}

/// The URL of a signal over HTTP.
fn http_url(endpoint: &http::Uri, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.to_string().trim_end_matches('/'))
}

/// The protocol of a signal: that of the settings if they name an endpoint, otherwise that of the
/// environment.
fn protocol(otlp: &OtlpSettings, signal: &str) -> Protocol {
    match (&otlp.endpoint, otlp.protocol) {
        (Some(_), OtlpProtocol::Grpc) => Protocol::Grpc,
        (Some(_), OtlpProtocol::Http) => Protocol::HttpBinary,
        (None, _) => match variable(signal, "PROTOCOL").as_deref() {
            Some("grpc") => Protocol::Grpc,
            Some(_) => Protocol::HttpBinary,
            None => Protocol::default(),
        },
    }
}

/// `OTEL_EXPORTER_OTLP_SIGNAL_NAME`, or else `OTEL_EXPORTER_OTLP_NAME`.
fn variable(signal: &str, name: &str) -> Option<String> {
    [
        format!("OTEL_EXPORTER_OTLP_{signal}_{name}"),
        format!("OTEL_EXPORTER_OTLP_{name}"),
    ]
    .into_iter()
    .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The HTTP client of a signal. The exporters have one of their own, but it reads the proxies of the
/// environment in its own way.
fn http_client(otlp: &OtlpSettings, signal: &str) -> Result<Client, CannotExport> {
    /// The default of OpenTelemetry, in milliseconds.
    const TIMEOUT: u64 = 10_000;
    let timeout = variable(signal, "TIMEOUT").and_then(|text| text.parse().ok());
    let builder =
        blocking_http_client(&otlp.proxies).timeout(Duration::from_millis(timeout.unwrap_or(TIMEOUT)));
    // A blocking client cannot be built on a thread of an async runtime.
    let built = thread::spawn(|| builder.build()).join();
    let failed = |why: String| CannotExport::HttpClient(why);
    built
        .map_err(|_| failed("the thread that builds it panicked".to_owned()))?
        .map_err(|error| failed(error.to_string()))
}

/// The exporter of a signal, configured by the settings if they name an endpoint, otherwise by the
/// environment.
macro_rules! exporter {
    ($exporter:ident, $otlp:expr, $signal:literal, $path:literal) => {
        match protocol($otlp, $signal) {
            Protocol::Grpc => {
                let exporter = $exporter::builder().with_tonic();
                match &$otlp.endpoint {
                    None => exporter.build(),
                    Some(endpoint) => exporter.with_endpoint(endpoint.to_string()).build(),
                }
            }
            _ => {
                let exporter = $exporter::builder()
                    .with_http()
                    .with_protocol(Protocol::HttpBinary)
                    .with_http_client(http_client($otlp, $signal)?);
                match &$otlp.endpoint {
                    None => exporter.build(),
                    Some(endpoint) => exporter.with_endpoint(http_url(endpoint, $path)).build(),
                }
            }
        }
    };
}

/// Creates and exports traces; `None` if traces are not exported.
pub(super) fn traces(otlp: &OtlpSettings) -> Result<Option<SdkTracerProvider>, CannotExport> {
    if !is_exported(otlp, "TRACES") {
        return Ok(None);
    }
    let exporter = CountingExporter::new(exporter!(SpanExporter, otlp, "TRACES", "traces")?, &SPAN_EXPORTS);
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
pub(super) fn logs(otlp: &OtlpSettings) -> Result<Option<SdkLoggerProvider>, CannotExport> {
    if !is_exported(otlp, "LOGS") {
        return Ok(None);
    }
    let exporter = CountingExporter::new(exporter!(LogExporter, otlp, "LOGS", "logs")?, &LOG_RECORD_EXPORTS);
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
pub fn metrics(otlp: &OtlpSettings) -> Result<Option<OtlpMetricReader>, CannotExport> {
    if !is_exported(otlp, "METRICS") {
        return Ok(None);
    }
    let exporter = exporter!(MetricExporter, otlp, "METRICS", "metrics")?;
    Ok(Some(PeriodicReader::builder(exporter).build()))
}
