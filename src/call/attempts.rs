use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Answer;
use crate::domain::{Attempts, Failure, Fault, Outcome};

/// What the attempts of one call have come to.
#[derive(Clone, Debug, Default)]
pub struct AttemptHistory {
    attempts: Attempts,
    last_fault: Option<Box<Fault>>,
    /// Whether an attempt may have taken effect.
    unclear: bool,
    /// The same before the last attempt.
    unclear_before: bool,
}

impl AttemptHistory {
    /// No attempt yet; if `resent`, the caller's library may have made some.
    pub fn new(resent: bool) -> Self {
        Self {
            unclear: resent,
            ..Self::default()
        }
    }

    /// Adds an attempt that has ended. One that was not sent counts for nothing but its fault.
    pub fn add<T>(&mut self, outcome: &Result<Answer<T>, Failure>) {
        let attempts = match outcome {
            Ok(answer) => &answer.attempts,
            Err(failure) => &failure.attempts,
        };
        let was_sent = attempts.count > 0;
        if was_sent {
            self.unclear_before = self.unclear;
        }
        self.attempts.add(attempts);
        if let Err(Failure { fault, .. }) = outcome {
            self.unclear |= was_sent && fault.outcome() == Outcome::Unknown;
            self.last_fault = Some(Box::new(fault.clone()));
        }
    }

    /// How many attempts were sent, and the last AWS request id.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Why the last attempt failed.
    pub fn last_fault(&self) -> Option<&Fault> {
        self.last_fault.as_deref()
    }

    /// What a create that ends now has come to.
    pub fn outcome(&self) -> Outcome {
        match self.unclear {
            true => Outcome::Unknown,
            false => Outcome::NotApplied,
        }
    }

    /// What the attempts before the last one have come to, those of the caller's library
    /// included.
    pub fn earlier_outcome(&self) -> Outcome {
        match self.unclear_before {
            true => Outcome::Unknown,
            false => Outcome::NotApplied,
        }
    }
}

/// The [`AttemptHistory`] of a call that still runs. Clones share one value.
///
/// Results travel as values. This is for those that look at a call from outside while it runs:
/// a caller that stops waiting for a coalesced read, the guard of a create that outlives its
/// caller, and the admin page.
#[derive(Clone, Debug, Default)]
pub struct LiveAttempts(Arc<Mutex<Live>>);

#[derive(Debug, Default)]
struct Live {
    history: AttemptHistory,
    in_flight: bool,
}

impl LiveAttempts {
    /// No attempt yet; if `resent`, the caller's library may have made some.
    pub(super) fn of(resent: bool) -> Self {
        Self(Arc::new(Mutex::new(Live {
            history: AttemptHistory::new(resent),
            in_flight: false,
        })))
    }

    /// An attempt is being sent.
    pub fn begin(&self) {
        self.lock().in_flight = true;
    }

    /// The attempt that was sent has failed, and the one who waits for the call knows.
    pub fn failed(&self, history: &AttemptHistory) {
        let mut live = self.lock();
        live.history.clone_from(history);
        live.in_flight = false;
    }

    /// The attempts so far, the one in flight included.
    pub fn attempts(&self) -> Attempts {
        let live = self.lock();
        let mut attempts = live.history.attempts.clone();
        attempts.count += u32::from(live.in_flight);
        attempts
    }

    /// Why the last attempt that ended failed.
    pub fn last_fault(&self) -> Option<Fault> {
        self.lock().history.last_fault().cloned()
    }

    /// What a create has come to if nothing more is heard of it: unknown while an attempt is in
    /// flight, and after one that may have taken effect.
    pub fn outcome(&self) -> Outcome {
        let live = self.lock();
        match live.in_flight {
            true => Outcome::Unknown,
            false => live.history.outcome(),
        }
    }

    /// Whether attempts were sent and all of them have ended.
    pub fn is_between_attempts(&self) -> bool {
        let live = self.lock();
        live.history.attempts.count > 0 && !live.in_flight
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
