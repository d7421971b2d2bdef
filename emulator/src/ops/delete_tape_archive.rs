use super::{Call, TapeAnswer};
use crate::{error::Error, shapes, tape::Status, validation};

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<TapeAnswer, Error> {
    let (tape_arn, bypass) = validation::read(body, |members| {
        (
            members.required("TapeARN", &shapes::TAPE_ARN),
            members.optional("BypassGovernanceRetention", &shapes::BOOLEAN),
        )
    })?;
    let (mut store, now) = call.account.write();
    let not_found = || call.tape_not_found(&tape_arn);
    let region = store.region_mut(call.region).ok_or_else(not_found)?;
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    tape.needs(&[Status::Archived])?;
    tape.unlocked(now, bypass == Some(true))?;
    region.change(barcode, |tape| tape.delete(now, &call.settings.life));
    Ok(TapeAnswer { tape_arn })
}
