use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::timestamp::{self, Timestamp};

/// The emulator's time. It begins as the machine's, runs on at a factor, jumps when it is
/// stepped, and never goes back unless the whole state does. Signatures are not judged by it.
pub(super) struct Clock {
    scale: u32,
    run: Mutex<Run>,
}

/// Where the clock stood at some moment.
struct Run {
    from: Timestamp,
    since: Instant,
}

impl Clock {
    /// A clock that begins as the machine's, or at `least` if that is later.
    pub(super) fn new(scale: u32, least: Timestamp) -> Self {
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
        // Nothing between the two halves of a change can fail.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time now. It stands still in the year 9999, the last that every client can show.
    pub(super) fn now(&self) -> Timestamp {
        let run = self.run();
        let ran = run.since.elapsed().saturating_mul(self.scale);
        run.from.after(ran).min(timestamp::LAST)
    }

    /// Puts the clock forward.
    pub(super) fn step(&self, by: Duration) {
        let mut run = self.run();
        run.from = run.from.after(by);
    }

    /// Lets the clock run on from another time.
    pub(super) fn set(&self, at: Timestamp) {
        let since = Instant::now();
        *self.run() = Run { from: at, since };
    }

    /// How far the clock runs while the machine's runs so far.
    pub(super) fn in_time(&self, machine: Duration) -> Duration {
        machine.saturating_mul(self.scale)
    }
}
