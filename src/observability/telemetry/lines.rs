//! Log lines on stderr.

use std::io;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, FilterFn, filter_fn},
    fmt::{self, MakeWriter},
    layer::Filter,
    registry::LookupSpan,
};

use super::{LogFormat, SPANS};

/// Writes the lines that are `chosen` to what `writer` makes.
pub(super) fn layer<S, W, F>(format: LogFormat, chosen: F, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    F: Filter<S> + Send + Sync + 'static,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<S> + Send + Sync> = match format {
        LogFormat::Human => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    lines.with_filter(chosen.and(may_be_shown()))
}

/// At the level of trace the libraries below write out what goes over the wire: tokens, keys,
/// what is signed. That is not shown, whatever is asked for. Spans of traces have the log's own
/// beside them.
pub(super) fn may_be_shown() -> FilterFn {
    up_to(Level::TRACE, |line| {
        let is_ours = line.target().starts_with("tapegate");
        (*line.level() < Level::TRACE || is_ours) && line.target() != SPANS
    })
}

/// What `wants` wants, of no finer level than this. A filter that does not say so has every line of
/// every library looked at, whatever the others say.
pub(super) fn up_to(level: Level, wants: fn(&Metadata<'_>) -> bool) -> FilterFn {
    filter_fn(wants).with_max_level_hint(level)
}
