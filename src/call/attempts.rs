use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Transmission;
use crate::domain::{Attempts, Failure, Fault, Outcome};

/// A successful result.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What the operation returns.
    pub output: T,
    /// The attempts that it took.
    pub attempts: Attempts,
}

/// The attempts of one call, and what is known of their outcome.
#[derive(Clone, Debug, Default)]
pub struct AttemptHistory {
    attempts: Attempts,
    last_fault: Option<Box<Fault>>,
    /// Whether an attempt may have taken effect.
    is_unclear: bool,
    /// `is_unclear` before the last attempt.
    was_unclear: bool,
}

impl AttemptHistory {
    /// A history without attempts. If `resent`, the caller's library may have made some before.
    pub fn new(resent: bool) -> Self {
        Self {
            is_unclear: resent,
            ..Self::default()
        }
    }

    /// Adds an attempt that has ended. One that sent nothing changes nothing of the outcome.
    pub fn add<T>(&mut self, outcome: &Result<Answer<T>, Failure>) {
        let attempts = match outcome {
            Ok(answer) => &answer.attempts,
            Err(failure) => &failure.attempts,
        };
        let was_sent = attempts.count > 0;
        if was_sent {
            self.was_unclear = self.is_unclear;
        }
        self.attempts.add(attempts);
        if let Err(Failure { fault, .. }) = outcome {
            self.is_unclear |= was_sent && fault.outcome() == Outcome::Unknown;
            self.last_fault = Some(Box::new(fault.clone()));
        }
    }

    /// The attempts so far, and the last AWS request id.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Why the last attempt failed.
    pub fn last_fault(&self) -> Option<&Fault> {
        self.last_fault.as_deref()
    }

    /// The outcome of a create that ends now.
    pub fn outcome(&self) -> Outcome {
        match self.is_unclear {
            true => Outcome::Unknown,
            false => Outcome::NotApplied,
        }
    }

    /// The outcome of the attempts before the last one, those of the caller's library included.
    pub fn earlier_outcome(&self) -> Outcome {
        match self.was_unclear {
            true => Outcome::Unknown,
            false => Outcome::NotApplied,
        }
    }
}

/// The [`AttemptHistory`] of a call in progress. Clones share one value.
///
/// Results travel as values. This shared value is for code that looks at a call from outside while
/// it runs: a caller that stops waiting for a coalesced read, the guard of a create that outlives
/// its caller, and the admin page.
#[derive(Clone, Debug, Default)]
pub struct LiveAttempts(Arc<Mutex<Live>>);

#[derive(Debug, Default)]
struct Live {
    history: AttemptHistory,
    in_flight: Option<Transmission>,
}

impl LiveAttempts {
    /// No attempts yet. If `resent`, the caller's library may have made some before.
    pub(super) fn new(resent: bool) -> Self {
        Self(Arc::new(Mutex::new(Live {
            history: AttemptHistory::new(resent),
            in_flight: None,
        })))
    }

    /// Records that an attempt begins. It counts as sent, unless its transport can
    /// [tell](Self::prepare).
    pub fn begin(&self) {
        let sent = Transmission::default();
        sent.begin();
        self.lock().in_flight = Some(sent);
    }

    /// Records that the attempt in flight is not sent yet. Its transport reports by the transmission
    /// that it is.
    pub fn prepare(&self) -> Transmission {
        let transmission = Transmission::default();
        self.lock().in_flight = Some(transmission.clone());
        transmission
    }

    /// The transmission of the attempt in flight; one that never begins if none is.
    pub fn transmission(&self) -> Transmission {
        self.lock().in_flight.clone().unwrap_or_default()
    }

    /// Records that the attempt in flight has failed, after which the history is this.
    pub fn record_failure(&self, history: &AttemptHistory) {
        let mut live = self.lock();
        live.history.clone_from(history);
        live.in_flight = None;
    }

    /// The attempts so far, the one in flight included.
    pub fn attempts(&self) -> Attempts {
        let live = self.lock();
        let mut attempts = live.history.attempts.clone();
        if let Some(transmission) = &live.in_flight {
            attempts.made += 1;
            attempts.count += u32::from(transmission.has_begun());
        }
        attempts
    }

    /// Why the last attempt that ended failed.
    pub fn last_fault(&self) -> Option<Fault> {
        self.lock().history.last_fault().cloned()
    }

    /// Abandons a create: a request that is not sent yet is withdrawn. Returns the outcome, which is
    /// unknown while a sent attempt is in flight, and after one that may have taken effect.
    pub fn abandon(&self) -> Outcome {
        let live = self.lock();
        match &live.in_flight {
            Some(transmission) if !transmission.withdraw() => Outcome::Unknown,
            _ => live.history.outcome(),
        }
    }

    /// Whether at least one attempt was sent and none that was is in flight.
    pub fn is_between_attempts(&self) -> bool {
        let live = self.lock();
        let is_sending = live.in_flight.as_ref().is_some_and(Transmission::has_begun);
        live.history.attempts.count > 0 && !is_sending
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
