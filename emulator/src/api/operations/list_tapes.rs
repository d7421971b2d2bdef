use serde::Serialize;

use crate::{
    account::{
        barcode::Barcode,
        pool::Pool,
        store::{BarcodeIndex, Region},
        tape::{Status, Tape},
        timestamp::Timestamp,
    },
    api::{call::Call, pagination::TapePageRequest, validation},
    protocol::Error,
    settings::RetrievedListed,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
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
    tape_status: &'static str,
    #[serde(rename = "GatewayARN", skip_serializing_if = "Option::is_none")]
    gateway_arn: Option<String>,
    pool_id: Pool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_start_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_entry_date: Option<Timestamp>,
}

impl Row {
    /// `number` is which of the tape's rows this is: the second is that of the archive.
    fn new(call: &Call<'_>, barcode: Barcode, tape: &Tape, number: u8) -> Self {
        let gateway = tape.gateway.as_deref().filter(|_| number == 0);
        Self {
            tape_arn: call.arns.of(barcode),
            tape_barcode: barcode.to_string(),
            tape_size_in_bytes: tape.size,
            tape_status: call.settings.undocumented.spell(tape.status),
            gateway_arn: gateway.map(str::to_owned),
            pool_id: tape.pool.clone(),
            retention_start_date: tape.retention_start,
            pool_entry_date: tape.pool_entry,
        }
    }
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Output, Error> {
    let page = validation::read(body, TapePageRequest::read)?;
    let (store, now) = call.emulator.read();
    let walk = page.resolve(&["ListTapes", &call.at.region], call, now)?;
    let region = store.region(&call.at);
    let tape = |barcode| region?.tape(barcode);
    let twice = call.settings.undocumented.retrieved_listed == RetrievedListed::Twice;
    let rows_of = |barcode| {
        let retrieved = twice && tape(barcode).is_some_and(|tape| tape.status == Status::Retrieved);
        1 + u8::from(retrieved)
    };
    let (rows, marker) = walk.rows(region.map_or(&BarcodeIndex::new(), Region::all), rows_of)?;
    let tape_infos = rows
        .into_iter()
        .filter_map(|row| Some(Row::new(call, row.barcode, tape(row.barcode)?, row.number)))
        .collect();
    Ok(Output { tape_infos, marker })
}
