//! Every error code that AWS documents for Storage Gateway, and what callers see of it.
//!
//! 62 codes are nested in InvalidGatewayRequestException and InternalServerError, by the
//! service model; 22 are names of the common kind, in the model or on any AWS service.
//! The message of AWS is never looked at: it differs by region.

use tonic::Code;

/// One code of AWS.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The code as AWS spells it, a trailing space included.
    pub code: &'static str,
    /// The gRPC code that it becomes.
    pub grpc: Code,
    /// The reason in `ErrorInfo`.
    pub reason: &'static str,
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

/// The reason where AWS names no code, or one that nobody knew.
pub const UNKNOWN: &str = "UPSTREAM_UNKNOWN";

const ELSEWHERE: &str = "AWS documents this for other operations; report where it came from";

const fn row(code: &'static str, grpc: Code, reason: &'static str, advice: &'static str) -> Row {
    Row {
        code,
        grpc,
        reason,
        advice,
    }
}

/// All of them, in the order of the service model, then the common names.
#[rustfmt::skip]
pub const ROWS: [Row; 84] = [
    row("ActivationKeyExpired", Code::FailedPrecondition, "ACTIVATION_KEY_EXPIRED", ELSEWHERE),
    row("ActivationKeyInvalid", Code::InvalidArgument, "ACTIVATION_KEY_INVALID", ELSEWHERE),
    row("ActivationKeyNotFound", Code::NotFound, "ACTIVATION_KEY_NOT_FOUND", ELSEWHERE),
    row("GatewayInternalError", Code::Internal, "GATEWAY_INTERNAL_ERROR", "the gateway appliance failed; if it goes on, look at the gateway"),
    row("GatewayNotConnected", Code::Unavailable, "GATEWAY_NOT_CONNECTED", "the gateway appliance is offline; bring it back and repeat"),
    row("GatewayNotFound", Code::NotFound, "GATEWAY_NOT_FOUND", "check gateway_arn, and that the gateway is of this account and region"),
    row("GatewayProxyNetworkConnectionBusy", Code::Unavailable, "GATEWAY_PROXY_NETWORK_CONNECTION_BUSY", "the way to the gateway is busy; repeat later"),
    row("AuthenticationFailure", Code::Internal, "AUTHENTICATION_FAILURE", "the service's own AWS credentials are at fault, not the caller; its operator is told by readiness"),
    row("BandwidthThrottleScheduleNotFound", Code::NotFound, "BANDWIDTH_THROTTLE_SCHEDULE_NOT_FOUND", ELSEWHERE),
    row("Blocked", Code::PermissionDenied, "BLOCKED", "AWS blocks this request; ask AWS support why"),
    row("CannotExportSnapshot", Code::FailedPrecondition, "CANNOT_EXPORT_SNAPSHOT", ELSEWHERE),
    row("ChapCredentialNotFound", Code::NotFound, "CHAP_CREDENTIAL_NOT_FOUND", ELSEWHERE),
    row("DiskAlreadyAllocated", Code::AlreadyExists, "DISK_ALREADY_ALLOCATED", ELSEWHERE),
    row("DiskDoesNotExist", Code::NotFound, "DISK_DOES_NOT_EXIST", ELSEWHERE),
    row("DiskSizeGreaterThanVolumeMaxSize", Code::InvalidArgument, "DISK_SIZE_GREATER_THAN_VOLUME_MAX_SIZE", ELSEWHERE),
    row("DiskSizeLessThanVolumeSize", Code::InvalidArgument, "DISK_SIZE_LESS_THAN_VOLUME_SIZE", ELSEWHERE),
    row("DiskSizeNotGigAligned", Code::InvalidArgument, "DISK_SIZE_NOT_GIG_ALIGNED", ELSEWHERE),
    row("DuplicateCertificateInfo", Code::AlreadyExists, "DUPLICATE_CERTIFICATE_INFO", ELSEWHERE),
    row("DuplicateSchedule", Code::AlreadyExists, "DUPLICATE_SCHEDULE", ELSEWHERE),
    row("EndpointNotFound", Code::NotFound, "ENDPOINT_NOT_FOUND", ELSEWHERE),
    row("IAMNotSupported", Code::FailedPrecondition, "IAM_NOT_SUPPORTED", "this gateway or account cannot use IAM; ask the service's operator"),
    row("InitiatorInvalid", Code::InvalidArgument, "INITIATOR_INVALID", ELSEWHERE),
    row("InitiatorNotFound", Code::NotFound, "INITIATOR_NOT_FOUND", ELSEWHERE),
    row("InternalError", Code::Internal, "INTERNAL_ERROR", "AWS failed within"),
    row("InvalidGateway", Code::FailedPrecondition, "INVALID_GATEWAY", "the gateway is of the wrong type or in the wrong state: a tape gateway that is activated and running is needed"),
    row("InvalidEndpoint", Code::InvalidArgument, "INVALID_ENDPOINT", ELSEWHERE),
    row("InvalidParameters", Code::InvalidArgument, "INVALID_PARAMETERS", "AWS does not say which member it means: a barcode that was ever taken, a pool that does not exist, and a size it does not offer all come as this"),
    row("InvalidSchedule", Code::InvalidArgument, "INVALID_SCHEDULE", ELSEWHERE),
    row("LocalStorageLimitExceeded", Code::ResourceExhausted, "LOCAL_STORAGE_LIMIT_EXCEEDED", "the gateway has no room left; its operator must add disks"),
    row("LunAlreadyAllocated ", Code::AlreadyExists, "LUN_ALREADY_ALLOCATED", ELSEWHERE),
    row("LunInvalid", Code::InvalidArgument, "LUN_INVALID", ELSEWHERE),
    row("JoinDomainInProgress", Code::Aborted, "JOIN_DOMAIN_IN_PROGRESS", ELSEWHERE),
    row("MaximumContentLengthExceeded", Code::InvalidArgument, "MAXIMUM_CONTENT_LENGTH_EXCEEDED", "the request is too large; split it"),
    row("MaximumTapeCartridgeCountExceeded", Code::ResourceExhausted, "MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED", "the gateway's library is full (1,500 tapes); archive or delete tapes first"),
    row("MaximumVolumeCountExceeded", Code::ResourceExhausted, "MAXIMUM_VOLUME_COUNT_EXCEEDED", ELSEWHERE),
    row("NetworkConfigurationChanged", Code::FailedPrecondition, "NETWORK_CONFIGURATION_CHANGED", "the gateway's network changed; its operator must look at it"),
    row("NoDisksAvailable", Code::FailedPrecondition, "NO_DISKS_AVAILABLE", "the gateway has no cache disk; its operator must allocate one"),
    row("NotImplemented", Code::Unimplemented, "NOT_IMPLEMENTED", "AWS does not offer this here"),
    row("NotSupported", Code::FailedPrecondition, "NOT_SUPPORTED", "this gateway cannot do that: a tape gateway is needed"),
    row("OperationAborted", Code::Aborted, "OPERATION_ABORTED", "another operation was in the way; repeat"),
    row("OutdatedGateway", Code::FailedPrecondition, "OUTDATED_GATEWAY", "the gateway's software is too old; its operator must update it"),
    row("ParametersNotImplemented", Code::Unimplemented, "PARAMETERS_NOT_IMPLEMENTED", "the gateway's software does not know one of these parameters; its operator must update it"),
    row("RegionInvalid", Code::InvalidArgument, "REGION_INVALID", "the ARN is of another region"),
    row("RequestTimeout", Code::Unavailable, "REQUEST_TIMEOUT", "AWS gave up waiting; repeat"),
    row("ServiceUnavailable", Code::Unavailable, "SERVICE_UNAVAILABLE", "repeat later"),
    row("SnapshotDeleted", Code::NotFound, "SNAPSHOT_DELETED", ELSEWHERE),
    row("SnapshotIdInvalid", Code::InvalidArgument, "SNAPSHOT_ID_INVALID", ELSEWHERE),
    row("SnapshotInProgress", Code::FailedPrecondition, "SNAPSHOT_IN_PROGRESS", ELSEWHERE),
    row("SnapshotNotFound", Code::NotFound, "SNAPSHOT_NOT_FOUND", ELSEWHERE),
    row("SnapshotScheduleNotFound", Code::NotFound, "SNAPSHOT_SCHEDULE_NOT_FOUND", ELSEWHERE),
    row("StagingAreaFull", Code::ResourceExhausted, "STAGING_AREA_FULL", "the gateway's buffer is full and drains with time; repeat later"),
    row("StorageFailure", Code::Internal, "STORAGE_FAILURE", "the gateway's storage failed; its operator must look at it"),
    row("TapeCartridgeNotFound", Code::NotFound, "TAPE_CARTRIDGE_NOT_FOUND", "no such tape here: it may be deleted, archived, or of another gateway"),
    row("TargetAlreadyExists", Code::AlreadyExists, "TARGET_ALREADY_EXISTS", ELSEWHERE),
    row("TargetInvalid", Code::InvalidArgument, "TARGET_INVALID", ELSEWHERE),
    row("TargetNotFound", Code::NotFound, "TARGET_NOT_FOUND", ELSEWHERE),
    row("UnauthorizedOperation", Code::PermissionDenied, "UNAUTHORIZED_OPERATION", "the service's own AWS role lacks a right; its operator must grant it"),
    row("VolumeAlreadyExists", Code::AlreadyExists, "VOLUME_ALREADY_EXISTS", ELSEWHERE),
    row("VolumeIdInvalid", Code::InvalidArgument, "VOLUME_ID_INVALID", ELSEWHERE),
    row("VolumeInUse", Code::FailedPrecondition, "VOLUME_IN_USE", ELSEWHERE),
    row("VolumeNotFound", Code::NotFound, "VOLUME_NOT_FOUND", ELSEWHERE),
    row("VolumeNotReady", Code::FailedPrecondition, "VOLUME_NOT_READY", ELSEWHERE),
    row("ThrottlingException", Code::Unavailable, "THROTTLING_EXCEPTION", "too many requests; repeat later"),
    row("Throttling", Code::Unavailable, "THROTTLING", "too many requests; repeat later"),
    row("TooManyRequestsException", Code::Unavailable, "TOO_MANY_REQUESTS_EXCEPTION", "too many requests; repeat later"),
    row("RequestLimitExceeded", Code::Unavailable, "REQUEST_LIMIT_EXCEEDED", "too many requests; repeat later"),
    row("RequestTimeoutException", Code::Unavailable, "REQUEST_TIMEOUT_EXCEPTION", "AWS gave up waiting; repeat"),
    row("ServiceUnavailable", Code::Unavailable, "SERVICE_UNAVAILABLE", "repeat later"),
    row("ServiceUnavailableException", Code::Unavailable, "SERVICE_UNAVAILABLE_EXCEPTION", "repeat later"),
    row("InternalFailure", Code::Internal, "INTERNAL_FAILURE", "AWS failed within"),
    row("InternalServerError", Code::Internal, "INTERNAL_SERVER_ERROR", "AWS failed within"),
    row("AccessDeniedException", Code::PermissionDenied, "ACCESS_DENIED_EXCEPTION", "the service's own AWS role lacks a right; its operator must grant it"),
    row("UnrecognizedClientException", Code::Internal, "UNRECOGNIZED_CLIENT_EXCEPTION", "the service's own AWS credentials are at fault, not the caller; its operator is told by readiness"),
    row("InvalidClientTokenId", Code::Internal, "INVALID_CLIENT_TOKEN_ID", "the service's own AWS credentials are at fault, not the caller; its operator is told by readiness"),
    row("ExpiredTokenException", Code::Unavailable, "EXPIRED_TOKEN_EXCEPTION", "the service's own AWS credentials have expired, not the caller's; repeat when they are renewed"),
    row("InvalidSignatureException", Code::Internal, "INVALID_SIGNATURE_EXCEPTION", "the service's own AWS credentials or clock are at fault, not the caller; its operator is told by readiness"),
    row("RequestExpired", Code::Unavailable, "REQUEST_EXPIRED", "the service's own clock is wrong, not the caller's; its operator is told by readiness"),
    row("IncompleteSignature", Code::Internal, "INCOMPLETE_SIGNATURE", "a fault of this service; report it"),
    row("MissingAuthenticationToken", Code::Internal, "MISSING_AUTHENTICATION_TOKEN", "a fault of this service; report it"),
    row("OptInRequired", Code::FailedPrecondition, "OPT_IN_REQUIRED", "the AWS account is not subscribed to Storage Gateway in this region"),
    row("UnknownOperationException", Code::Unimplemented, "UNKNOWN_OPERATION_EXCEPTION", "the region or endpoint does not know this operation"),
    row("ValidationException", Code::InvalidArgument, "VALIDATION_EXCEPTION", "AWS refused what this service's rules let through; report it"),
    row("SerializationException", Code::Internal, "SERIALIZATION_EXCEPTION", "a fault of this service; report it"),
    row("InvalidGatewayRequestException", Code::FailedPrecondition, UNKNOWN, "AWS names no cause"),
];
