use std::time::Duration;

use serde::Serialize;

use super::{Call, tags};
use crate::{
    error::Error,
    pool::{RetentionLock, StorageClass},
    shapes, validation,
};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(rename = "PoolARN")]
    pool_arn: String,
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let (name, class, lock, days, tags) = validation::read(body, |members| {
        (
            members.required("PoolName", &shapes::POOL_NAME),
            members.required("StorageClass", &shapes::STORAGE_CLASS),
            members.optional("RetentionLockType", &shapes::RETENTION_LOCK_TYPE),
            members.optional("RetentionLockTimeInDays", &shapes::RETENTION_LOCK_DAYS),
            members.optional("Tags", &shapes::TAGS).unwrap_or_default(),
        )
    })?;
    let class = match class {
        "DEEP_ARCHIVE" => StorageClass::DeepArchive,
        _ => StorageClass::Glacier,
    };
    let days = u32::try_from(days.unwrap_or(0)).unwrap_or(0);
    let mut causes = tags::faults(&tags);
    let lock = match lock {
        Some("COMPLIANCE") => RetentionLock::Compliance(DAY * days),
        Some("GOVERNANCE") => RetentionLock::Governance(DAY * days),
        _ => RetentionLock::None,
    };
    match lock {
        RetentionLock::None if days > 0 => {
            causes.push("RetentionLockTimeInDays is for a RetentionLockType alone.".to_owned());
        }
        RetentionLock::Compliance(Duration::ZERO) | RetentionLock::Governance(Duration::ZERO) => {
            causes.push("A RetentionLockType needs RetentionLockTimeInDays of 1 or more.".to_owned());
        }
        _ => {}
    }
    if !causes.is_empty() {
        return Err(Error::invalid(causes.join(" ")));
    }
    let (mut store, _) = call.account.write();
    let region = store.region_or_new(call.region, &call.settings.life);
    let pool = region.create_pool(name, class, lock);
    let pool_arn = call.pool_arns.of(&pool.id);
    tags::give(region, &pool_arn, &tags);
    Ok(Answer { pool_arn })
}
