use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry::trace::SpanKind;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    PaceSettings,
    rate::{Rate, Signal, TURN_GRACE},
};
use crate::{call::Deadline, domain::Fault, observability::telemetry::TraceSpan};

/// Lets attempts begin at the [`Rate`] of one partition and kind of operation. Principals take turns, so that
/// one with many attempts does not keep others waiting; the attempts of each begin in the order in which they
/// came.
#[derive(Debug)]
pub(in crate::upstream) struct Pacer(Mutex<State>);

#[derive(Debug)]
struct State {
    rate: Rate,
    /// Since when there is an outage whose end was not seen.
    outage_since: Option<Instant>,
    /// Since when AWS throttles, while the end was not seen.
    throttled_since: Option<Instant>,
    /// The waiting attempts, in the order of their tickets.
    queue: BTreeMap<Ticket, Arc<Notify>>,
    last_number: u64,
    /// By the names of principals whose attempts wait.
    of_principals: HashMap<String, Waiting>,
}

/// A place in the queue. In each round, every principal has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    round: u64,
    number: u64,
}

/// The attempts of a principal.
#[derive(Debug)]
struct Waiting {
    count: usize,
    last_round: u64,
}

impl State {
    /// The round of the next attempt of this principal.
    fn next_round(&self, principal: &str) -> u64 {
        let current = self.queue.first_key_value().map_or(0, |(first, _)| first.round);
        let of_principal = self.of_principals.get(principal);
        of_principal.map_or(current, |waiting| current.max(waiting.last_round + 1))
    }

    /// What changes with an attempt that ended with this signal. Of two changes, the next attempt shows
    /// the second.
    fn change(&mut self, signal: Signal<'_>, now: Instant) -> Option<UpstreamChange> {
        let is_answer = matches!(signal, Signal::Answered | Signal::Throttled);
        let is_throttled = self.rate.is_throttled(now);
        // The rate forgets an outage of which nothing is heard.
        match (self.outage_since, self.rate.outage_since()) {
            (None, Some(since)) => {
                self.outage_since = Some(since);
                return Some(UpstreamChange::OutageBegins);
            }
            (Some(since), None) if is_answer => {
                self.outage_since = None;
                return Some(UpstreamChange::OutageEnds(since.elapsed()));
            }
            _ => {}
        }
        match self.throttled_since {
            None if is_throttled => {
                self.throttled_since = Some(now);
                Some(UpstreamChange::ThrottlingBegins)
            }
            Some(since) if !is_throttled && matches!(signal, Signal::Answered) => {
                self.throttled_since = None;
                Some(UpstreamChange::ThrottlingEnds(since.elapsed()))
            }
            _ => None,
        }
    }

    /// Removes the limit if it is no longer needed and no attempt waits.
    fn forget(&mut self) {
        if self.queue.is_empty() {
            self.rate.forget(Instant::now());
        }
    }
}

/// The turn of an attempt that may begin.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Turn {
    began: Instant,
    /// Whether the attempt waited for it.
    pub(in crate::upstream) waited: bool,
}

/// What recent attempts say about AWS.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct UpstreamState {
    pub(in crate::upstream) is_throttled: bool,
    pub(in crate::upstream) unresponsive_since: Option<Instant>,
    pub(in crate::upstream) last_response: Option<Instant>,
}

/// A change that the end of an attempt shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::upstream) enum UpstreamChange {
    OutageBegins,
    /// It lasted so long.
    OutageEnds(Duration),
    ThrottlingBegins,
    /// It lasted so long.
    ThrottlingEnds(Duration),
}

/// What a waiting attempt does next.
enum Next {
    Begin(Turn),
    /// Check again at this moment, or when notified.
    Wait(Instant),
}

impl Pacer {
    pub(in crate::upstream) fn new(settings: PaceSettings) -> Self {
        Self(Mutex::new(State {
            rate: Rate::new(settings),
            outage_since: None,
            throttled_since: None,
            queue: BTreeMap::new(),
            last_number: 0,
            of_principals: HashMap::new(),
        }))
    }

    /// Waits until an attempt of this principal may begin. Without a limit, there is no wait. `is_first` is
    /// whether it is the first attempt of the call.
    ///
    /// # Errors
    ///
    /// - [`Fault::Deadline`] if the deadline has passed.
    /// - [`Fault::Paced`], at once, if the turn would come after the deadline.
    /// - In an outage, the last fault of the outage instead of [`Fault::Paced`]. A call's first
    ///   attempt fails with it instead of waiting: only retries wait for the end of an outage.
    pub(in crate::upstream) async fn wait_for_turn(
        &self,
        principal: &str,
        is_first: bool,
        deadline: &Deadline,
    ) -> Result<Turn, Fault> {
        let waiter = self.join(principal);
        let mut waits = None;
        loop {
            match self.next(&waiter, is_first, waits.is_some(), deadline)? {
                Next::Begin(turn) => return Ok(turn),
                Next::Wait(until) => {
                    // The trace shows the wait as a span of its own.
                    waits.get_or_insert_with(|| TraceSpan::begin("wait for a turn", SpanKind::Internal));
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = waiter.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// Records how the attempt of this turn ended. Returns what changes with it.
    pub(in crate::upstream) fn record(&self, turn: Turn, signal: Signal<'_>) -> Option<UpstreamChange> {
        let now = Instant::now();
        let mut state = self.state();
        if state.rate.record(turn.began, signal, now) {
            state.queue.values().for_each(|waiting| waiting.notify_one());
        }
        state.change(signal, now)
    }

    /// How long a call of this principal that arrives now would wait for its turn.
    pub(in crate::upstream) fn expected_wait(&self, principal: &str) -> Duration {
        let state = self.state();
        let last = Ticket {
            round: state.next_round(principal),
            number: u64::MAX,
        };
        state.rate.wait(state.queue.range(..last).count(), Instant::now())
    }

    /// Attempts per second; `None` without a limit.
    pub(in crate::upstream) fn rate(&self) -> Option<f64> {
        let mut state = self.state();
        state.forget();
        state.rate.per_second()
    }

    /// What recent attempts say about AWS.
    pub(in crate::upstream) fn upstream_state(&self) -> UpstreamState {
        let (now, rate) = (Instant::now(), &self.state().rate);
        UpstreamState {
            is_throttled: rate.is_throttled(now),
            unresponsive_since: rate.unresponsive_since(now),
            last_response: rate.last_response(),
        }
    }

    fn join<'a>(&'a self, principal: &'a str) -> Waiter<'a> {
        let changed = Arc::new(Notify::new());
        let mut state = self.state();
        state.forget();
        state.rate.forget_outage(Instant::now());
        state.last_number += 1;
        let ticket = Ticket {
            round: state.next_round(principal),
            number: state.last_number,
        };
        state.queue.insert(ticket, changed.clone());
        let waiting = state
            .of_principals
            .entry(principal.to_owned())
            .or_insert(Waiting {
                count: 0,
                last_round: ticket.round,
            });
        waiting.count += 1;
        waiting.last_round = ticket.round;
        Waiter {
            pacer: self,
            principal,
            ticket,
            changed,
        }
    }

    fn next(
        &self,
        waiter: &Waiter<'_>,
        is_first: bool,
        waited: bool,
        deadline: &Deadline,
    ) -> Result<Next, Fault> {
        let now = Instant::now();
        let mut state = self.state();
        let State { rate, queue, .. } = &mut *state;
        let mut ahead = queue.range(..waiter.ticket).count();
        if ahead > 0 && rate.is_overdue(now) {
            // The first attempt in the queue is not polled, because its caller has stopped reading.
            // It leaves the queue, and takes its turn when it is polled again.
            queue.pop_first();
            ahead -= 1;
            if let Some((_, first)) = queue.first_key_value() {
                first.notify_one();
            }
        }
        if ahead == 0 && waited {
            rate.increase(now);
        }
        let wait = rate.wait(ahead, now);
        let left = deadline.moment().saturating_duration_since(now);
        let rejection = match rate.outage() {
            _ if left.is_zero() => Some(Fault::Deadline { last: None }),
            Some(fault) if wait > left || (is_first && !wait.is_zero()) => Some(fault.clone()),
            None if wait > left => Some(Fault::Paced { wait }),
            _ => None,
        };
        match rejection {
            Some(fault) => Err(fault),
            None if wait.is_zero() => {
                rate.begin(waited, now);
                Ok(Next::Begin(Turn { began: now, waited }))
            }
            None if ahead == 0 => Ok(Next::Wait(now + wait)),
            // It is notified when it becomes the first in the queue.
            None => Ok(Next::Wait(now + left.min(wait + TURN_GRACE))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt in the queue. It leaves the queue when this is dropped.
struct Waiter<'a> {
    pacer: &'a Pacer,
    principal: &'a str,
    ticket: Ticket,
    changed: Arc<Notify>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut state = self.pacer.state();
        state.queue.remove(&self.ticket);
        if let Some(waiting) = state.of_principals.get_mut(self.principal) {
            waiting.count -= 1;
            if waiting.count == 0 {
                state.of_principals.remove(self.principal);
            }
        }
        if let Some((_, first)) = state.queue.first_key_value() {
            first.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use futures_util::{future::join_all, poll};
    use tokio::time::{advance, timeout};

    use super::*;
    use crate::call::LatestDeadline;

    const SECOND: Duration = Duration::from_secs(1);

    /// A pacer whose first attempt was throttled just now.
    async fn throttled() -> Pacer {
        let pacer = Pacer::new(PaceSettings {
            floor: 0.1,
            ..PaceSettings::default()
        });
        let turn = pacer.wait_for_turn("a", true, &after(SECOND)).await.unwrap();
        assert!(!turn.waited);
        pacer.record(turn, Signal::Throttled);
        pacer
    }

    fn after(time: Duration) -> Deadline {
        Deadline::At(Instant::now() + time)
    }

    /// Another attempt is throttled, so the rate decreases.
    async fn decrease(pacer: &Pacer) {
        advance(Duration::from_millis(1)).await;
        let turn = Turn {
            began: Instant::now(),
            waited: true,
        };
        pacer.record(turn, Signal::Throttled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_call_fails_at_once_when_a_decrease_makes_it_late() {
        let pacer = throttled().await;
        let deadline = after(3 * SECOND);
        let mut waiting = Box::pin(pacer.wait_for_turn("a", true, &deadline));
        assert!(poll!(&mut waiting).is_pending());
        decrease(&pacer).await;
        decrease(&pacer).await;
        let began = Instant::now();
        assert!(matches!(waiting.await, Err(Fault::Paced { .. })));
        assert!(began.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_call_uses_the_time_of_an_extended_deadline() {
        let pacer = throttled().await;
        let latest = LatestDeadline::new(Instant::now() + 3 * SECOND);
        let deadline = Deadline::Latest(latest.clone());
        let mut waiting = Box::pin(pacer.wait_for_turn("a", true, &deadline));
        assert!(poll!(&mut waiting).is_pending());
        latest.extend_to(Instant::now() + 60 * SECOND);
        decrease(&pacer).await;
        decrease(&pacer).await;
        let began = Instant::now();
        assert!(waiting.await.unwrap().waited);
        assert!(began.elapsed() > 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn principals_take_turns() {
        let pacer = throttled().await;
        let deadline = after(Duration::from_secs(60 * 60));
        let begun = Mutex::new(Vec::new());
        let attempts = ["a", "a", "a", "a", "b", "b", "c"].map(async |principal| {
            pacer.wait_for_turn(principal, false, &deadline).await.unwrap();
            begun.lock().unwrap().push(principal);
        });
        let one_who_leaves = timeout(SECOND / 100, pacer.wait_for_turn("b", false, &deadline));
        let (_, left) = tokio::join!(join_all(attempts), one_who_leaves);
        assert!(left.is_err());
        assert_eq!(*begun.lock().unwrap(), ["a", "b", "c", "a", "b", "a", "a"]);
        assert!(pacer.state().of_principals.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_expected_wait_is_that_of_the_principal() {
        let pacer = throttled().await;
        let deadline = after(Duration::from_secs(60 * 60));
        let mut waiting: Vec<_> = (0..10)
            .map(|_| Box::pin(pacer.wait_for_turn("a", true, &deadline)))
            .collect();
        for one in &mut waiting {
            assert!(poll!(one).is_pending());
        }
        assert!(pacer.expected_wait("b") < pacer.expected_wait("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_from_before_a_decrease_causes_no_other() {
        let pacer = throttled().await;
        let wait = pacer.expected_wait("a");
        let turn = Turn {
            began: Instant::now(),
            waited: true,
        };
        pacer.record(turn, Signal::Throttled);
        assert_eq!(pacer.expected_wait("a"), wait);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_begins_once_and_ends_when_it_is_forgotten() {
        let pacer = Pacer::new(PaceSettings::default());
        let mut changes = Vec::new();
        for signal in [Signal::Throttled, Signal::Answered, Signal::Throttled] {
            let turn = pacer.wait_for_turn("a", true, &after(60 * SECOND)).await.unwrap();
            changes.extend(pacer.record(turn, signal));
        }
        assert_eq!(changes, [UpstreamChange::ThrottlingBegins]);
        advance(PaceSettings::default().forget + SECOND).await;
        let turn = pacer.wait_for_turn("a", true, &after(60 * SECOND)).await.unwrap();
        let change = pacer.record(turn, Signal::Answered);
        assert!(matches!(change, Some(UpstreamChange::ThrottlingEnds(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_begins_at_its_deadline() {
        let pacer = Pacer::new(PaceSettings::default());
        let deadline = after(Duration::ZERO);
        assert!(matches!(
            pacer.wait_for_turn("a", true, &deadline).await,
            Err(Fault::Deadline { .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_ends_the_wait_of_new_calls_and_not_of_retries() {
        let pacer = throttled().await;
        let deadline = after(60 * SECOND);
        let mut first = Box::pin(pacer.wait_for_turn("a", true, &deadline));
        let mut retry = Box::pin(pacer.wait_for_turn("a", false, &deadline));
        assert!(poll!(&mut first).is_pending() && poll!(&mut retry).is_pending());
        advance(Duration::from_millis(1)).await;
        let turn = Turn {
            began: Instant::now(),
            waited: true,
        };
        let began = Instant::now();
        let changes = (0..PaceSettings::default().silence)
            .filter_map(|_| pacer.record(turn, Signal::Unresponsive(&Fault::AttemptTimeout)));
        assert_eq!(changes.collect::<Vec<_>>(), [UpstreamChange::OutageBegins]);
        assert!(matches!(first.await, Err(Fault::AttemptTimeout)));
        assert!(retry.await.unwrap().waited);
        // Attempts that were in flight at the last response say nothing about the present.
        advance(SECOND).await;
        let change = pacer.record(turn, Signal::Answered);
        assert_eq!(change, Some(UpstreamChange::OutageEnds(began.elapsed())));
        for _ in 0..100 {
            let change = pacer.record(turn, Signal::Unresponsive(&Fault::AttemptTimeout));
            assert_eq!(change, None);
        }
        let late = pacer.wait_for_turn("a", true, &after(10 * SECOND)).await;
        assert!(late.is_ok(), "the outage did not end");
    }
}
