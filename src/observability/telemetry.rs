//! What the process says of itself: log lines, and traces, metrics and logs for an
//! OpenTelemetry collector.
//!
//! A span of a trace has the target [`SPANS`] and is no matter of what is logged: no level of
//! the log switches it off, and the log does not show it. Where nothing is sent, such spans
//! are not made at all.

mod chosen;
mod counted;
mod lines;
mod otlp;
pub mod propagation;
mod settings;

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

use self::lines::{may_be_shown, up_to};
pub use self::{
    chosen::{CHANGES, Chosen, chosen, name_the_audit},
    counted::{RECORDS as SENT_RECORDS, SPANS as SENT_SPANS, Sent},
    otlp::metrics,
    settings::{Directives, LogFormat, LogSettings, OtlpProtocol, OtlpSettings},
};

/// The target of the spans that make up a trace.
pub const SPANS: &str = "tapegate::trace";

/// What has to be told when the process ends.
#[derive(Debug, Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

/// Begins to log, to what `writer` makes: stderr, as a rule; and to send traces and logs where
/// there is a collector. Only the first call in a process has an effect.
///
/// # Errors
///
/// When the collector's address, or what the environment says of it, cannot be used.
pub fn start<W>(log: &LogSettings, otlp: Option<&OtlpSettings>, writer: W) -> Result<Telemetry, CannotExport>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let traces = otlp.map(otlp::traces).transpose()?.flatten();
    let logs = otlp.map(otlp::logs).transpose()?.flatten();
    let spans = traces.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("tapegate"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(up_to(Level::INFO, |line| {
                line.is_span() && line.target() == SPANS
            }))
    });
    let mut chosen = Chosen::new(log.filter.clone());
    let records = logs.as_ref().map(|provider| {
        // What sends telemetry must not make more of it.
        let is_own = up_to(Level::TRACE, |line| {
            let sends = ["opentelemetry", "tonic", "h2", "hyper", "reqwest", "tower"];
            !sends.iter().any(|name| line.target().starts_with(name))
        });
        OpenTelemetryTracingBridge::builder(provider)
            // Which call, and in which trace.
            .with_tracing_span_attributes(TracingSpanAttributes::allowlist([
                "request_id",
                "trace_id",
                "method",
            ]))
            .build()
            .with_filter(chosen.filter().and(may_be_shown()).and(is_own))
    });
    let lines = lines::layer(log.format, chosen.filter(), writer);
    let started = tracing_subscriber::registry()
        .with(those_there(spans, records, lines))
        .try_init();
    // In a process that logs already, such as a test's, its own way stands.
    if started.is_ok() {
        chosen.hold();
    }
    Ok(Telemetry { traces, logs })
}

/// The layers that there are. One that is `None` in its place would be asked too, and want
/// everything: what no other layer wants would be made for it.
fn those_there(
    spans: Option<impl Layer<Registry> + Send + Sync>,
    records: Option<impl Layer<Registry> + Send + Sync>,
    lines: impl Layer<Registry> + Send + Sync,
) -> Vec<Box<dyn Layer<Registry> + Send + Sync>> {
    let sent = [spans.map(Layer::boxed), records.map(Layer::boxed)];
    sent.into_iter().flatten().chain([lines.boxed()]).collect()
}

/// Nothing can be sent.
#[derive(Debug, thiserror::Error)]
#[error("nothing can be sent to the OpenTelemetry collector (setting otlp.endpoint): {0}")]
pub struct CannotExport(#[from] opentelemetry_otlp::ExporterBuildError);

impl Telemetry {
    /// Sends what is not sent yet, and no more after that.
    pub async fn finish(self) {
        let Self { traces, logs } = self;
        let traces = last("traces", move || {
            traces.map_or(Ok(()), |provider| provider.shutdown_with_timeout(LAST_WITHIN))
        });
        let logs = last("logs", move || {
            logs.map_or(Ok(()), |provider| provider.shutdown_with_timeout(LAST_WITHIN))
        });
        tokio::join!(traces, logs);
    }
}

/// How long a collector has for what is sent last. A process that ends is not held up longer by
/// one that is away.
const LAST_WITHIN: Duration = Duration::from_secs(5);

/// Sends the last of a signal by `send`, which blocks.
pub async fn last<E>(signal: &'static str, send: impl FnOnce() -> Result<(), E> + Send + 'static)
where
    E: Display + Send + 'static,
{
    let why = match timeout(LAST_WITHIN, tokio::task::spawn_blocking(send)).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(panic)) => panic.to_string(),
        Err(_) => format!("the collector did not take them within {LAST_WITHIN:?}"),
    };
    tracing::warn!(signal, why, "the last of a signal could not be sent");
}

/// What this process is, to a collector and to Prometheus. `OTEL_SERVICE_NAME` and
/// `OTEL_RESOURCE_ATTRIBUTES` say more, or otherwise.
pub fn resource() -> Resource {
    RESOURCE.clone()
}

/// Made once: all signals are of one instance.
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

    use tracing::{Subscriber, info_span, subscriber};
    use tracing_subscriber::{EnvFilter, filter::LevelFilter};

    use super::*;

    fn at(directives: &str) -> impl Subscriber + Send + Sync + use<> {
        let nobody = None::<LevelFilter>;
        let lines = lines::layer(LogFormat::Human, EnvFilter::new(directives), io::sink);
        tracing_subscriber::registry().with(those_there(nobody, nobody, lines))
    }

    #[test]
    fn where_nothing_is_sent_no_span_is_made() {
        subscriber::with_default(at("info"), || {
            assert!(!info_span!("a line's").is_disabled());
            assert!(info_span!(target: SPANS, "a trace's").is_disabled());
        });
    }

    #[test]
    fn what_is_finer_than_what_is_logged_is_not_looked_at() {
        assert_eq!(at("info").max_level_hint(), Some(LevelFilter::INFO));
        assert_eq!(at("info,h2=debug").max_level_hint(), Some(LevelFilter::DEBUG));
    }
}
