//! The account's tapes, in memory: its regions, and what has changed in them.

mod journal;
mod region;

use std::collections::{BTreeMap, HashMap};

use super::{BarcodeScope, Life, TokenScope, barcode::Barcode, timestamp::Timestamp};
use journal::Journal;
pub(super) use journal::{Changes, Key};
pub(super) use region::{Counters, Creation, Region, Shelf};

/// The regions of one account that have anything, by name.
#[derive(Default)]
pub(super) struct Store {
    regions: HashMap<String, Region>,
    /// Whether the regions note what changes in them.
    is_journaled: bool,
    /// Whether these regions took the place of all others.
    is_replaced: bool,
    /// How many times its changes were taken.
    taken: u64,
}

impl Store {
    pub(super) fn add(&mut self, name: &str, region: Region) {
        self.regions.insert(name.to_owned(), region);
    }

    /// Notes from now on what changes.
    pub(super) fn start_journal(&mut self) {
        self.is_journaled = true;
        for region in self.regions.values_mut() {
            region.journal = Journal::new(true);
        }
    }

    /// Takes over all regions of another store, in the place of its own.
    pub(super) fn replace(&mut self, by: Self) {
        self.regions = by.regions;
        if self.is_journaled {
            self.start_journal();
            self.is_replaced = true;
        }
    }

    /// Whether something changed that was not taken since.
    pub(super) fn is_changed(&self) -> bool {
        self.is_replaced || self.regions.values().any(|region| !region.journal.is_empty())
    }

    /// What has changed since the last time.
    pub(super) fn take_changes(&mut self) -> Changes {
        self.taken += 1;
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

    /// How many times that was done.
    pub(super) fn times_taken(&self) -> u64 {
        self.taken
    }

    /// Notes what was taken and could not be kept.
    pub(super) fn put_back(&mut self, changes: Changes) {
        self.is_replaced |= changes.is_all;
        for (name, keys) in changes.rows {
            // A region goes only when all do, and then everything is kept anew.
            if let Some(region) = self.regions.get_mut(&name) {
                region.journal.put_back(keys);
            }
        }
    }

    /// The regions by name.
    pub(super) fn regions(&self) -> BTreeMap<&str, &Region> {
        let regions = self.regions.iter();
        regions.map(|(name, region)| (name.as_str(), region)).collect()
    }

    pub(super) fn region(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
    }

    /// The region, made empty if nothing was there.
    pub(super) fn region_or_new(&mut self, name: &str, life: &Life) -> &mut Region {
        let is_journaled = self.is_journaled;
        self.regions.entry(name.to_owned()).or_insert_with(|| {
            let mut region = Region::new(life);
            region.journal = Journal::new(is_journaled);
            region.journal.note(|| Key::Counters);
            region
        })
    }

    /// Whether a tape leaves its status at `now` or before.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.regions.values().any(|region| region.next_due(now).is_some())
    }

    /// Lets happen what is due at `now`.
    pub(super) fn settle(&mut self, now: Timestamp) {
        for region in self.regions.values_mut() {
            while let Some(barcode) = region.next_due(now) {
                region.advance(barcode);
            }
        }
    }

    pub(super) fn region_mut(&mut self, name: &str) -> Option<&mut Region> {
        self.regions.get_mut(name)
    }

    /// The creation under a key, and the region that it was made in. It is of the region
    /// `name`, or of any where tokens are the whole account's.
    pub(super) fn creation(&self, name: &str, key: &str, scope: TokenScope) -> Option<(&str, &Creation)> {
        let mut regions = self.regions.iter();
        regions.find_map(|(region, held)| {
            let in_scope = scope == TokenScope::Account || region == name;
            let creation = held.remembered(key).filter(|_| in_scope)?;
            Some((region.as_str(), creation))
        })
    }

    /// Whether a tape has the barcode, or ever had, in the region `name`, or in any where
    /// barcodes are the whole account's.
    pub(super) fn taken(&self, name: &str, barcode: Barcode, scope: BarcodeScope) -> bool {
        self.regions.iter().any(|(region, held)| {
            let in_scope = scope == BarcodeScope::Account || region == name;
            in_scope && held.has(barcode)
        })
    }

    /// A barcode that is free, for a tape of the region `name`: the prefix and 6 hex digits,
    /// drawn from a hash of a counter, so that they look like AWS's and are the same in every
    /// run. `None` when the prefix has too few free barcodes left to find one.
    pub(super) fn generate(&mut self, name: &str, prefix: &str, scope: BarcodeScope) -> Option<Barcode> {
        const DRAWS: usize = 1 << 20;
        for _ in 0..DRAWS {
            let barcode = self.regions.get_mut(name)?.draw(prefix)?;
            if !self.taken(name, barcode, scope) {
                return Some(barcode);
            }
        }
        None
    }
}
