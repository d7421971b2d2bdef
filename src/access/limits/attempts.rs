use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

use super::by_principal::ByPrincipal;
use crate::domain::OperationKind;

/// The places of the attempts in flight of each principal: of reads and of creates. They live as long as an
/// attempt has a place or waits for one.
#[derive(Debug, Default)]
pub(super) struct AttemptPlaces(Mutex<ByPrincipal<[Weak<Semaphore>; 2]>>);

impl AttemptPlaces {
    /// The places of a principal for attempts of this kind: `max`, or as many as it had when the attempts began
    /// that are in flight now.
    pub(super) fn of(&self, principal: &str, kind: OperationKind, max: u32) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_needed = |of_kinds: &mut [Weak<_>; 2]| of_kinds.iter().any(|places| places.strong_count() > 0);
        let of_kinds = all.entry(principal, is_needed).or_default();
        let places = &mut of_kinds[usize::from(kind == OperationKind::Create)];
        places.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(max as usize));
            *places = Arc::downgrade(&new);
            new
        })
    }
}
