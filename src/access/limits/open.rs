use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many calls each principal has open.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Arc<Mutex<HashMap<String, u32>>>);

/// A call that is open.
#[derive(Debug)]
pub struct Open {
    counts: Counts,
    name: String,
}

impl Counts {
    /// Opens one more; `None` where `most` are open already.
    pub(super) fn open(&self, name: &str, most: u32) -> Option<Open> {
        let mut counts = self.lock();
        let open = counts.get(name).copied().unwrap_or_default();
        if open >= most {
            return None;
        }
        counts.insert(name.to_owned(), open + 1);
        Some(Open {
            counts: self.clone(),
            name: name.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        match counts.get_mut(&self.name) {
            Some(open @ 2..) => *open -= 1,
            _ => drop(counts.remove(&self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_makes_room_and_leaves_nothing_behind() {
        let counts = Counts::default();
        let open: Vec<_> = (0..3).map(|_| counts.open("a", 2)).collect();
        assert_eq!(open.iter().filter(|open| open.is_some()).count(), 2);
        assert!(counts.open("b", 1).is_some());
        drop(open);
        assert!(counts.lock().is_empty());
    }
}
