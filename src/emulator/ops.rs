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

/// An operation that this service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    AddTagsToResource,
    AssignTapePool,
    CreateTapePool,
    CreateTapeWithBarcode,
    CreateTapes,
    DeleteTape,
    DeleteTapeArchive,
    DeleteTapePool,
    DescribeGatewayInformation,
    DescribeTapeArchives,
    DescribeTapes,
    ListGateways,
    ListTagsForResource,
    ListTapePools,
    ListTapes,
    RetrieveTapeArchive,
}

impl Operation {
    /// The operation of an `X-Amz-Target`.
    pub(super) fn from_target(target: &str) -> Option<Self> {
        match target.strip_prefix(TARGET_PREFIX)? {
            "AddTagsToResource" => Some(Self::AddTagsToResource),
            "AssignTapePool" => Some(Self::AssignTapePool),
            "CreateTapePool" => Some(Self::CreateTapePool),
            "CreateTapeWithBarcode" => Some(Self::CreateTapeWithBarcode),
            "CreateTapes" => Some(Self::CreateTapes),
            "DeleteTape" => Some(Self::DeleteTape),
            "DeleteTapeArchive" => Some(Self::DeleteTapeArchive),
            "DeleteTapePool" => Some(Self::DeleteTapePool),
            "DescribeGatewayInformation" => Some(Self::DescribeGatewayInformation),
            "DescribeTapeArchives" => Some(Self::DescribeTapeArchives),
            "DescribeTapes" => Some(Self::DescribeTapes),
            "ListGateways" => Some(Self::ListGateways),
            "ListTagsForResource" => Some(Self::ListTagsForResource),
            "ListTapePools" => Some(Self::ListTapePools),
            "ListTapes" => Some(Self::ListTapes),
            "RetrieveTapeArchive" => Some(Self::RetrieveTapeArchive),
            _ => None,
        }
    }

    /// The name, for a log line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AddTagsToResource => "AddTagsToResource",
            Self::AssignTapePool => "AssignTapePool",
            Self::CreateTapePool => "CreateTapePool",
            Self::CreateTapeWithBarcode => "CreateTapeWithBarcode",
            Self::CreateTapes => "CreateTapes",
            Self::DeleteTape => "DeleteTape",
            Self::DeleteTapeArchive => "DeleteTapeArchive",
            Self::DeleteTapePool => "DeleteTapePool",
            Self::DescribeGatewayInformation => "DescribeGatewayInformation",
            Self::DescribeTapeArchives => "DescribeTapeArchives",
            Self::DescribeTapes => "DescribeTapes",
            Self::ListGateways => "ListGateways",
            Self::ListTagsForResource => "ListTagsForResource",
            Self::ListTapePools => "ListTapePools",
            Self::ListTapes => "ListTapes",
            Self::RetrieveTapeArchive => "RetrieveTapeArchive",
        }
    }

    /// Answers a proven request with its JSON body.
    pub(super) fn run(self, body: &[u8], call: &Call<'_>) -> Result<Vec<u8>, Error> {
        match self {
            Self::AddTagsToResource => add_tags_to_resource::run(body, call).map(json),
            Self::AssignTapePool => assign_tape_pool::run(body, call).map(json),
            Self::CreateTapePool => create_tape_pool::run(body, call).map(json),
            Self::CreateTapeWithBarcode => create_tape_with_barcode::run(body, call).map(json),
            Self::CreateTapes => create_tapes::run(body, call).map(json),
            Self::DeleteTape => delete_tape::run(body, call).map(json),
            Self::DeleteTapeArchive => delete_tape_archive::run(body, call).map(json),
            Self::DeleteTapePool => delete_tape_pool::run(body, call).map(json),
            Self::DescribeGatewayInformation => describe_gateway_information::run(body, call).map(json),
            Self::DescribeTapeArchives => describe_tape_archives::run(body, call).map(json),
            Self::DescribeTapes => describe_tapes::run(body, call).map(json),
            Self::ListGateways => list_gateways::run(body, call).map(json),
            Self::ListTagsForResource => list_tags_for_resource::run(body, call).map(json),
            Self::ListTapePools => list_tape_pools::run(body, call).map(json),
            Self::ListTapes => list_tapes::run(body, call).map(json),
            Self::RetrieveTapeArchive => retrieve_tape_archive::run(body, call).map(json),
        }
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
