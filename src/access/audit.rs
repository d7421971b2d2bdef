//! Who did what, or was kept from it: one record for each create and each refused call.
//!
//! Records go to the log, with the target `tapegate::audit`, or to a file. The file is written
//! by a thread of its own, so that a slow disk holds up no call. A record that cannot be
//! written to the file is in the log as an error, whole: it is not lost, and it is not silent.

mod file;
mod record;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::file::Writer;
pub use self::record::Record;
use crate::observability::metrics::Count;

/// Where calls are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file of the records (`audit.file`). If there is none, they go to the log.
    pub file: Option<PathBuf>,
    /// Whether allowed reads are recorded too (`audit.reads`).
    pub reads: bool,
    /// The maximum number of records that wait to be written to the file (`audit.queue`).
    pub queue: usize,
}

/// Takes records.
pub struct Audit {
    reads: bool,
    sink: Sink,
    lost: Arc<Count>,
}

enum Sink {
    Log,
    File(Writer),
}

/// The file of records cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit file {path} (setting audit.file): {cause}")]
pub struct CannotRecord {
    path: PathBuf,
    cause: std::io::Error,
}

impl Audit {
    /// Records calls as `settings` say.
    ///
    /// # Errors
    ///
    /// [`CannotRecord`].
    pub fn open(settings: &AuditSettings) -> Result<Self, CannotRecord> {
        let AuditSettings { file, reads, queue } = settings;
        match file {
            None => Ok(Self::to_log(*reads)),
            Some(path) => Self::to_file(path, *queue, *reads),
        }
    }

    /// Records go to the log.
    pub fn to_log(reads: bool) -> Self {
        Self {
            reads,
            sink: Sink::Log,
            lost: Arc::default(),
        }
    }

    /// Records go to the file at `path`; so many may wait to be written.
    ///
    /// # Errors
    ///
    /// [`CannotRecord`].
    pub fn to_file(path: &Path, queue: usize, reads: bool) -> Result<Self, CannotRecord> {
        let lost = Arc::default();
        let writer = Writer::start(path, queue, Arc::clone(&lost)).map_err(|cause| CannotRecord {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Self {
            reads,
            sink: Sink::File(writer),
            lost,
        })
    }

    /// Whether reads that were allowed are recorded too.
    pub fn records_reads(&self) -> bool {
        self.reads
    }

    /// How many records could not be written to the file since the start.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// Takes a record.
    pub fn record(&self, record: &Record<'_>) {
        match &self.sink {
            Sink::Log => record.log(),
            Sink::File(writer) => {
                if let Err(line) = writer.write(record.line()) {
                    lose(
                        &self.lost,
                        &line,
                        "too many wait to be written (setting audit.queue)",
                    );
                }
            }
        }
    }

    /// Writes what waits to be written, and no more after that.
    pub fn finish(&self) {
        if let Sink::File(writer) = &self.sink {
            writer.finish();
        }
    }
}

/// A record that the file does not get.
fn lose(lost: &Count, line: &str, why: &str) {
    lost.add();
    let record = line.trim_end();
    tracing::error!(target: record::TARGET, record, why, "a record is missing in the audit file");
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.sink {
            Sink::Log => "the log",
            Sink::File(_) => "a file",
        };
        f.debug_struct("Audit")
            .field("to", &to)
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}
