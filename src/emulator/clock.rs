use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::timestamp::{self, Timestamp};

/// The emulator's time. It begins as the machine's, runs on at a factor, jumps when it is
/// stepped, and never goes back. Signatures are not judged by it.
pub(super) struct Clock {
    start: Timestamp,
    started: Instant,
    scale: u32,
    /// Milliseconds stepped so far.
    stepped: AtomicU64,
}

impl Clock {
    pub(super) fn new(scale: u32) -> Self {
        Self {
            start: Timestamp::now(),
            started: Instant::now(),
            scale,
            stepped: AtomicU64::new(0),
        }
    }

    /// The time now. It stands still in the year 9999, the last that every client can show.
    pub(super) fn now(&self) -> Timestamp {
        let run = self.started.elapsed().saturating_mul(self.scale);
        let stepped = Duration::from_millis(self.stepped.load(Ordering::SeqCst));
        let now = self.start.after(run.saturating_add(stepped));
        now.min(timestamp::LAST)
    }

    /// Puts the clock forward.
    pub(super) fn step(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let add = |stepped: u64| Some(stepped.saturating_add(millis));
        let _ = self.stepped.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
    }
}
