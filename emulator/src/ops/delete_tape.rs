use super::{Call, TapeAnswer};
use crate::{error::Error, shapes, tape::Status, validation};

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<TapeAnswer, Error> {
    let (gateway_arn, tape_arn) = validation::read(body, |members| {
        // Checked and not needed: no tape of these statuses is under a retention lock.
        members.optional("BypassGovernanceRetention", &shapes::BOOLEAN);
        (
            members.required("GatewayARN", &shapes::GATEWAY_ARN),
            members.required("TapeARN", &shapes::TAPE_ARN),
        )
    })?;
    let (mut store, now) = call.account.write();
    let gateway_not_found = || call.gateway_not_found(&gateway_arn);
    let region = store.region_mut(call.region).ok_or_else(gateway_not_found)?;
    let gateway = call.gateway(region, &gateway_arn)?;
    gateway.needs_connection()?;
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    if tape.gateway.as_ref() != Some(&gateway.arn) {
        return Err(call.tape_not_found(&tape_arn));
    }
    tape.needs(&[Status::Available, Status::Recovered, Status::Irrecoverable])?;
    region.change(barcode, |tape| tape.delete(now, &call.settings.life));
    Ok(TapeAnswer { tape_arn })
}
