//! Faults on demand: rules say which calls go wrong, and how.
//!
//! `rule` has the rules and their JSON, `selection` chooses the calls, `inject` makes the faults.
//! docs/emulator.md says what a client sees of each.

mod error_response;
mod inject;
mod rule;
mod selection;
mod wrong_tapes;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::protocol::Service;
pub(super) use inject::Injection;
pub use rule::Rule;
use rule::{Kind, When};
use selection::{CallRandom, TokenBucket};

/// The active rules, in the order in which they are tried on a call.
pub(super) struct Faults {
    seed: u64,
    internal_server_error: u16,
    /// The rules at the start.
    first: Vec<Rule>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: Vec<Active>,
    last_id: u64,
}

/// An active rule with its counters.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Active {
    id: u64,
    #[serde(flatten)]
    rule: Rule,
    seed: u64,
    /// The number of calls that it was tried on.
    seen: u64,
    /// The number of these calls that it acted on.
    hit: u64,
    #[serde(skip)]
    bucket: Option<TokenBucket>,
}

impl Faults {
    /// The maximum number of active rules: every call is tried on all of them.
    pub(super) const MAX_RULES: usize = 1_000;

    pub(super) fn new(seed: u64, internal_server_error: u16, rules: Vec<Rule>) -> Self {
        let faults = Self {
            seed,
            internal_server_error,
            first: rules,
            state: Mutex::default(),
        };
        faults.put(&mut faults.state(), faults.first.clone());
        faults
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock is safe to use: at worst a counter is one too low.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn list(&self) -> Vec<Active> {
        self.state().rules.clone()
    }

    /// Appends rules, and returns all active rules; `None`, without a change, if there would be too
    /// many.
    pub(super) fn add(&self, rules: Vec<Rule>) -> Option<Vec<Active>> {
        let mut state = self.state();
        if state.rules.len().saturating_add(rules.len()) > Self::MAX_RULES {
            return None;
        }
        self.put(&mut state, rules);
        Some(state.rules.clone())
    }

    /// Deletes every rule and restarts ids at 1, so that the same rules hit the same calls.
    pub(super) fn clear(&self) {
        *self.state() = State::default();
    }

    /// Replaces all rules by those at the start, with their counters at 0.
    pub(super) fn reset(&self) {
        let mut state = State::default();
        self.put(&mut state, self.first.clone());
        *self.state() = state;
    }

    /// Deletes a rule; false if there is none with this id.
    pub(super) fn remove(&self, id: u64) -> bool {
        let mut state = self.state();
        let before = state.rules.len();
        state.rules.retain(|active| active.id != id);
        state.rules.len() < before
    }

    fn put(&self, state: &mut State, rules: Vec<Rule>) {
        for mut rule in rules {
            state.last_id += 1;
            let id = state.last_id;
            rule.kind = rule.kind.with_status(self.internal_server_error);
            // Rules without a seed of their own hit different calls.
            let seed = rule.seed.unwrap_or_else(|| self.seed.wrapping_add(id));
            let bucket = rule.bucket(Instant::now());
            state.rules.push(Active {
                id,
                rule,
                seed,
                seen: 0,
                hit: 0,
                bucket,
            });
        }
    }

    /// The faults of the next call of this operation, which claims to be signed for this region.
    pub(super) fn next(&self, service: Service, operation: &str, region: Option<&str>) -> Injection {
        let mut injection = Injection::new(service);
        for active in &mut self.state().rules {
            let Some(random) = active.hits(service, operation, region, Instant::now()) else {
                continue;
            };
            tracing::debug!(operation, rule = active.id, "a fault rule hits");
            match &active.rule.kind {
                Kind::Latency { min_ms, max_ms, when } => {
                    let wait = Duration::from_millis(random.between(*min_ms, *max_ms));
                    match when {
                        When::Before => injection.before = injection.before.saturating_add(wait),
                        When::After => injection.after = injection.after.saturating_add(wait),
                    }
                }
                kind => {
                    injection.fault = Some(kind.clone());
                    break;
                }
            }
        }
        injection
    }
}

impl Active {
    /// Tries the rule on a call and counts it. Returns the random numbers of the call if it hits.
    fn hits(
        &mut self,
        service: Service,
        operation: &str,
        region: Option<&str>,
        now: Instant,
    ) -> Option<CallRandom> {
        if !self.rule.is_about(service, operation, region)
            || self.rule.calls.is_some_and(|calls| self.seen >= calls)
        {
            return None;
        }
        self.seen += 1;
        let random = CallRandom::new(self.seed, self.seen);
        if !random.within(self.rule.share) {
            return None;
        }
        if self.bucket.as_mut().is_some_and(|bucket| bucket.take(now)) {
            return None;
        }
        self.hit += 1;
        Some(random)
    }
}
