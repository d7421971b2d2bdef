use std::time::Duration;

use super::{pool::Pool, tape::Status};

/// What AWS does where nobody outside it knows. Each field has the plausible answers, so that
/// a client can be tried against all of them; `docs/emulator.md` says what is known.
#[derive(Clone, Debug, Default)]
pub struct Undocumented {
    /// Within what one `ClientToken` stands for one creation.
    pub token_scope: TokenScope,
    /// What answers a `ClientToken` that comes again with other parameters.
    pub token_mismatch: TokenMismatch,
    /// For how long a `ClientToken` is remembered, in the emulator's time. `None` (the
    /// default): for ever.
    pub token_window: Option<Duration>,
    /// Within what a barcode is unique.
    pub barcode_scope: BarcodeScope,
    /// The pool of a tape that is created without one.
    pub default_pool: DefaultPool,
    /// Whether `KMSEncrypted` without `KMSKey` is refused, as `InvalidParameters`. Default
    /// false: the tape is made, and shows no key.
    pub kms_key_required: bool,
    /// What `TapeARNs` does with the ARN of a tape that the call does not show.
    pub unknown_tape_arns: UnknownTapeArns,
    /// How `TapeARNs` and `Marker` go together.
    pub tape_arns_with_marker: TapeArnsWithMarker,
    /// For how long a `Marker` is good, in the emulator's time. `None` (the default): for
    /// ever. Then it is refused as `InvalidParameters`.
    pub marker_lifetime: Option<Duration>,
    /// How the status IN TRANSIT TO VTS is spelled.
    pub in_transit_spelling: InTransitSpelling,
    /// How often `ListTapes` lists a RETRIEVED tape, which is in the library and in the
    /// archive.
    pub retrieved_listed: RetrievedListed,
    /// Whether a tape that is no WORM says `"Worm": false`. Default false: it has no `Worm`.
    pub worm_when_false: bool,
    /// The HTTP status of `InternalServerError`, where a fault rule names none.
    pub internal_server_error: InternalServerErrorStatus,
}

/// Within what one `ClientToken` stands for one creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenScope {
    /// The account's calls in one region.
    #[default]
    Region,
    /// The calls that name one gateway.
    Gateway,
    /// The account's calls in all regions.
    Account,
}

/// What answers a `ClientToken` that comes again with other parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenMismatch {
    /// `InvalidParameters`.
    #[default]
    Refused,
    /// The tapes that the first call made.
    Replayed,
}

/// Within what a barcode is unique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BarcodeScope {
    /// One region of the account: a tape's ARN names both.
    #[default]
    Region,
    /// All regions of the account.
    Account,
}

/// The pool of a tape that is created without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultPool {
    /// `GLACIER`.
    #[default]
    Glacier,
    /// `DEEP_ARCHIVE`.
    DeepArchive,
}

/// What `TapeARNs` does with the ARN of a tape that the call does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownTapeArns {
    /// The answer leaves it out.
    #[default]
    LeftOut,
    /// The call fails with `TapeCartridgeNotFound`.
    Refused,
}

/// How `TapeARNs` and `Marker` go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TapeArnsWithMarker {
    /// What `TapeARNs` selects is paged as anything else.
    #[default]
    Paged,
    /// All that `TapeARNs` selects is on one page, which has no marker. One that is sent all
    /// the same is ignored.
    Ignored,
    /// The same, but a marker that is sent is refused as `InvalidParameters`.
    Refused,
}

/// How the status IN TRANSIT TO VTS is spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InTransitSpelling {
    /// `IN TRANSIT TO VTS`, as AWS's user guide has it.
    #[default]
    Spaces,
    /// `IN_TRANSIT_TO_VTS`.
    Underscores,
    /// `INTRANSITTOVTS`.
    Joined,
}

/// How often `ListTapes` lists a RETRIEVED tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetrievedListed {
    /// Once, with the `GatewayARN` that it was retrieved to.
    #[default]
    Once,
    /// Twice: as the library's, with its `GatewayARN`, and then as the archive's, without.
    Twice,
}

/// The HTTP status of `InternalServerError`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InternalServerErrorStatus {
    /// 500, as in the user guide's table of errors; SDKs retry it.
    #[default]
    Status500,
    /// 400, as on the page of each operation; SDKs do not.
    Status400,
}

impl DefaultPool {
    pub(super) fn pool(self) -> Pool {
        match self {
            Self::Glacier => Pool::Glacier,
            Self::DeepArchive => Pool::DeepArchive,
        }
    }
}

impl InternalServerErrorStatus {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Status500 => 500,
            Self::Status400 => 400,
        }
    }
}

impl Undocumented {
    /// A status as it is spelled on the wire.
    pub(super) fn spell(&self, status: Status) -> &'static str {
        match (status, self.in_transit_spelling) {
            (Status::InTransitToVts, InTransitSpelling::Underscores) => "IN_TRANSIT_TO_VTS",
            (Status::InTransitToVts, InTransitSpelling::Joined) => "INTRANSITTOVTS",
            _ => status.as_str(),
        }
    }

    /// The `Worm` of a tape.
    pub(super) fn worm(&self, worm: bool) -> Option<bool> {
        (worm || self.worm_when_false).then_some(worm)
    }

    /// What a creation is kept under; no two of them share it.
    pub(super) fn token_key(&self, token: String, gateway_arn: &str) -> String {
        match self.token_scope {
            TokenScope::Region | TokenScope::Account => token,
            TokenScope::Gateway => format!("{}:{gateway_arn}:{token}", gateway_arn.len()),
        }
    }
}
