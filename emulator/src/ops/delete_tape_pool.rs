use serde::Serialize;

use super::Call;
use crate::{error::Error, shapes, validation};

#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(rename = "PoolARN")]
    pool_arn: String,
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let pool_arn = validation::read(body, |members| members.required("PoolARN", &shapes::POOL_ARN))?;
    let (mut store, _) = call.account.write();
    let not_found = || Error::invalid(format!("No custom pool {pool_arn} is in {}.", call.region));
    let region = store.region_mut(call.region).ok_or_else(not_found)?;
    let id = call.pool_arns.id(&pool_arn).ok_or_else(not_found)?;
    if !region.pools().contains_key(id) {
        return Err(not_found());
    }
    if region.pool_is_in_use(id) {
        return Err(Error::invalid(
            "The pool has tapes; only an empty one can be deleted.",
        ));
    }
    region.delete_pool(id);
    Ok(Answer { pool_arn })
}
