//! Log lines on stderr, and traces, metrics and log records for an OpenTelemetry collector.
//!
//! Spans of traces are those of [`TraceSpan`]; the spans of `tracing` are the log's.

mod export_counts;
mod log;
mod otlp;
pub mod propagation;
mod settings;
mod stderr;
mod trace;

use std::{env, fmt::Display, sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, trace::SdkTracerProvider};
use tokio::time::timeout;
use tracing::Level;
use tracing_subscriber::{
    Layer, Registry, filter::FilterExt, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};
use uuid::Uuid;

use self::log::{up_to, without_secrets};
pub use self::{
    export_counts::{ExportCounts, LOG_RECORD_EXPORTS, SPAN_EXPORTS},
    log::{LOG_CHANGES, LogFilter, log_filter, names_audit},
    otlp::metrics,
    settings::{Directives, LogFormat, LogSettings, OtlpProtocol, OtlpSettings},
    stderr::{LOST_LOG_LINES, Stderr, finish_stderr, stderr},
    trace::TraceSpan,
};

/// The exporters of traces and log records, which are flushed when the process ends.
#[derive(Debug, Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

/// Starts to log to what `writer` makes, usually stderr, and to export traces and log records if a
/// collector is configured. Only the first call in a process has an effect.
///
/// # Errors
///
/// If the collector's address, in the settings or the environment, cannot be used.
pub fn start<W>(log: &LogSettings, otlp: Option<&OtlpSettings>, writer: W) -> Result<Telemetry, CannotExport>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let traces = otlp.map(otlp::traces).transpose()?.flatten();
    let logs = otlp.map(otlp::logs).transpose()?.flatten();
    let mut filter = LogFilter::new(log.filter.clone());
    let records = logs.as_ref().map(|provider| {
        // Log lines of the exporters would cause exports of their own, without end.
        let is_no_exporter = up_to(Level::TRACE, |line| {
            let exporters = ["opentelemetry", "tonic", "h2", "hyper", "reqwest", "tower"];
            !exporters.iter().any(|name| line.target().starts_with(name))
        });
        OpenTelemetryTracingBridge::builder(provider)
            // Attributes that identify the call and its trace.
            .with_tracing_span_attributes(TracingSpanAttributes::allowlist([
                "request_id",
                "trace_id",
                "method",
            ]))
            .build()
            .with_filter(filter.for_layer().and(without_secrets()).and(is_no_exporter))
    });
    let lines = log::layer(log.format, filter.for_layer(), writer);
    let started = tracing_subscriber::registry()
        .with(layers(records, lines))
        .try_init();
    // A process that logs already, such as a test, keeps its own subscriber.
    if started.is_ok() {
        filter.install();
    }
    if let Some(provider) = &traces {
        trace::install(provider.tracer("tapegate"));
    }
    Ok(Telemetry { traces, logs })
}

/// The layers that exist. An `Option` that is `None` would be a layer too, one that accepts
/// everything, so that `tracing` would create events and spans that no other layer wants.
fn layers(
    records: Option<impl Layer<Registry> + Send + Sync>,
    lines: impl Layer<Registry> + Send + Sync,
) -> Vec<Box<dyn Layer<Registry> + Send + Sync>> {
    records
        .map(Layer::boxed)
        .into_iter()
        .chain([lines.boxed()])
        .collect()
}

/// The exporters to the collector cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum CannotExport {
    /// An exporter cannot be built.
    #[error(
        "cannot export to the OpenTelemetry collector: {0}; check otlp.endpoint and the OTEL_EXPORTER_OTLP_… variables"
    )]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Its HTTP client cannot be built.
    #[error("cannot export to the OpenTelemetry collector: the HTTP client cannot be built: {0}")]
    HttpClient(String),
}

impl Telemetry {
    /// Exports the remaining traces and log records, and stops exporting.
    pub async fn shut_down(self) {
        let Self { traces, logs } = self;
        let traces = flush("traces", move || {
            traces.map_or(Ok(()), |provider| provider.shutdown_with_timeout(FLUSH_TIMEOUT))
        });
        let logs = flush("logs", move || {
            logs.map_or(Ok(()), |provider| provider.shutdown_with_timeout(FLUSH_TIMEOUT))
        });
        tokio::join!(traces, logs);
    }
}

/// How long the last export may take, so that an unreachable collector does not delay the end of
/// the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Exports the remaining data of a signal by `export`, which blocks.
pub async fn flush<E>(signal: &'static str, export: impl FnOnce() -> Result<(), E> + Send + 'static)
where
    E: Display + Send + 'static,
{
    let why = match timeout(FLUSH_TIMEOUT, tokio::task::spawn_blocking(export)).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(panic)) => panic.to_string(),
        Err(_) => format!("the collector did not accept them within {FLUSH_TIMEOUT:?}"),
    };
    tracing::warn!(signal, why, "cannot export the remaining telemetry");
}

/// Resource attributes of this process, for a collector and for Prometheus. `OTEL_SERVICE_NAME` and
/// `OTEL_RESOURCE_ATTRIBUTES` add to them or replace them.
pub fn resource() -> Resource {
    RESOURCE.clone()
}

/// Created once, so that all signals have the same `service.instance.id`.
static RESOURCE: LazyLock<Resource> = LazyLock::new(|| {
    let is_named = env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
    let builder = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ]);
    match is_named {
        true => builder,
        false => builder.with_service_name("tapegate"),
    }
    .build()
});

#[cfg(test)]
mod tests {
    use std::io;

    use opentelemetry::{
        Context, SpanId, TraceFlags, TraceId,
        trace::{SpanContext, SpanKind, TraceContextExt, TraceState},
    };
    use tracing::Subscriber;
    use tracing_subscriber::{EnvFilter, filter::LevelFilter};

    use super::*;

    fn with_filter(directives: &str) -> impl Subscriber + Send + Sync + use<> {
        let lines = log::layer(LogFormat::Human, EnvFilter::new(directives), io::sink);
        tracing_subscriber::registry().with(layers(None::<LevelFilter>, lines))
    }

    #[test]
    fn without_exports_the_context_of_the_parent_goes_on() {
        let parent = Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from(1),
            SpanId::from(2),
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        ));
        let span = TraceSpan::begin_in(parent, "of a trace", SpanKind::Server);
        assert_eq!(span.ids().span_id(), SpanId::from(2));
        assert!(!span.is_recorded());
    }

    #[test]
    fn the_level_hint_is_the_finest_level_of_the_log_filter() {
        assert_eq!(with_filter("info").max_level_hint(), Some(LevelFilter::INFO));
        assert_eq!(
            with_filter("info,h2=debug").max_level_hint(),
            Some(LevelFilter::DEBUG)
        );
    }
}
