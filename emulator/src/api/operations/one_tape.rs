//! The operations that change one tape: AssignTapePool, DeleteTape, DeleteTapeArchive and
//! RetrieveTapeArchive.

use std::sync::Arc;

use serde::Serialize;

use super::create_tapes::check_quota;
use crate::{
    account::{pool::StorageClass::DeepArchive, tape::Status},
    api::{call::Call, shapes, validation},
    protocol::Error,
};

/// What each of these operations answers.
#[derive(Serialize)]
pub(super) struct Output {
    #[serde(rename = "TapeARN")]
    tape_arn: String,
}

pub(super) fn assign_pool(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let (tape_arn, pool_id, bypass) = validation::read(body, |members| {
        (
            members.required("TapeARN", &shapes::TAPE_ARN),
            members.required("PoolId", &shapes::POOL_ID),
            members.optional("BypassGovernanceRetention", &shapes::BOOLEAN),
        )
    })?;
    let (mut store, now) = call.emulator.write();
    let not_found = || call.tape_not_found(&tape_arn);
    let region = store.region_mut(&call.at).ok_or_else(not_found)?;
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    let unknown = || Error::invalid("PoolId must be GLACIER, DEEP_ARCHIVE or the id of a custom pool.");
    let pool = region.pool(&pool_id).ok_or_else(unknown)?;
    tape.check_status(&[Status::Available, Status::Archived])?;
    if tape.status == Status::Archived {
        tape.check_retention(now, bypass == Some(true))?;
        if tape.pool.class() == DeepArchive && pool.class() != DeepArchive {
            return Err(Error::invalid(
                "A tape archived in DEEP_ARCHIVE cannot move to GLACIER.",
            ));
        }
    }
    region.change(barcode, |tape| tape.assign(pool, now));
    Ok(Output { tape_arn })
}

pub(super) fn delete(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let (gateway_arn, tape_arn) = validation::read(body, |members| {
        // Validated but not used: no tape in these statuses is under a retention lock.
        members.optional("BypassGovernanceRetention", &shapes::BOOLEAN);
        (
            members.required("GatewayARN", &shapes::GATEWAY_ARN),
            members.required("TapeARN", &shapes::TAPE_ARN),
        )
    })?;
    let (mut store, now) = call.emulator.write();
    let gateway_not_found = || call.gateway_not_found(&gateway_arn);
    let region = store.region_mut(&call.at).ok_or_else(gateway_not_found)?;
    let gateway = call.gateway(region, &gateway_arn)?;
    gateway.check_connected()?;
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    if tape.gateway.as_ref() != Some(&gateway.arn) {
        return Err(call.tape_not_found(&tape_arn));
    }
    tape.check_status(&[Status::Available, Status::Recovered, Status::Irrecoverable])?;
    region.change(barcode, |tape| tape.delete(now, &call.settings.life));
    Ok(Output { tape_arn })
}

pub(super) fn delete_archive(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let (tape_arn, bypass) = validation::read(body, |members| {
        (
            members.required("TapeARN", &shapes::TAPE_ARN),
            members.optional("BypassGovernanceRetention", &shapes::BOOLEAN),
        )
    })?;
    let (mut store, now) = call.emulator.write();
    let not_found = || call.tape_not_found(&tape_arn);
    let region = store.region_mut(&call.at).ok_or_else(not_found)?;
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    tape.check_status(&[Status::Archived])?;
    tape.check_retention(now, bypass == Some(true))?;
    region.change(barcode, |tape| tape.delete(now, &call.settings.life));
    Ok(Output { tape_arn })
}

pub(super) fn retrieve(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let (tape_arn, gateway_arn) = validation::read(body, |members| {
        (
            members.required("TapeARN", &shapes::TAPE_ARN),
            members.required("GatewayARN", &shapes::GATEWAY_ARN),
        )
    })?;
    let (mut store, now) = call.emulator.write();
    let gateway_not_found = || call.gateway_not_found(&gateway_arn);
    let region = store.region_mut(&call.at).ok_or_else(gateway_not_found)?;
    let gateway = Arc::clone(&call.ready_gateway(region, &gateway_arn)?.arn);
    let (barcode, tape) = call.tape(region, &tape_arn)?;
    tape.check_status(&[Status::Archived])?;
    check_quota(1, tape.size, region, &gateway_arn, call)?;
    region.change(barcode, |tape| {
        tape.retrieve(barcode, gateway, now, &call.settings.life);
    });
    Ok(Output { tape_arn })
}
