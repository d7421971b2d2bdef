use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{
    not_a_time,
    row::{CountersRow, CreationRow, GatewayRow, PoolRow, TapeRow},
};
use crate::{
    Life, arn,
    barcode::Barcode,
    control::Wrong,
    pool::{CustomPool, Pool, RetentionLock, StorageClass},
    store::{Region, Store},
    tape::Status,
};

/// Makes a store of rows, wherever they come from, and notes everything that is wrong with
/// them. Rows that others name come first: gateways and pools, then tapes, then the rest.
pub(super) struct Load<'l> {
    account: &'l str,
    life: &'l Life,
    store: Store,
    names: HashSet<Arc<str>>,
    wrong: Vec<Wrong>,
}

impl<'l> Load<'l> {
    pub(super) fn new(account: &'l str, life: &'l Life) -> Self {
        Self {
            account,
            life,
            store: Store::default(),
            names: HashSet::new(),
            wrong: Vec::new(),
        }
    }

    /// The store, or everything wrong.
    pub(super) fn finish(self) -> Result<Store, Vec<Wrong>> {
        if self.wrong.is_empty() {
            Ok(self.store)
        } else {
            Err(self.wrong)
        }
    }

    /// Notes what is wrong with a row, or with a member of it.
    pub(super) fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.wrong.push(Wrong::new(path, message));
    }

    /// Notes what was found wrong elsewhere.
    pub(super) fn note(&mut self, wrong: impl IntoIterator<Item = Wrong>) {
        self.wrong.extend(wrong);
    }

    pub(super) fn counters(&mut self, region: &str, row: CountersRow) {
        self.region(region).set_counters(row.into());
    }

    pub(super) fn gateway(&mut self, region: &str, name: &str, row: GatewayRow<'_>) {
        let own = arn::gateway_arn(region, self.account, "");
        if name.strip_prefix(&own).is_none_or(str::is_empty) {
            let path = path(region, "gateways", name);
            self.fault(
                path,
                format!("is no ARN of a gateway here; those begin with {own}"),
            );
            return;
        }
        let arn = self.name(name);
        self.region(region).put_gateway(row.into_gateway(arn));
    }

    pub(super) fn pool(&mut self, region: &str, id: &str, row: PoolRow<'_>) {
        if id.strip_prefix("pool-").is_none_or(str::is_empty) {
            let path = path(region, "pools", id);
            self.fault(path, "is no id of a custom pool; those begin with pool-");
            return;
        }
        let pool = Arc::new(row.into_pool(id.to_owned()));
        self.region(region).add_pool(&pool);
    }

    pub(super) fn tags(&mut self, region: &str, arn: &str, row: BTreeMap<String, String>) {
        *self.region(region).tags_mut(arn) = row;
    }

    pub(super) fn tape(&mut self, region: &str, barcode: &str, row: TapeRow<'_>) {
        let at = |member: &str| format!("{}{member}", path(region, "tapes", barcode));
        let mut wrong: Vec<Wrong> = row
            .faults()
            .into_iter()
            .map(|(member, message)| Wrong::new(at(&format!(".{member}")), message))
            .collect();
        let barcode = Barcode::new(barcode);
        if barcode.is_none() {
            wrong.push(Wrong::new(
                at(""),
                "is no barcode; one is 5 to 16 of A to Z and 0 to 9",
            ));
        }
        let there = self.region(region);
        for (member, arn) in [(".gateway", &row.gateway), (".retrieved_to", &row.retrieved_to)] {
            if let Some(arn) = arn.as_deref().filter(|arn| there.gateway(arn).is_none()) {
                wrong.push(Wrong::new(
                    at(member),
                    format!("{arn} is no gateway of the region's gateways"),
                ));
            }
        }
        // A pool can be deleted once all of its tapes are; nothing is asked of those any more.
        let gone = || (row.status == Status::Deleted).then(|| gone(&row.pool));
        let pool = there.pool(&row.pool).or_else(gone);
        if pool.is_none() {
            wrong.push(Wrong::new(
                at(".pool"),
                format!(
                    "{} is wrong; it takes GLACIER, DEEP_ARCHIVE or one of the region's pools",
                    row.pool
                ),
            ));
        }
        match (barcode, pool) {
            (Some(barcode), Some(pool)) if wrong.is_empty() => {
                let tape = row.into_tape(pool, |name| self.name(name));
                self.region(region).insert(barcode, tape);
            }
            _ => self.wrong.extend(wrong),
        }
    }

    pub(super) fn creation(&mut self, region: &str, token: &str, row: CreationRow<'_>) {
        let there = self.region(region);
        let known = |text: &String| Barcode::new(text).filter(|barcode| there.has(*barcode));
        let barcodes: Option<Vec<Barcode>> = row.barcodes.iter().map(known).collect();
        let at = |member| format!("{}.{member}", path(region, "tokens", token));
        let undated = not_a_time(row.at);
        let is_dated = undated.is_none();
        if let Some(message) = undated {
            self.fault(at("at"), message);
        }
        match barcodes {
            None => self.fault(at("barcodes"), "names a barcode that no tape of the region has"),
            Some(barcodes) if is_dated => self
                .region(region)
                .remember(token.to_owned(), row.into_creation(barcodes)),
            Some(_) => {}
        }
    }

    fn region(&mut self, name: &str) -> &mut Region {
        self.store.region_or_new(name, self.life)
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.names.insert(Arc::clone(&new));
        new
    }
}

/// Where a row is, as the messages about it say.
pub(super) fn path(region: &str, kind: &str, key: &str) -> String {
    format!("regions.{region}.{kind}.{key}")
}

/// A pool that was deleted, of which its id alone is shown.
fn gone(id: &str) -> Pool {
    Pool::Custom(Arc::new(CustomPool {
        id: id.to_owned(),
        name: String::new(),
        class: StorageClass::Glacier,
        lock: RetentionLock::None,
    }))
}
