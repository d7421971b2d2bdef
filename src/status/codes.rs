//! Every error code that AWS documents for Storage Gateway, and what callers see of it.
//!
//! 62 codes are nested in InvalidGatewayRequestException and InternalServerError, by the
//! service model; 22 are names of the common kind, in the model or on any AWS service.
//! The message of AWS is never looked at: it differs by region.

use std::fmt;

use tonic::Code;

use Outcome::{NotApplied, Unknown};

/// What a refused create has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No tape was made.
    NotApplied,
    /// A tape may have been made.
    Unknown,
}

/// The word that `outcome` in the metadata of `ErrorInfo` has for it.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
        })
    }
}

/// One code of AWS.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The code as AWS spells it, a trailing space included.
    pub code: &'static str,
    /// The gRPC code that it becomes.
    pub grpc: Code,
    /// The reason in `ErrorInfo`.
    pub reason: &'static str,
    /// What it says of a create.
    pub outcome: Outcome,
    /// What to do next, for people.
    pub advice: &'static str,
}

/// The row of a code, if AWS documents it. Services differ in whether a common name ends in
/// `Exception`.
pub fn find(code: &str) -> Option<&'static Row> {
    let exactly = |code: &str| ROWS.iter().find(|row| row.code == code);
    let otherwise = || match code.strip_suffix("Exception") {
        Some(short) => exactly(short),
        None => exactly(&format!("{code}Exception")),
    };
    exactly(code).or_else(otherwise)
}

const ELSEWHERE: &str = "AWS documents this for other operations; report where it came from";

const fn row(
    code: &'static str,
    grpc: Code,
    reason: &'static str,
    outcome: Outcome,
    advice: &'static str,
) -> Row {
    Row {
        code,
        grpc,
        reason,
        outcome,
        advice,
    }
}

/// All of them, in the order of the service model, then the common names.
#[rustfmt::skip]
pub const ROWS: [Row; 84] = [
    row("ActivationKeyExpired", Code::FailedPrecondition, "ACTIVATION_KEY_EXPIRED", NotApplied, ELSEWHERE),
    row("ActivationKeyInvalid", Code::InvalidArgument, "ACTIVATION_KEY_INVALID", NotApplied, ELSEWHERE),
    row("ActivationKeyNotFound", Code::NotFound, "ACTIVATION_KEY_NOT_FOUND", NotApplied, ELSEWHERE),
    row("GatewayInternalError", Code::Internal, "GATEWAY_INTERNAL_ERROR", Unknown, "the gateway appliance failed; if it goes on, look at the gateway"),
    row("GatewayNotConnected", Code::Unavailable, "GATEWAY_NOT_CONNECTED", Unknown, "the gateway appliance is offline; bring it back and repeat"),
    row("GatewayNotFound", Code::NotFound, "GATEWAY_NOT_FOUND", NotApplied, "check gateway_arn, and that the gateway is of this account and region"),
    row("GatewayProxyNetworkConnectionBusy", Code::Unavailable, "GATEWAY_PROXY_NETWORK_CONNECTION_BUSY", Unknown, "the way to the gateway is busy; repeat later"),
    row("AuthenticationFailure", Code::Internal, "AUTHENTICATION_FAILURE", NotApplied, "the service's own AWS credentials are at fault, not the caller; its operator is told by readiness"),
    row("BandwidthThrottleScheduleNotFound", Code::NotFound, "BANDWIDTH_THROTTLE_SCHEDULE_NOT_FOUND", NotApplied, ELSEWHERE),
    row("Blocked", Code::PermissionDenied, "BLOCKED", NotApplied, "AWS blocks this request; ask AWS support why"),
    row("CannotExportSnapshot", Code::FailedPrecondition, "CANNOT_EXPORT_SNAPSHOT", NotApplied, ELSEWHERE),
    row("ChapCredentialNotFound", Code::NotFound, "CHAP_CREDENTIAL_NOT_FOUND", NotApplied, ELSEWHERE),
    row("DiskAlreadyAllocated", Code::AlreadyExists, "DISK_ALREADY_ALLOCATED", NotApplied, ELSEWHERE),
    row("DiskDoesNotExist", Code::NotFound, "DISK_DOES_NOT_EXIST", NotApplied, ELSEWHERE),
    row("DiskSizeGreaterThanVolumeMaxSize", Code::InvalidArgument, "DISK_SIZE_GREATER_THAN_VOLUME_MAX_SIZE", NotApplied, ELSEWHERE),
    row("DiskSizeLessThanVolumeSize", Code::InvalidArgument, "DISK_SIZE_LESS_THAN_VOLUME_SIZE", NotApplied, ELSEWHERE),
    row("DiskSizeNotGigAligned", Code::InvalidArgument, "DISK_SIZE_NOT_GIG_ALIGNED", NotApplied, ELSEWHERE),
    row("DuplicateCertificateInfo", Code::AlreadyExists, "DUPLICATE_CERTIFICATE_INFO", NotApplied, ELSEWHERE),
    row("DuplicateSchedule", Code::AlreadyExists, "DUPLICATE_SCHEDULE", NotApplied, ELSEWHERE),
    row("EndpointNotFound", Code::NotFound, "ENDPOINT_NOT_FOUND", NotApplied, ELSEWHERE),
    row("IAMNotSupported", Code::FailedPrecondition, "IAM_NOT_SUPPORTED", NotApplied, "this gateway or account cannot use IAM; ask the service's operator"),
    row("InitiatorInvalid", Code::InvalidArgument, "INITIATOR_INVALID", NotApplied, ELSEWHERE),
    row("InitiatorNotFound", Code::NotFound, "INITIATOR_NOT_FOUND", NotApplied, ELSEWHERE),
    row("InternalError", Code::Internal, "INTERNAL_ERROR", Unknown, "AWS failed within"),
    row("InvalidGateway", Code::FailedPrecondition, "INVALID_GATEWAY", NotApplied, "the gateway is of the wrong type or in the wrong state: a tape gateway that is activated and running is needed"),
    row("InvalidEndpoint", Code::InvalidArgument, "INVALID_ENDPOINT", NotApplied, ELSEWHERE),
    row("InvalidParameters", Code::InvalidArgument, "INVALID_PARAMETERS", Unknown, "AWS does not say which member it means: a barcode that was ever taken, a pool that does not exist, and a size it does not offer all come as this"),
    row("InvalidSchedule", Code::InvalidArgument, "INVALID_SCHEDULE", NotApplied, ELSEWHERE),
    row("LocalStorageLimitExceeded", Code::ResourceExhausted, "LOCAL_STORAGE_LIMIT_EXCEEDED", NotApplied, "the gateway has no room left; its operator must add disks"),
    row("LunAlreadyAllocated ", Code::AlreadyExists, "LUN_ALREADY_ALLOCATED", NotApplied, ELSEWHERE),
    row("LunInvalid", Code::InvalidArgument, "LUN_INVALID", NotApplied, ELSEWHERE),
    row("JoinDomainInProgress", Code::Aborted, "JOIN_DOMAIN_IN_PROGRESS", NotApplied, ELSEWHERE),
    row("MaximumContentLengthExceeded", Code::InvalidArgument, "MAXIMUM_CONTENT_LENGTH_EXCEEDED", NotApplied, "the request is too large; split it"),
    row("MaximumTapeCartridgeCountExceeded", Code::ResourceExhausted, "MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED", NotApplied, "the gateway's library is full (1,500 tapes); archive or delete tapes first"),
    row("MaximumVolumeCountExceeded", Code::ResourceExhausted, "MAXIMUM_VOLUME_COUNT_EXCEEDED", NotApplied, ELSEWHERE),
    row("NetworkConfigurationChanged", Code::FailedPrecondition, "NETWORK_CONFIGURATION_CHANGED", NotApplied, "the gateway's network changed; its operator must look at it"),
    row("NoDisksAvailable", Code::FailedPrecondition, "NO_DISKS_AVAILABLE", NotApplied, "the gateway has no cache disk; its operator must allocate one"),
    row("NotImplemented", Code::Unimplemented, "NOT_IMPLEMENTED", NotApplied, "AWS does not offer this here"),
    row("NotSupported", Code::FailedPrecondition, "NOT_SUPPORTED", NotApplied, "this gateway cannot do that: a tape gateway is needed"),
    row("OperationAborted", Code::Aborted, "OPERATION_ABORTED", Unknown, "another operation was in the way; repeat"),
    row("OutdatedGateway", Code::FailedPrecondition, "OUTDATED_GATEWAY", NotApplied, "the gateway's software is too old; its operator must update it"),
    row("ParametersNotImplemented", Code::Unimplemented, "PARAMETERS_NOT_IMPLEMENTED", NotApplied, "the gateway's software does not know one of these parameters; its operator must update it"),
    row("RegionInvalid", Code::InvalidArgument, "REGION_INVALID", NotApplied, "the ARN is of another region"),
    row("RequestTimeout", Code::Unavailable, "REQUEST_TIMEOUT", Unknown, "AWS gave up waiting; repeat"),
    row("ServiceUnavailable", Code::Unavailable, "SERVICE_UNAVAILABLE", Unknown, "repeat later"),
    row("SnapshotDeleted", Code::NotFound, "SNAPSHOT_DELETED", NotApplied, ELSEWHERE),
    row("SnapshotIdInvalid", Code::InvalidArgument, "SNAPSHOT_ID_INVALID", NotApplied, ELSEWHERE),
    row("SnapshotInProgress", Code::FailedPrecondition, "SNAPSHOT_IN_PROGRESS", NotApplied, ELSEWHERE),
    row("SnapshotNotFound", Code::NotFound, "SNAPSHOT_NOT_FOUND", NotApplied, ELSEWHERE),
    row("SnapshotScheduleNotFound", Code::NotFound, "SNAPSHOT_SCHEDULE_NOT_FOUND", NotApplied, ELSEWHERE),
    row("StagingAreaFull", Code::ResourceExhausted, "STAGING_AREA_FULL", NotApplied, "the gateway's buffer is full and drains with time; repeat later"),
    row("StorageFailure", Code::Internal, "STORAGE_FAILURE", Unknown, "the gateway's storage failed; its operator must look at it"),
    row("TapeCartridgeNotFound", Code::NotFound, "TAPE_CARTRIDGE_NOT_FOUND", NotApplied, "no such tape here: it may be deleted, archived, or of another gateway"),
    row("TargetAlreadyExists", Code::AlreadyExists, "TARGET_ALREADY_EXISTS", NotApplied, ELSEWHERE),
    row("TargetInvalid", Code::InvalidArgument, "TARGET_INVALID", NotApplied, ELSEWHERE),
    row("TargetNotFound", Code::NotFound, "TARGET_NOT_FOUND", NotApplied, ELSEWHERE),
    row("UnauthorizedOperation", Code::PermissionDenied, "UNAUTHORIZED_OPERATION", NotApplied, "the service's own AWS role lacks a right; its operator must grant it"),
    row("VolumeAlreadyExists", Code::AlreadyExists, "VOLUME_ALREADY_EXISTS", NotApplied, ELSEWHERE),
    row("VolumeIdInvalid", Code::InvalidArgument, "VOLUME_ID_INVALID", NotApplied, ELSEWHERE),
    row("VolumeInUse", Code::FailedPrecondition, "VOLUME_IN_USE", NotApplied, ELSEWHERE),
    row("VolumeNotFound", Code::NotFound, "VOLUME_NOT_FOUND", NotApplied, ELSEWHERE),
    row("VolumeNotReady", Code::FailedPrecondition, "VOLUME_NOT_READY", NotApplied, ELSEWHERE),
    row("ThrottlingException", Code::Unavailable, "THROTTLING_EXCEPTION", NotApplied, "too many requests; repeat later"),
    row("Throttling", Code::Unavailable, "THROTTLING", NotApplied, "too many requests; repeat later"),
    row("TooManyRequestsException", Code::Unavailable, "TOO_MANY_REQUESTS_EXCEPTION", NotApplied, "too many requests; repeat later"),
    row("RequestLimitExceeded", Code::Unavailable, "REQUEST_LIMIT_EXCEEDED", NotApplied, "too many requests; repeat later"),
    row("RequestTimeoutException", Code::Unavailable, "REQUEST_TIMEOUT_EXCEPTION", Unknown, "AWS gave up waiting; repeat"),
    row("ServiceUnavailable", Code::Unavailable, "SERVICE_UNAVAILABLE", Unknown, "repeat later"),
    row("ServiceUnavailableException", Code::Unavailable, "SERVICE_UNAVAILABLE_EXCEPTION", Unknown, "repeat later"),
    row("InternalFailure", Code::Internal, "INTERNAL_FAILURE", Unknown, "AWS failed within"),
    row("InternalServerError", Code::Internal, "INTERNAL_SERVER_ERROR", Unknown, "AWS failed within"),
    row("AccessDeniedException", Code::PermissionDenied, "ACCESS_DENIED_EXCEPTION", NotApplied, "the service's own AWS role lacks a right; its operator must grant it"),
    row("UnrecognizedClientException", Code::Internal, "UNRECOGNIZED_CLIENT_EXCEPTION", NotApplied, "the service's own AWS credentials are at fault, not the caller; its operator is told by readiness"),
    row("InvalidClientTokenId", Code::Internal, "INVALID_CLIENT_TOKEN_ID", NotApplied, "the service's own AWS credentials are at fault, not the caller; its operator is told by readiness"),
    row("ExpiredTokenException", Code::Unavailable, "EXPIRED_TOKEN_EXCEPTION", NotApplied, "the service's own AWS credentials have expired, not the caller's; repeat when they are renewed"),
    row("InvalidSignatureException", Code::Internal, "INVALID_SIGNATURE_EXCEPTION", NotApplied, "the service's own AWS credentials or clock are at fault, not the caller; its operator is told by readiness"),
    row("RequestExpired", Code::Unavailable, "REQUEST_EXPIRED", NotApplied, "the service's own clock is wrong, not the caller's; its operator is told by readiness"),
    row("IncompleteSignature", Code::Internal, "INCOMPLETE_SIGNATURE", NotApplied, "a fault of this service; report it"),
    row("MissingAuthenticationToken", Code::Internal, "MISSING_AUTHENTICATION_TOKEN", NotApplied, "a fault of this service; report it"),
    row("OptInRequired", Code::FailedPrecondition, "OPT_IN_REQUIRED", NotApplied, "the AWS account is not subscribed to Storage Gateway in this region"),
    row("UnknownOperationException", Code::Unimplemented, "UNKNOWN_OPERATION_EXCEPTION", NotApplied, "the region or endpoint does not know this operation"),
    row("ValidationException", Code::InvalidArgument, "VALIDATION_EXCEPTION", NotApplied, "AWS refused what this service's rules let through; report it"),
    row("SerializationException", Code::Internal, "SERIALIZATION_EXCEPTION", NotApplied, "a fault of this service; report it"),
    row("InvalidGatewayRequestException", Code::FailedPrecondition, "UPSTREAM_UNKNOWN", Unknown, "AWS names no cause"),
];
