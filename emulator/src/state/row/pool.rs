use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};

use crate::pool::{CustomPool, RetentionLock, StorageClass};

/// A custom pool, by its id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::state) struct PoolRow<'a> {
    name: Cow<'a, str>,
    #[serde(with = "Class")]
    class: StorageClass,
    lock: Lock,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StorageClass", rename_all = "SCREAMING_SNAKE_CASE")]
enum Class {
    Glacier,
    DeepArchive,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
enum Lock {
    None,
    Governance { seconds: u64 },
    Compliance { seconds: u64 },
}

impl Default for PoolRow<'_> {
    fn default() -> Self {
        Self {
            name: "".into(),
            class: StorageClass::Glacier,
            lock: Lock::None,
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
            RetentionLock::None => Lock::None,
            RetentionLock::Governance(time) => Lock::Governance {
                seconds: time.as_secs(),
            },
            RetentionLock::Compliance(time) => Lock::Compliance {
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
    pub(in crate::state) fn into_pool(self, id: String) -> CustomPool {
        let lock = match self.lock {
            Lock::None => RetentionLock::None,
            Lock::Governance { seconds } => RetentionLock::Governance(Duration::from_secs(seconds)),
            Lock::Compliance { seconds } => RetentionLock::Compliance(Duration::from_secs(seconds)),
        };
        CustomPool {
            id,
            name: self.name.into_owned(),
            class: self.class,
            lock,
        }
    }
}
