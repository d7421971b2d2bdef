//! The gateways of the account, and how the control API makes and changes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Emulator, Settings,
    arn::gateway_arn,
    error::{Code, Error},
    store::Region,
    timestamp::Timestamp,
};

/// The tape drives of a tape gateway.
pub(super) const DRIVES: usize = 10;
/// The gateways that an account has at most.
const MAX_GATEWAYS: usize = 1_000;

/// A gateway of the account: a tape gateway, unless it was made as something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gateway {
    pub(super) arn: Arc<str>,
    /// Its display name.
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

impl GatewayKind {
    /// All of them, as [`Gateway::kind`] is spelled in JSON.
    pub(super) const WORDS: &str = "one of VTL, CACHED, STORED, FILE_S3, FILE_FSX_SMB";
}

impl Gateway {
    /// A connected tape gateway with a cache, named after its id.
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

    /// The ARN of a tape drive: they are numbered from 1 to [`DRIVES`].
    pub(super) fn drive(&self, number: usize) -> Arc<str> {
        let device = self.id().replace('-', "_").to_uppercase();
        format!("{}/device/AMZN_{device}_TAPEDRIVE_{number:05}", self.arn).into()
    }

    /// Rejects a gateway that is not a tape gateway.
    pub(super) fn check_is_tape_gateway(&self) -> Result<(), Error> {
        if self.kind == GatewayKind::Vtl {
            return Ok(());
        }
        let cause = format!("{} is not a tape gateway.", self.arn);
        Err(Error::gateway(Code::NotSupported, cause))
    }

    /// Rejects a gateway that AWS cannot reach.
    pub(super) fn check_connected(&self) -> Result<(), Error> {
        if self.connected {
            return Ok(());
        }
        let cause = format!("The appliance of {} cannot be reached.", self.arn);
        Err(Error::gateway(Code::GatewayNotConnected, cause))
    }

    /// Rejects a gateway without a cache.
    pub(super) fn check_cache(&self, settings: &Settings) -> Result<(), Error> {
        if self.cache {
            return Ok(());
        }
        let cause = format!("{} has no cache; tapes need one.", self.arn);
        Err(Error::gateway(settings.undocumented.code_without_cache, cause))
    }

    fn changed(mut self, change: GatewayChange) -> Self {
        self.kind = change.kind.unwrap_or(self.kind);
        self.name = change.name.unwrap_or(self.name);
        self.cache = change.cache.unwrap_or(self.cache);
        self.connected = change.connected.unwrap_or(self.connected);
        self
    }
}

fn id(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}

/// The new values of a gateway; `None` leaves a value unchanged.
#[derive(Clone, Debug, Default)]
pub(super) struct GatewayChange {
    pub(super) kind: Option<GatewayKind>,
    pub(super) name: Option<String>,
    pub(super) cache: Option<bool>,
    pub(super) connected: Option<bool>,
}

/// Why a gateway was not created or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PutError {
    #[error("the gateway's library holds {0} tapes; a gateway with tapes must keep the type VTL")]
    HoldsTapes(usize),
    #[error("the account has {MAX_GATEWAYS} gateways, which is the maximum")]
    TooMany,
}

/// Whether a name is valid for a region: the length of the model, and the characters of its ARNs.
pub(super) fn is_region(name: &str) -> bool {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=25).contains(&name.len()) && name.as_bytes()[0].is_ascii_lowercase() && name.bytes().all(letters)
}

/// Whether an id is valid for a gateway: 12 to 30 characters (model), in the form that AWS uses.
pub(super) fn is_id(id: &str) -> bool {
    let rest = id.strip_prefix("sgw-");
    rest.is_some_and(|rest| (8..=26).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// What [`is_name`] lets through, in words.
pub(super) const NAME_TAKES: &str =
    "2 to 255 characters of printable ASCII without / and \\, and not only blanks";

/// Whether a name is valid for a gateway: the lengths and the pattern of the model.
pub(super) fn is_name(name: &str) -> bool {
    let letters = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'/' | b'\\');
    (2..=255).contains(&name.len()) && name.bytes().all(letters) && !name.trim().is_empty()
}

impl Emulator {
    /// Creates a tape gateway with these values, or changes the gateway with this id.
    pub(super) fn put_gateway(
        &self,
        region: &str,
        id: &str,
        change: GatewayChange,
    ) -> Result<Gateway, PutError> {
        let settings = &self.inner.settings;
        let arn = gateway_arn(region, &settings.account_id, id);
        let (mut store, now) = self.inner.write();
        let old = store.region(region).and_then(|region| region.gateway(&arn));
        let Some(old) = old.cloned() else {
            let all = store.regions().into_values().flat_map(Region::gateways).count();
            if all >= MAX_GATEWAYS {
                return Err(PutError::TooMany);
            }
            let new = Gateway::tape(arn).changed(change);
            let region = store.region_or_new(region, &settings.life);
            region.put_gateway(new.clone());
            return Ok(new);
        };
        let new = old.clone().changed(change);
        let region = store.region_or_new(region, &settings.life);
        let held = region.tape_count(&arn);
        if new.kind != old.kind && held > 0 {
            return Err(PutError::HoldsTapes(held));
        }
        if new.connected != old.connected {
            self.set_uploads(region, &new, now);
        }
        region.put_gateway(new.clone());
        Ok(new)
    }

    /// Pauses the uploads of a gateway, or resumes them.
    fn set_uploads(&self, region: &mut Region, gateway: &Gateway, now: Timestamp) {
        let life = &self.inner.settings.life;
        for barcode in region.uploading(&gateway.arn) {
            region.change(barcode, |tape| {
                if gateway.connected {
                    tape.resume_upload(now, life);
                } else {
                    tape.pause_upload(now);
                }
            });
        }
    }
}
