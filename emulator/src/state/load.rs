use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{
    row::{CountersRow, CreationRow, GatewayRow, PoolRow, TapeRow},
    time_problem,
};
use crate::{
    account::{
        arn,
        barcode::Barcode,
        pool::{CustomPool, Pool, RetentionLock, StorageClass},
        store::{AccountRegion, Region, Store},
        tape::Status,
    },
    json::Problem,
    settings::{
        Life,
        form::{AccountId, Text as _},
    },
};

/// Builds a store from rows, and collects every problem. Referenced rows come first: gateways and
/// pools, then tapes, then the rest.
pub(super) struct StoreLoader<'l> {
    /// The account whose regions are at the top of a document.
    account: &'l str,
    life: &'l Life,
    store: Store,
    names: HashSet<Arc<str>>,
    wrong: Vec<Problem>,
}

impl<'l> StoreLoader<'l> {
    pub(super) fn new(account: &'l str, life: &'l Life) -> Self {
        Self {
            account,
            life,
            store: Store::default(),
            names: HashSet::new(),
            wrong: Vec::new(),
        }
    }

    /// The store, or every problem.
    pub(super) fn finish(self) -> Result<Store, Vec<Problem>> {
        if self.wrong.is_empty() {
            Ok(self.store)
        } else {
            Err(self.wrong)
        }
    }

    /// Adds a problem if a text is not an account.
    pub(super) fn check_account(&mut self, account: &str) {
        if AccountId::parse(account).is_none() {
            let message = format!("is not an account; it takes {}", AccountId::TAKES);
            self.fault(format!("accounts.{account}"), message);
        }
    }

    /// Adds a problem of a row, or of a member of it.
    pub(super) fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.wrong.push(Problem::new(path, message));
    }

    /// Adds problems that were found elsewhere.
    pub(super) fn note(&mut self, wrong: impl IntoIterator<Item = Problem>) {
        self.wrong.extend(wrong);
    }

    pub(super) fn counters(&mut self, at: &AccountRegion, row: CountersRow) {
        self.region(at).set_counters(row.into());
    }

    pub(super) fn gateway(&mut self, at: &AccountRegion, name: &str, row: GatewayRow<'_>) {
        let own = arn::gateway_arn(at, "");
        if name.strip_prefix(&own).is_none_or(str::is_empty) {
            let path = self.path(at, "gateways", name);
            self.fault(
                path,
                format!("is not the ARN of a gateway of this region and account, which begins with {own}"),
            );
            return;
        }
        let arn = self.name(name);
        self.region(at).put_gateway(row.into_gateway(arn));
    }

    pub(super) fn pool(&mut self, at: &AccountRegion, id: &str, row: PoolRow<'_>) {
        if id.strip_prefix("pool-").is_none_or(str::is_empty) {
            let path = self.path(at, "pools", id);
            self.fault(path, "is not the id of a custom pool, which begins with pool-");
            return;
        }
        let pool = Arc::new(row.into_pool(id.to_owned()));
        self.region(at).add_pool(&pool);
    }

    pub(super) fn tags(&mut self, at: &AccountRegion, arn: &str, row: BTreeMap<String, String>) {
        *self.region(at).tags_mut(arn) = row;
    }

    pub(super) fn tape(&mut self, at: &AccountRegion, barcode: &str, row: TapeRow<'_>) {
        let row_path = self.path(at, "tapes", barcode);
        let member_path = |member: &str| format!("{row_path}{member}");
        let mut wrong: Vec<Problem> = row
            .faults()
            .into_iter()
            .map(|(member, message)| Problem::new(member_path(&format!(".{member}")), message))
            .collect();
        let barcode = Barcode::new(barcode);
        if barcode.is_none() {
            wrong.push(Problem::new(
                member_path(""),
                "is not a barcode; it takes 5 to 16 characters of A to Z and 0 to 9",
            ));
        }
        let there = self.region(at);
        for (member, arn) in [(".gateway", &row.gateway), (".retrieved_to", &row.retrieved_to)] {
            if let Some(arn) = arn.as_deref().filter(|arn| there.gateway(arn).is_none()) {
                wrong.push(Problem::new(
                    member_path(member),
                    format!("the region has no gateway {arn}"),
                ));
            }
        }
        // A pool can be deleted once all its tapes are. Such a tape needs only the id of its pool.
        let deleted = || (row.status == Status::Deleted).then(|| deleted_pool(&row.pool));
        let pool = there.pool(&row.pool).or_else(deleted);
        if pool.is_none() {
            wrong.push(Problem::new(
                member_path(".pool"),
                format!(
                    "{} is wrong; it takes GLACIER, DEEP_ARCHIVE or one of the region's pools",
                    row.pool
                ),
            ));
        }
        match (barcode, pool) {
            (Some(barcode), Some(pool)) if wrong.is_empty() => {
                let tape = row.into_tape(pool, |name| self.name(name));
                self.region(at).insert(barcode, tape);
            }
            _ => self.wrong.extend(wrong),
        }
    }

    pub(super) fn creation(&mut self, at: &AccountRegion, token: &str, row: CreationRow<'_>) {
        let there = self.region(at);
        let known = |text: &String| Barcode::new(text).filter(|barcode| there.has(*barcode));
        let barcodes: Option<Vec<Barcode>> = row.barcodes.iter().map(known).collect();
        let row_path = self.path(at, "tokens", token);
        let member_path = |member| format!("{row_path}.{member}");
        let undated = time_problem(row.at);
        let is_dated = undated.is_none();
        if let Some(message) = undated {
            self.fault(member_path("at"), message);
        }
        match barcodes {
            None => self.fault(
                member_path("barcodes"),
                "contains a barcode that no tape of the region has",
            ),
            Some(barcodes) if is_dated => self
                .region(at)
                .remember(token.to_owned(), row.into_creation(barcodes)),
            Some(_) => {}
        }
    }

    fn region(&mut self, at: &AccountRegion) -> &mut Region {
        self.store.region_or_new(at, self.life)
    }

    /// The path of a region in messages.
    pub(super) fn region_path(&self, AccountRegion { account, region }: &AccountRegion) -> String {
        if account == self.account {
            format!("regions.{region}")
        } else {
            format!("accounts.{account}.{region}")
        }
    }

    /// The path of a row in messages.
    pub(super) fn path(&self, at: &AccountRegion, kind: &str, key: &str) -> String {
        format!("{}.{kind}.{key}", self.region_path(at))
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

/// A deleted pool, of which only the id is shown.
fn deleted_pool(id: &str) -> Pool {
    Pool::Custom(Arc::new(CustomPool {
        id: id.to_owned(),
        name: String::new(),
        class: StorageClass::Glacier,
        lock: RetentionLock::None,
    }))
}
