//! The operations, and what they have in common.

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
    ($($name:ident => $module:ident::$run:ident,)+) => {
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

            /// The JSON body of the response to a request with a valid signature.
            pub(super) fn run(self, body: &[u8], call: &Call<'_>) -> Result<Vec<u8>, Error> {
                match self {
                    $(Self::$name => $module::$run(body, call).map(json),)+
                }
            }
        }
    };
}

operations! {
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

impl Operation {
    /// The operation of an `X-Amz-Target`.
    pub(super) fn from_target(target: &str) -> Option<Self> {
        Self::from_name(target.strip_prefix(TARGET_PREFIX)?)
    }
}

fn json(output: impl Serialize) -> Vec<u8> {
    serde_json::to_vec(&output).expect("an output is strings, finite numbers and lists")
}

/// The context of one call of an operation.
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
    /// The tape of an ARN, if it is not DELETED.
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
        gateway.check_is_tape_gateway()?;
        Ok(gateway)
    }

    /// The tape gateway of an ARN, if it can accept a tape now.
    fn ready_gateway<'r>(&self, region: &'r Region, arn: &str) -> Result<&'r Gateway, Error> {
        let gateway = self.gateway(region, arn)?;
        gateway.check_connected()?;
        gateway.check_cache(self.settings)?;
        Ok(gateway)
    }

    fn tape_not_found(&self, arn: &str) -> Error {
        Error::gateway(
            Code::TapeCartridgeNotFound,
            format!("No tape {arn} exists for this operation."),
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
