use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// A counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// A counter at 0.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds 1.
    pub fn add(&self) {
        self.add_many(1);
    }

    /// Adds `count`.
    pub fn add_many(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The current value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters by key. The number of keys must be bounded.
#[derive(Debug)]
pub struct Counts<K>(Mutex<BTreeMap<K, u64>>);

impl<K: Ord + Clone> Counts<K> {
    /// Adds 1 to the counter of this key.
    pub fn add(&self, key: K) {
        self.add_many(key, 1);
    }

    /// Adds `count` to the counter of this key.
    pub fn add_many(&self, key: K, count: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(key).or_default() += count;
    }

    /// The current values of all keys.
    pub fn get(&self) -> BTreeMap<K, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The current value of this key.
    pub fn of(&self, key: &K) -> u64 {
        self.get().get(key).copied().unwrap_or_default()
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .sum()
    }
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
