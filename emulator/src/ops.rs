//! The operations, one file each, and what they have in common.

mod add_tags_to_resource;
mod assign_tape_pool;
mod create_tape_pool;
mod create_tape_with_barcode;
mod create_tapes;
mod delete_tape;
mod delete_tape_archive;
mod delete_tape_pool;
mod describe_gateway_information;
mod describe_tape_archives;
mod describe_tapes;
mod list_gateways;
mod list_tags_for_resource;
mod list_tape_pools;
mod list_tapes;
mod new_tape;
mod retrieve_tape_archive;
mod tags;

use serde::Serialize;

use super::{
    Inner, Settings,
    arn::{PoolArns, TapeArns},
    barcode::Barcode,
    error::{Code, Error},
    gateway::Gateway,
    store::Region,
    tape::Tape,
};

pub(super) use create_tapes::CreateTapes;
pub(super) use new_tape::NewTape;

const TARGET_PREFIX: &str = "StorageGateway_20130630.";

macro_rules! operations {
    ($($name:ident => $file:ident,)+) => {
        /// An operation that this service has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Operation {
            $($name,)+
        }

        impl Operation {
            /// The operation of a name.
            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// The name, for a log line.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Answers a proven request with its JSON body.
            pub(super) fn run(self, body: &[u8], call: &Call<'_>) -> Result<Vec<u8>, Error> {
                match self {
                    $(Self::$name => $file::run(body, call).map(json),)+
                }
            }
        }
    };
}

operations! {
    AddTagsToResource => add_tags_to_resource,
    AssignTapePool => assign_tape_pool,
    CreateTapePool => create_tape_pool,
    CreateTapeWithBarcode => create_tape_with_barcode,
    CreateTapes => create_tapes,
    DeleteTape => delete_tape,
    DeleteTapeArchive => delete_tape_archive,
    DeleteTapePool => delete_tape_pool,
    DescribeGatewayInformation => describe_gateway_information,
    DescribeTapeArchives => describe_tape_archives,
    DescribeTapes => describe_tapes,
    ListGateways => list_gateways,
    ListTagsForResource => list_tags_for_resource,
    ListTapePools => list_tape_pools,
    ListTapes => list_tapes,
    RetrieveTapeArchive => retrieve_tape_archive,
}

impl Operation {
    /// The operation of an `X-Amz-Target`.
    pub(super) fn from_target(target: &str) -> Option<Self> {
        Self::from_name(target.strip_prefix(TARGET_PREFIX)?)
    }
}

fn json(answer: impl Serialize) -> Vec<u8> {
    serde_json::to_vec(&answer).expect("an answer is strings, finite numbers and lists")
}

/// What the operations on one tape answer.
#[derive(Serialize)]
struct TapeAnswer {
    #[serde(rename = "TapeARN")]
    tape_arn: String,
}

/// What an operation is run with: who asks, and of what.
pub(super) struct Call<'a> {
    /// The region that the signature is scoped to.
    pub(super) region: &'a str,
    /// The ARNs of the account's tapes in that region.
    pub(super) arns: TapeArns,
    /// Those of its custom pools there.
    pub(super) pool_arns: PoolArns,
    pub(super) settings: &'a Settings,
    pub(super) account: &'a Inner,
}

impl Call<'_> {
    /// The tape of an ARN, as long as it is not deleted.
    fn tape<'r>(&self, region: &'r Region, arn: &str) -> Result<(Barcode, &'r Tape), Error> {
        let found = self
            .arns
            .barcode(arn)
            .and_then(|barcode| Some((barcode, region.present(barcode)?)));
        found.ok_or_else(|| self.tape_not_found(arn))
    }

    /// The tape gateway of an ARN.
    fn gateway<'r>(&self, region: &'r Region, arn: &str) -> Result<&'r Gateway, Error> {
        let gateway = region.gateway(arn).ok_or_else(|| self.gateway_not_found(arn))?;
        gateway.needs_tapes()?;
        Ok(gateway)
    }

    /// The tape gateway of an ARN, if a tape can come to it now.
    fn ready_gateway<'r>(&self, region: &'r Region, arn: &str) -> Result<&'r Gateway, Error> {
        let gateway = self.gateway(region, arn)?;
        gateway.needs_connection()?;
        gateway.needs_cache(self.settings)?;
        Ok(gateway)
    }

    fn tape_not_found(&self, arn: &str) -> Error {
        Error::gateway(
            Code::TapeCartridgeNotFound,
            format!("No tape {arn} is there for this operation."),
        )
    }

    fn gateway_not_found(&self, arn: &str) -> Error {
        let cause = format!(
            "Account {} has no gateway {arn} in {}.",
            self.settings.account_id, self.region
        );
        Error::gateway(Code::GatewayNotFound, cause)
    }
}
