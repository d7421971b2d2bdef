use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::lose;
use crate::observability::metrics::Count;

/// A thread that adds lines to a file.
pub(super) struct Writer {
    lines: Mutex<Option<SyncSender<String>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How often it is looked whether the file was moved away.
const LOOK: Duration = Duration::from_secs(1);

impl Writer {
    /// A writer to the file at `path`, which is made if it is not there; so many lines may wait.
    pub(super) fn start(path: &Path, queue: usize, lost: Arc<Count>) -> io::Result<Self> {
        let file = Log::open(path)?;
        let (lines, waiting) = sync_channel(queue);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write(file, &waiting, &lost))?;
        Ok(Self {
            lines: Mutex::new(Some(lines)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has a line written soon; gives it back if it cannot be.
    pub(super) fn write(&self, line: String) -> Result<(), String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lines) = &*lines else { return Err(line) };
        lines.try_send(line).map_err(|error| match error {
            TrySendError::Full(line) | TrySendError::Disconnected(line) => line,
        })
    }

    /// Waits until all is written.
    pub(super) fn finish(&self) {
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the audit file panicked");
        }
    }
}

fn write(mut log: Log, waiting: &Receiver<String>, lost: &Count) {
    let mut is_broken = false;
    while let Ok(line) = waiting.recv() {
        match log.add(line.as_bytes()) {
            Ok(()) if is_broken => {
                is_broken = false;
                let path = log.path.display();
                tracing::warn!(%path, "the audit file can be written again; what it lacks is in the log");
            }
            Ok(()) => {}
            Err(error) => {
                is_broken = true;
                lose(lost, &line, &error.to_string());
            }
        }
    }
}

/// A file that is opened anew when it was moved away, as tools that rotate logs do.
struct Log {
    path: PathBuf,
    file: File,
    looked: Instant,
    /// Whether a line may be there in part.
    is_torn: bool,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            looked: Instant::now(),
            is_torn: false,
        })
    }

    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if !self.is_in_place() {
                *self = Self::open(&self.path)?;
            }
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
        let [there, ours] = [self.path.metadata(), self.file.metadata()]
            .map(|about| about.map(|about| (about.dev(), about.ino())).ok());
        there.is_some() && there == ours
    }
}
