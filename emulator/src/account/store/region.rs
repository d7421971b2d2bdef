//! A region of the account: its tapes, and the indexes that pages are read from.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::journal::{Journal, Key};
use crate::{
    account::{
        barcode::Barcode,
        creation::Creation,
        gateway::Gateway,
        pool::{CustomPool, Pool, RetentionLock, StorageClass},
        tape::{Status, Tape},
        timestamp::Timestamp,
    },
    settings::Life,
};

/// Barcodes in order. The cost of a page depends on its length, not on where it begins.
pub(crate) type BarcodeIndex = BTreeSet<Barcode>;

/// A region of the account. A tape stays in `tapes` for ever, so that its barcode is not reused.
///
/// The indexes have the tapes that the calls show, and are updated with each change of a tape, so
/// that no call scans all tapes.
pub(crate) struct Region {
    life: Life,
    pub(super) journal: Journal,
    pools: BTreeMap<String, Arc<CustomPool>>,
    /// By the ARN of the resource.
    tags: HashMap<String, BTreeMap<String, String>>,
    tapes: HashMap<Barcode, Box<Tape>>,
    all: BarcodeIndex,
    archive: BarcodeIndex,
    gateways: BTreeMap<Arc<str>, Gateway>,
    libraries: HashMap<Arc<str>, Library>,
    /// The tapes that leave their status by themselves, by time.
    due: BTreeSet<(Timestamp, Barcode)>,
    created: HashMap<String, Creation>,
    counters: Counters,
}

/// How many names of each kind were generated.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) barcodes: u64,
    pub(crate) pools: u64,
}

/// The virtual tape library of one gateway.
#[derive(Default)]
struct Library {
    shelf: BarcodeIndex,
    /// The number of tapes that count against its quota, shown or not.
    held: usize,
    /// The total size of these tapes, in bytes.
    bytes: u128,
}

impl Region {
    pub(crate) fn new(life: &Life) -> Self {
        Self {
            life: life.clone(),
            journal: Journal::new(false),
            pools: BTreeMap::new(),
            tags: HashMap::new(),
            tapes: HashMap::new(),
            all: BarcodeIndex::new(),
            archive: BarcodeIndex::new(),
            gateways: BTreeMap::new(),
            libraries: HashMap::new(),
            due: BTreeSet::new(),
            created: HashMap::new(),
            counters: Counters::default(),
        }
    }

    /// The keys of all rows, in order.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let gateways = self.gateways.keys().cloned().map(Key::Gateway);
        let pools = self.pools.keys().cloned().map(Key::Pool);
        let tags = self.tags.keys().cloned().map(Key::Tags);
        let tapes = self.tapes.keys().copied().map(Key::Tape);
        let created = self.created.keys().cloned().map(Key::Creation);
        let rest = gateways.chain(pools).chain(tags).chain(tapes).chain(created);
        let mut keys: Vec<Key> = [Key::Counters].into_iter().chain(rest).collect();
        keys.sort_unstable();
        keys
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn set_counters(&mut self, counters: Counters) {
        self.journal.note(|| Key::Counters);
        self.counters = counters;
    }

    /// Adds a gateway, or replaces the one with its ARN. The tapes stay.
    pub(crate) fn put_gateway(&mut self, gateway: Gateway) {
        self.journal.note(|| Key::Gateway(Arc::clone(&gateway.arn)));
        self.libraries.entry(Arc::clone(&gateway.arn)).or_default();
        self.gateways.insert(Arc::clone(&gateway.arn), gateway);
    }

    pub(crate) fn add_pool(&mut self, pool: &Arc<CustomPool>) {
        self.journal.note(|| Key::Pool(pool.id.clone()));
        self.pools.insert(pool.id.clone(), Arc::clone(pool));
    }

    /// Creates a pool with a new id, the same in every run.
    pub(crate) fn create_pool(
        &mut self,
        name: String,
        class: StorageClass,
        lock: RetentionLock,
    ) -> Arc<CustomPool> {
        self.journal.note(|| Key::Counters);
        let id = loop {
            let digest = Sha256::digest(format!("pool {}", self.counters.pools));
            self.counters.pools += 1;
            let id = format!(
                "pool-{:02X}{:02X}{:02X}{:02X}",
                digest[0], digest[1], digest[2], digest[3]
            );
            if !self.pools.contains_key(&id) {
                break id;
            }
        };
        let pool = Arc::new(CustomPool {
            id,
            name,
            class,
            lock,
        });
        self.add_pool(&pool);
        pool
    }

    pub(crate) fn delete_pool(&mut self, id: &str) {
        self.journal.note(|| Key::Pool(id.to_owned()));
        self.pools.remove(id);
    }

    /// The tags of a gateway, tape or custom pool, by key.
    pub(crate) fn tags(&self, arn: &str) -> Option<&BTreeMap<String, String>> {
        self.tags.get(arn)
    }

    pub(crate) fn tags_mut(&mut self, arn: &str) -> &mut BTreeMap<String, String> {
        self.journal.note(|| Key::Tags(arn.to_owned()));
        self.tags.entry(arn.to_owned()).or_default()
    }

    /// The custom pools by id.
    pub(crate) fn pools(&self) -> &BTreeMap<String, Arc<CustomPool>> {
        &self.pools
    }

    /// Whether a tape that is not deleted is in the custom pool.
    pub(crate) fn pool_is_in_use(&self, id: &str) -> bool {
        let mut tapes = self.tapes.values();
        tapes.any(|tape| {
            tape.status != Status::Deleted && matches!(&tape.pool, Pool::Custom(pool) if pool.id == id)
        })
    }

    /// The gateways, in the order of their ARNs.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.gateways.values()
    }

    pub(crate) fn gateway(&self, arn: &str) -> Option<&Gateway> {
        self.gateways.get(arn)
    }

    /// The tapes of a gateway that are IN TRANSIT TO VTS.
    pub(crate) fn uploading(&self, gateway: &str) -> Vec<Barcode> {
        let tapes = self.tapes.iter().filter(|(_, tape)| {
            tape.status == Status::InTransitToVts && tape.gateway.as_deref() == Some(gateway)
        });
        tapes.map(|(barcode, _)| *barcode).collect()
    }

    /// The pool with this id: one of the two of AWS, or a custom pool of this region.
    pub(crate) fn pool(&self, id: &str) -> Option<Pool> {
        match id {
            "GLACIER" => Some(Pool::Glacier),
            "DEEP_ARCHIVE" => Some(Pool::DeepArchive),
            _ => self.pools.get(id).map(|pool| Pool::Custom(Arc::clone(pool))),
        }
    }

    /// Every tape of the region.
    pub(crate) fn all(&self) -> &BarcodeIndex {
        &self.all
    }

    /// The tapes in the archive.
    pub(crate) fn archive(&self) -> &BarcodeIndex {
        &self.archive
    }

    /// The tapes in the library of a gateway; `None` for an unknown gateway.
    pub(crate) fn library(&self, gateway: &str) -> Option<&BarcodeIndex> {
        self.libraries.get(gateway).map(|library| &library.shelf)
    }

    /// A tape of this region.
    pub(crate) fn tape(&self, barcode: Barcode) -> Option<&Tape> {
        self.tapes.get(&barcode).map(Box::as_ref)
    }

    /// A tape that is not DELETED.
    pub(crate) fn present(&self, barcode: Barcode) -> Option<&Tape> {
        self.tape(barcode).filter(|tape| tape.status != Status::Deleted)
    }

    /// The number of tapes that count against the quota of a library.
    pub(crate) fn tape_count(&self, gateway: &str) -> usize {
        self.libraries.get(gateway).map_or(0, |library| library.held)
    }

    /// The total size of those tapes, in bytes.
    pub(crate) fn total_bytes(&self, gateway: &str) -> u128 {
        self.libraries.get(gateway).map_or(0, |library| library.bytes)
    }

    /// Adds a tape. A barcode that is in use keeps its tape.
    pub(crate) fn insert(&mut self, barcode: Barcode, tape: Tape) {
        let Entry::Vacant(place) = self.tapes.entry(barcode) else {
            return;
        };
        place.insert(Box::new(tape));
        self.journal.note(|| Key::Tape(barcode));
        self.index(barcode);
    }

    /// Changes a tape and updates the indexes.
    pub(crate) fn change(&mut self, barcode: Barcode, change: impl FnOnce(&mut Tape)) {
        self.journal.note(|| Key::Tape(barcode));
        self.unindex(barcode);
        if let Some(tape) = self.tapes.get_mut(&barcode) {
            change(tape);
        }
        self.index(barcode);
    }

    /// The next tape that leaves its status at `now` or before.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Barcode> {
        let (at, barcode) = self.due.first()?;
        (*at <= now).then_some(*barcode)
    }

    pub(super) fn advance(&mut self, barcode: Barcode) {
        self.journal.note(|| Key::Tape(barcode));
        self.unindex(barcode);
        if let Some(tape) = self.tapes.get_mut(&barcode) {
            tape.advance(&self.life);
        }
        self.index(barcode);
    }

    fn index(&mut self, barcode: Barcode) {
        let Some(tape) = self.tapes.get(&barcode) else {
            return;
        };
        if let Some(gateway) = tape.shown_in(&self.life) {
            let library = self.libraries.entry(Arc::clone(gateway)).or_default();
            library.shelf.insert(barcode);
        }
        if let Some(gateway) = tape.counted_by() {
            let library = self.libraries.entry(Arc::clone(gateway)).or_default();
            library.held += 1;
            library.bytes += u128::from(tape.size.unsigned_abs());
        }
        if tape.shown_in_archive(&self.life) {
            self.archive.insert(barcode);
        }
        if !tape.forgotten {
            self.all.insert(barcode);
        }
        if let Some(until) = tape.until {
            self.due.insert((until, barcode));
        }
    }

    /// Removes a tape from every index, the reverse of [`Region::index`].
    fn unindex(&mut self, barcode: Barcode) {
        let Some(tape) = self.tapes.get(&barcode) else {
            return;
        };
        if let Some(library) = tape
            .shown_in(&self.life)
            .and_then(|gateway| self.libraries.get_mut(gateway))
        {
            library.shelf.remove(&barcode);
        }
        if let Some(library) = tape
            .counted_by()
            .and_then(|gateway| self.libraries.get_mut(gateway))
        {
            library.held -= 1;
            library.bytes -= u128::from(tape.size.unsigned_abs());
        }
        self.archive.remove(&barcode);
        self.all.remove(&barcode);
        if let Some(until) = tape.until {
            self.due.remove(&(until, barcode));
        }
    }

    /// The creation under a client token.
    pub(crate) fn remembered(&self, key: &str) -> Option<&Creation> {
        self.created.get(key)
    }

    /// Whether a tape of this region has or had the barcode.
    pub(crate) fn has(&self, barcode: Barcode) -> bool {
        self.tapes.contains_key(&barcode)
    }

    pub(crate) fn remember(&mut self, key: String, creation: Creation) {
        self.journal.note(|| Key::Creation(key.clone()));
        self.created.insert(key, creation);
    }

    /// The next generated barcode with a prefix, free or not.
    pub(super) fn draw(&mut self, prefix: &str) -> Option<Barcode> {
        self.journal.note(|| Key::Counters);
        let digest = Sha256::digest(self.counters.barcodes.to_be_bytes());
        self.counters.barcodes += 1;
        let text = format!("{prefix}{:02X}{:02X}{:02X}", digest[0], digest[1], digest[2]);
        Barcode::new(&text)
    }
}
