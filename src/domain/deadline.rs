use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// When a call must have ended. Clones are the same deadline: one that several callers wait
/// for is put off as they come.
#[derive(Clone, Debug)]
pub struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    /// A deadline at this moment.
    pub fn at(moment: Instant) -> Self {
        Self(Arc::new(Mutex::new(moment)))
    }

    /// The moment, as it stands.
    pub fn moment(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that is left; zero when there is none.
    pub fn left(&self) -> Duration {
        self.moment().saturating_duration_since(Instant::now())
    }

    /// Puts it off to `moment`, if that is later.
    pub fn put_off(&self, moment: Instant) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *at = moment.max(*at);
    }
}
