use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Settings,
    rate::{Rate, Sign},
};
use crate::domain::{Deadline, Fault};

/// Gives attempts their turns, first come, first served, at the [`Rate`] of one account,
/// region and kind of call.
#[derive(Debug)]
pub(in crate::upstream) struct Pacer(Mutex<State>);

#[derive(Debug)]
struct State {
    rate: Rate,
    /// Those who wait, by when they came.
    queue: BTreeMap<u64, Arc<Notify>>,
    came: u64,
}

/// An attempt that may begin.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Turn {
    began: Instant,
    /// Whether it had to wait.
    pub(in crate::upstream) waited: bool,
}

/// What one who waits does next.
enum Next {
    Begin(Turn),
    /// Look again at this moment, or when told that things have changed.
    Wait(Instant),
}

impl Pacer {
    pub(in crate::upstream) fn new(settings: Settings) -> Self {
        Self(Mutex::new(State {
            rate: Rate::new(settings),
            queue: BTreeMap::new(),
            came: 0,
        }))
    }

    /// Waits until an attempt may begin; not at all when there is no rate to keep.
    /// `is_first` says whether it is the call's first one.
    ///
    /// # Errors
    ///
    /// [`Fault::Deadline`] when the deadline has passed, and [`Fault::Paced`], at once, when
    /// the turn would come after it. In an outage the last fault stands in for the second,
    /// and for a call's first attempt that would have to wait: only a call's own repeat
    /// waits for an upstream that gives no answer.
    pub(in crate::upstream) async fn turn(&self, is_first: bool, deadline: &Deadline) -> Result<Turn, Fault> {
        let place = self.join();
        let mut waited = false;
        loop {
            match self.next(&place, is_first, waited, deadline)? {
                Next::Begin(turn) => return Ok(turn),
                Next::Wait(until) => {
                    waited = true;
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = place.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// What an attempt that began in this turn came to.
    pub(in crate::upstream) fn told(&self, turn: Turn, sign: Sign<'_>) {
        let mut state = self.state();
        if state.rate.told(turn.began, sign, Instant::now()) {
            state.queue.values().for_each(|waiting| waiting.notify_one());
        }
    }

    /// How long a call that came now would wait for its turn.
    pub(in crate::upstream) fn wait(&self) -> Duration {
        let state = self.state();
        state.rate.wait(state.queue.len(), Instant::now())
    }

    fn join(&self) -> Place<'_> {
        let changed = Arc::new(Notify::new());
        let mut state = self.state();
        if state.queue.is_empty() {
            state.rate.forget(Instant::now());
        }
        state.came += 1;
        let number = state.came;
        state.queue.insert(number, changed.clone());
        Place {
            pacer: self,
            number,
            changed,
        }
    }

    fn next(
        &self,
        place: &Place<'_>,
        is_first: bool,
        waited: bool,
        deadline: &Deadline,
    ) -> Result<Next, Fault> {
        let now = Instant::now();
        let mut state = self.state();
        let State { rate, queue, .. } = &mut *state;
        let ahead = queue.range(..place.number).count();
        if ahead == 0 && waited {
            rate.grow(now);
        }
        let wait = rate.wait(ahead, now);
        let left = deadline.moment().saturating_duration_since(now);
        let refused = match rate.outage() {
            _ if left.is_zero() => Some(Fault::Deadline { last: None }),
            Some(fault) if wait > left || (is_first && !wait.is_zero()) => Some(fault.clone()),
            None if wait > left => Some(Fault::Paced { wait }),
            _ => None,
        };
        match refused {
            Some(fault) => Err(fault),
            None if wait.is_zero() => {
                rate.begin(waited, now);
                Ok(Next::Begin(Turn { began: now, waited }))
            }
            None if ahead == 0 => Ok(Next::Wait(now + wait)),
            // It is told when nobody is ahead any more.
            None => Ok(Next::Wait(now + left)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, given up when it is dropped.
struct Place<'a> {
    pacer: &'a Pacer,
    number: u64,
    changed: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.pacer.state();
        state.queue.remove(&self.number);
        if let Some((_, first)) = state.queue.first_key_value() {
            first.notify_one();
        }
    }
}
