//! The log on stderr: how lines are written, and the filter, which can be changed at run time.

use std::{
    fmt, io,
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, FilterFn, filter_fn},
    fmt::MakeWriter,
    layer::Filter,
    registry::LookupSpan,
    reload,
};

use super::{Directives, LogFormat};

/// Target of the audit records. The filter does not silence them unless it names this target.
const AUDIT: &str = "tapegate::audit";

/// Target of the events that say how the filter was changed. No filter silences them.
pub const LOG_CHANGES: &str = "tapegate::log";

/// Writes the lines that pass `filter` to what `writer` makes.
pub(super) fn layer<S, W, F>(format: LogFormat, filter: F, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    F: Filter<S> + Send + Sync + 'static,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<S> + Send + Sync> = match format {
        LogFormat::Human => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    lines.with_filter(filter.and(without_secrets()))
}

/// Rejects events of other crates at trace level: they contain tokens, keys and what is signed.
pub(super) fn without_secrets() -> FilterFn {
    up_to(Level::TRACE, |line| {
        let is_ours = line.target().starts_with("tapegate");
        *line.level() < Level::TRACE || is_ours
    })
}

/// Accepts what `accepts` accepts, up to this level. A filter without a level hint makes `tracing`
/// evaluate every event of every crate, whatever the other filters say.
pub(super) fn up_to(level: Level, accepts: fn(&Metadata<'_>) -> bool) -> FilterFn {
    filter_fn(accepts).with_max_level_hint(level)
}

/// The log filter of this process.
#[derive(Debug)]
pub struct LogFilter {
    configured: Directives,
    current: Mutex<Directives>,
    handles: Vec<ReloadHandle>,
}

/// Replaces the filter of one layer, whatever subscriber that layer is for.
struct ReloadHandle(Box<dyn Fn(EnvFilter) + Send + Sync>);

static LOG_FILTER: OnceLock<LogFilter> = OnceLock::new();

/// The log filter of this process; `None` if another subscriber was installed before.
pub fn log_filter() -> Option<&'static LogFilter> {
    LOG_FILTER.get()
}

impl LogFilter {
    pub(super) fn new(configured: Directives) -> Self {
        Self {
            current: Mutex::new(configured.clone()),
            configured,
            handles: Vec::new(),
        }
    }

    /// The filter for one more layer.
    pub(super) fn for_layer<S: 'static>(&mut self) -> reload::Layer<EnvFilter, S> {
        let (filter, handle) = reload::Layer::new(env_filter(&self.configured));
        self.handles.push(ReloadHandle(Box::new(move |filter| {
            // It fails if the layer is gone; then nothing is logged there any more.
            let _ = handle.reload(filter);
        })));
        filter
    }

    /// Makes this the filter of the process.
    pub(super) fn install(self) {
        // Only the first subscriber of a process is installed.
        let _ = LOG_FILTER.set(self);
    }

    /// The directives in effect.
    pub fn current(&self) -> Directives {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The directives of the configuration.
    pub fn configured(&self) -> &Directives {
        &self.configured
    }

    /// Puts these directives into effect.
    pub fn set(&self, directives: Directives) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        for ReloadHandle(reload) in &self.handles {
            reload(env_filter(&directives));
        }
        *current = directives;
    }
}

/// Whether one of these directives is for the audit's target.
pub fn names_audit(directives: &Directives) -> bool {
    directives.as_str().split(',').any(|directive| {
        directive
            .split(['=', '['])
            .next()
            .is_some_and(|name| name.trim() == AUDIT)
    })
}

/// The operator's directives, with those for the audit and for changes of the filter.
fn env_filter(directives: &Directives) -> EnvFilter {
    let always = |target: &str| format!("{target}=info").parse().expect("this is a directive");
    let filter = EnvFilter::new(directives.as_str()).add_directive(always(LOG_CHANGES));
    match names_audit(directives) {
        true => filter,
        false => filter.add_directive(always(AUDIT)),
    }
}

impl fmt::Debug for ReloadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReloadHandle")
    }
}
