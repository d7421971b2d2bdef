//! Reloads files when they change: certificates, tokens, keys and policies.
//!
//! Files are checked at an interval, and at once on SIGHUP. The check compares their bytes, so it
//! works for every way of changing a file: Kubernetes replaces a symbolic link, editors rename,
//! some programs write in place. A changed file is loaded when two checks in a row see the same
//! bytes, so that a half-written file is not loaded; after SIGHUP it is loaded at once.
//!
//! If a changed file is invalid, the previous version stays in force and one error is logged.

mod files;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

pub use self::files::{ContentDigest, FileContents, Files};
use crate::observability::metrics::Count;

/// Parses the bytes of files, or returns all faults.
type Parse<T> = dyn Fn(&FileContents) -> Result<T, Vec<String>> + Send + Sync;

/// A value that is parsed from files, in the version that was last valid.
pub struct Reloading<T> {
    /// The setting that names the files.
    setting: &'static str,
    files: Files,
    parse: Box<Parse<T>>,
    current: ArcSwap<T>,
    changes: Mutex<ChangeDetector<ContentDigest>>,
    applied: Count,
    rejected: Count,
    is_broken: AtomicBool,
}

/// Decides when a change of files is complete: when two checks in a row find the same new version, so
/// that a half-written file is not loaded, or at once if it is known to be complete.
pub struct ChangeDetector<V> {
    /// The version that was last loaded or rejected.
    processed: V,
    /// A different version that the last check found.
    pending: Option<V>,
}

impl<V: Copy + PartialEq> ChangeDetector<V> {
    /// A detector of changes since the version `processed`.
    pub fn new(processed: V) -> Self {
        Self {
            processed,
            pending: None,
        }
    }

    /// Whether the version that a check finds is to be loaded. It then counts as processed.
    pub fn is_due(&mut self, found: V, complete: bool) -> bool {
        if found == self.processed {
            self.pending = None;
            return false;
        }
        let is_settled = self.pending.replace(found) == Some(found);
        if is_settled || complete {
            *self = Self::new(found);
        }
        is_settled || complete
    }
}

impl<T> Reloading<T> {
    /// Loads files; `setting` is the setting that names them.
    ///
    /// # Errors
    ///
    /// All faults of the files.
    pub fn open(
        setting: &'static str,
        files: Files,
        parse: impl Fn(&FileContents) -> Result<T, Vec<String>> + Send + Sync + 'static,
    ) -> Result<Self, Vec<String>> {
        let contents = files.read()?;
        let current = ArcSwap::from_pointee(parse(&contents)?);
        Ok(Self {
            setting,
            files,
            parse: Box::new(parse),
            current,
            changes: Mutex::new(ChangeDetector::new(contents.digest())),
            applied: Count::default(),
            rejected: Count::default(),
            is_broken: AtomicBool::new(false),
        })
    }

    /// Returns the version that is in force.
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }
}

/// Files that can be checked for changes.
pub trait Reload: Send + Sync {
    /// The setting that names the files.
    fn setting(&self) -> &'static str;

    /// How often changed files were loaded, and how often they were rejected.
    fn counts(&self) -> [u64; 2];

    /// Whether the files are invalid now, so that the previous version is in force.
    fn is_broken(&self) -> bool;

    /// Checks whether the files have changed, and loads them if so. `complete` says that a change
    /// is known to be complete.
    fn check(&self, complete: bool);
}

impl<T: Send + Sync> Reload for Reloading<T> {
    fn setting(&self) -> &'static str {
        self.setting
    }

    fn counts(&self) -> [u64; 2] {
        [self.applied.get(), self.rejected.get()]
    }

    fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    fn check(&self, complete: bool) {
        let what = self.setting;
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.files.read();
        let digest = match &read {
            Ok(contents) => contents.digest(),
            Err(faults) => ContentDigest::of_faults(faults),
        };
        if !changes.is_due(digest, complete) {
            return;
        }
        let parsed = read.and_then(|contents| (self.parse)(&contents));
        self.is_broken.store(parsed.is_err(), Ordering::Relaxed);
        match parsed {
            Ok(value) => {
                self.current.store(Arc::new(value));
                self.applied.add();
                tracing::info!(what, "loaded changed files");
            }
            Err(faults) => {
                self.rejected.add();
                let faults = faults.join("; ");
                tracing::error!(
                    what,
                    faults,
                    "changed files are invalid; the previous version stays in force"
                );
            }
        }
    }
}

impl<T> fmt::Debug for Reloading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, files, .. } = self;
        f.debug_struct("Reloading")
            .field("setting", setting)
            .field("files", files)
            .finish_non_exhaustive()
    }
}

/// Checks all files at an interval and on SIGHUP. Never returns.
pub async fn watch(all: Vec<Arc<dyn Reload>>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangups = signal(SignalKind::hangup())
        .inspect_err(|error| tracing::warn!(%error, "failed to listen for SIGHUP; it will not reload files"))
        .ok();
    loop {
        let hangup = async {
            match &mut hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        let complete = tokio::select! {
            _ = ticks.tick() => false,
            _ = hangup => true,
        };
        let checked = all.clone();
        let check = move || checked.iter().for_each(|files| files.check(complete));
        if tokio::task::spawn_blocking(check).await.is_err() {
            tracing::error!("the check for changed files panicked; the next one runs as usual");
        }
    }
}
