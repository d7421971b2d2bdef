//! Writes the audit log: one record for each create and each rejected call.
//!
//! Records go to the service's log, with the target `tapegate::audit`, or to a file. A separate
//! thread writes the file, so that a slow disk delays no call. A record that cannot be written to
//! the file is logged as an error with its whole content.

mod file;
mod record;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::file::FileWriter;
pub use self::record::AuditRecord;
use crate::{files, observability::metrics::Count};

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

/// The audit log, in the service's log or in a file.
pub struct AuditLog {
    reads: bool,
    sink: Sink,
    lost: Arc<Count>,
}

enum Sink {
    Log,
    File(FileWriter),
}

/// The audit file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the audit file {path} (setting audit.file): {cause}")]
pub struct AuditFileError {
    path: PathBuf,
    cause: std::io::Error,
}

impl AuditLog {
    /// Opens the audit log of `settings`.
    ///
    /// # Errors
    ///
    /// [`AuditFileError`].
    pub fn open(settings: &AuditSettings) -> Result<Self, AuditFileError> {
        let AuditSettings { file, reads, queue } = settings;
        match file {
            None => Ok(Self::to_log(*reads)),
            Some(path) => Self::to_file(path, *queue, *reads),
        }
    }

    /// Checks that [`AuditLog::to_file`] can open the file at `path`, and neither creates nor changes it.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn check_file(path: &Path) -> Result<(), Vec<String>> {
        files::check_append(path)
            .map_err(|error| vec![format!("{} cannot be written: {error}", path.display())])
    }

    /// Creates an audit log in the service's log.
    pub fn to_log(reads: bool) -> Self {
        Self {
            reads,
            sink: Sink::Log,
            lost: Arc::default(),
        }
    }

    /// Creates an audit log in the file at `path`. At most `queue` records wait to be written.
    ///
    /// # Errors
    ///
    /// [`AuditFileError`] if the file cannot be opened.
    pub fn to_file(path: &Path, queue: usize, reads: bool) -> Result<Self, AuditFileError> {
        let lost = Arc::default();
        let writer = FileWriter::start(path, queue, Arc::clone(&lost)).map_err(|cause| AuditFileError {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Self {
            reads,
            sink: Sink::File(writer),
            lost,
        })
    }

    /// Whether allowed reads are recorded too.
    pub fn records_reads(&self) -> bool {
        self.reads
    }

    /// The number of records that are missing in the file.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// Writes a record.
    pub fn record(&self, record: &AuditRecord<'_>) {
        match &self.sink {
            Sink::Log => record.log(),
            Sink::File(writer) => writer.write(record.line()),
        }
    }

    /// Writes the waiting records and closes the file.
    pub fn finish(&self) {
        if let Sink::File(writer) = &self.sink {
            writer.finish();
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.sink {
            Sink::Log => "log",
            Sink::File(_) => "file",
        };
        f.debug_struct("AuditLog")
            .field("to", &to)
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}
