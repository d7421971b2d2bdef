//! Files that are read again when they change: certificates, tokens, keys, policies.
//!
//! Files are looked at every so often, and at once on SIGHUP. Looking at their bytes works
//! wherever files do: Kubernetes swaps a symbolic link, editors rename, some programs write in
//! place. So that half a change is not taken for a whole one, what has changed must be the
//! same at two looks in a row, unless a signal says that it is complete.
//!
//! A change that cannot be used leaves in force what was there before, and is logged as an
//! error, once.

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

use self::files::Digest;
pub use self::files::{Contents, Files};
use crate::observability::metrics::Count;

/// What is made of the bytes of files, or all that is wrong with them.
type Parse<T> = dyn Fn(&Contents) -> Result<T, Vec<String>> + Send + Sync;

/// Something that is kept in files, as it was when they were last right.
pub struct Reloading<T> {
    /// What it is, in the log.
    what: &'static str,
    files: Files,
    parse: Box<Parse<T>>,
    current: ArcSwap<T>,
    seen: Mutex<Seen>,
    applied: Count,
    refused: Count,
    is_broken: AtomicBool,
}

/// What was seen of the files.
struct Seen {
    /// What was last made something of, or refused.
    judged: Digest,
    /// What is there since the last look and not yet judged.
    fresh: Option<Digest>,
}

impl<T> Reloading<T> {
    /// What `parse` makes of these files.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub fn open(
        what: &'static str,
        files: Files,
        parse: impl Fn(&Contents) -> Result<T, Vec<String>> + Send + Sync + 'static,
    ) -> Result<Self, Vec<String>> {
        let contents = files.read()?;
        let current = ArcSwap::from_pointee(parse(&contents)?);
        Ok(Self {
            what,
            files,
            parse: Box::new(parse),
            current,
            seen: Mutex::new(Seen {
                judged: contents.digest(),
                fresh: None,
            }),
            applied: Count::default(),
            refused: Count::default(),
            is_broken: AtomicBool::new(false),
        })
    }

    /// What is in force.
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }
}

/// What can be looked at again.
pub trait Reload: Send + Sync {
    /// The setting that names the files.
    fn what(&self) -> &'static str;

    /// How often a change came into force, and how often it could not be used.
    fn counts(&self) -> [u64; 2];

    /// Whether they cannot be used as they are, and what they said before is in force.
    fn is_broken(&self) -> bool;

    /// Looks whether the files have changed, and takes over what they say. `complete` says
    /// that a change is a whole one.
    fn look(&self, complete: bool);
}

impl<T: Send + Sync> Reload for Reloading<T> {
    fn what(&self) -> &'static str {
        self.what
    }

    fn counts(&self) -> [u64; 2] {
        [self.applied.get(), self.refused.get()]
    }

    fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    fn look(&self, complete: bool) {
        let Self { what, .. } = self;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.files.read();
        let digest = match &read {
            Ok(contents) => contents.digest(),
            Err(faults) => Digest::of_faults(faults),
        };
        if digest == seen.judged {
            seen.fresh = None;
            return;
        }
        let is_settled = seen.fresh.replace(digest) == Some(digest);
        if !is_settled && !complete {
            return;
        }
        *seen = Seen {
            judged: digest,
            fresh: None,
        };
        let parsed = read.and_then(|contents| (self.parse)(&contents));
        self.is_broken.store(parsed.is_err(), Ordering::Relaxed);
        match parsed {
            Ok(value) => {
                self.current.store(Arc::new(value));
                self.applied.add();
                tracing::info!(what, "changed files are in force");
            }
            Err(faults) => {
                self.refused.add();
                let faults = faults.join("; ");
                tracing::error!(
                    what,
                    faults,
                    "changed files cannot be used; what was there before stays in force"
                );
            }
        }
    }
}

impl<T> fmt::Debug for Reloading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, files, .. } = self;
        f.debug_struct("Reloading")
            .field("what", what)
            .field("files", files)
            .finish_non_exhaustive()
    }
}

/// Looks at all of these every so often, and on SIGHUP, for as long as it is polled.
pub async fn watch(all: Vec<Arc<dyn Reload>>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangups = signal(SignalKind::hangup())
        .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not make files be read again"))
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
        let looked_at = all.clone();
        let look = move || looked_at.iter().for_each(|one| one.look(complete));
        if tokio::task::spawn_blocking(look).await.is_err() {
            tracing::error!("looking at changed files panicked; it will be tried again");
        }
    }
}
