//! The state of the account in memory: its regions, and the changes that are not saved yet.

mod journal;
mod region;

use std::collections::{BTreeMap, HashMap};

use super::{barcode::Barcode, creation::Creation, timestamp::Timestamp};
use crate::settings::{BarcodeScope, Life, TokenScope};
use journal::Journal;
pub(crate) use journal::{Changes, Key};
pub(crate) use region::{BarcodeIndex, Counters, Region};

/// The regions of one account that have anything, by name.
#[derive(Default)]
pub(crate) struct Store {
    regions: HashMap<String, Region>,
    /// Whether the regions record their changes.
    is_journaled: bool,
    /// Whether a snapshot or a reset has replaced all regions.
    is_replaced: bool,
    /// The number of the last batch of changes that was taken.
    batch: u64,
}

impl Store {
    pub(crate) fn add(&mut self, name: &str, region: Region) {
        self.regions.insert(name.to_owned(), region);
    }

    /// Records changes from now on.
    pub(crate) fn start_journal(&mut self) {
        self.is_journaled = true;
        for region in self.regions.values_mut() {
            region.journal = Journal::new(true);
        }
    }

    /// Replaces all regions by those of another store.
    pub(crate) fn replace(&mut self, by: Self) {
        self.regions = by.regions;
        if self.is_journaled {
            self.start_journal();
            self.is_replaced = true;
        }
    }

    /// Whether there are changes that no batch has.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_replaced || self.regions.values().any(|region| !region.journal.is_empty())
    }

    /// Takes the changes since the last batch as a new batch.
    pub(crate) fn take_changes(&mut self) -> Changes {
        self.batch += 1;
        let is_all = std::mem::take(&mut self.is_replaced);
        let mut rows = Vec::new();
        for (name, region) in &mut self.regions {
            let keys = region.journal.take();
            if !keys.is_empty() && !is_all {
                rows.push((name.clone(), keys));
            }
        }
        Changes { is_all, rows }
    }

    /// The number of the last batch.
    pub(crate) fn last_batch(&self) -> u64 {
        self.batch
    }

    /// Returns the changes of a batch that could not be saved.
    pub(crate) fn return_changes(&mut self, changes: Changes) {
        self.is_replaced |= changes.is_all;
        for (name, keys) in changes.rows {
            // A region disappears only when all are replaced, and then every row is saved again.
            if let Some(region) = self.regions.get_mut(&name) {
                region.journal.return_changes(keys);
            }
        }
    }

    /// The regions by name.
    pub(crate) fn regions(&self) -> BTreeMap<&str, &Region> {
        let regions = self.regions.iter();
        regions.map(|(name, region)| (name.as_str(), region)).collect()
    }

    pub(crate) fn region(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
    }

    /// The region, created empty if there is none.
    pub(crate) fn region_or_new(&mut self, name: &str, life: &Life) -> &mut Region {
        let is_journaled = self.is_journaled;
        self.regions.entry(name.to_owned()).or_insert_with(|| {
            let mut region = Region::new(life);
            region.journal = Journal::new(is_journaled);
            region.journal.note(|| Key::Counters);
            region
        })
    }

    /// Whether a tape leaves its status at `now` or before.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.regions.values().any(|region| region.next_due(now).is_some())
    }

    /// Applies the changes of status that are due at `now`.
    pub(crate) fn apply_due(&mut self, now: Timestamp) {
        for region in self.regions.values_mut() {
            while let Some(barcode) = region.next_due(now) {
                region.advance(barcode);
            }
        }
    }

    pub(crate) fn region_mut(&mut self, name: &str) -> Option<&mut Region> {
        self.regions.get_mut(name)
    }

    /// The creation with this token and its region: the region `name`, or any region if the scope
    /// is the account.
    pub(crate) fn creation(&self, name: &str, key: &str, scope: TokenScope) -> Option<(&str, &Creation)> {
        let mut regions = self.regions.iter();
        regions.find_map(|(region, held)| {
            let in_scope = scope == TokenScope::Account || region == name;
            let creation = held.remembered(key).filter(|_| in_scope)?;
            Some((region.as_str(), creation))
        })
    }

    /// Whether a tape has or had the barcode in the region `name`, or in any region if the scope is
    /// the account.
    pub(crate) fn is_used(&self, name: &str, barcode: Barcode, scope: BarcodeScope) -> bool {
        self.regions.iter().any(|(region, held)| {
            let in_scope = scope == BarcodeScope::Account || region == name;
            in_scope && held.has(barcode)
        })
    }

    /// A free barcode for a tape of the region `name`: the prefix and 6 hexadecimal digits of the
    /// hash of a counter, so that they look like those of AWS and are the same in every run. `None`
    /// if too few free barcodes are left with the prefix.
    pub(crate) fn generate(&mut self, name: &str, prefix: &str, scope: BarcodeScope) -> Option<Barcode> {
        const DRAWS: usize = 1 << 20;
        for _ in 0..DRAWS {
            let barcode = self.regions.get_mut(name)?.draw(prefix)?;
            if !self.is_used(name, barcode, scope) {
                return Some(barcode);
            }
        }
        None
    }
}
