use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::record::TARGET;
use crate::{files, observability::metrics::Count};

/// Appends lines to a file in a thread of its own.
pub(super) struct FileWriter {
    lines: Mutex<Option<SyncSender<String>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    lost: Arc<Count>,
}

/// How often the writer checks whether the file was moved away.
const ROTATION_CHECK: Duration = Duration::from_secs(1);

impl FileWriter {
    /// Opens or creates the file at `path`. At most `queue` lines wait to be written; lines that
    /// cannot be written are logged and counted in `lost`.
    pub(super) fn start(path: &Path, queue: usize, lost: Arc<Count>) -> io::Result<Self> {
        let file = RotatedFile::open(path)?;
        let (lines, waiting) = sync_channel(queue);
        let lost_in_thread = lost.clone();
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_lines(file, &waiting, &lost_in_thread))?;
        Ok(Self {
            lines: Mutex::new(Some(lines)),
            thread: Mutex::new(Some(thread)),
            lost,
        })
    }

    /// Passes a line to the thread.
    pub(super) fn write(&self, line: String) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let unsent = match &*lines {
            None => Some(line),
            Some(lines) => lines.try_send(line).err().map(|error| match error {
                TrySendError::Full(line) | TrySendError::Disconnected(line) => line,
            }),
        };
        if let Some(line) = unsent {
            report_lost(
                &self.lost,
                &line,
                "too many records are waiting to be written (setting audit.queue)",
            );
        }
    }

    /// Waits until all lines are written.
    pub(super) fn finish(&self) {
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the audit file panicked");
        }
    }
}

fn write_lines(mut file: RotatedFile, waiting: &Receiver<String>, lost: &Count) {
    let mut is_broken = false;
    while let Ok(line) = waiting.recv() {
        match file.append(line.as_bytes()) {
            Ok(()) if is_broken => {
                is_broken = false;
                let path = file.path.display();
                tracing::warn!(%path, "the audit file is writable again; the missing records are in the log");
            }
            Ok(()) => {}
            Err(error) => {
                is_broken = true;
                report_lost(lost, &line, &error.to_string());
            }
        }
    }
}

/// Logs and counts a record that is missing in the file.
fn report_lost(lost: &Count, line: &str, why: &str) {
    lost.add();
    let record = line.trim_end();
    tracing::error!(target: TARGET, record, why, "failed to write a record to the audit file");
}

/// A file that is opened again after a log rotation tool moved it away.
struct RotatedFile {
    path: PathBuf,
    file: File,
    checked: Instant,
    /// Whether the last line may be incomplete.
    is_torn: bool,
}

impl RotatedFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: files::append(path)?,
            checked: Instant::now(),
            is_torn: false,
        })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.checked.elapsed() >= ROTATION_CHECK {
            if !self.is_in_place() {
                *self = Self::open(&self.path)?;
            }
            // Only now: while it cannot be opened again, no line goes to the file that was moved away.
            self.checked = Instant::now();
        }
        if self.is_torn {
            self.file.write_all(b"\n")?;
        }
        self.is_torn = true;
        self.file.write_all(line)?;
        self.is_torn = false;
        Ok(())
    }

    fn is_in_place(&self) -> bool {
        let [at_path, open] = [self.path.metadata(), self.file.metadata()]
            .map(|metadata| metadata.map(|metadata| (metadata.dev(), metadata.ino())).ok());
        at_path.is_some() && at_path == open
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::fs;

    use super::*;

    #[test]
    fn no_line_goes_to_a_file_that_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = RotatedFile::open(&path).unwrap();
        file.append(b"first\n").unwrap();
        // A directory takes its place, so that it cannot be opened again.
        fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
        fs::create_dir(&path).unwrap();
        file.checked = file.checked.checked_sub(ROTATION_CHECK).unwrap();
        for _ in 0..3 {
            file.append(b"lost\n").unwrap_err();
        }
        fs::remove_dir(&path).unwrap();
        file.append(b"second\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
    }
}
