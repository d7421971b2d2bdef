use std::collections::{HashMap, hash_map::Entry};

/// A value for each principal. Whenever their number has doubled, those that are not needed are removed, so that
/// principals who have gone take no memory.
#[derive(Debug)]
pub(super) struct ByPrincipal<V> {
    values: HashMap<String, V>,
    /// The number of values at which they are swept next.
    sweep_at: usize,
}

/// The smallest number of values at which they are swept.
pub(super) const MIN_SWEEP: usize = 1_024;

impl<V> Default for ByPrincipal<V> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            sweep_at: MIN_SWEEP,
        }
    }
}

impl<V> ByPrincipal<V> {
    /// The entry of a principal.
    pub(super) fn entry(
        &mut self,
        principal: &str,
        mut is_needed: impl FnMut(&mut V) -> bool,
    ) -> Entry<'_, String, V> {
        if self.values.len() >= self.sweep_at {
            self.values.retain(|_, value| is_needed(value));
            self.sweep_at = (2 * self.values.len()).max(MIN_SWEEP);
        }
        self.values.entry(principal.to_owned())
    }

    pub(super) fn get(&self, principal: &str) -> Option<&V> {
        self.values.get(principal)
    }

    pub(super) fn get_mut(&mut self, principal: &str) -> Option<&mut V> {
        self.values.get_mut(principal)
    }

    pub(super) fn remove(&mut self, principal: &str) {
        self.values.remove(principal);
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.values.values()
    }
}
