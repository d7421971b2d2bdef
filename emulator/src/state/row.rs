//! The format of the saved rows in JSON, one type for each kind. The types are separate from those
//! that the emulator works with, so that changes of the code do not change the format. Times are
//! milliseconds since 1970.
//!
//! A change that makes older files unreadable must raise [`FORMAT`](super::FORMAT).

mod tape;

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::account::{
    barcode::Barcode,
    creation::{CreateTapes, Creation, NewTape, Tag},
    gateway::{Gateway, GatewayKind},
    pool::{CustomPool, RetentionLock, StorageClass},
    store::{Counters, Key, Region},
    timestamp::Timestamp,
};
pub(super) use tape::TapeRow;

/// How many names of each kind were generated, so that no name is generated twice.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountersRow {
    barcodes: u64,
    pools: u64,
}

impl From<Counters> for CountersRow {
    fn from(Counters { barcodes, pools }: Counters) -> Self {
        Self { barcodes, pools }
    }
}

impl From<CountersRow> for Counters {
    fn from(CountersRow { barcodes, pools }: CountersRow) -> Self {
        Self { barcodes, pools }
    }
}

/// A row as JSON; `None` if it no longer exists.
pub(super) fn json(region: &Region, key: &Key) -> Option<Vec<u8>> {
    match key {
        Key::Counters => Some(text(&CountersRow::from(region.counters()))),
        Key::Gateway(arn) => Some(text(&GatewayRow::from(region.gateway(arn)?))),
        Key::Pool(id) => Some(text(&PoolRow::from(&**region.pools().get(id)?))),
        Key::Tags(arn) => Some(text(region.tags(arn)?)),
        Key::Tape(barcode) => Some(text(&TapeRow::from(region.tape(*barcode)?))),
        Key::Creation(token) => Some(text(&CreationRow::from(region.remembered(token)?))),
    }
}

fn text(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).expect("a row is strings, whole numbers and finite percentages")
}

/// A gateway, by its ARN.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayRow<'a> {
    name: Cow<'a, str>,
    #[serde(with = "KindRow")]
    kind: GatewayKind,
    cache: bool,
    connected: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GatewayKind", rename_all = "SCREAMING_SNAKE_CASE")]
enum KindRow {
    Vtl,
    Cached,
    Stored,
    FileS3,
    FileFsxSmb,
}

impl Default for GatewayRow<'_> {
    fn default() -> Self {
        Self {
            name: "".into(),
            kind: GatewayKind::Vtl,
            cache: true,
            connected: true,
        }
    }
}

impl<'a> From<&'a Gateway> for GatewayRow<'a> {
    fn from(gateway: &'a Gateway) -> Self {
        let Gateway {
            arn: _,
            name,
            kind,
            cache,
            connected,
        } = gateway;
        Self {
            name: name.into(),
            kind: *kind,
            cache: *cache,
            connected: *connected,
        }
    }
}

impl GatewayRow<'_> {
    pub(super) fn into_gateway(self, arn: Arc<str>) -> Gateway {
        Gateway {
            arn,
            name: self.name.into_owned(),
            kind: self.kind,
            cache: self.cache,
            connected: self.connected,
        }
    }
}

/// A custom pool, by its id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolRow<'a> {
    name: Cow<'a, str>,
    #[serde(with = "ClassRow")]
    class: StorageClass,
    lock: LockRow,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StorageClass", rename_all = "SCREAMING_SNAKE_CASE")]
enum ClassRow {
    Glacier,
    DeepArchive,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
enum LockRow {
    None,
    Governance { seconds: u64 },
    Compliance { seconds: u64 },
}

impl Default for PoolRow<'_> {
    fn default() -> Self {
        Self {
            name: "".into(),
            class: StorageClass::Glacier,
            lock: LockRow::None,
        }
    }
}

impl<'a> From<&'a CustomPool> for PoolRow<'a> {
    fn from(pool: &'a CustomPool) -> Self {
        let CustomPool {
            id: _,
            name,
            class,
            lock,
        } = pool;
        let lock = match lock {
            RetentionLock::None => LockRow::None,
            RetentionLock::Governance(time) => LockRow::Governance {
                seconds: time.as_secs(),
            },
            RetentionLock::Compliance(time) => LockRow::Compliance {
                seconds: time.as_secs(),
            },
        };
        Self {
            name: name.into(),
            class: *class,
            lock,
        }
    }
}

impl PoolRow<'_> {
    pub(super) fn into_pool(self, id: String) -> CustomPool {
        let lock = match self.lock {
            LockRow::None => RetentionLock::None,
            LockRow::Governance { seconds } => RetentionLock::Governance(Duration::from_secs(seconds)),
            LockRow::Compliance { seconds } => RetentionLock::Compliance(Duration::from_secs(seconds)),
        };
        CustomPool {
            id,
            name: self.name.into_owned(),
            class: self.class,
            lock,
        }
    }
}

/// A client token: the request as it was sent, and the tapes that it created.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreationRow<'a> {
    pub(super) barcodes: Vec<String>,
    /// The time of the request, in milliseconds since 1970.
    pub(super) at: i64,
    gateway: Cow<'a, str>,
    size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worm: Option<bool>,
    /// In the order of the request.
    tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    count: i32,
    prefix: Cow<'a, str>,
}

impl<'a> From<&'a Creation> for CreationRow<'a> {
    fn from(
        Creation {
            request,
            barcodes,
            at,
        }: &'a Creation,
    ) -> Self {
        let CreateTapes { new, count, prefix } = request;
        let NewTape {
            gateway_arn,
            size,
            kms_encrypted,
            kms_key,
            pool_id,
            worm,
            tags,
        } = new;
        let tags = tags.iter().map(|Tag { key, value }| (key.into(), value.into()));
        Self {
            barcodes: barcodes.iter().map(Barcode::to_string).collect(),
            at: at.millis(),
            gateway: gateway_arn.into(),
            size: *size,
            kms_encrypted: *kms_encrypted,
            kms_key: kms_key.as_deref().map(Cow::from),
            pool: pool_id.as_deref().map(Cow::from),
            worm: *worm,
            tags: tags.collect(),
            count: *count,
            prefix: prefix.into(),
        }
    }
}

impl CreationRow<'_> {
    pub(super) fn into_creation(self, barcodes: Vec<Barcode>) -> Creation {
        let tags = self.tags.into_iter().map(|(key, value)| Tag {
            key: key.into_owned(),
            value: value.into_owned(),
        });
        let new = NewTape {
            gateway_arn: self.gateway.into_owned(),
            size: self.size,
            kms_encrypted: self.kms_encrypted,
            kms_key: self.kms_key.map(Cow::into_owned),
            pool_id: self.pool.map(Cow::into_owned),
            worm: self.worm,
            tags: tags.collect(),
        };
        let request = CreateTapes {
            new,
            count: self.count,
            prefix: self.prefix.into_owned(),
        };
        Creation {
            request,
            barcodes,
            at: Timestamp::from_millis(self.at),
        }
    }
}
