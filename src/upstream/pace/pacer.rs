use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::info_span;

use super::{
    PaceSettings,
    rate::{GRACE, Rate, Signal},
};
use crate::{call::Deadline, domain::Fault, observability::telemetry::SPAN_TARGET};

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

impl State {
    /// Gives a pace up that has served its time and that nobody waits for.
    fn forget(&mut self) {
        if self.queue.is_empty() {
            self.rate.forget(Instant::now());
        }
    }
}

/// An attempt that may begin.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Turn {
    began: Instant,
    /// Whether it had to wait.
    pub(in crate::upstream) waited: bool,
}

/// What recent attempts say of the upstream.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Seen {
    pub(in crate::upstream) is_throttled: bool,
    pub(in crate::upstream) silent_since: Option<Instant>,
    pub(in crate::upstream) heard: Option<Instant>,
}

/// What one who waits does next.
enum Next {
    Begin(Turn),
    /// Look again at this moment, or when told that things have changed.
    Wait(Instant),
}

impl Pacer {
    pub(in crate::upstream) fn new(settings: PaceSettings) -> Self {
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
        let mut waits = None;
        loop {
            match self.next(&place, is_first, waits.is_some(), deadline)? {
                Next::Begin(turn) => return Ok(turn),
                Next::Wait(until) => {
                    // Shown apart from work: a span for as long as it waits.
                    waits.get_or_insert_with(|| info_span!(target: SPAN_TARGET, "wait for a turn"));
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = place.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// What an attempt that began in this turn came to.
    pub(in crate::upstream) fn told(&self, turn: Turn, signal: Signal<'_>) {
        let mut state = self.state();
        if state.rate.told(turn.began, signal, Instant::now()) {
            state.queue.values().for_each(|waiting| waiting.notify_one());
        }
    }

    /// How long a call that came now would wait for its turn.
    pub(in crate::upstream) fn wait(&self) -> Duration {
        let state = self.state();
        state.rate.wait(state.queue.len(), Instant::now())
    }

    /// Attempts a second that are let through; `None` where there is no pace.
    pub(in crate::upstream) fn rate(&self) -> Option<f64> {
        let mut state = self.state();
        state.forget();
        state.rate.per_second()
    }

    /// What recent attempts say of the upstream.
    pub(in crate::upstream) fn seen(&self) -> Seen {
        let (now, rate) = (Instant::now(), &self.state().rate);
        Seen {
            is_throttled: rate.is_throttled(now),
            silent_since: rate.silent_since(now),
            heard: rate.heard(),
        }
    }

    fn join(&self) -> Place<'_> {
        let changed = Arc::new(Notify::new());
        let mut state = self.state();
        state.forget();
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
        let mut ahead = queue.range(..place.number).count();
        if ahead > 0 && rate.is_overdue(now) {
            // Whoever is first does not look: its caller has stopped reading. It loses its
            // place, and takes its turn when it looks again.
            queue.pop_first();
            ahead -= 1;
            if let Some((_, first)) = queue.first_key_value() {
                first.notify_one();
            }
        }
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
            None => Ok(Next::Wait(now + left.min(wait + GRACE))),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use futures_util::poll;
    use tokio::time::advance;

    use super::*;
    use crate::call::LatestDeadline;

    const SECOND: Duration = Duration::from_secs(1);

    /// Throttled a moment ago, for the first time.
    async fn throttled() -> Pacer {
        let pacer = Pacer::new(PaceSettings {
            floor: 0.1,
            ..PaceSettings::default()
        });
        let turn = pacer.turn(true, &after(SECOND)).await.unwrap();
        assert!(!turn.waited);
        pacer.told(turn, Signal::Throttled);
        pacer
    }

    fn after(time: Duration) -> Deadline {
        Deadline::At(Instant::now() + time)
    }

    /// One that began a moment ago is throttled too.
    async fn fall(pacer: &Pacer) {
        advance(Duration::from_millis(1)).await;
        let turn = Turn {
            began: Instant::now(),
            waited: true,
        };
        pacer.told(turn, Signal::Throttled);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_at_once_when_a_fall_makes_it_late() {
        let pacer = throttled().await;
        let deadline = after(3 * SECOND);
        let mut waiting = Box::pin(pacer.turn(true, &deadline));
        assert!(poll!(&mut waiting).is_pending());
        fall(&pacer).await;
        fall(&pacer).await;
        let began = Instant::now();
        assert!(matches!(waiting.await, Err(Fault::Paced { .. })));
        assert!(began.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_has_the_time_to_which_its_deadline_was_put_off() {
        let pacer = throttled().await;
        let latest = LatestDeadline::new(Instant::now() + 3 * SECOND);
        let deadline = Deadline::Latest(latest.clone());
        let mut waiting = Box::pin(pacer.turn(true, &deadline));
        assert!(poll!(&mut waiting).is_pending());
        latest.extend_to(Instant::now() + 60 * SECOND);
        fall(&pacer).await;
        fall(&pacer).await;
        let began = Instant::now();
        assert!(waiting.await.unwrap().waited);
        assert!(began.elapsed() > 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_from_before_a_fall_makes_no_other() {
        let pacer = throttled().await;
        let wait = pacer.wait();
        let turn = Turn {
            began: Instant::now(),
            waited: true,
        };
        pacer.told(turn, Signal::Throttled);
        assert_eq!(pacer.wait(), wait);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_begins_at_its_deadline() {
        let pacer = Pacer::new(PaceSettings::default());
        let deadline = after(Duration::ZERO);
        assert!(matches!(
            pacer.turn(true, &deadline).await,
            Err(Fault::Deadline { .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_ends_the_wait_of_new_calls_and_not_of_repeats() {
        let pacer = throttled().await;
        let deadline = after(60 * SECOND);
        let mut first = Box::pin(pacer.turn(true, &deadline));
        let mut repeat = Box::pin(pacer.turn(false, &deadline));
        assert!(poll!(&mut first).is_pending() && poll!(&mut repeat).is_pending());
        advance(Duration::from_millis(1)).await;
        let turn = Turn {
            began: Instant::now(),
            waited: true,
        };
        for _ in 0..PaceSettings::default().silence {
            pacer.told(turn, Signal::Unresponsive(&Fault::AttemptTimeout));
        }
        assert!(matches!(first.await, Err(Fault::AttemptTimeout)));
        assert!(repeat.await.unwrap().waited);
        // What was under way when an answer came says nothing of what is now.
        advance(SECOND).await;
        pacer.told(turn, Signal::Answered);
        for _ in 0..100 {
            pacer.told(turn, Signal::Unresponsive(&Fault::AttemptTimeout));
        }
        let late = pacer.turn(true, &after(10 * SECOND)).await;
        assert!(late.is_ok(), "the outage was believed to go on");
    }
}
