use super::barcode::Barcode;

/// What the ARNs of one account's tapes in one region begin with.
#[derive(Clone, Debug)]
pub(crate) struct TapeArns {
    prefix: String,
}

impl TapeArns {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        let partition = partition(region);
        Self {
            prefix: format!("arn:{partition}:storagegateway:{region}:{account}:tape/"),
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
    pub(crate) fn new(region: &str, account: &str) -> Self {
        let partition = partition(region);
        Self {
            prefix: format!("arn:{partition}:storagegateway:{region}:{account}:tapepool/"),
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
pub(crate) fn gateway_arn(region: &str, account: &str, id: &str) -> String {
    let partition = partition(region);
    format!("arn:{partition}:storagegateway:{region}:{account}:gateway/{id}")
}

/// The partition that a region is in, told by its name's beginning.
fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}
