//! The operations: each module reads requests, and answers them from the account.

mod create_tape_with_barcode;
mod create_tapes;
mod describe_tape_archives;
mod describe_tapes;
mod gateways;
mod list_tapes;
mod new_tape;
mod one_tape;
mod pools;
mod tags;

use serde::Serialize;

use super::call::Call;
use crate::protocol::{Error, Operation};

macro_rules! dispatch {
    ($($name:ident => $module:ident::$run:ident,)+) => {
        impl Operation {
            /// The JSON body of the response to a request with a valid signature.
            pub(super) fn run(self, body: &[u8], call: &Call<'_>) -> Result<Vec<u8>, Error> {
                match self {
                    $(Self::$name => $module::$run(body, call).map(json),)+
                }
            }
        }
    };
}

dispatch! {
    AddTagsToResource => tags::add,
    AssignTapePool => one_tape::assign_pool,
    CreateTapePool => pools::create,
    CreateTapeWithBarcode => create_tape_with_barcode::run,
    CreateTapes => create_tapes::run,
    DeleteTape => one_tape::delete,
    DeleteTapeArchive => one_tape::delete_archive,
    DeleteTapePool => pools::delete,
    DescribeGatewayInformation => gateways::describe,
    DescribeTapeArchives => describe_tape_archives::run,
    DescribeTapes => describe_tapes::run,
    ListGateways => gateways::list,
    ListTagsForResource => tags::list,
    ListTapePools => pools::list,
    ListTapes => list_tapes::run,
    RetrieveTapeArchive => one_tape::retrieve,
}

fn json(output: impl Serialize) -> Vec<u8> {
    serde_json::to_vec(&output).expect("an output is strings, finite numbers and lists")
}
