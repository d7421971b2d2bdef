use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

/// Earlier decisions, of which at most so many are kept: a further one replaces all of them.
#[derive(Debug)]
pub(super) struct Remembered<K, D> {
    capacity: usize,
    decisions: Mutex<HashMap<K, D>>,
}

impl<K: Eq + Hash, D: Clone> Remembered<K, D> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            decisions: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<D> {
        let decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        decisions.get(key).cloned()
    }

    pub(super) fn add(&self, key: K, decision: D) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        if decisions.len() >= self.capacity {
            decisions.clear();
        }
        decisions.insert(key, decision);
    }
}
