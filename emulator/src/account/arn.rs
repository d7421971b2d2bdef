use super::{barcode::Barcode, store::AccountRegion};
use crate::settings::partition;

/// What the ARNs of one account's tapes in one region begin with.
#[derive(Clone, Debug)]
pub(crate) struct TapeArns {
    prefix: String,
}

impl TapeArns {
    pub(crate) fn new(at: &AccountRegion) -> Self {
        Self {
            prefix: storage_gateway_arn(at, "tape/"),
        }
    }

    /// The ARN of the tape with this barcode.
    pub(crate) fn of(&self, barcode: Barcode) -> String {
        format!("{}{barcode}", self.prefix)
    }

    /// The barcode in an ARN of this account and region; `None` for an ARN of another.
    pub(crate) fn barcode(&self, arn: &str) -> Option<Barcode> {
        arn.strip_prefix(&self.prefix).and_then(Barcode::new)
    }
}

/// What the ARNs of one account's custom pools in one region begin with.
#[derive(Clone, Debug)]
pub(crate) struct PoolArns {
    prefix: String,
}

impl PoolArns {
    pub(crate) fn new(at: &AccountRegion) -> Self {
        Self {
            prefix: storage_gateway_arn(at, "tapepool/"),
        }
    }

    /// The ARN of the pool with this id.
    pub(crate) fn of(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }

    /// The id in an ARN of this account and region; `None` for an ARN of another.
    pub(crate) fn id<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.prefix)
    }
}

/// The ARN of a gateway.
pub(crate) fn gateway_arn(at: &AccountRegion, id: &str) -> String {
    storage_gateway_arn(at, &format!("gateway/{id}"))
}

fn storage_gateway_arn(AccountRegion { account, region }: &AccountRegion, resource: &str) -> String {
    let partition = partition(region);
    format!("arn:{partition}:storagegateway:{region}:{account}:{resource}")
}
