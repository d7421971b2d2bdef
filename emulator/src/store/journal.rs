use std::{collections::BTreeSet, sync::Arc};

use crate::barcode::Barcode;

/// A row of a region: what is kept as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// What generated names are drawn from.
    Counters,
    /// By its ARN.
    Gateway(Arc<str>),
    /// By its id.
    Pool(String),
    /// By the ARN of what has them.
    Tags(String),
    Tape(Barcode),
    /// By its client token.
    Creation(String),
}

/// The rows of a region that have changed since they were last taken to be kept. Nothing is
/// noted where nothing is kept.
pub(super) struct Journal(Option<BTreeSet<Key>>);

impl Journal {
    pub(super) fn new(is_on: bool) -> Self {
        Self(is_on.then(BTreeSet::new))
    }

    pub(super) fn note(&mut self, key: impl FnOnce() -> Key) {
        if let Some(changed) = &mut self.0 {
            changed.insert(key());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(BTreeSet::is_empty)
    }

    pub(super) fn take(&mut self) -> BTreeSet<Key> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn put_back(&mut self, keys: BTreeSet<Key>) {
        if let Some(changed) = &mut self.0 {
            changed.extend(keys);
        }
    }
}

/// What has changed in a store since the last time.
#[derive(Default)]
pub(crate) struct Changes {
    /// Whether all that there was before is gone, and every row is new.
    pub(crate) is_all: bool,
    /// The rows by region.
    pub(crate) rows: Vec<(String, BTreeSet<Key>)>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_all && self.rows.is_empty()
    }
}
