//! What a code of AWS says of the request that it answers: whether a create may have taken
//! effect, and whether sending the same again can help.

use super::{OperationKind, Outcome};
use Outcome::{NotApplied, Unknown};
use RetryRule::{Never, Once, Slowly, Soon};

/// Whether the same request, sent again, can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryRule {
    /// It cannot.
    Never,
    /// After the service has renewed what AWS found too old, once.
    Once,
    /// After a pause.
    Soon,
    /// After the longest pause: what is in the way goes slowly.
    Slowly,
}

/// What one code says.
struct Says {
    code: &'static str,
    outcome: Outcome,
    read: RetryRule,
    create: RetryRule,
}

const fn says(code: &'static str, outcome: Outcome, read: RetryRule, create: RetryRule) -> Says {
    Says {
        code,
        outcome,
        read,
        create,
    }
}

/// The codes that do not say: nothing was made, and it never will be. A code stands for both
/// spellings, with `Exception` at its end and without.
#[rustfmt::skip]
const ALL: [Says; 20] = [
    says("GatewayInternalError", Unknown, Soon, Soon),
    says("GatewayNotConnected", Unknown, Slowly, Soon),
    says("GatewayProxyNetworkConnectionBusy", Unknown, Soon, Soon),
    says("InternalError", Unknown, Soon, Soon),
    says("InternalFailure", Unknown, Soon, Soon),
    says("InternalServerError", Unknown, Soon, Soon),
    // The catch-all: AWS was seen to say so and make the tape (boto/boto3#2351).
    says("InvalidParameters", Unknown, Never, Never),
    // Modelled, and names no cause.
    says("InvalidGatewayRequest", Unknown, Never, Never),
    says("JoinDomainInProgress", NotApplied, Soon, Never),
    says("OperationAborted", Unknown, Soon, Soon),
    says("RequestTimeout", Unknown, Soon, Soon),
    says("ServiceUnavailable", Unknown, Soon, Soon),
    says("StorageFailure", Unknown, Soon, Never),
    says("VolumeNotReady", NotApplied, Slowly, Never),
    says("StagingAreaFull", NotApplied, Slowly, Soon),
    says("Throttling", NotApplied, Soon, Soon),
    says("TooManyRequests", NotApplied, Soon, Soon),
    says("RequestLimitExceeded", NotApplied, Soon, Soon),
    says("ExpiredToken", NotApplied, Once, Once),
    says("RequestExpired", NotApplied, Once, Once),
];

fn find(code: &str) -> Option<&'static Says> {
    let code = without_exception(code);
    ALL.iter().find(|says| says.code == code)
}

fn without_exception(code: &str) -> &str {
    // `LunAlreadyAllocated ` has a space at its end.
    let code = code.trim_end();
    code.strip_suffix("Exception").unwrap_or(code)
}

/// What a create has come to that was answered with this code.
pub(super) fn outcome(code: &str) -> Outcome {
    match find(code) {
        Some(says) => says.outcome,
        None if REFUSALS.contains(&without_exception(code)) => NotApplied,
        None => Unknown,
    }
}

/// Whether a call that was answered with this code can be repeated; `None` where nobody knows
/// the code.
pub(super) fn retry_rule(code: &str, kind: OperationKind) -> Option<RetryRule> {
    match (find(code), kind) {
        (Some(says), OperationKind::Read) => Some(says.read),
        (Some(says), OperationKind::Create) => Some(says.create),
        (None, _) => REFUSALS.contains(&without_exception(code)).then_some(Never),
    }
}

/// Whether the code says that there are too many requests.
pub(super) fn is_throttling(code: &str) -> bool {
    const NAMES: [&str; 3] = ["Throttling", "TooManyRequests", "RequestLimitExceeded"];
    NAMES.contains(&without_exception(code))
}

/// Whether an AWS code is about the credentials or the clock of whoever signed.
pub fn is_about_credentials(code: &str) -> bool {
    const NAMES: [&str; 8] = [
        "AuthenticationFailure",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignature",
        "MissingAuthenticationToken",
        "RequestExpired",
        "UnrecognizedClient",
    ];
    NAMES.contains(&without_exception(code))
}

/// Whether a code is about the clock of whoever signed, and not about credentials. AWS's JSON
/// services have one for both: then it goes by whether the request was `misdated`.
pub(super) fn is_about_clock(code: &str, misdated: bool) -> bool {
    match without_exception(code) {
        "RequestExpired" => true,
        "InvalidSignature" => misdated,
        _ => false,
    }
}

/// The documented codes that say: nothing was made, and the same request will never be
/// taken.
#[rustfmt::skip]
const REFUSALS: [&str; 60] = [
    "ActivationKeyExpired", "ActivationKeyInvalid", "ActivationKeyNotFound", "GatewayNotFound",
    "AuthenticationFailure", "BandwidthThrottleScheduleNotFound", "Blocked", "CannotExportSnapshot",
    "ChapCredentialNotFound", "DiskAlreadyAllocated", "DiskDoesNotExist",
    "DiskSizeGreaterThanVolumeMaxSize", "DiskSizeLessThanVolumeSize", "DiskSizeNotGigAligned",
    "DuplicateCertificateInfo", "DuplicateSchedule", "EndpointNotFound", "IAMNotSupported",
    "InitiatorInvalid", "InitiatorNotFound", "InvalidGateway", "InvalidEndpoint", "InvalidSchedule",
    "LocalStorageLimitExceeded", "LunAlreadyAllocated", "LunInvalid",
    "MaximumContentLengthExceeded", "MaximumTapeCartridgeCountExceeded", "MaximumVolumeCountExceeded",
    "NetworkConfigurationChanged", "NoDisksAvailable", "NotImplemented", "NotSupported", "OutdatedGateway",
    "ParametersNotImplemented", "RegionInvalid", "SnapshotDeleted", "SnapshotIdInvalid",
    "SnapshotInProgress", "SnapshotNotFound", "SnapshotScheduleNotFound", "TapeCartridgeNotFound",
    "TargetAlreadyExists", "TargetInvalid", "TargetNotFound", "UnauthorizedOperation",
    "VolumeAlreadyExists", "VolumeIdInvalid", "VolumeInUse", "VolumeNotFound",
    "AccessDenied", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature", "IncompleteSignature",
    "MissingAuthenticationToken", "OptInRequired", "UnknownOperation", "Validation", "Serialization",
];
