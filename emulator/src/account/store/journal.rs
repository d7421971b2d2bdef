use std::{collections::BTreeSet, sync::Arc};

use super::AccountRegion;
use crate::account::barcode::Barcode;

/// The key of a row of a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The counters of generated names.
    Counters,
    /// By its ARN.
    Gateway(Arc<str>),
    /// By its id.
    Pool(String),
    /// By the ARN of the resource.
    Tags(String),
    Tape(Barcode),
    /// By its client token.
    Creation(String),
}

/// The keys of the rows of a region that changed since the last batch. Without a state file nothing
/// is recorded.
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

    pub(super) fn return_changes(&mut self, keys: BTreeSet<Key>) {
        if let Some(changed) = &mut self.0 {
            changed.extend(keys);
        }
    }
}

/// A batch of changes.
#[derive(Default)]
pub(crate) struct Changes {
    /// Whether the rows replace all rows that there are.
    pub(crate) is_all: bool,
    /// The rows by region.
    pub(crate) rows: Vec<(AccountRegion, BTreeSet<Key>)>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_all && self.rows.is_empty()
    }
}
