use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::Semaphore;

use crate::domain::OperationKind;

/// The places of the attempts in flight of each principal.
#[derive(Debug, Default)]
pub(super) struct AttemptPlaces(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Of reads and of creates. They live as long as an attempt has a place or waits for one.
    places: HashMap<String, [Weak<Semaphore>; 2]>,
    /// The number of principals at which those without an attempt are removed.
    sweep_at: usize,
}

/// The smallest `sweep_at`.
const MIN_SWEEP: usize = 1_024;

impl AttemptPlaces {
    /// The places of a principal for attempts of this kind: `max`, or as many as it had when the attempts began
    /// that are in flight now.
    pub(super) fn of(&self, principal: &str, kind: OperationKind, max: u32) -> Arc<Semaphore> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.places.len() >= state.sweep_at {
            state
                .places
                .retain(|_, of_kinds| of_kinds.iter().any(|places| places.strong_count() > 0));
            state.sweep_at = (2 * state.places.len()).max(MIN_SWEEP);
        }
        let of_kinds = state.places.entry(principal.to_owned()).or_default();
        let places = &mut of_kinds[usize::from(kind == OperationKind::Create)];
        places.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(max as usize));
            *places = Arc::downgrade(&new);
            new
        })
    }
}
