use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::record::TARGET;
use crate::{
    files,
    observability::{lines::LineWriter, metrics::Count},
};

/// How often the writer checks whether the file was moved away.
const ROTATION_CHECK: Duration = Duration::from_secs(1);

/// How long the end of the service waits for a file that takes no lines.
const PATIENCE: Duration = Duration::from_secs(5);

/// Appends lines to a file in a thread of its own.
pub(super) struct FileWriter {
    path: PathBuf,
    lines: LineWriter,
    lost: Arc<Count>,
}

impl FileWriter {
    /// Opens or creates the file at `path`. At most `queue` lines wait to be written; lines that
    /// cannot be written are logged and counted in `lost`.
    pub(super) fn start(path: &Path, queue: usize, lost: Arc<Count>) -> io::Result<Self> {
        let mut file = RotatedFile::open(path)?;
        let lost_in_thread = lost.clone();
        Ok(Self {
            path: path.to_owned(),
            lines: LineWriter::start("audit", queue, move |lines| file.write(lines, &lost_in_thread))?,
            lost,
        })
    }

    /// Passes a line to the thread.
    pub(super) fn write(&self, line: &str) {
        if self.lines.write(line.as_bytes()).is_err() {
            report_lost(
                &self.lost,
                line.as_bytes(),
                "too many records are waiting to be written (setting audit.queue)",
            );
        }
    }

    /// Waits until all lines are written.
    pub(super) fn finish(&self) {
        let records = self.lines.finish(PATIENCE);
        if records > 0 {
            self.lost.add_many(records.try_into().unwrap_or(u64::MAX));
            let path = self.path.display();
            tracing::error!(
                target: TARGET, %path, records,
                "the audit file did not take the last records in time"
            );
        }
    }
}

/// Logs and counts a record that is missing in the file.
fn report_lost(lost: &Count, line: &[u8], why: &str) {
    lost.add();
    let record = String::from_utf8_lossy(line);
    let record = record.trim_end();
    tracing::error!(target: TARGET, record, why, "failed to write a record to the audit file");
}

/// A file that is opened again after a log rotation tool moved it away.
struct RotatedFile {
    path: PathBuf,
    file: File,
    checked: Instant,
    /// Whether the last line may be incomplete.
    is_torn: bool,
    /// Whether the last line was lost.
    is_broken: bool,
}

/// Only so many bytes were written.
struct Partly {
    written: usize,
    error: io::Error,
}

impl RotatedFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: files::append(path)?,
            checked: Instant::now(),
            is_torn: false,
            is_broken: false,
        })
    }

    /// Appends lines. Those that cannot be written are logged and counted in `lost`; each is tried.
    fn write(&mut self, mut lines: &[u8], lost: &Count) {
        while !lines.is_empty() {
            let Err(Partly { written, error }) = self.append(lines) else {
                if self.is_broken {
                    let path = self.path.display();
                    tracing::warn!(%path, "the audit file is writable again; the missing records are in the log");
                }
                self.is_broken = false;
                return;
            };
            self.is_broken = true;
            let is_newline = |byte: &u8| *byte == b'\n';
            let whole = lines[..written].iter().rposition(is_newline);
            let unwritten = &lines[whole.map_or(0, |newline| newline + 1)..];
            let end = unwritten.iter().position(is_newline);
            let (line, rest) = unwritten.split_at(end.map_or(unwritten.len(), |newline| newline + 1));
            report_lost(lost, line, &error.to_string());
            lines = rest;
        }
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), Partly> {
        let at_start = |error| Partly { written: 0, error };
        if self.checked.elapsed() >= ROTATION_CHECK {
            if !self.is_in_place() {
                self.file = files::append(&self.path).map_err(at_start)?;
                self.is_torn = false;
            }
            // Only now: while it cannot be opened again, no line goes to the file that was moved away.
            self.checked = Instant::now();
        }
        if self.is_torn {
            self.file.write_all(b"\n").map_err(at_start)?;
            self.is_torn = false;
        }
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    written += bytes;
                    self.is_torn = lines[written - 1] != b'\n';
                    Ok(())
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
                Err(error) => Err(error),
            }
            .map_err(|error| Partly { written, error })?;
        }
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

    use std::{
        fs,
        io::Read,
        os::{fd::OwnedFd, unix::net::UnixStream},
    };

    use super::*;

    #[test]
    fn no_line_goes_to_a_file_that_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = RotatedFile::open(&path).unwrap();
        file.write(b"first\n", &Count::default());
        // A directory takes its place, so that it cannot be opened again.
        fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
        fs::create_dir(&path).unwrap();
        file.checked = file.checked.checked_sub(ROTATION_CHECK).unwrap();
        let lost = Count::default();
        for _ in 0..3 {
            file.write(b"lost\nlost\n", &lost);
        }
        assert_eq!(lost.get(), 6);
        fs::remove_dir(&path).unwrap();
        file.write(b"second\n", &lost);
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
    }

    #[test]
    fn of_lines_that_are_written_in_part_each_is_in_the_file_or_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = RotatedFile::open(&folder.path().join("audit.jsonl")).unwrap();
        // Takes so many bytes, and then no more.
        let (filling, mut reader) = UnixStream::pair().unwrap();
        filling.set_nonblocking(true).unwrap();
        file.file = File::from(OwnedFd::from(filling));
        file.checked = Instant::now() + ROTATION_CHECK;
        let lines: Vec<_> = (0..100_000).map(|line| format!("{line:09}\n")).collect();
        let lost = Count::default();
        file.write(lines.concat().as_bytes(), &lost);
        assert!((1..100_000).contains(&lost.get()));
        let mut start = vec![0; 100_000];
        reader.read_exact(&mut start).unwrap();
        file.write(b"next\n", &lost);
        drop(file);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        let written = String::from_utf8(start).unwrap() + &rest;
        let whole = written.lines().filter(|line| line.len() == 9).count();
        assert_eq!(u64::try_from(whole).unwrap() + lost.get(), 100_000);
        assert!(written.ends_with("\nnext\n"), "{written:?}");
    }
}
