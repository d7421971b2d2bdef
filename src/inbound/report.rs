use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Attempts, Failure};

/// What became of one call, in the extensions of its request: the service adds to it, the
/// layers around it tell it, in the trailers and in the log.
#[derive(Clone, Debug, Default)]
pub struct Report(Arc<Mutex<Told>>);

/// What a [`Report`] has been told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// What the call cost upstream; `None` where it never got that far.
    pub(super) attempts: Option<Attempts>,
    /// Why it failed there, for operators.
    pub(super) fault: Option<String>,
}

impl Report {
    /// One more step of the call has cost this.
    pub fn add(&self, attempts: &Attempts) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.attempts = Some(told.attempts.take().unwrap_or_default().and(attempts.clone()));
    }

    /// The call has failed.
    pub fn fail(&self, failure: &Failure) {
        self.add(&failure.attempts);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fault = Some(failure.fault.to_string());
    }

    pub(super) fn told(&self) -> Told {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
