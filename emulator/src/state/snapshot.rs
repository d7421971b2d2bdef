use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned, ser::SerializeMap};
use serde_json::{Map, Value};

use super::{
    FORMAT,
    load::StoreLoader,
    row::{CountersRow, CreationRow, GatewayRow, PoolRow, TapeRow},
    time_problem,
};
use crate::{
    account::{
        store::{AccountRegion, Key, Region, Store},
        timestamp::{self, Timestamp},
    },
    json::{Members, Problem},
    settings::Settings,
};

/// The document of a store at a time.
pub(crate) fn write(store: &Store, now: Timestamp, settings: &Settings) -> Vec<u8> {
    let mut accounts: BTreeMap<&str, BTreeMap<&str, RegionView<'_>>> = BTreeMap::new();
    for (at, region) in store.regions() {
        let regions = accounts.entry(&at.account).or_default();
        regions.insert(&at.region, RegionView::new(region));
    }
    let document = Document {
        format: FORMAT,
        account_id: settings.account_id.clone(),
        clock: now.millis(),
        regions: accounts.remove(settings.account_id.as_str()).unwrap_or_default(),
        accounts,
    };
    serde_json::to_vec(&document).expect("rows are strings, whole numbers and finite percentages")
}

/// A snapshot as a store.
pub(crate) struct Snapshot {
    pub(crate) store: Store,
    pub(crate) clock: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<N: Ord, R> {
    format: u32,
    account_id: String,
    clock: i64,
    /// The regions of that account, by name.
    regions: BTreeMap<N, R>,
    /// The regions of the other accounts, by account and name.
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    accounts: BTreeMap<N, BTreeMap<N, R>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionDocument {
    counters: CountersRow,
    gateways: BTreeMap<String, GatewayRow<'static>>,
    pools: BTreeMap<String, PoolRow<'static>>,
    tags: BTreeMap<String, BTreeMap<String, String>>,
    tapes: BTreeMap<String, TapeRow<'static>>,
    tokens: BTreeMap<String, CreationRow<'static>>,
}

/// Serializes a region row by row, without a copy of it.
struct RegionView<'a> {
    region: &'a Region,
    keys: Vec<Key>,
}

impl<'a> RegionView<'a> {
    fn new(region: &'a Region) -> Self {
        let keys = region.keys();
        Self { region, keys }
    }

    /// The rows that `row` selects, by name.
    fn rows<T: Serialize>(&self, row: fn(&'a Region, &Key) -> Option<(String, T)>) -> impl Serialize {
        Rows(move || self.keys.iter().filter_map(move |key| row(self.region, key)))
    }
}

/// Serializes an iterator as a JSON object.
struct Rows<F>(F);

impl<F, I, K, V> Serialize for Rows<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (K, V)>,
    K: Serialize,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0())
    }
}

impl Serialize for RegionView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let gateways = self.rows(|region, key| match key {
            Key::Gateway(arn) => Some((arn.to_string(), GatewayRow::from(region.gateway(arn)?))),
            _ => None,
        });
        let pools = self.rows(|region, key| match key {
            Key::Pool(id) => Some((id.clone(), PoolRow::from(&**region.pools().get(id)?))),
            _ => None,
        });
        let tags = self.rows(|region, key| match key {
            Key::Tags(arn) => Some((arn.clone(), region.tags(arn)?)),
            _ => None,
        });
        let tapes = self.rows(|region, key| match key {
            Key::Tape(barcode) => Some((barcode.to_string(), TapeRow::from(region.tape(*barcode)?))),
            _ => None,
        });
        let tokens = self.rows(|region, key| match key {
            Key::Creation(token) => Some((token.clone(), CreationRow::from(region.remembered(token)?))),
            _ => None,
        });
        let mut object = serializer.serialize_map(Some(6))?;
        object.serialize_entry("counters", &CountersRow::from(self.region.counters()))?;
        object.serialize_entry("gateways", &gateways)?;
        object.serialize_entry("pools", &pools)?;
        object.serialize_entry("tags", &tags)?;
        object.serialize_entry("tapes", &tapes)?;
        object.serialize_entry("tokens", &tokens)?;
        object.end()
    }
}

impl Snapshot {
    /// Reads a document.
    ///
    /// # Errors
    /// Every problem of the document, at most 1,000.
    pub(crate) fn read(document: &[u8], settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut load = StoreLoader::new(&settings.account_id, &settings.life);
        let clock = match serde_json::from_slice(document) {
            Ok(document) => typed(document, &mut load, settings),
            // serde stops at the first problem, but the response lists all.
            Err(_) => untyped(document, &mut load, settings),
        };
        let store = load.finish().map_err(truncated)?;
        Ok(Self { store, clock })
    }
}

fn typed(
    document: Document<String, RegionDocument>,
    load: &mut StoreLoader<'_>,
    settings: &Settings,
) -> Timestamp {
    check(
        document.format.into(),
        &document.account_id,
        document.clock,
        load,
        settings,
    );
    let own = document.regions.into_iter();
    let own = own.map(|(name, region)| (AccountRegion::new(&settings.account_id, name), region));
    let others = document.accounts.into_iter().flat_map(|(account, regions)| {
        let regions = regions.into_iter();
        regions.map(move |(name, region)| (AccountRegion::new(&account, name), region))
    });
    for (at, region) in own.chain(others) {
        load.check_account(&at.account);
        load.counters(&at, region.counters);
        for (arn, row) in region.gateways {
            load.gateway(&at, &arn, row);
        }
        for (id, row) in region.pools {
            load.pool(&at, &id, row);
        }
        for (arn, row) in region.tags {
            load.tags(&at, &arn, row);
        }
        for (barcode, row) in region.tapes {
            load.tape(&at, &barcode, row);
        }
        for (token, row) in region.tokens {
            load.creation(&at, &token, row);
        }
    }
    Timestamp::from_millis(document.clock)
}

fn check(format: u64, account: &str, clock: i64, load: &mut StoreLoader<'_>, settings: &Settings) {
    if format != u64::from(FORMAT) {
        load.fault("format", format!("{format} is wrong; it takes {FORMAT}"));
    }
    if account != settings.account_id {
        let ours = &settings.account_id;
        load.fault(
            "account_id",
            format!("{account:?} is wrong; it takes {ours}, the account of this emulator"),
        );
    }
    if let Some(message) = time_problem(clock) {
        load.fault("clock", message);
    }
}

/// Reads an invalid document to find every problem.
fn untyped(document: &[u8], load: &mut StoreLoader<'_>, settings: &Settings) -> Timestamp {
    let read = serde_json::from_slice(document)
        .map_err(|error| Problem::new("", format!("the document is not JSON: {error}")))
        .and_then(|value| Members::of(value, ""));
    let mut members = match read {
        Ok(members) => members,
        Err(wrong) => {
            load.note([wrong]);
            return timestamp::LAST;
        }
    };
    let format = members.require("format", "a whole number", Value::as_u64);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let account = members.require("account_id", "an account's 12 digits", text);
    let clock = members.require("clock", "milliseconds since 1970", Value::as_i64);
    let object = |value: &Value| value.as_object().cloned();
    let takes = "an object with a region for each name";
    let own = members.require("regions", takes, object).unwrap_or_default();
    let takes = "an object with an object of regions for each account";
    let others = members.get("accounts", takes, object).unwrap_or_default();
    check(
        format.unwrap_or(FORMAT.into()),
        account.as_ref().unwrap_or(&settings.account_id),
        clock.unwrap_or(0),
        load,
        settings,
    );
    load.note(members.finish(Some(())).err().into_iter().flatten());
    for (name, region) in own {
        untyped_region(&AccountRegion::new(&settings.account_id, name), region, load);
    }
    for (account, regions) in others {
        load.check_account(&account);
        match regions {
            Value::Object(regions) => {
                for (name, region) in regions {
                    untyped_region(&AccountRegion::new(&account, name), region, load);
                }
            }
            other => load.fault(
                format!("accounts.{account}"),
                format!("{other} is wrong; it takes an object with a region for each name"),
            ),
        }
    }
    clock.map_or(timestamp::LAST, Timestamp::from_millis)
}

fn untyped_region(at: &AccountRegion, region: Value, load: &mut StoreLoader<'_>) {
    let path = load.region_path(at);
    let mut members = match Members::of(region, path.clone()) {
        Ok(members) => members,
        Err(wrong) => return load.note([wrong]),
    };
    let counters = members.require("counters", "an object with barcodes and pools", |value| {
        Some(value.clone())
    });
    let object = |value: &Value| value.as_object().cloned();
    let mut kind = |kind| members.require(kind, "an object with a row for each name", object);
    let (gateways, pools, tags) = (kind("gateways"), kind("pools"), kind("tags"));
    let (tapes, tokens) = (kind("tapes"), kind("tokens"));
    load.note(members.finish(Some(())).err().into_iter().flatten());
    if let Some(row) = counters.and_then(|row| one(row, &format!("{path}.counters"), load)) {
        load.counters(at, row);
    }
    each(at, "gateways", gateways, load, StoreLoader::gateway);
    each(at, "pools", pools, load, StoreLoader::pool);
    each(at, "tags", tags, load, StoreLoader::tags);
    each(at, "tapes", tapes, load, StoreLoader::tape);
    each(at, "tokens", tokens, load, StoreLoader::creation);
}

/// Loads the valid rows of one kind, and adds the problems of the others.
fn each<'l, T: Default + Serialize + DeserializeOwned>(
    at: &AccountRegion,
    kind: &str,
    rows: Option<Map<String, Value>>,
    load: &mut StoreLoader<'l>,
    put: impl Fn(&mut StoreLoader<'l>, &AccountRegion, &str, T),
) {
    for (name, row) in rows.unwrap_or_default() {
        if let Some(row) = one(row, &load.path(at, kind, &name), load) {
            put(load, at, &name, row);
        }
    }
}

fn one<T: Default + Serialize + DeserializeOwned>(
    row: Value,
    path: &str,
    load: &mut StoreLoader<'_>,
) -> Option<T> {
    match T::deserialize(&row) {
        Ok(row) => Some(row),
        Err(error) => {
            load.note(faults::<T>(row, path, &error));
            None
        }
    }
}

/// The problems of the members of a row: each member is tried alone in a valid row.
fn faults<T: Default + Serialize + DeserializeOwned>(
    row: Value,
    path: &str,
    whole: &impl fmt::Display,
) -> Vec<Problem> {
    let mut wrong = Vec::new();
    if let (Value::Object(given), Ok(Value::Object(right))) = (row, serde_json::to_value(T::default())) {
        let tried = |members: Map<String, Value>| T::deserialize(Value::Object(members)).err();
        for name in right.keys().filter(|name| !given.contains_key(*name)) {
            let mut without = right.clone();
            without.remove(name);
            if tried(without).is_some() {
                wrong.push(Problem::new(format!("{path}.{name}"), "is missing"));
            }
        }
        for (name, value) in given {
            let mut with = right.clone();
            with.insert(name.clone(), value);
            if let Some(error) = tried(with) {
                wrong.push(Problem::new(format!("{path}.{name}"), error.to_string()));
            }
        }
    }
    if wrong.is_empty() {
        wrong.push(Problem::new(path, whole.to_string()));
    }
    wrong
}

/// The first 1,000 problems, and the number of the others.
fn truncated(mut wrong: Vec<Problem>) -> Vec<Problem> {
    const MAX_PROBLEMS: usize = 1_000;
    let more = wrong.len().saturating_sub(MAX_PROBLEMS);
    wrong.truncate(MAX_PROBLEMS);
    if more > 0 {
        wrong.push(Problem::new("", format!("and {more} more problems")));
    }
    wrong
}
