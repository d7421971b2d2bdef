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
use crate::{clock::Clock, store::Store, timestamp::Timestamp};

/// The machine's time for which a clock that is ahead of the machine's is kept beforehand:
/// reading such a clock writes so often at most, and a crash makes it skip so much at most.
const LEASE: Duration = Duration::from_secs(1);

/// What was done could not be kept.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the emulator cannot keep its state: {0}")]
pub struct NotKept(String);

/// Has what changes written to the state file, by a thread of its own.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Shared {
    store: Arc<RwLock<Store>>,
    clock: Arc<Clock>,
    queue: Mutex<Queue>,
    wake: Condvar,
    /// The last taking of changes that is kept.
    kept: AtomicU64,
    /// The time that the clock does not fall behind, whatever happens.
    kept_clock: AtomicI64,
}

#[derive(Default)]
struct Queue {
    is_wanted: bool,
    is_ending: bool,
    /// Those who wait for a taking of changes to be kept, and for which.
    waiting: Vec<(u64, oneshot::Sender<Result<(), NotKept>>)>,
}

impl Keeper {
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
            kept: AtomicU64::new(0),
            kept_clock: AtomicI64::new(0),
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

    /// Says that something is about to change. Whoever says so holds the store's lock, so the
    /// change is looked for when it is made.
    pub(crate) fn wake(&self) {
        self.shared.queue().is_wanted = true;
        self.shared.wake.notify_one();
    }

    /// Waits until everything is kept that anybody could have seen by now.
    pub(crate) async fn flush(&self) -> Result<(), NotKept> {
        let Some(awaited) = self.shared.awaited() else {
            return Ok(());
        };
        let (tell, told) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.is_ending {
                return Err(ended());
            }
            queue.waiting.push((awaited, tell));
        }
        self.shared.wake.notify_one();
        told.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Keeps what is left and closes the file. What changes later is not kept.
    pub(crate) fn close(&self) {
        self.shared.queue().is_ending = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(thread::JoinHandle::join) {
            tracing::error!("the thread that writes the emulator's state has panicked");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close();
    }
}

fn ended() -> NotKept {
    NotKept("its file is closed".to_owned())
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A list of waiters is whole whenever the lock is let go.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The taking of changes that has to be kept before what is now may be shown; `None` if it
    /// is kept.
    fn awaited(&self) -> Option<u64> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let taken = store.times_taken();
        if store.is_changed() || self.is_ahead(self.clock.now()) {
            return Some(taken + 1);
        }
        (taken > self.kept.load(Ordering::Acquire)).then_some(taken)
    }

    /// Whether a restart now could put the clock behind this.
    fn is_ahead(&self, now: Timestamp) -> bool {
        now > Timestamp::now() && now.millis() > self.kept_clock.load(Ordering::Acquire)
    }

    /// Waits until there is something to do, and whether it is the last of it.
    fn next(&self) -> bool {
        let idle = |queue: &mut Queue| !queue.is_wanted && !queue.is_ending && queue.waiting.is_empty();
        let queue = self.wake.wait_while(self.queue(), idle);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.is_wanted = false;
        queue.is_ending
    }

    fn tell(&self, taken: u64, outcome: &Result<(), NotKept>) {
        let told = self
            .queue()
            .waiting
            .extract_if(.., |(awaited, _)| *awaited <= taken)
            .collect::<Vec<_>>();
        for (_, waiter) in told {
            // Whoever waited may have gone.
            let _ = waiter.send(outcome.clone());
        }
    }
}

/// The thread's own.
struct Writer {
    shared: Arc<Shared>,
    file: File,
    is_failing: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let is_last = self.shared.next();
            self.keep(is_last);
            if is_last {
                break;
            }
        }
        if let Err(error) = self.file.close() {
            tracing::error!(%error, "the emulator's state file was not closed in order");
        }
    }

    /// Writes what has changed, in one transaction, and tells those who wait for it.
    fn keep(&mut self, is_last: bool) {
        let shared = Arc::clone(&self.shared);
        let mut store = shared.store.write().unwrap_or_else(PoisonError::into_inner);
        let mut changes = store.take_changes();
        let store = RwLockWriteGuard::downgrade(store);
        let (taken, now) = (store.times_taken(), shared.clock.now());
        let rows: Vec<Write> = if changes.is_all {
            let regions = store.regions().into_iter();
            regions
                .flat_map(|(name, region)| writes(name, region, region.keys()))
                .collect()
        } else {
            let regions = changes.rows.iter();
            let there = regions.filter_map(|(name, keys)| Some((name, store.region(name)?, keys)));
            there
                .flat_map(|(name, region, keys)| writes(name, region, keys.iter().cloned()))
                .collect()
        };
        drop(store);

        let is_ahead = shared.is_ahead(now);
        if changes.is_empty() && !is_ahead && !is_last {
            shared.kept.store(taken, Ordering::Release);
            return shared.tell(taken, &Ok(()));
        }
        let clock = if now > Timestamp::now() && !is_last {
            now.after(shared.clock.in_time(LEASE))
        } else {
            now
        };
        let outcome = self.file.write(clock, changes.is_all, rows.into_iter());
        if outcome.is_ok() {
            shared.kept_clock.store(clock.millis(), Ordering::Release);
            shared.kept.store(taken, Ordering::Release);
        } else {
            let mut store = shared.store.write().unwrap_or_else(PoisonError::into_inner);
            store.put_back(std::mem::take(&mut changes));
        }
        shared.tell(taken, &self.told(outcome));
    }

    /// What those who wait are told. A failure is logged when it begins and when it ends.
    fn told(&mut self, outcome: Result<(), StateError>) -> Result<(), NotKept> {
        let was_failing = std::mem::replace(&mut self.is_failing, outcome.is_err());
        match outcome {
            Ok(()) => {
                if was_failing {
                    tracing::info!("the emulator's state is kept again");
                }
                Ok(())
            }
            Err(error) => {
                if !was_failing {
                    tracing::error!(
                        %error,
                        "the emulator's state cannot be kept: callers get InternalServerError until it can; \
                         each call tries again"
                    );
                }
                Err(NotKept(error.to_string()))
            }
        }
    }
}
