//! The account's tapes, in memory: what is where, in the order that pages follow.

mod journal;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{
    BarcodeScope, TokenScope,
    barcode::Barcode,
    gateway::Gateway,
    life::Life,
    ops::CreateTapes,
    pool::{CustomPool, Pool, RetentionLock, StorageClass},
    tape::{Status, Tape},
    timestamp::Timestamp,
};
use journal::Journal;
pub(super) use journal::{Changes, Key};

/// Barcodes in order, so that a page costs what it shows.
pub(super) type Shelf = BTreeSet<Barcode>;

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
            let creation = held.created.get(key).filter(|_| in_scope)?;
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

/// One region of the account. A tape stays in `tapes` for ever, so its barcode stays taken.
///
/// Its shelves hold what the calls show, and follow each change of a tape; so a page costs
/// what it shows, and time costs what changes in it.
pub(super) struct Region {
    life: Life,
    journal: Journal,
    pools: BTreeMap<String, Arc<CustomPool>>,
    /// By the ARN of what has them.
    tags: HashMap<String, BTreeMap<String, String>>,
    tapes: HashMap<Barcode, Box<Tape>>,
    all: Shelf,
    archive: Shelf,
    gateways: BTreeMap<Arc<str>, Gateway>,
    libraries: HashMap<Arc<str>, Library>,
    /// The tapes that leave their status by themselves, and when.
    due: BTreeSet<(Timestamp, Barcode)>,
    created: HashMap<String, Creation>,
    counters: Counters,
}

/// How many names of each kind were drawn.
#[derive(Clone, Copy, Default)]
pub(super) struct Counters {
    pub(super) barcodes: u64,
    pub(super) pools: u64,
}

/// The virtual tape library of one gateway.
#[derive(Default)]
struct Library {
    shelf: Shelf,
    /// The tapes that count against its quota, shown or not.
    held: usize,
    /// The bytes that they have room for.
    bytes: u128,
}

/// What a client token stands for.
pub(super) struct Creation {
    pub(super) at: Timestamp,
    pub(super) request: CreateTapes,
    pub(super) barcodes: Vec<Barcode>,
}

impl Creation {
    /// Whether its token is still remembered.
    pub(super) fn counts(&self, now: Timestamp, window: Option<Duration>) -> bool {
        window.is_none_or(|window| now < self.at.after(window))
    }
}

impl Region {
    pub(super) fn new(life: &Life) -> Self {
        Self {
            life: life.clone(),
            journal: Journal::new(false),
            pools: BTreeMap::new(),
            tags: HashMap::new(),
            tapes: HashMap::new(),
            all: Shelf::new(),
            archive: Shelf::new(),
            gateways: BTreeMap::new(),
            libraries: HashMap::new(),
            due: BTreeSet::new(),
            created: HashMap::new(),
            counters: Counters::default(),
        }
    }

    /// Every row that it has, in order.
    pub(super) fn keys(&self) -> Vec<Key> {
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

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn set_counters(&mut self, counters: Counters) {
        self.journal.note(|| Key::Counters);
        self.counters = counters;
    }

    /// Makes a gateway, or puts it in the place of the one with its ARN, whose tapes it keeps.
    pub(super) fn put_gateway(&mut self, gateway: Gateway) {
        self.journal.note(|| Key::Gateway(Arc::clone(&gateway.arn)));
        self.libraries.entry(Arc::clone(&gateway.arn)).or_default();
        self.gateways.insert(Arc::clone(&gateway.arn), gateway);
    }

    pub(super) fn add_pool(&mut self, pool: &Arc<CustomPool>) {
        self.journal.note(|| Key::Pool(pool.id.clone()));
        self.pools.insert(pool.id.clone(), Arc::clone(pool));
    }

    /// Makes a pool with an id that none has had, the same in every run.
    pub(super) fn create_pool(
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

    pub(super) fn delete_pool(&mut self, id: &str) {
        self.journal.note(|| Key::Pool(id.to_owned()));
        self.pools.remove(id);
    }

    /// The tags of a gateway, tape or custom pool, by key.
    pub(super) fn tags(&self, arn: &str) -> Option<&BTreeMap<String, String>> {
        self.tags.get(arn)
    }

    pub(super) fn tags_mut(&mut self, arn: &str) -> &mut BTreeMap<String, String> {
        self.journal.note(|| Key::Tags(arn.to_owned()));
        self.tags.entry(arn.to_owned()).or_default()
    }

    /// The custom pools by id.
    pub(super) fn pools(&self) -> &BTreeMap<String, Arc<CustomPool>> {
        &self.pools
    }

    /// Whether a tape that is not deleted is in the custom pool.
    pub(super) fn pool_is_in_use(&self, id: &str) -> bool {
        let mut tapes = self.tapes.values();
        tapes.any(|tape| {
            tape.status != Status::Deleted && matches!(&tape.pool, Pool::Custom(pool) if pool.id == id)
        })
    }

    /// The gateways, in the order of their ARNs.
    pub(super) fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.gateways.values()
    }

    pub(super) fn gateway(&self, arn: &str) -> Option<&Gateway> {
        self.gateways.get(arn)
    }

    /// The tapes whose data a gateway uploads, or would if it were connected.
    pub(super) fn uploading(&self, gateway: &str) -> Vec<Barcode> {
        let tapes = self.tapes.iter().filter(|(_, tape)| {
            tape.status == Status::InTransitToVts && tape.gateway.as_deref() == Some(gateway)
        });
        tapes.map(|(barcode, _)| *barcode).collect()
    }

    /// The pool that a request names: one of AWS's two, or a custom one of this region.
    pub(super) fn pool(&self, id: &str) -> Option<Pool> {
        match id {
            "GLACIER" => Some(Pool::Glacier),
            "DEEP_ARCHIVE" => Some(Pool::DeepArchive),
            _ => self.pools.get(id).map(|pool| Pool::Custom(Arc::clone(pool))),
        }
    }

    /// Every tape of the region.
    pub(super) fn all(&self) -> &Shelf {
        &self.all
    }

    /// The virtual tape shelf.
    pub(super) fn archive(&self) -> &Shelf {
        &self.archive
    }

    /// The virtual tape library of one gateway; `None` for a gateway that is not there.
    pub(super) fn library(&self, gateway: &str) -> Option<&Shelf> {
        self.libraries.get(gateway).map(|library| &library.shelf)
    }

    /// A tape of one of this region's shelves.
    pub(super) fn tape(&self, barcode: Barcode) -> Option<&Tape> {
        self.tapes.get(&barcode).map(Box::as_ref)
    }

    /// A tape that is there for an operation to work on: deleted ones are not.
    pub(super) fn present(&self, barcode: Barcode) -> Option<&Tape> {
        self.tape(barcode).filter(|tape| tape.status != Status::Deleted)
    }

    /// The tapes that count against a library's quota.
    pub(super) fn held(&self, gateway: &str) -> usize {
        self.libraries.get(gateway).map_or(0, |library| library.held)
    }

    /// The bytes that those tapes have room for.
    pub(super) fn held_bytes(&self, gateway: &str) -> u128 {
        self.libraries.get(gateway).map_or(0, |library| library.bytes)
    }

    /// Puts a tape on its shelves; a barcode that is taken keeps its tape.
    pub(super) fn insert(&mut self, barcode: Barcode, tape: Tape) {
        let Entry::Vacant(place) = self.tapes.entry(barcode) else {
            return;
        };
        place.insert(Box::new(tape));
        self.journal.note(|| Key::Tape(barcode));
        self.shelve(barcode);
    }

    /// Changes a tape, and puts it where it belongs then.
    pub(super) fn change(&mut self, barcode: Barcode, change: impl FnOnce(&mut Tape)) {
        self.journal.note(|| Key::Tape(barcode));
        self.unshelve(barcode);
        if let Some(tape) = self.tapes.get_mut(&barcode) {
            change(tape);
        }
        self.shelve(barcode);
    }

    /// The first tape to leave its status, if it does so at `now` or before.
    fn next_due(&self, now: Timestamp) -> Option<Barcode> {
        let (at, barcode) = self.due.first()?;
        (*at <= now).then_some(*barcode)
    }

    fn advance(&mut self, barcode: Barcode) {
        self.journal.note(|| Key::Tape(barcode));
        self.unshelve(barcode);
        if let Some(tape) = self.tapes.get_mut(&barcode) {
            tape.advance(&self.life);
        }
        self.shelve(barcode);
    }

    fn shelve(&mut self, barcode: Barcode) {
        let Some(tape) = self.tapes.get(&barcode) else {
            return;
        };
        if let Some(gateway) = tape.shown_in(&self.life) {
            let library = self.libraries.entry(Arc::clone(gateway)).or_default();
            library.shelf.insert(barcode);
        }
        if let Some(gateway) = tape.counts_for() {
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

    /// Takes a tape off every shelf, as [`Region::shelve`] put it there.
    fn unshelve(&mut self, barcode: Barcode) {
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
            .counts_for()
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

    /// What was remembered under a key.
    pub(super) fn remembered(&self, key: &str) -> Option<&Creation> {
        self.created.get(key)
    }

    /// Whether a tape of this region has the barcode, or ever had.
    pub(super) fn has(&self, barcode: Barcode) -> bool {
        self.tapes.contains_key(&barcode)
    }

    pub(super) fn remember(&mut self, key: String, creation: Creation) {
        self.journal.note(|| Key::Creation(key.clone()));
        self.created.insert(key, creation);
    }

    /// The next barcode under a prefix, free or not.
    fn draw(&mut self, prefix: &str) -> Option<Barcode> {
        self.journal.note(|| Key::Counters);
        let digest = Sha256::digest(self.counters.barcodes.to_be_bytes());
        self.counters.barcodes += 1;
        let text = format!("{prefix}{:02X}{:02X}{:02X}", digest[0], digest[1], digest[2]);
        Barcode::new(&text)
    }
}
