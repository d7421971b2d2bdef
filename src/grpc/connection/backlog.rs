//! The bytes of all responses that wait for their readers.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::time::Instant;

use super::sending::Sending;

/// Bounds the bytes of all responses that wait for their readers. Beyond the bound, the response that
/// has waited for the longest time has to go: a reader that reads is never the one.
#[derive(Debug)]
pub(super) struct Backlog {
    max: usize,
    bytes: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// The place of a waiting response: those that have waited for longer come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) since: Instant,
    /// Tells apart those that began to wait at the same time.
    pub(super) id: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    by_turn: BTreeMap<Turn, (Weak<Sending>, usize)>,
    /// The bytes of the responses that were told to go and are still there.
    going: BTreeMap<Turn, usize>,
}

impl Backlog {
    /// A backlog of at most so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            bytes: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }

    /// The bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records that a response holds `new` bytes instead of `old`.
    pub(super) fn change(&self, old: usize, new: usize) {
        self.bytes.fetch_add(new, Ordering::Relaxed);
        self.bytes.fetch_sub(old, Ordering::Relaxed);
    }

    /// Records that a response waits with so many bytes.
    pub(super) fn join(&self, turn: Turn, sending: Weak<Sending>, bytes: usize) {
        self.lock().by_turn.insert(turn, (sending, bytes));
    }

    /// Records that it does not wait any longer.
    pub(super) fn leave(&self, turn: Turn) {
        let mut waiting = self.lock();
        if waiting.by_turn.remove(&turn).is_none() {
            waiting.going.remove(&turn);
        }
    }

    /// Tells the responses that have waited for the longest time to go, until the others are within the
    /// bound.
    pub(super) fn make_room(&self) {
        if self.bytes() <= self.max {
            return;
        }
        let mut waiting = self.lock();
        let going: usize = waiting.going.values().sum();
        let mut excess = self.bytes().saturating_sub(going + self.max);
        let mut displaced = Vec::new();
        while excess > 0
            && let Some((turn, (sending, bytes))) = waiting.by_turn.pop_first()
        {
            waiting.going.insert(turn, bytes);
            excess = excess.saturating_sub(bytes);
            displaced.extend(sending.upgrade());
        }
        // A response locks itself before it joins or leaves.
        drop(waiting);
        for sending in displaced {
            sending.displace();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
