use super::{Call, TapeAnswer};
use crate::{error::Error, pool::StorageClass::DeepArchive, shapes, tape::Status, validation};

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<TapeAnswer, Error> {
    let (tape_arn, pool_id, bypass) = validation::read(body, |members| {
        (
            members.required("TapeARN", &shapes::TAPE_ARN),
            members.required("PoolId", &shapes::POOL_ID),
            members.optional("BypassGovernanceRetention", &shapes::BOOLEAN),
        )
    })?;
    let (mut store, now) = call.account.write();
    let not_found = || call.tape_not_found(&tape_arn);
    let region = store.region_mut(call.region).ok_or_else(not_found)?;
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    let unknown = || Error::invalid("PoolId is GLACIER, DEEP_ARCHIVE or the id of a custom pool.");
    let pool = region.pool(&pool_id).ok_or_else(unknown)?;
    tape.needs(&[Status::Available, Status::Archived])?;
    if tape.status == Status::Archived {
        tape.unlocked(now, bypass == Some(true))?;
        if tape.pool.class() == DeepArchive && pool.class() != DeepArchive {
            return Err(Error::invalid(
                "A tape archived in DEEP_ARCHIVE cannot move to GLACIER.",
            ));
        }
    }
    region.change(barcode, |tape| tape.assign(pool, now));
    Ok(TapeAnswer { tape_arn })
}
