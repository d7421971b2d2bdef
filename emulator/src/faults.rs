//! Faults on demand: rules say which calls go wrong, and how.
//!
//! `rule` is the model and how JSON spells it, `chance` and `bucket` choose the calls,
//! `act` is the one place where a call goes wrong. What a client sees of each is in
//! docs/emulator.md.

mod act;
mod bucket;
mod chance;
mod error_answer;
mod rule;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::InternalServerErrorStatus;
pub(super) use act::Plan;
use bucket::Bucket;
use chance::Chance;
pub use rule::Rule;
use rule::{Kind, When};

/// The rules in force, in the order in which a call meets them.
pub(super) struct Faults {
    seed: u64,
    internal_server_error: InternalServerErrorStatus,
    /// The rules of the start.
    first: Vec<Rule>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: Vec<Active>,
    last_id: u64,
}

/// A rule at work.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Active {
    id: u64,
    #[serde(flatten)]
    rule: Rule,
    seed: u64,
    /// The calls that it was tried on.
    seen: u64,
    /// The calls of these that it acted on.
    hit: u64,
    #[serde(skip)]
    bucket: Option<Bucket>,
}

impl Faults {
    /// The rules that most can be in force, since every call walks them.
    pub(super) const MOST: usize = 1_000;

    pub(super) fn new(seed: u64, internal_server_error: InternalServerErrorStatus, rules: Vec<Rule>) -> Self {
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
        // Counters are all that a panic could have left behind by one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn list(&self) -> Vec<Active> {
        self.state().rules.clone()
    }

    /// Puts rules behind those in force, and gives all of them; `None`, and nothing is
    /// changed, when they would be too many.
    pub(super) fn add(&self, rules: Vec<Rule>) -> Option<Vec<Active>> {
        let mut state = self.state();
        if state.rules.len().saturating_add(rules.len()) > Self::MOST {
            return None;
        }
        self.put(&mut state, rules);
        Some(state.rules.clone())
    }

    /// Ends every rule, and counts ids from 1 again, so that the same rules hit the same calls.
    pub(super) fn clear(&self) {
        *self.state() = State::default();
    }

    /// Puts the rules of the start in the place of all others, as if they had met no call.
    pub(super) fn reset(&self) {
        let mut state = State::default();
        self.put(&mut state, self.first.clone());
        *self.state() = state;
    }

    /// Ends one rule; false when there is none.
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

    /// What is to go wrong with the next call of this operation.
    pub(super) fn plan(&self, operation: &str) -> Plan {
        let mut plan = Plan::default();
        for active in &mut self.state().rules {
            let Some(chance) = active.hits(operation, Instant::now()) else {
                continue;
            };
            tracing::debug!(operation, rule = active.id, "a fault rule hits");
            match &active.rule.kind {
                Kind::Latency { min_ms, max_ms, when } => {
                    let wait = Duration::from_millis(chance.between(*min_ms, *max_ms));
                    match when {
                        When::Before => plan.before = plan.before.saturating_add(wait),
                        When::After => plan.after = plan.after.saturating_add(wait),
                    }
                }
                kind => {
                    plan.fault = Some(kind.clone());
                    break;
                }
            }
        }
        plan
    }
}

impl Active {
    /// Tries the rule on a call, and counts it; what is left to chance, if it hits.
    fn hits(&mut self, operation: &str, now: Instant) -> Option<Chance> {
        if !self.rule.is_about(operation) || self.rule.calls.is_some_and(|calls| self.seen >= calls) {
            return None;
        }
        self.seen += 1;
        let chance = Chance::new(self.seed, self.seen);
        if !chance.within(self.rule.share) {
            return None;
        }
        if self.bucket.as_mut().is_some_and(|bucket| bucket.take(now)) {
            return None;
        }
        self.hit += 1;
        Some(chance)
    }
}
