//! The gateways of the account.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    protocol::{Code, Error},
    settings::Settings,
};

/// The tape drives of a tape gateway.
pub(crate) const DRIVES: usize = 10;

/// A gateway of the account: a tape gateway, unless it was made as something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gateway {
    pub(crate) arn: Arc<str>,
    /// Its display name.
    pub(crate) name: String,
    pub(crate) kind: GatewayKind,
    /// Whether a cache disk is configured; tapes cannot be made without one.
    pub(crate) cache: bool,
    /// Whether the appliance can be reached from AWS.
    pub(crate) connected: bool,
}

/// The type of a gateway, as `ListGateways` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum GatewayKind {
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

impl GatewayKind {
    /// All of them, as [`Gateway::kind`] is spelled in JSON.
    pub(crate) const WORDS: &str = "one of VTL, CACHED, STORED, FILE_S3, FILE_FSX_SMB";
}

impl Gateway {
    /// A connected tape gateway with a cache, named after its id.
    pub(crate) fn tape(arn: impl Into<Arc<str>>) -> Self {
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
    pub(crate) fn id(&self) -> &str {
        id(&self.arn)
    }

    /// The ARN of a tape drive: they are numbered from 1 to [`DRIVES`].
    pub(crate) fn drive(&self, number: usize) -> Arc<str> {
        let device = self.id().to_uppercase();
        format!("{}/device/AMZN_{device}_TAPEDRIVE_{number:05}", self.arn).into()
    }

    /// Rejects a gateway that is not a tape gateway.
    pub(crate) fn check_is_tape_gateway(&self) -> Result<(), Error> {
        if self.kind == GatewayKind::Vtl {
            return Ok(());
        }
        let cause = format!("{} is not a tape gateway.", self.arn);
        Err(Error::gateway(Code::NotSupported, cause))
    }

    /// Rejects a gateway that AWS cannot reach.
    pub(crate) fn check_connected(&self) -> Result<(), Error> {
        if self.connected {
            return Ok(());
        }
        let cause = format!("The appliance of {} cannot be reached.", self.arn);
        Err(Error::gateway(Code::GatewayNotConnected, cause))
    }

    /// Rejects a gateway without a cache.
    pub(crate) fn check_cache(&self, settings: &Settings) -> Result<(), Error> {
        if self.cache {
            return Ok(());
        }
        let cause = format!("{} has no cache; tapes need one.", self.arn);
        Err(Error::gateway(settings.undocumented.code_without_cache, cause))
    }
}

fn id(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}

/// Whether a name is valid for a region: the length of the model, and the characters of its ARNs.
pub(crate) fn is_region(name: &str) -> bool {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=25).contains(&name.len()) && name.as_bytes()[0].is_ascii_lowercase() && name.bytes().all(letters)
}

/// Whether an id is valid for a gateway: 12 to 30 characters (model), in the form that AWS uses.
pub(crate) fn is_id(id: &str) -> bool {
    let rest = id.strip_prefix("sgw-");
    rest.is_some_and(|rest| (8..=26).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// What [`is_name`] lets through, in words.
pub(crate) const NAME_TAKES: &str =
    "2 to 255 characters of printable ASCII without / and \\, and not only blanks";

/// Whether a name is valid for a gateway: the lengths and the pattern of the model.
pub(crate) fn is_name(name: &str) -> bool {
    let letters = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'/' | b'\\');
    (2..=255).contains(&name.len()) && name.bytes().all(letters) && !name.trim().is_empty()
}
