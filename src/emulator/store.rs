//! The account's tapes, in memory: what is where, in the order that pages follow.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    barcode::Barcode,
    ops::CreateTapes,
    tape::{Pool, Status, Tape},
};

/// Barcodes in order, so that a page costs what it shows.
pub(super) type Shelf = BTreeSet<Barcode>;

/// The regions of one account that have a gateway, by name.
#[derive(Default)]
pub(super) struct Store {
    regions: HashMap<String, Region>,
}

impl Store {
    pub(super) fn add(&mut self, name: &str, region: Region) {
        self.regions.insert(name.to_owned(), region);
    }

    pub(super) fn region(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
    }

    pub(super) fn region_mut(&mut self, name: &str) -> Option<&mut Region> {
        self.regions.get_mut(name)
    }
}

/// One region of the account. A tape stays in `tapes` for ever, so its barcode stays taken.
#[derive(Default)]
pub(super) struct Region {
    pools: Vec<Arc<str>>,
    tapes: HashMap<Barcode, Box<Tape>>,
    all: Shelf,
    archive: Shelf,
    libraries: HashMap<Arc<str>, Shelf>,
    created: HashMap<String, Creation>,
    generated: u64,
}

/// What a client token stands for.
pub(super) struct Creation {
    pub(super) request: CreateTapes,
    pub(super) barcodes: Vec<Barcode>,
}

impl Region {
    pub(super) fn add_gateway(&mut self, arn: &Arc<str>) {
        self.libraries.entry(Arc::clone(arn)).or_default();
    }

    pub(super) fn add_pool(&mut self, id: &Arc<str>) {
        self.pools.push(Arc::clone(id));
    }

    /// The gateway's name as the store holds it, to be shared by its tapes.
    pub(super) fn gateway(&self, arn: &str) -> Option<Arc<str>> {
        self.libraries
            .get_key_value(arn)
            .map(|(gateway, _)| Arc::clone(gateway))
    }

    /// The pool that a request names: one of AWS's two, or a custom one of this region.
    pub(super) fn pool(&self, id: &str) -> Option<Pool> {
        match id {
            "GLACIER" => Some(Pool::Glacier),
            "DEEP_ARCHIVE" => Some(Pool::DeepArchive),
            _ => self
                .pools
                .iter()
                .find(|pool| &***pool == id)
                .map(|pool| Pool::Custom(Arc::clone(pool))),
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
        self.libraries.get(gateway)
    }

    /// A tape of one of this region's shelves.
    pub(super) fn tape(&self, barcode: Barcode) -> Option<&Tape> {
        self.tapes.get(&barcode).map(Box::as_ref)
    }

    /// The tapes that count against a library's quota: those deleted do not.
    pub(super) fn held(&self, gateway: &str) -> usize {
        let shelf = self.libraries.get(gateway).into_iter().flatten();
        let tapes = shelf.filter_map(|barcode| self.tapes.get(barcode));
        tapes.filter(|tape| tape.status != Status::Deleted).count()
    }

    /// Whether a tape has the barcode, or ever had.
    pub(super) fn taken(&self, barcode: Barcode) -> bool {
        self.tapes.contains_key(&barcode)
    }

    /// Puts a tape on the shelves of its status; a barcode that is taken keeps its tape.
    pub(super) fn insert(&mut self, barcode: Barcode, tape: Tape) {
        let Entry::Vacant(place) = self.tapes.entry(barcode) else {
            return;
        };
        if let Some(gateway) = &tape.gateway {
            let library = self.libraries.entry(Arc::clone(gateway)).or_default();
            library.insert(barcode);
        }
        if tape.status.in_archive(tape.gateway.is_some()) {
            self.archive.insert(barcode);
        }
        self.all.insert(barcode);
        place.insert(Box::new(tape));
    }

    /// The creation under a client token.
    pub(super) fn creation(&self, token: &str) -> Option<&Creation> {
        self.created.get(token)
    }

    pub(super) fn remember(&mut self, token: String, creation: Creation) {
        self.created.insert(token, creation);
    }

    /// A free barcode: the prefix and 6 hex digits, drawn from a hash of a counter, so that
    /// they look like AWS's and are the same in every run. `None` when the prefix has too few
    /// free barcodes left to find one.
    pub(super) fn generate(&mut self, prefix: &str) -> Option<Barcode> {
        const DRAWS: usize = 1 << 20;
        for _ in 0..DRAWS {
            let digest = Sha256::digest(self.generated.to_be_bytes());
            self.generated += 1;
            let text = format!("{prefix}{:02X}{:02X}{:02X}", digest[0], digest[1], digest[2]);
            let barcode = Barcode::new(&text)?;
            if !self.taken(barcode) {
                return Some(barcode);
            }
        }
        None
    }
}
