//! The operations on custom pools: CreateTapePool, DeleteTapePool and ListTapePools.

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;

use super::tags;
use crate::{
    account::{
        arn::PoolArns,
        pool::{CustomPool, RetentionLock, StorageClass},
        store::Region,
    },
    api::{call::Call, pagination::NamePageRequest, shapes, validation},
    protocol::Error,
};

const DAY: Duration = Duration::from_secs(86_400);

/// What CreateTapePool and DeleteTapePool answer.
#[derive(Serialize)]
pub(super) struct PoolOutput {
    #[serde(rename = "PoolARN")]
    pool_arn: String,
}

pub(super) fn create(body: &[u8], call: &Call<'_>) -> Result<PoolOutput, Error> {
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
            causes.push("RetentionLockTimeInDays needs a RetentionLockType.".to_owned());
        }
        RetentionLock::Compliance(Duration::ZERO) | RetentionLock::Governance(Duration::ZERO) => {
            causes.push("A RetentionLockType needs RetentionLockTimeInDays of 1 or more.".to_owned());
        }
        _ => {}
    }
    if !causes.is_empty() {
        return Err(Error::invalid(causes.join(" ")));
    }
    let (mut store, _) = call.emulator.write();
    let region = store.region_or_new(&call.at, &call.settings.life);
    let pool = region.create_pool(name, class, lock);
    let pool_arn = call.pool_arns.of(&pool.id);
    tags::add_to_new(region, &pool_arn, &tags);
    Ok(PoolOutput { pool_arn })
}

pub(super) fn delete(body: &[u8], call: &Call<'_>) -> Result<PoolOutput, Error> {
    let pool_arn = validation::read(body, |members| members.required("PoolARN", &shapes::POOL_ARN))?;
    let (mut store, _) = call.emulator.write();
    let not_found = || Error::invalid(format!("{} has no custom pool {pool_arn}.", call.at.region));
    let region = store.region_mut(&call.at).ok_or_else(not_found)?;
    let id = call.pool_arns.id(&pool_arn).ok_or_else(not_found)?;
    if !region.pools().contains_key(id) {
        return Err(not_found());
    }
    if region.pool_is_in_use(id) {
        return Err(Error::invalid(
            "The pool contains tapes; only an empty pool can be deleted.",
        ));
    }
    region.delete_pool(id);
    Ok(PoolOutput { pool_arn })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    pool_infos: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "PoolARN")]
    pool_arn: String,
    pool_name: String,
    storage_class: StorageClass,
    retention_lock_type: &'static str,
    retention_lock_time_in_days: u64,
    pool_status: &'static str,
}

impl Row {
    fn new(arns: &PoolArns, pool: &CustomPool) -> Self {
        let (lock, time) = match pool.lock {
            RetentionLock::None => ("NONE", None),
            RetentionLock::Governance(time) => ("GOVERNANCE", Some(time)),
            RetentionLock::Compliance(time) => ("COMPLIANCE", Some(time)),
        };
        Self {
            pool_arn: arns.of(&pool.id),
            pool_name: pool.name.clone(),
            storage_class: pool.class,
            retention_lock_type: lock,
            retention_lock_time_in_days: time.unwrap_or_default().as_secs() / 86_400,
            pool_status: "ACTIVE",
        }
    }
}

pub(super) fn list(body: &[u8], call: &Call<'_>) -> Result<ListOutput, Error> {
    let (arns, page) = validation::read(body, |members| {
        (
            members
                .optional("PoolARNs", &shapes::POOL_ARNS)
                .unwrap_or_default(),
            NamePageRequest::read(members),
        )
    })?;
    let only: BTreeSet<&str> = arns.iter().map(String::as_str).collect();
    let mut asked = vec!["ListTapePools", &call.at.region];
    asked.extend(&only);
    let (store, now) = call.emulator.read();
    let page = page.resolve(&asked, call, now)?;
    let pools = store.region(&call.at).map(Region::pools).into_iter().flatten();
    let shown = pools
        .map(|(id, pool)| (id.as_str(), Row::new(&call.pool_arns, pool)))
        .filter(|(_, row)| only.is_empty() || only.contains(row.pool_arn.as_str()));
    let (pool_infos, marker) = page.of(shown);
    Ok(ListOutput { pool_infos, marker })
}
