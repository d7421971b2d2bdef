use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use super::tags;
use crate::{
    account::{
        arn::TapeArns,
        barcode::Barcode,
        creation::{CreateTapes, Creation, NewTape},
        store::Region,
    },
    api::{
        call::Call,
        shapes,
        validation::{self, Members},
    },
    protocol::{Code, Error},
    settings::TokenMismatch,
};

#[derive(Serialize)]
pub(super) struct Output {
    #[serde(rename = "TapeARNs")]
    tape_arns: Vec<String>,
}

impl Output {
    fn new(arns: &TapeArns, barcodes: &[Barcode]) -> Self {
        Self {
            tape_arns: barcodes.iter().map(|barcode| arns.of(*barcode)).collect(),
        }
    }
}

fn read(members: &mut Members<'_>) -> (String, CreateTapes) {
    let token = members.required("ClientToken", &shapes::CLIENT_TOKEN);
    let request = CreateTapes {
        new: NewTape::read(members),
        count: members.required("NumTapesToCreate", &shapes::NUM_TAPES),
        prefix: members.required("TapeBarcodePrefix", &shapes::TAPE_BARCODE_PREFIX),
    };
    (token, request)
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let (token, request) = validation::read(body, read)?;
    let undocumented = &call.settings.undocumented;
    let (mut store, now) = call.emulator.write();
    let key = undocumented.token_key(token, request.new.gateway_arn());
    if let Some((at, creation)) = store.creation(&call.at, &key, undocumented.token_scope)
        && creation.counts(now, undocumented.token_window)
    {
        let same = creation.request == request;
        if !same && undocumented.token_mismatch == TokenMismatch::Refuse {
            return Err(Error::invalid("ClientToken was used with other parameters."));
        }
        let arns = TapeArns::new(at);
        return Ok(Output::new(&arns, &creation.barcodes));
    }
    let not_found = || call.gateway_not_found(request.new.gateway_arn());
    let region = store.region(&call.at).ok_or_else(not_found)?;
    let gateway = call.ready_gateway(region, request.new.gateway_arn())?;
    let tape = request.new.tape(region, Arc::clone(&gateway.arn), now, call)?;
    let count = usize::try_from(request.count).unwrap_or(0);
    check_quota(count, tape.size, region, request.new.gateway_arn(), call)?;

    let mut barcodes = BTreeSet::new();
    while barcodes.len() < count {
        let barcode = store.generate(&call.at, &request.prefix, undocumented.barcode_scope);
        let none_left = || {
            Error::invalid(format!(
                "No free barcode is left with the prefix {}.",
                request.prefix
            ))
        };
        barcodes.insert(barcode.ok_or_else(none_left)?);
    }
    let barcodes: Vec<Barcode> = barcodes.into_iter().collect();
    let region = store.region_mut(&call.at).ok_or_else(not_found)?;
    for barcode in &barcodes {
        region.insert(*barcode, tape.clone());
        tags::add_to_new(region, &call.arns.of(*barcode), request.new.tags());
    }
    let answer = Output::new(&call.arns, &barcodes);
    let creation = Creation {
        at: now,
        request,
        barcodes,
    };
    region.remember(key, creation);
    Ok(answer)
}

/// Rejects tapes of one size that would exceed a quota of a library, as a whole.
pub(super) fn check_quota(
    count: usize,
    size: i64,
    region: &Region,
    gateway: &str,
    call: &Call<'_>,
) -> Result<(), Error> {
    let (held, most) = (region.tape_count(gateway), call.settings.tapes_per_library);
    if held + count > most {
        let cause = format!("The library of {gateway} holds {held} of at most {most} tapes.");
        return Err(Error::gateway(Code::MaximumTapeCartridgeCountExceeded, cause));
    }
    let (held, most) = (region.total_bytes(gateway), call.settings.bytes_per_library);
    let more = count as u128 * u128::from(size.unsigned_abs());
    if held + more > u128::from(most) {
        let cause = format!("The tapes in the library of {gateway} take {held} of at most {most} bytes.");
        return Err(Error::gateway(
            call.settings.undocumented.code_of_full_library,
            cause,
        ));
    }
    Ok(())
}
