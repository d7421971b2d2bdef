use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The least time between two warnings.
const INTERVAL: Duration = Duration::from_secs(10);

/// Limits how often a warning is logged that can come with every connection or frame.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<Option<Instant>>);

impl Warnings {
    /// Calls `warn`, unless that was done a short time ago.
    pub(super) fn limit(&self, warn: impl FnOnce()) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            *last = Some(Instant::now());
            drop(last);
            warn();
        }
    }
}
