//! What the process says of itself: log lines.

use std::{env, io};

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};
use uuid::Uuid;

use crate::config::{Format, Log};

/// Begins to log, to what `writer` makes: stderr, as a rule. Only the first call in a process has
/// an effect.
pub fn start<W>(log: &Log, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        Format::Human => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let kept = chosen(log).and(filter_fn(may_be_shown));
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(kept))
        .try_init();
    // In a process that logs already, such as a test's, its own way stands.
    drop(started);
}

/// What this process is, to a collector and to Prometheus. `OTEL_SERVICE_NAME` and
/// `OTEL_RESOURCE_ATTRIBUTES` say more, or otherwise.
pub fn resource() -> Resource {
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
}

/// The audit's target. Its records are no matter of how much is logged.
const AUDIT: &str = "tapegate::audit";

/// What the operator asks for. Records are silenced by their own name alone.
fn chosen(log: &Log) -> EnvFilter {
    let filter = EnvFilter::new(&log.filter);
    let names_audit = log.filter.split(',').any(|directive| {
        directive
            .split(['=', '['])
            .next()
            .is_some_and(|name| name.trim() == AUDIT)
    });
    match names_audit {
        true => filter,
        false => filter.add_directive(format!("{AUDIT}=info").parse().expect("this is a directive")),
    }
}

/// At the level of trace the libraries below write out what goes over the wire: tokens, keys,
/// what is signed. That is not shown, whatever is asked for.
fn may_be_shown(line: &Metadata<'_>) -> bool {
    *line.level() < Level::TRACE || line.target().starts_with("tapegate")
}
