use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A gateway of the account: a tape gateway, unless it was made as something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gateway {
    pub(super) arn: Arc<str>,
    /// What people call it.
    pub(super) name: String,
    pub(super) kind: GatewayKind,
    /// Whether a cache disk is configured; tapes cannot be made without one.
    pub(super) cache: bool,
    /// Whether the appliance can be reached from AWS.
    pub(super) connected: bool,
}

/// The type of a gateway, as `ListGateways` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum GatewayKind {
    /// A tape gateway.
    Vtl,
    /// A cached volume gateway.
    Cached,
    /// A stored volume gateway.
    Stored,
    /// An S3 file gateway.
    FileS3,
    /// An FSx file gateway.
    FileFsxSmb,
}

impl Gateway {
    /// A tape gateway that is in order, named as its id.
    pub(super) fn tape(arn: impl Into<Arc<str>>) -> Self {
        let arn = arn.into();
        Self {
            name: id(&arn).to_owned(),
            arn,
            kind: GatewayKind::Vtl,
            cache: true,
            connected: true,
        }
    }

    /// The id in its ARN.
    pub(super) fn id(&self) -> &str {
        id(&self.arn)
    }
}

fn id(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}
