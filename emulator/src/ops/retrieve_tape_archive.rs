use std::sync::Arc;

use super::{Call, TapeAnswer, create_tapes::room_for};
use crate::{error::Error, shapes, tape::Status, validation};

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<TapeAnswer, Error> {
    let (tape_arn, gateway_arn) = validation::read(body, |members| {
        (
            members.required("TapeARN", &shapes::TAPE_ARN),
            members.required("GatewayARN", &shapes::GATEWAY_ARN),
        )
    })?;
    let (mut store, now) = call.account.write();
    let gateway_not_found = || call.gateway_not_found(&gateway_arn);
    let region = store.region_mut(call.region).ok_or_else(gateway_not_found)?;
    let gateway = Arc::clone(&call.ready_gateway(region, &gateway_arn)?.arn);
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    tape.needs(&[Status::Archived])?;
    room_for(1, tape.size, region, &gateway_arn, call)?;
    region.change(barcode, |tape| {
        tape.retrieve(barcode, gateway, now, &call.settings.life);
    });
    Ok(TapeAnswer { tape_arn })
}
