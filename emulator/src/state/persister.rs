use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use super::{StateError, Write, file::File, writes};
use crate::account::{clock::Clock, store::Store, timestamp::Timestamp};

/// How far ahead a clock is saved that is ahead of the machine's, in the machine's time. Reading such
/// a clock writes at most once in this time, and after a crash it skips at most this time.
const LEASE: Duration = Duration::from_secs(1);

/// A change could not be saved.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the emulator cannot save its state: {0}")]
pub struct NotPersisted(String);

/// Writes changes to the state file, in a thread.
pub(crate) struct Persister {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Shared {
    store: Arc<RwLock<Store>>,
    clock: Arc<Clock>,
    queue: Mutex<Queue>,
    wake: Condvar,
    /// The last batch that is saved.
    saved: AtomicU64,
    /// The time that the clock starts at, or later, after a restart.
    saved_clock: AtomicI64,
}

#[derive(Default)]
struct Queue {
    is_wanted: bool,
    is_ending: bool,
    /// The calls that wait, each for a batch to be saved.
    waiting: Vec<(u64, oneshot::Sender<Result<(), NotPersisted>>)>,
}

impl Persister {
    /// Starts the thread.
    pub(crate) fn start(
        file: File,
        store: Arc<RwLock<Store>>,
        clock: Arc<Clock>,
    ) -> Result<Self, StateError> {
        let shared = Arc::new(Shared {
            store,
            clock,
            queue: Mutex::default(),
            wake: Condvar::new(),
            saved: AtomicU64::new(0),
            saved_clock: AtomicI64::new(0),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            file,
            is_failing: false,
        };
        let thread = thread::Builder::new()
            .name("emulator-state".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Wakes the thread for a change. The caller holds the lock of the store, so the thread looks for
    /// the change after it is made.
    pub(crate) fn wake(&self) {
        self.shared.queue().is_wanted = true;
        self.shared.wake.notify_one();
    }

    /// Waits until every change that is visible now is saved.
    pub(crate) async fn flush(&self) -> Result<(), NotPersisted> {
        let Some(awaited) = self.shared.awaited() else {
            return Ok(());
        };
        let (sender, outcome) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.is_ending {
                return Err(ended());
            }
            queue.waiting.push((awaited, sender));
        }
        self.shared.wake.notify_one();
        outcome.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Saves the remaining changes and closes the file. Later changes are not saved.
    pub(crate) fn close(&self) {
        self.shared.queue().is_ending = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(thread::JoinHandle::join) {
            tracing::error!("the thread that writes the emulator's state has panicked");
        }
    }
}

impl Drop for Persister {
    fn drop(&mut self) {
        self.close();
    }
}

fn ended() -> NotPersisted {
    NotPersisted("the state file is closed".to_owned())
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A poisoned lock is safe to use: no change of the queue can panic halfway.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch that must be saved before the current state may be shown; `None` if it is saved.
    fn awaited(&self) -> Option<u64> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let batch = store.last_batch();
        if store.is_changed() || self.is_ahead(self.clock.now()) {
            return Some(batch + 1);
        }
        (batch > self.saved.load(Ordering::Acquire)).then_some(batch)
    }

    /// Whether the clock of a restart now could be behind this time.
    fn is_ahead(&self, now: Timestamp) -> bool {
        now > Timestamp::now() && now.millis() > self.saved_clock.load(Ordering::Acquire)
    }

    /// Waits for work. True for the last.
    fn next(&self) -> bool {
        let idle = |queue: &mut Queue| !queue.is_wanted && !queue.is_ending && queue.waiting.is_empty();
        let queue = self.wake.wait_while(self.queue(), idle);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.is_wanted = false;
        queue.is_ending
    }

    fn notify(&self, batch: u64, outcome: &Result<(), NotPersisted>) {
        let waiting = self
            .queue()
            .waiting
            .extract_if(.., |(awaited, _)| *awaited <= batch)
            .collect::<Vec<_>>();
        for (_, waiter) in waiting {
            // A waiting call may be gone.
            let _ = waiter.send(outcome.clone());
        }
    }
}

/// The state of the thread.
struct Writer {
    shared: Arc<Shared>,
    file: File,
    is_failing: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let is_last = self.shared.next();
            self.save(is_last);
            if is_last {
                break;
            }
        }
        if let Err(error) = self.file.close() {
            tracing::error!(%error, "the emulator's state file was not closed properly");
        }
    }

    /// Writes the changes in one transaction, and sends the outcome to the waiting calls.
    fn save(&mut self, is_last: bool) {
        let shared = Arc::clone(&self.shared);
        let mut store = shared.store.write().unwrap_or_else(PoisonError::into_inner);
        let mut changes = store.take_changes();
        let store = RwLockWriteGuard::downgrade(store);
        let (batch, now) = (store.last_batch(), shared.clock.now());
        let rows: Vec<Write> = if changes.is_all {
            let regions = store.regions().into_iter();
            regions
                .flat_map(|(at, region)| writes(at, region, region.keys()))
                .collect()
        } else {
            let regions = changes.rows.iter();
            let there = regions.filter_map(|(at, keys)| Some((at, store.region(at)?, keys)));
            there
                .flat_map(|(at, region, keys)| writes(at, region, keys.iter().cloned()))
                .collect()
        };
        drop(store);

        let is_ahead = shared.is_ahead(now);
        if changes.is_empty() && !is_ahead && !is_last {
            shared.saved.store(batch, Ordering::Release);
            return shared.notify(batch, &Ok(()));
        }
        let clock = if now > Timestamp::now() && !is_last {
            now.after(shared.clock.in_time(LEASE))
        } else {
            now
        };
        let outcome = self.file.write(clock, changes.is_all, rows.into_iter());
        if outcome.is_ok() {
            shared.saved_clock.store(clock.millis(), Ordering::Release);
            shared.saved.store(batch, Ordering::Release);
        } else {
            let mut store = shared.store.write().unwrap_or_else(PoisonError::into_inner);
            store.return_changes(std::mem::take(&mut changes));
        }
        shared.notify(batch, &self.log_outcome(outcome));
    }

    /// The outcome for the waiting calls. A failure is logged when it begins and when it ends.
    fn log_outcome(&mut self, outcome: Result<(), StateError>) -> Result<(), NotPersisted> {
        let was_failing = std::mem::replace(&mut self.is_failing, outcome.is_err());
        match outcome {
            Ok(()) => {
                if was_failing {
                    tracing::info!("the emulator's state is saved again");
                }
                Ok(())
            }
            Err(error) => {
                if !was_failing {
                    tracing::error!(
                        %error,
                        "the emulator's state cannot be saved: calls get InternalServerError until it can; each \
                         call tries again"
                    );
                }
                Err(NotPersisted(error.to_string()))
            }
        }
    }
}
