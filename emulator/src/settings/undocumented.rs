use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use toml::Value;

use super::{
    form::{FullLibraryCode, NoCacheCode, Text as _, Time},
    group,
};
use crate::protocol::Code;

/// 30 days, in milliseconds.
const MONTH: u64 = 30 * 86_400_000;

group! {
    /// What the emulator does where the behaviour of AWS is not documented. Each setting has the
    /// plausible values, so that a client can be tested against all of them. docs/emulator.md says
    /// what is known.
    pub struct Undocumented: "What AWS does not document" {
        /// The scope of a ClientToken: a region of the account, one gateway, or the account in all
        /// regions. Within this scope, a token identifies one create request.
        token_scope: TokenScope = TokenScope::Region,
        /// The response to a ClientToken that is used again with other parameters: InvalidParameters,
        /// or the tapes of the first call.
        token_mismatch: TokenMismatch = TokenMismatch::Refuse,
        /// How long a ClientToken is remembered, in the emulator's time. Not set: for ever.
        token_window: Option<Duration> as "Time::<0, MONTH>" = None,
        /// The scope in which a barcode is unique: a region of the account, or the account in all
        /// regions.
        barcode_scope: BarcodeScope = BarcodeScope::Region,
        /// The pool of a tape that is created without one.
        default_pool: DefaultPool = DefaultPool::Glacier,
        /// The error code for tapes past `bytes_per_library`.
        code_of_full_library: Code as "FullLibraryCode" = Code::MaximumTapeCartridgeCountExceeded,
        /// The error code for a tape of a gateway without a cache.
        code_without_cache: Code as "NoCacheCode" = Code::NoDisksAvailable,
        /// Whether DescribeTapes answers for a gateway that is not connected.
        describe_offline: bool = true,
        /// Whether KMSEncrypted without KMSKey is rejected as InvalidParameters.
        kms_key_required: bool = false,
        /// Whether a tape keeps the tags of CreateTapeWithBarcode. AWS has been seen to drop them
        /// (boto/boto3#3089).
        tags_with_barcode: bool = false,
        /// What TapeARNs does with the ARN of a tape that the call does not show: omit the tape, or
        /// fail with TapeCartridgeNotFound.
        unknown_tape_arns: UnknownTapeArns = UnknownTapeArns::Omit,
        /// How TapeARNs and Marker combine. With `page`, the selection of TapeARNs comes in pages.
        /// With `ignore` and `refuse` it comes as one page, whatever Limit says, and a Marker sent
        /// with it is ignored or rejected.
        tape_arns_with_marker: TapeArnsWithMarker = TapeArnsWithMarker::Page,
        /// How long a Marker is valid, in the emulator's time. Not set: for ever.
        marker_lifetime: Option<Duration> as "Time::<1, MONTH>" = None,
        /// The spelling of the status: IN TRANSIT TO VTS, IN_TRANSIT_TO_VTS or INTRANSITTOVTS. The user
        /// guide has spaces; the spelling on the wire is not documented.
        in_transit_spelling: InTransitSpelling = InTransitSpelling::Spaces,
        /// How often ListTapes lists a RETRIEVED tape, which is in the library and in the archive. The
        /// second time it has no GatewayARN.
        retrieved_listed: RetrievedListed = RetrievedListed::Once,
        /// Whether a tape that is not WORM has `"Worm": false`. Otherwise it has no Worm.
        worm_when_false: bool = false,
        /// The HTTP status of InternalServerError where a fault rule sets none. AWS documents both.
        internal_server_error_status: InternalServerErrorStatus = InternalServerErrorStatus::Status500,
    }
}

/// The scope of a `ClientToken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// The account's calls in one region.
    Region,
    /// The calls that name one gateway.
    Gateway,
    /// The account's calls in all regions.
    Account,
}

/// The response to a `ClientToken` that is used again with other parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenMismatch {
    /// `InvalidParameters`.
    Refuse,
    /// The tapes that the first call made.
    Replay,
}

/// The scope in which a barcode is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BarcodeScope {
    /// One region of the account: a tape's ARN names both.
    Region,
    /// All regions of the account.
    Account,
}

/// The pool of a tape that is created without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DefaultPool {
    /// `GLACIER`.
    Glacier,
    /// `DEEP_ARCHIVE`.
    DeepArchive,
}

/// What `TapeARNs` does with the ARN of a tape that the call does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTapeArns {
    /// The response omits it.
    Omit,
    /// The call fails with `TapeCartridgeNotFound`.
    Refuse,
}

/// How `TapeARNs` and `Marker` go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TapeArnsWithMarker {
    /// The selection of `TapeARNs` comes in pages.
    Page,
    /// The selection of `TapeARNs` comes as one page without a marker. A marker in the request is
    /// ignored.
    Ignore,
    /// The same, but a marker in the request is rejected as `InvalidParameters`.
    Refuse,
}

/// How the status IN TRANSIT TO VTS is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InTransitSpelling {
    /// `IN TRANSIT TO VTS`, as AWS's user guide has it.
    Spaces,
    /// `IN_TRANSIT_TO_VTS`.
    Underscores,
    /// `INTRANSITTOVTS`.
    Joined,
}

/// How often `ListTapes` lists a RETRIEVED tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RetrievedListed {
    /// Once, with the `GatewayARN` that it was retrieved to.
    Once,
    /// Twice: as the library's, with its `GatewayARN`, and then as the archive's, without.
    Twice,
}

/// The HTTP status of `InternalServerError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InternalServerErrorStatus {
    /// 500, as in the user guide's table of errors; SDKs retry it.
    Status500,
    /// 400, as on the page of each operation; SDKs do not retry it.
    Status400,
}

impl InternalServerErrorStatus {
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Status500 => 500,
            Self::Status400 => 400,
        }
    }
}

impl Serialize for InternalServerErrorStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.code().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for InternalServerErrorStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)?.as_integer() {
            Some(500) => Ok(Self::Status500),
            Some(400) => Ok(Self::Status400),
            _ => Err(D::Error::custom("expected 500 or 400")),
        }
    }
}

impl Undocumented {
    /// The `Worm` of a tape.
    pub(crate) fn worm(&self, worm: bool) -> Option<bool> {
        (worm || self.worm_when_false).then_some(worm)
    }

    /// The key of a creation, unique in the scope of its token.
    pub(crate) fn token_key(&self, token: String, gateway_arn: &str) -> String {
        match self.token_scope {
            TokenScope::Region | TokenScope::Account => token,
            TokenScope::Gateway => format!("{}:{gateway_arn}:{token}", gateway_arn.len()),
        }
    }
}
