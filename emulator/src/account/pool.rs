use std::{sync::Arc, time::Duration};

use serde::{Serialize, Serializer};

use crate::settings::DefaultPool;

/// Where a tape is kept once archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    Glacier,
    DeepArchive,
    Custom(Arc<CustomPool>),
}

/// A pool that the account made. No operation changes one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CustomPool {
    /// `pool-` and 8 hex digits.
    pub(crate) id: String,
    /// What people call it; two may have the same.
    pub(crate) name: String,
    pub(crate) class: StorageClass,
    pub(crate) lock: RetentionLock,
}

/// The S3 storage class that archived tapes are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StorageClass {
    Glacier,
    DeepArchive,
}

/// What keeps an archived tape of a pool from being deleted or moved, and for how long after
/// it was archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetentionLock {
    None,
    /// Those who ask to bypass it do.
    Governance(Duration),
    /// Nobody bypasses it.
    Compliance(Duration),
}

impl Pool {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::Custom(pool) => &pool.id,
        }
    }

    pub(crate) fn class(&self) -> StorageClass {
        match self {
            Self::Glacier => StorageClass::Glacier,
            Self::DeepArchive => StorageClass::DeepArchive,
            Self::Custom(pool) => pool.class,
        }
    }
}

impl Serialize for Pool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl DefaultPool {
    pub(crate) fn pool(self) -> Pool {
        match self {
            Self::Glacier => Pool::Glacier,
            Self::DeepArchive => Pool::DeepArchive,
        }
    }
}
