use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Answer, Attempts, Failure, Fault, Grant, Outcome};

/// What has been done for a call so far: told by the layer that makes attempts, and read by
/// all above it, whose wait may end at any moment. Clones are the same progress.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    grant: Option<Grant>,
    made: Attempts,
    in_flight: bool,
    heard: bool,
    unclear: bool,
    unclear_before: bool,
    last: Option<Fault>,
    paused: Option<Duration>,
    follows: Option<Progress>,
}

impl Progress {
    /// Its caller's library says that it sent the call before, and nobody here knows what came of
    /// that.
    pub fn was_sent_before(&self) {
        self.change(|state| state.unclear = true);
    }

    /// The call may go on.
    pub fn grant(&self, grant: Grant) {
        self.change(|state| state.grant = Some(grant));
    }

    /// That the call may go on, if it was decided so.
    pub fn granted(&self) -> Option<Grant> {
        self.look(|state| state.grant.clone())
    }

    /// The call is repeated after so long.
    pub fn pauses(&self, pause: Duration) {
        self.change(|state| state.paused = Some(pause));
    }

    /// How long it paused before its present attempt; `None` for its first.
    pub fn paused(&self) -> Option<Duration> {
        self.look(|state| state.paused)
    }

    /// An attempt is about to be sent.
    pub fn begin(&self) {
        self.change(|state| {
            state.made.count += 1;
            state.in_flight = true;
            state.heard = false;
            state.unclear_before = state.unclear;
        });
    }

    /// The attempt that was begun has ended like this.
    pub fn end<T>(&self, outcome: &Result<Answer<T>, Failure>) {
        self.change(|state| {
            state.in_flight = false;
            let attempts = match outcome {
                Ok(answer) => &answer.attempts,
                Err(failure) => {
                    state.unclear |= failure.fault.outcome() == Outcome::Unknown;
                    state.last = Some(failure.fault.clone());
                    &failure.attempts
                }
            };
            // It came to nothing before it was sent.
            state.made.count -= u32::from(attempts.count == 0);
            if let Some(id) = &attempts.request_id {
                state.made.request_id = Some(id.clone());
            }
        });
    }

    /// Whoever waits for the call has heard how the attempt ended.
    pub fn hear(&self) {
        self.change(|state| state.heard = true);
    }

    /// Whether attempts were made, and how all of them ended was heard.
    pub fn is_heard(&self) -> bool {
        self.look(|state| state.made.count > 0 && state.heard)
    }

    /// From now on this call's progress is that of another, which is made for it too.
    pub fn follow(&self, other: &Self) {
        self.change(|state| state.follows = Some(other.clone()));
    }

    /// The attempts so far.
    pub fn attempts(&self) -> Attempts {
        self.look(|state| state.made.clone())
    }

    /// What a create has come to, if nothing more is heard of it: unknown while an attempt
    /// is on its way, and once one of them may have taken effect.
    pub fn outcome(&self) -> Outcome {
        self.look(|state| match state.in_flight || state.unclear {
            true => Outcome::Unknown,
            false => Outcome::NotApplied,
        })
    }

    /// Whether an attempt before the last one may have taken effect, one that the caller's
    /// library made included.
    pub fn was_unclear_before(&self) -> bool {
        self.look(|state| state.unclear_before)
    }

    /// Why the last attempt that ended did not succeed.
    pub fn last_fault(&self) -> Option<Fault> {
        self.look(|state| state.last.clone())
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.follows.clone() {
            Some(other) => {
                drop(state);
                other.look(look)
            }
            None => look(&state),
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Which step a call is at: a list has one for each page. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Step(Arc<Mutex<Progress>>);

impl Step {
    /// It is at the one of this progress.
    pub fn is_at(&self, progress: &Progress) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress.clone();
    }

    /// How many attempts the step has taken so far.
    pub fn attempts(&self) -> u32 {
        let progress = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        progress.attempts().count
    }
}
