//! The way of log lines to stderr: a thread writes them, so that no call waits for whoever reads them.

use std::{
    io::{self, Write},
    sync::OnceLock,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use crate::observability::{lines::LineWriter, metrics::Count};

/// How long the end of the process waits for a reader of stderr that does not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Log lines that were lost because stderr did not take them in time.
pub static LOST_LOG_LINES: Count = Count::new();

static LINES: OnceLock<LineWriter> = OnceLock::new();

/// Takes the lines of the log for stderr.
#[derive(Clone, Copy, Debug)]
pub struct Stderr(&'static LineWriter);

/// Starts the thread that writes log lines to stderr. At most `queue` lines wait for it; further ones are lost and
/// counted. Only the first call in a process has an effect.
///
/// # Errors
///
/// If the thread cannot be started.
pub fn stderr(queue: usize) -> io::Result<Stderr> {
    if let Some(lines) = LINES.get() {
        return Ok(Stderr(lines));
    }
    let mut told = 0;
    let lines = LineWriter::start("log", queue, move |lines| {
        // Nobody is left to tell when stderr is closed.
        let _ = io::stderr().write_all(lines);
        let lost = LOST_LOG_LINES.get();
        if lost > told {
            let lines = lost - told;
            tracing::warn!(lines, "log lines were lost: stderr was not read fast enough");
            told = lost;
        }
    })?;
    Ok(Stderr(LINES.get_or_init(|| lines)))
}

/// Waits until all log lines are written to stderr. Later ones are lost.
pub fn finish_stderr() {
    if let Some(lines) = LINES.get() {
        lines.finish(PATIENCE);
    }
}

impl<'w> MakeWriter<'w> for Stderr {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.write(line).is_err() {
            LOST_LOG_LINES.add();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
