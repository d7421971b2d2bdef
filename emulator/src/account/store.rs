//! The state of all accounts in memory: their regions, and the changes that are not saved yet.

mod journal;
mod region;

use std::collections::{BTreeMap, HashMap};

use super::{barcode::Barcode, creation::Creation, timestamp::Timestamp};
use crate::settings::{BarcodeScope, Life, TokenScope};
use journal::Journal;
pub(crate) use journal::{Changes, Key};
pub(crate) use region::{BarcodeIndex, Counters, Region};

/// A region of an account. No call sees two of them, unless a setting shares tokens or barcodes
/// between the regions of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AccountRegion {
    /// 12 digits.
    pub(crate) account: String,
    pub(crate) region: String,
}

impl AccountRegion {
    pub(crate) fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            account: account.into(),
            region: region.into(),
        }
    }
}

/// The regions of all accounts that have anything.
#[derive(Default)]
pub(crate) struct Store {
    regions: HashMap<AccountRegion, Region>,
    /// Whether the regions record their changes.
    is_journaled: bool,
    /// Whether a snapshot or a reset has replaced all regions.
    is_replaced: bool,
    /// The number of the last batch of changes that was taken.
    batch: u64,
}

impl Store {
    pub(crate) fn add(&mut self, at: AccountRegion, region: Region) {
        self.regions.insert(at, region);
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
        for (at, region) in &mut self.regions {
            let keys = region.journal.take();
            if !keys.is_empty() && !is_all {
                rows.push((at.clone(), keys));
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
        for (at, keys) in changes.rows {
            // A region disappears only when all are replaced, and then every row is saved again.
            if let Some(region) = self.regions.get_mut(&at) {
                region.journal.return_changes(keys);
            }
        }
    }

    /// The regions, by account and name.
    pub(crate) fn regions(&self) -> BTreeMap<&AccountRegion, &Region> {
        self.regions.iter().collect()
    }

    /// The regions of one account.
    pub(crate) fn regions_of<'s>(&'s self, account: &str) -> impl Iterator<Item = &'s Region> {
        let regions = self.regions.iter();
        regions.filter_map(move |(at, region)| (at.account == account).then_some(region))
    }

    pub(crate) fn region(&self, at: &AccountRegion) -> Option<&Region> {
        self.regions.get(at)
    }

    /// The region, created empty if there is none.
    pub(crate) fn region_or_new(&mut self, at: &AccountRegion, life: &Life) -> &mut Region {
        let is_journaled = self.is_journaled;
        self.regions.entry(at.clone()).or_insert_with(|| {
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

    pub(crate) fn region_mut(&mut self, at: &AccountRegion) -> Option<&mut Region> {
        self.regions.get_mut(at)
    }

    /// The creation with this token and its region: the region of the call, or any region of its
    /// account if the scope is the account.
    pub(crate) fn creation(
        &self,
        at: &AccountRegion,
        key: &str,
        scope: TokenScope,
    ) -> Option<(&AccountRegion, &Creation)> {
        let mut regions = self.regions.iter();
        regions.find_map(|(there, region)| {
            let in_scope = is_in_scope(there, at, scope == TokenScope::Account);
            let creation = region.remembered(key).filter(|_| in_scope)?;
            Some((there, creation))
        })
    }

    /// Whether a tape has or had the barcode in the region, or in any region of its account if the
    /// scope is the account.
    pub(crate) fn is_used(&self, at: &AccountRegion, barcode: Barcode, scope: BarcodeScope) -> bool {
        self.regions.iter().any(|(there, region)| {
            is_in_scope(there, at, scope == BarcodeScope::Account) && region.has(barcode)
        })
    }

    /// A free barcode for a tape of the region: the prefix and 6 hexadecimal digits of the hash of a
    /// counter, so that they look like those of AWS and are the same in every run. `None` if too few
    /// free barcodes are left with the prefix.
    pub(crate) fn generate(
        &mut self,
        at: &AccountRegion,
        prefix: &str,
        scope: BarcodeScope,
    ) -> Option<Barcode> {
        const DRAWS: usize = 1 << 20;
        for _ in 0..DRAWS {
            let barcode = self.regions.get_mut(at)?.draw(prefix)?;
            if !self.is_used(at, barcode, scope) {
                return Some(barcode);
            }
        }
        None
    }
}

fn is_in_scope(there: &AccountRegion, at: &AccountRegion, is_whole_account: bool) -> bool {
    there.account == at.account && (is_whole_account || there.region == at.region)
}
