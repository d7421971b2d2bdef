use serde::Serialize;

use super::Call;
use crate::emulator::{
    arn::TapeArns,
    barcode::Barcode,
    error::Error,
    page::PageRequest,
    pool::Pool,
    tape::{Status, Tape},
    timestamp::Timestamp,
    validation,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    tape_infos: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "TapeARN")]
    tape_arn: String,
    tape_barcode: String,
    tape_size_in_bytes: i64,
    tape_status: Status,
    #[serde(rename = "GatewayARN", skip_serializing_if = "Option::is_none")]
    gateway_arn: Option<String>,
    pool_id: Pool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_start_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_entry_date: Option<Timestamp>,
}

impl Row {
    fn new(arns: &TapeArns, barcode: Barcode, tape: &Tape) -> Self {
        Self {
            tape_arn: arns.of(barcode),
            tape_barcode: barcode.to_string(),
            tape_size_in_bytes: tape.size,
            tape_status: tape.status,
            gateway_arn: tape.gateway.as_deref().map(str::to_owned),
            pool_id: tape.pool.clone(),
            retention_start_date: tape.retention_start,
            pool_entry_date: tape.pool_entry,
        }
    }
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let page = validation::read(body, PageRequest::read)?;
    let walk = page.resolve(&["ListTapes", call.region], &call.arns, call.settings)?;
    let (store, _) = call.account.read();
    let Some(region) = store.region(call.region) else {
        return Ok(Answer {
            tape_infos: Vec::new(),
            marker: None,
        });
    };
    let (barcodes, marker) = walk.page(region.all());
    let tapes = barcodes
        .into_iter()
        .filter_map(|barcode| Some((barcode, region.tape(barcode)?)));
    let tape_infos = tapes
        .map(|(barcode, tape)| Row::new(&call.arns, barcode, tape))
        .collect();
    Ok(Answer { tape_infos, marker })
}
