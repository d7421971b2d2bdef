//! Log lines on stderr.

use std::io;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt::{self, MakeWriter},
    registry::LookupSpan,
};

use super::SPANS;
use crate::config::{Format, Log};

/// The audit's target. Its records are no matter of how much is logged.
const AUDIT: &str = "tapegate::audit";

/// Writes lines to what `writer` makes.
pub(super) fn layer<S, W>(log: &Log, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<S> + Send + Sync> = match log.format {
        Format::Human => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    lines.with_filter(chosen(log).and(filter_fn(may_be_shown)))
}

/// What the operator asks for. Records are silenced by their own name alone.
pub(super) fn chosen(log: &Log) -> EnvFilter {
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
/// what is signed. That is not shown, whatever is asked for. Spans of traces have the log's own
/// beside them.
pub(super) fn may_be_shown(line: &Metadata<'_>) -> bool {
    let is_ours = line.target().starts_with("tapegate");
    (*line.level() < Level::TRACE || is_ours) && line.target() != SPANS
}
