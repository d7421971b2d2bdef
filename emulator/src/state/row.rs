//! The rows that the state is kept as, one type for each kind, in JSON. They are apart from
//! the types that the emulator works with, so that neither the wire nor the code changes what
//! is in a file. Times are milliseconds since 1970.
//!
//! To change a row in a way that an older file cannot be read by is to raise
//! [`FORMAT`](super::FORMAT).

mod creation;
mod gateway;
mod pool;
mod tape;

use serde::{Deserialize, Serialize};

use crate::store::{Counters, Key, Region};
pub(super) use creation::CreationRow;
pub(super) use gateway::GatewayRow;
pub(super) use pool::PoolRow;
pub(super) use tape::TapeRow;

/// How many names of each kind were drawn, so that none is drawn twice.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountersRow {
    barcodes: u64,
    pools: u64,
}

impl From<Counters> for CountersRow {
    fn from(Counters { barcodes, pools }: Counters) -> Self {
        Self { barcodes, pools }
    }
}

impl From<CountersRow> for Counters {
    fn from(CountersRow { barcodes, pools }: CountersRow) -> Self {
        Self { barcodes, pools }
    }
}

/// A row as JSON; `None` if it is not there any more.
pub(super) fn json(region: &Region, key: &Key) -> Option<Vec<u8>> {
    match key {
        Key::Counters => Some(text(&CountersRow::from(region.counters()))),
        Key::Gateway(arn) => Some(text(&GatewayRow::from(region.gateway(arn)?))),
        Key::Pool(id) => Some(text(&PoolRow::from(&**region.pools().get(id)?))),
        Key::Tags(arn) => Some(text(region.tags(arn)?)),
        Key::Tape(barcode) => Some(text(&TapeRow::from(region.tape(*barcode)?))),
        Key::Creation(token) => Some(text(&CreationRow::from(region.remembered(token)?))),
    }
}

fn text(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).expect("a row is strings, whole numbers and finite percentages")
}
