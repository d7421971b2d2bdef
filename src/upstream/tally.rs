//! What the layers count.

use std::sync::atomic::{AtomicU64, Ordering};

use super::retry::Why;
use crate::domain::Fault;

/// What the layers have done since the start, each counted where it happens.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "each is the count of what its name says")]
pub struct Tally {
    pub attempts: Count,
    pub repeats_after_throttling: Count,
    pub repeats_after_no_answer: Count,
    pub repeats_after_error: Count,
    pub ended_by_attempts: Count,
    pub ended_by_deadline: Count,
    pub ended_by_budget: Count,
    pub paced: Count,
    pub refused_by_pace: Count,
    pub throttled: Count,
    pub shared_reads: Count,
    pub creates_unheard: Count,
    pub creates_looked_up: Count,
    pub creates_reconciled: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// A call is repeated after this fault.
    pub(super) fn repeated(&self, fault: &Fault) {
        if fault.is_throttling() {
            self.repeats_after_throttling.add();
        } else if fault.is_no_answer() {
            self.repeats_after_no_answer.add();
        } else {
            self.repeats_after_error.add();
        }
    }

    /// A call is not repeated.
    pub(super) fn ended(&self, why: Why) {
        match why {
            Why::Pointless | Why::NotSent => {}
            Why::Attempts => self.ended_by_attempts.add(),
            Why::Deadline => self.ended_by_deadline.add(),
            Why::Budget => self.ended_by_budget.add(),
        }
    }
}
