use std::sync::Arc;

use serde::Serialize;

use super::{create_tapes::check_quota, tags};
use crate::{
    account::{barcode::Barcode, creation::NewTape},
    api::{call::Call, shapes, validation},
    protocol::Error,
};

#[derive(Serialize)]
pub(super) struct Output {
    #[serde(rename = "TapeARN")]
    tape_arn: String,
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let (barcode, new) = validation::read(body, |members| {
        (
            members.required("TapeBarcode", &shapes::TAPE_BARCODE),
            NewTape::read(members),
        )
    })?;
    let (mut store, now) = call.emulator.write();
    let not_found = || call.gateway_not_found(new.gateway_arn());
    let region = store.region(&call.at).ok_or_else(not_found)?;
    let gateway = call.ready_gateway(region, new.gateway_arn())?;
    let tape = new.tape(region, Arc::clone(&gateway.arn), now, call)?;
    let scope = call.settings.undocumented.barcode_scope;
    let barcode = Barcode::new(&barcode)
        .filter(|barcode| !store.is_used(&call.at, *barcode, scope))
        .ok_or_else(|| {
            Error::invalid(format!(
                "Barcode {barcode} is in use, or was used by a deleted tape; barcodes cannot be reused."
            ))
        })?;
    let region = store.region_mut(&call.at).ok_or_else(not_found)?;
    check_quota(1, tape.size, region, new.gateway_arn(), call)?;
    region.insert(barcode, tape);
    let tape_arn = call.arns.of(barcode);
    if call.settings.undocumented.tags_with_barcode {
        tags::add_to_new(region, &tape_arn, new.tags());
    }
    Ok(Output { tape_arn })
}
