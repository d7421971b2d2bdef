//! Writes the audit log: one record for each create and each rejected call.
//!
//! Records go to the service's log, with the target `tapegate::audit`, or to a file. A separate
//! thread writes the file, so that a slow disk delays no call. A record that cannot be written to
//! the file is logged as an error with its whole content.

mod file;
mod record;
mod rejections;

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;

pub use self::record::AuditRecord;
use self::{file::FileWriter, rejections::Rejections};
use crate::{files, observability::metrics::Count};

/// Where calls are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file of the records (`audit.file`). If there is none, they go to the log.
    pub file: Option<PathBuf>,
    /// Whether allowed reads are recorded too (`audit.reads`).
    pub reads: bool,
    /// How many rejected calls of callers that are not authenticated are recorded whole per minute, for each
    /// address and reason (`audit.rejections_per_minute`). Further ones are summed up.
    pub rejections: u64,
    /// The maximum number of records that wait to be written to the file (`audit.queue`).
    pub queue: usize,
}

/// How often rejected calls are summed up.
const SUM_UP_INTERVAL: Duration = Duration::from_secs(60);

/// The audit log, in the service's log or in a file.
pub struct AuditLog {
    reads: bool,
    rejections: Rejections,
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
        let lost = Arc::default();
        let sink = match &settings.file {
            None => Sink::Log,
            Some(path) => Sink::File(Self::open_file(path, settings.queue, &lost)?),
        };
        Ok(Self {
            reads: settings.reads,
            rejections: Rejections::new(settings.rejections),
            sink,
            lost,
        })
    }

    /// Checks that [`AuditLog::open`] can open the file at `path`, and neither creates nor changes it.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn check_file(path: &Path) -> Result<(), Vec<String>> {
        files::check_append(path)
            .map_err(|error| vec![format!("{} cannot be written: {error}", path.display())])
    }

    fn open_file(path: &Path, queue: usize, lost: &Arc<Count>) -> Result<FileWriter, AuditFileError> {
        FileWriter::start(path, queue, lost.clone()).map_err(|cause| AuditFileError {
            path: path.to_owned(),
            cause,
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
            Sink::File(writer) => writer.write(&record.line()),
        }
    }

    /// Counts a rejected call of a caller that is not authenticated. Returns whether it gets a line in the log
    /// and a record of its own.
    pub fn count_rejection(&self, address: Option<IpAddr>, reason: &str) -> bool {
        self.rejections.count(address, reason)
    }

    /// Sums up the rejected calls without a record of their own, once a minute.
    pub async fn sum_up_rejections(&self) {
        loop {
            sleep(SUM_UP_INTERVAL).await;
            self.sum_up();
        }
    }

    fn sum_up(&self) {
        for summary in self.rejections.sum_up() {
            summary.log();
            if let Sink::File(writer) = &self.sink {
                writer.write(&summary.line());
            }
        }
    }

    /// Writes the waiting records and closes the file.
    pub fn finish(&self) {
        self.sum_up();
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
