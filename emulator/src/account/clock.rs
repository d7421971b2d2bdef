use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::timestamp::{self, Timestamp};

/// The emulator's clock. It starts at the machine's time, runs at a factor, jumps by steps, and goes
/// back only when a snapshot or a reset replaces the state. Signatures are checked by the machine's
/// clock.
pub(crate) struct Clock {
    scale: u32,
    run: Mutex<Run>,
}

/// A time of the clock, and when it was shown.
struct Run {
    from: Timestamp,
    since: Instant,
}

impl Clock {
    /// A clock that starts at the machine's time, or at `least` if that is later.
    pub(crate) fn new(scale: u32, least: Timestamp) -> Self {
        let run = Run {
            from: Timestamp::now().max(least),
            since: Instant::now(),
        };
        Self {
            scale,
            run: Mutex::new(run),
        }
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        // A poisoned lock is safe to use: no change can panic halfway.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time now, at most that of the end of the year 9999: some clients show no later time.
    pub(crate) fn now(&self) -> Timestamp {
        let run = self.run();
        let ran = run.since.elapsed().saturating_mul(self.scale);
        run.from.after(ran).min(timestamp::LAST)
    }

    /// Moves the clock forward.
    pub(crate) fn step(&self, by: Duration) {
        let mut run = self.run();
        run.from = run.from.after(by);
    }

    /// Continues from another time.
    pub(crate) fn set(&self, at: Timestamp) {
        let since = Instant::now();
        *self.run() = Run { from: at, since };
    }

    /// How far this clock runs in a time of the machine's clock.
    pub(crate) fn in_time(&self, machine: Duration) -> Duration {
        machine.saturating_mul(self.scale)
    }
}
