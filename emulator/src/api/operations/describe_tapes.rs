use serde::Serialize;

use crate::{
    account::{barcode::Barcode, pool::Pool, tape::Tape, timestamp::Timestamp},
    api::{call::Call, pagination::TapePageRequest, shapes, validation},
    protocol::Error,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    tapes: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "TapeARN")]
    tape_arn: String,
    tape_barcode: String,
    tape_created_date: Timestamp,
    tape_size_in_bytes: i64,
    tape_status: &'static str,
    #[serde(rename = "VTLDevice", skip_serializing_if = "Option::is_none")]
    vtl_device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tape_used_in_bytes: Option<i64>,
    #[serde(rename = "KMSKey", skip_serializing_if = "Option::is_none")]
    kms_key: Option<String>,
    pool_id: Pool,
    #[serde(skip_serializing_if = "Option::is_none")]
    worm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_start_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_entry_date: Option<Timestamp>,
}

impl Row {
    fn new(call: &Call<'_>, barcode: Barcode, tape: &Tape, now: Timestamp) -> Self {
        Self {
            tape_arn: call.arns.of(barcode),
            tape_barcode: barcode.to_string(),
            tape_created_date: tape.created,
            tape_size_in_bytes: tape.size,
            tape_status: call.settings.undocumented.spell(tape.status),
            vtl_device: tape.device.as_deref().map(str::to_owned),
            progress: tape.progress.map(|progress| progress.at(now)),
            tape_used_in_bytes: tape.used,
            kms_key: tape.kms_key.as_deref().map(str::to_owned),
            pool_id: tape.pool.clone(),
            worm: call.settings.undocumented.worm(tape.worm),
            retention_start_date: tape.retention_start,
            pool_entry_date: tape.pool_entry,
        }
    }
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let (gateway, page) = validation::read(body, |members| {
        (
            members.required("GatewayARN", &shapes::GATEWAY_ARN),
            TapePageRequest::read(members),
        )
    })?;
    let (store, now) = call.emulator.read();
    let not_found = || call.gateway_not_found(&gateway);
    let region = store.region(&call.at).ok_or_else(not_found)?;
    let found = call.gateway(region, &gateway)?;
    if !call.settings.undocumented.describe_offline {
        found.check_connected()?;
    }
    let library = region.library(&gateway).ok_or_else(not_found)?;
    let walk = page.resolve(&["DescribeTapes", &call.at.region, &gateway], call, now)?;
    let (barcodes, marker) = walk.page(library)?;
    let tapes = barcodes
        .into_iter()
        .filter_map(|barcode| Some((barcode, region.tape(barcode)?)));
    let tapes = tapes
        .map(|(barcode, tape)| Row::new(call, barcode, tape, now))
        .collect();
    Ok(Output { tapes, marker })
}
