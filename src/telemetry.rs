//! What the process says of itself: log lines, on stderr.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Format, Log};

/// Begins to log. Only the first call in a process has an effect.
pub fn start(log: &Log) {
    let builder = fmt()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::new(&log.filter));
    let started = match log.format {
        Format::Human => builder
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    // In a process that logs already, such as a test's, its own way stands.
    drop(started);
}
