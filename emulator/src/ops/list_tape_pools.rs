use std::collections::BTreeSet;

use serde::Serialize;

use super::Call;
use crate::{
    arn::PoolArns,
    error::Error,
    name_page::NamePageRequest,
    pool::{CustomPool, RetentionLock, StorageClass},
    shapes,
    store::Region,
    validation,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
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

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let (arns, page) = validation::read(body, |members| {
        (
            members
                .optional("PoolARNs", &shapes::POOL_ARNS)
                .unwrap_or_default(),
            NamePageRequest::read(members),
        )
    })?;
    let only: BTreeSet<&str> = arns.iter().map(String::as_str).collect();
    let mut asked = vec!["ListTapePools", call.region];
    asked.extend(&only);
    let (store, now) = call.account.read();
    let page = page.resolve(&asked, call.settings, now)?;
    let pools = store.region(call.region).map(Region::pools).into_iter().flatten();
    let shown = pools
        .map(|(id, pool)| (id.as_str(), Row::new(&call.pool_arns, pool)))
        .filter(|(_, row)| only.is_empty() || only.contains(row.pool_arn.as_str()));
    let (pool_infos, marker) = page.of(shown);
    Ok(Answer { pool_infos, marker })
}
