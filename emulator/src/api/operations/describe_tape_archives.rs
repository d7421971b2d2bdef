use serde::Serialize;

use crate::{
    account::{
        barcode::Barcode,
        pool::Pool,
        store::{BarcodeIndex, Region},
        tape::Tape,
        timestamp::Timestamp,
    },
    api::{call::Call, pagination::TapePageRequest, validation},
    protocol::Error,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    tape_archives: Vec<Row>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retrieved_to: Option<String>,
    tape_status: &'static str,
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
    fn new(call: &Call<'_>, barcode: Barcode, tape: &Tape) -> Self {
        Self {
            tape_arn: call.arns.of(barcode),
            tape_barcode: barcode.to_string(),
            tape_created_date: tape.created,
            tape_size_in_bytes: tape.size,
            completion_time: tape.completed,
            retrieved_to: tape.retrieved_to.as_deref().map(str::to_owned),
            tape_status: call.settings.undocumented.spell(tape.status),
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
    let page = validation::read(body, TapePageRequest::read)?;
    let (store, now) = call.emulator.read();
    let walk = page.resolve(&["DescribeTapeArchives", &call.at.region], call, now)?;
    let region = store.region(&call.at);
    let (barcodes, marker) = walk.page(region.map_or(&BarcodeIndex::new(), Region::archive))?;
    let tapes = barcodes
        .into_iter()
        .filter_map(|barcode| Some((barcode, region?.tape(barcode)?)));
    let tape_archives = tapes
        .map(|(barcode, tape)| Row::new(call, barcode, tape))
        .collect();
    Ok(Output {
        tape_archives,
        marker,
    })
}
