//! The table of failures: what follows from each, for callers, operators and the service itself.
//!
//! It has two parts: [`AWS_CODES`] has the codes that AWS documents,
//! [`OTHER_FAILURES`] all other failures.
//! docs/errors.md, log levels, metric labels and the recording rules of deploy/prometheus follow
//! from it, and tests compare them with it. Messages of AWS are never matched: they differ by
//! region.

use std::{collections::HashMap, sync::LazyLock};

use super::{
    AttemptResult, Classification, ErrorDomain, FailureRow, FaultOwner, LogLevel, Outcome, RetryRule,
    StatusCode as Grpc,
};
use AttemptResult::{
    BadClock, BadCredentials, BadSignature, Failed, NoAnswer, NoCredentials, NotSent, Throttled,
};
use ErrorDomain::Tapegate;
use FaultOwner::{Aws, Caller, Deadline, Gateway, Service, Unauthenticated};
use LogLevel::{Error, Info, Warn};
use Outcome::{NotApplied, Unknown};
use RetryRule::{Never, Once, Slowly, Soon};

/// The reason where AWS names no cause, or a code that has no row.
pub const UPSTREAM_UNKNOWN: &str = "UPSTREAM_UNKNOWN";

/// The `error.type` of a failure without a name of its own, as OpenTelemetry defines it.
pub const OTHER: &str = "_OTHER";

const AWS_FAILED: &str = "AWS failed internally; retry after the delay in `RetryInfo`";
const AWS_UNAVAILABLE: &str = "AWS is unavailable; retry after the delay in `RetryInfo`";
const CREDENTIALS: &str = "AWS rejects the credentials or the clock of this service, not the caller's; \
                           ask the operator of this service";
const DEFECT: &str = "this is a defect of this service; report it to its operator, with the `x-request-id`";
const IF_RETRY_INFO: &str =
    "retry the call if there is `RetryInfo`; otherwise report it to the operator of this service";
const MISSING_RIGHT: &str =
    "the AWS role of this service lacks a permission; ask the operator of this service to grant it";
const MORE_TIME: &str = "set a longer deadline, or resume the list at its last marker";
const NEEDS_TAPE_GATEWAY: &str =
    "the gateway has the wrong type or state; use a tape gateway that is activated and running";
const NO_OPERATION: &str =
    "the region or endpoint does not know this operation; ask the operator of this service";
const REJECTED_REQUEST: &str =
    "AWS rejects a request that this service accepts; report the error to the operator of this service";
const NEW_TOKEN: &str = "get a new token";
const OTHER_OPERATION: &str =
    "AWS documents this code for other operations; report it to the operator of this service";
const REPORT_RESPONSE: &str = "report it to the operator of this service, with the `x-request-id` and, if there is one, the `aws_request_id`";
const RETRY_SAME: &str = "retry the same call";
const SLOW_DOWN: &str =
    "AWS throttles this service; retry after the delay in `RetryInfo`, and make fewer calls";
const WAIT: &str = "retry after the delay in `RetryInfo`";

#[allow(clippy::too_many_arguments, reason = "one for each column")]
const fn aws(
    name: &'static str,
    reason: &'static str,
    status: Grpc,
    owner: FaultOwner,
    level: LogLevel,
    burns_objective: bool,
    read: RetryRule,
    create: RetryRule,
    outcome: Outcome,
    attempt: AttemptResult,
    advice: &'static str,
) -> FailureRow {
    FailureRow {
        name,
        domain: ErrorDomain::Aws,
        reason,
        status,
        owner,
        level,
        burns_objective,
        read,
        create,
        outcome,
        attempt,
        caller_delay: None,
        advice,
    }
}

/// The codes that AWS documents for Storage Gateway: those of the service model in its order, then
/// the common ones of all AWS services.
#[rustfmt::skip]
pub static AWS_CODES: [FailureRow; 88] = [
    //  AWS code                             reason                                    gRPC status               owner    level  burns  read    create outcome     attempt         advice
    aws("ActivationKeyExpired",              "ACTIVATION_KEY_EXPIRED",                 Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("ActivationKeyInvalid",              "ACTIVATION_KEY_INVALID",                 Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("ActivationKeyNotFound",             "ACTIVATION_KEY_NOT_FOUND",               Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("GatewayInternalError",              "GATEWAY_INTERNAL_ERROR",                 Grpc::Internal,           Gateway, Error, false, Soon,   Soon,  Unknown,    Failed,         "the gateway appliance failed; retry the call, and if it fails again, check the gateway"),
    aws("GatewayNotConnected",               "GATEWAY_NOT_CONNECTED",                  Grpc::Unavailable,        Gateway, Warn,  false, Slowly, Soon,  Unknown,    Failed,         "the gateway appliance is offline; bring it back online, then retry the call"),
    aws("GatewayNotFound",                   "GATEWAY_NOT_FOUND",                      Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         "the gateway does not exist here; check `gateway_arn`, the account and the region"),
    aws("GatewayProxyNetworkConnectionBusy", "GATEWAY_PROXY_NETWORK_CONNECTION_BUSY",  Grpc::Unavailable,        Gateway, Warn,  false, Soon,   Soon,  Unknown,    Failed,         "the connection to the gateway is busy; retry the call later"),
    aws("AuthenticationFailure",             "AUTHENTICATION_FAILURE",                 Grpc::Internal,           Service, Error, true,   Never,  Never, NotApplied, BadCredentials, CREDENTIALS),
    aws("BandwidthThrottleScheduleNotFound", "BANDWIDTH_THROTTLE_SCHEDULE_NOT_FOUND",  Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("Blocked",                           "BLOCKED",                                Grpc::PermissionDenied,   Service, Warn,  false, Never,  Never, NotApplied, Failed,         "AWS blocks this request; ask AWS support for the reason"),
    aws("CannotExportSnapshot",              "CANNOT_EXPORT_SNAPSHOT",                 Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("ChapCredentialNotFound",            "CHAP_CREDENTIAL_NOT_FOUND",              Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("DiskAlreadyAllocated",              "DISK_ALREADY_ALLOCATED",                 Grpc::AlreadyExists,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("DiskDoesNotExist",                  "DISK_DOES_NOT_EXIST",                    Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("DiskSizeGreaterThanVolumeMaxSize",  "DISK_SIZE_GREATER_THAN_VOLUME_MAX_SIZE", Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("DiskSizeLessThanVolumeSize",        "DISK_SIZE_LESS_THAN_VOLUME_SIZE",        Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("DiskSizeNotGigAligned",             "DISK_SIZE_NOT_GIG_ALIGNED",              Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("DuplicateCertificateInfo",          "DUPLICATE_CERTIFICATE_INFO",             Grpc::AlreadyExists,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("DuplicateSchedule",                 "DUPLICATE_SCHEDULE",                     Grpc::AlreadyExists,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("EndpointNotFound",                  "ENDPOINT_NOT_FOUND",                     Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("IAMNotSupported",                   "IAM_NOT_SUPPORTED",                      Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         "this gateway or account cannot use IAM; ask the operator of this service"),
    aws("InitiatorInvalid",                  "INITIATOR_INVALID",                      Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("InitiatorNotFound",                 "INITIATOR_NOT_FOUND",                    Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("InternalError",                     "INTERNAL_ERROR",                         Grpc::Internal,           Aws,     Error, true,   Soon,   Soon,  Unknown,    Failed,         AWS_FAILED),
    aws("InvalidGateway",                    "INVALID_GATEWAY",                        Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         NEEDS_TAPE_GATEWAY),
    aws("InvalidEndpoint",                   "INVALID_ENDPOINT",                       Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("InvalidParameters",                 "INVALID_PARAMETERS",                     Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, Unknown,    Failed,         "AWS does not say which parameter is invalid; check barcode, pool, size, KMS key and tags"),
    aws("InvalidSchedule",                   "INVALID_SCHEDULE",                       Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("LocalStorageLimitExceeded",         "LOCAL_STORAGE_LIMIT_EXCEEDED",           Grpc::ResourceExhausted,  Gateway, Warn,  false, Never,  Never, NotApplied, Failed,         "the gateway has no space left; ask its operator to add disks"),
    aws("LunAlreadyAllocated ",              "LUN_ALREADY_ALLOCATED",                  Grpc::AlreadyExists,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("LunInvalid",                        "LUN_INVALID",                            Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("JoinDomainInProgress",              "JOIN_DOMAIN_IN_PROGRESS",                Grpc::Aborted,            Caller,  Info,  false, Soon,   Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("MaximumContentLengthExceeded",      "MAXIMUM_CONTENT_LENGTH_EXCEEDED",        Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         "the request is too large for AWS; name fewer tapes in one call"),
    aws("MaximumTapeCartridgeCountExceeded", "MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED",  Grpc::ResourceExhausted,  Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         "the library of the gateway is full (1,500 tapes); archive or delete tapes, or use another gateway"),
    aws("MaximumVolumeCountExceeded",        "MAXIMUM_VOLUME_COUNT_EXCEEDED",          Grpc::ResourceExhausted,  Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("NetworkConfigurationChanged",       "NETWORK_CONFIGURATION_CHANGED",          Grpc::FailedPrecondition, Gateway, Warn,  false, Never,  Never, NotApplied, Failed,         "the network of the gateway has changed; ask its operator to check it"),
    aws("NoDisksAvailable",                  "NO_DISKS_AVAILABLE",                     Grpc::FailedPrecondition, Gateway, Warn,  false, Never,  Never, NotApplied, Failed,         "the gateway has no cache disk; ask its operator to allocate one"),
    aws("NotImplemented",                    "NOT_IMPLEMENTED",                        Grpc::Unimplemented,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         "AWS does not offer this operation here; ask the operator of this service"),
    aws("NotSupported",                      "NOT_SUPPORTED",                          Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         NEEDS_TAPE_GATEWAY),
    aws("OperationAborted",                  "OPERATION_ABORTED",                      Grpc::Aborted,            Caller,  Info,  false, Soon,   Soon,  Unknown,    Failed,         "another operation interfered; retry the call"),
    aws("OutdatedGateway",                   "OUTDATED_GATEWAY",                       Grpc::FailedPrecondition, Gateway, Warn,  false, Never,  Never, NotApplied, Failed,         "the software of the gateway is too old; ask its operator to update it"),
    aws("ParametersNotImplemented",          "PARAMETERS_NOT_IMPLEMENTED",             Grpc::Unimplemented,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         "the software of the gateway does not know a parameter of this request; ask its operator to update it"),
    aws("RegionInvalid",                     "REGION_INVALID",                         Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         "the ARN belongs to another region; check it"),
    aws("RequestTimeout",                    "REQUEST_TIMEOUT",                        Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  Unknown,    Failed,         AWS_UNAVAILABLE),
    aws("ServiceUnavailable",                "SERVICE_UNAVAILABLE",                    Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  Unknown,    Failed,         AWS_UNAVAILABLE),
    aws("SnapshotDeleted",                   "SNAPSHOT_DELETED",                       Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("SnapshotIdInvalid",                 "SNAPSHOT_ID_INVALID",                    Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("SnapshotInProgress",                "SNAPSHOT_IN_PROGRESS",                   Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("SnapshotNotFound",                  "SNAPSHOT_NOT_FOUND",                     Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("SnapshotScheduleNotFound",          "SNAPSHOT_SCHEDULE_NOT_FOUND",            Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("StagingAreaFull",                   "STAGING_AREA_FULL",                      Grpc::ResourceExhausted,  Gateway, Warn,  false, Slowly, Soon,  NotApplied, Failed,         "the upload buffer of the gateway is full and drains with time; retry the call later"),
    aws("StorageFailure",                    "STORAGE_FAILURE",                        Grpc::Internal,           Gateway, Error, false,  Soon,   Never, Unknown,    Failed,         "the storage of the gateway failed; ask its operator to check the disks"),
    aws("TapeCartridgeNotFound",             "TAPE_CARTRIDGE_NOT_FOUND",               Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         "the tape is deleted, archived or on another gateway; find it with ListTapes"),
    aws("TargetAlreadyExists",               "TARGET_ALREADY_EXISTS",                  Grpc::AlreadyExists,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("TargetInvalid",                     "TARGET_INVALID",                         Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("TargetNotFound",                    "TARGET_NOT_FOUND",                       Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("UnauthorizedOperation",             "UNAUTHORIZED_OPERATION",                 Grpc::Internal,           Service, Error, true,  Never,  Never, NotApplied, Failed,         MISSING_RIGHT),
    aws("VolumeAlreadyExists",               "VOLUME_ALREADY_EXISTS",                  Grpc::AlreadyExists,      Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("VolumeIdInvalid",                   "VOLUME_ID_INVALID",                      Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("VolumeInUse",                       "VOLUME_IN_USE",                          Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("VolumeNotFound",                    "VOLUME_NOT_FOUND",                       Grpc::NotFound,           Caller,  Info,  false, Never,  Never, NotApplied, Failed,         OTHER_OPERATION),
    aws("VolumeNotReady",                    "VOLUME_NOT_READY",                       Grpc::FailedPrecondition, Caller,  Warn,  false, Slowly, Never, NotApplied, Failed,         OTHER_OPERATION),
    // In the user guide and seen in responses, but not in the service model.
    aws("UnsupportedOperationForGatewayType","UNSUPPORTED_OPERATION_FOR_GATEWAY_TYPE", Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         NEEDS_TAPE_GATEWAY),
    aws("ThrottlingException",               "THROTTLING_EXCEPTION",                   Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  NotApplied, Throttled,      SLOW_DOWN),
    aws("Throttling",                        "THROTTLING",                             Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  NotApplied, Throttled,      SLOW_DOWN),
    aws("TooManyRequestsException",          "TOO_MANY_REQUESTS_EXCEPTION",            Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  NotApplied, Throttled,      SLOW_DOWN),
    aws("RequestLimitExceeded",              "REQUEST_LIMIT_EXCEEDED",                 Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  NotApplied, Throttled,      SLOW_DOWN),
    aws("RequestTimeoutException",           "REQUEST_TIMEOUT_EXCEPTION",              Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  Unknown,    Failed,         AWS_UNAVAILABLE),
    aws("ServiceUnavailableException",       "SERVICE_UNAVAILABLE_EXCEPTION",          Grpc::Unavailable,        Aws,     Warn,  true,   Soon,   Soon,  Unknown,    Failed,         AWS_UNAVAILABLE),
    aws("InternalFailure",                   "INTERNAL_FAILURE",                       Grpc::Internal,           Aws,     Error, true,   Soon,   Soon,  Unknown,    Failed,         AWS_FAILED),
    aws("InternalServerError",               "INTERNAL_SERVER_ERROR",                  Grpc::Internal,           Aws,     Error, true,   Soon,   Soon,  Unknown,    Failed,         AWS_FAILED),
    aws("AccessDeniedException",             "ACCESS_DENIED_EXCEPTION",                Grpc::Internal,           Service, Error, true,  Never,  Never, NotApplied, Failed,         MISSING_RIGHT),
    aws("UnrecognizedClientException",       "UNRECOGNIZED_CLIENT_EXCEPTION",          Grpc::Internal,           Service, Error, true,   Never,  Never, NotApplied, BadCredentials, CREDENTIALS),
    aws("InvalidClientTokenId",              "INVALID_CLIENT_TOKEN_ID",                Grpc::Internal,           Service, Error, true,   Never,  Never, NotApplied, BadCredentials, CREDENTIALS),
    aws("ExpiredTokenException",             "EXPIRED_TOKEN_EXCEPTION",                Grpc::Unavailable,        Service, Warn,  true,   Once,   Once,  NotApplied, BadCredentials, "the AWS credentials of this service have expired, not those of the caller; retry the call after the operator of this service has renewed them"),
    aws("InvalidSignatureException",         "INVALID_SIGNATURE_EXCEPTION",            Grpc::Internal,           Service, Error, true,   Never,  Never, NotApplied, BadSignature,   CREDENTIALS),
    aws("RequestExpired",                    "REQUEST_EXPIRED",                        Grpc::Unavailable,        Service, Warn,  true,   Once,   Once,  NotApplied, BadClock,       "the clock of this service is wrong, not that of the caller; retry the call after the operator of this service has corrected it"),
    aws("IncompleteSignature",               "INCOMPLETE_SIGNATURE",                   Grpc::Internal,           Service, Error, true,   Never,  Never, NotApplied, BadCredentials, DEFECT),
    aws("MissingAuthenticationToken",        "MISSING_AUTHENTICATION_TOKEN",           Grpc::Internal,           Service, Error, true,   Never,  Never, NotApplied, BadCredentials, DEFECT),
    aws("OptInRequired",                     "OPT_IN_REQUIRED",                        Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, NotApplied, Failed,         "the AWS account is not subscribed to Storage Gateway in this region; ask the operator of this service"),
    aws("UnknownOperationException",         "UNKNOWN_OPERATION_EXCEPTION",            Grpc::Internal,           Service, Error, true,  Never,  Never, NotApplied, Failed,         NO_OPERATION),
    aws("ValidationException",               "VALIDATION_EXCEPTION",                   Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         REJECTED_REQUEST),
    aws("SerializationException",            "SERIALIZATION_EXCEPTION",                Grpc::Internal,           Service, Error, true,   Never,  Never, NotApplied, Failed,         DEFECT),
    aws("InvalidGatewayRequestException",    UPSTREAM_UNKNOWN,                         Grpc::FailedPrecondition, Caller,  Warn,  false, Never,  Never, Unknown,    Failed,         IF_RETRY_INFO),
    // From the page of errors that all services of AWS share.
    aws("NotAuthorized",                     "NOT_AUTHORIZED",                         Grpc::Internal,           Service, Error, true,  Never,  Never, NotApplied, Failed,         MISSING_RIGHT),
    aws("ValidationError",                   "VALIDATION_ERROR",                       Grpc::InvalidArgument,    Caller,  Info,  false, Never,  Never, NotApplied, Failed,         REJECTED_REQUEST),
    aws("InvalidAction",                     "INVALID_ACTION",                         Grpc::Internal,           Service, Error, true,  Never,  Never, NotApplied, Failed,         NO_OPERATION),
    aws("MissingAction",                     "MISSING_ACTION",                         Grpc::Internal,           Service, Error, true,  Never,  Never, NotApplied, Failed,         NO_OPERATION),
];

/// The rows of [`AWS_CODES`] by code, and by code without `Exception` at the end.
static BY_CODE: LazyLock<HashMap<&str, &FailureRow>> = LazyLock::new(|| {
    let mut rows: HashMap<_, _> = AWS_CODES.iter().map(|row| (row.error_type(), row)).collect();
    for row in &AWS_CODES {
        if let Some(short) = row.error_type().strip_suffix("Exception") {
            rows.entry(short).or_insert(row);
        }
    }
    rows
});

/// The row of an AWS code, if it has one. AWS services spell the common codes with or without
/// `Exception` at the end.
pub fn find_aws(code: &str) -> Option<&'static FailureRow> {
    let code = code.trim_end();
    let short = || code.strip_suffix("Exception");
    BY_CODE.get(code).or_else(|| BY_CODE.get(short()?)).copied()
}

macro_rules! service_failures {
    ($($kind:ident: $name:expr, $domain:expr, $reason:expr, $status:expr, $owner:expr, $level:expr, $burns:expr,
       $read:expr, $create:expr, $outcome:expr, $attempt:expr, $delay:expr, $advice:expr;)+) => {
        /// A failure that is not a documented code of AWS.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table says what each is")]
        pub enum ErrorKind {
            $($kind,)+
        }

        /// All other failures, in the order of [`ErrorKind`].
        pub static OTHER_FAILURES: &[FailureRow] = &[
            $(FailureRow {
                name: $name,
                domain: $domain,
                reason: $reason,
                status: $status,
                owner: $owner,
                level: $level,
                burns_objective: $burns,
                read: $read,
                create: $create,
                outcome: $outcome,
                attempt: $attempt,
                caller_delay: $delay,
                advice: $advice,
            },)+
        ];
    };
}

service_failures! {
    // kind                  error.type         domain            reason                       gRPC status               owner            level  burns  read   create outcome     attempt        delay     advice
    // Requests that do not reach AWS.
    InvalidRequest:          OTHER,             Tapegate,         "INVALID_REQUEST",           Grpc::InvalidArgument,    Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "correct every field that `BadRequest` names";
    MalformedRequest:        OTHER,             Tapegate,         "MALFORMED_REQUEST",         Grpc::InvalidArgument,    Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "generate the client from the proto files of this version, and send a valid `grpc-timeout`";
    RequestTooLarge:         OTHER,             Tapegate,         "REQUEST_TOO_LARGE",         Grpc::ResourceExhausted,  Caller,          Warn,  false, Never, Never, NotApplied, Failed,        None,     "name fewer tapes in one call";
    UnknownMethod:           OTHER,             Tapegate,         "UNKNOWN_METHOD",            Grpc::Unimplemented,      Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "use a method that reflection lists";
    UnsupportedCompression:  OTHER,             Tapegate,         "UNSUPPORTED_COMPRESSION",   Grpc::Unimplemented,      Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "send the request uncompressed, or compressed with gzip";
    NotFound:                OTHER,             Tapegate,         "NOT_FOUND",                 Grpc::NotFound,           Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "use a name that reflection lists";
    Transport:               OTHER,             Tapegate,         "TRANSPORT",                 Grpc::Cancelled,          Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "retry the call";
    CredentialsMissing:      OTHER,             Tapegate,         "CREDENTIALS_MISSING",       Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "send `authorization: Bearer TOKEN`, or connect with a client certificate";
    CredentialsMalformed:    OTHER,             Tapegate,         "CREDENTIALS_MALFORMED",     Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "send one `authorization: Bearer TOKEN`; the message says what is wrong with it";
    TokenUnknown:            OTHER,             Tapegate,         "TOKEN_UNKNOWN",             Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     NEW_TOKEN;
    TokenExpired:            OTHER,             Tapegate,         "TOKEN_EXPIRED",             Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     NEW_TOKEN;
    TokenNotYetValid:        OTHER,             Tapegate,         "TOKEN_NOT_YET_VALID",       Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "wait until the token is valid";
    TokenIssuerUnknown:      OTHER,             Tapegate,         "TOKEN_ISSUER_UNKNOWN",      Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "use a token of a trusted issuer";
    TokenAudienceWrong:      OTHER,             Tapegate,         "TOKEN_AUDIENCE_WRONG",      Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "request a token for this service";
    TokenAlgorithmRefused:   OTHER,             Tapegate,         "TOKEN_ALGORITHM_REFUSED",   Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "request a token that is signed with an accepted algorithm";
    TokenKeyUnknown:         OTHER,             Tapegate,         "TOKEN_KEY_UNKNOWN",         Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     NEW_TOKEN;
    TokenSignatureWrong:     OTHER,             Tapegate,         "TOKEN_SIGNATURE_WRONG",     Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     NEW_TOKEN;
    TokenClaimsUnusable:     OTHER,             Tapegate,         "TOKEN_CLAIMS_UNUSABLE",     Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "request a token with the claims that the message names";
    CertificateNameRefused:  OTHER,             Tapegate,         "CERTIFICATE_NAME_REFUSED",  Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "use a certificate with an accepted name";
    CertificateInvalid:      OTHER,             Tapegate,         "CERTIFICATE_INVALID",       Grpc::Unauthenticated,    Unauthenticated, Info,  false, Never, Never, NotApplied, Failed,        None,     "reconnect with a certificate that is valid";
    IdentityKeysUnavailable: OTHER,             Tapegate,         "IDENTITY_KEYS_UNAVAILABLE", Grpc::Unavailable,        Service,         Warn,  true,  Never, Never, NotApplied, Failed,        Some(5),  WAIT;
    PermissionDenied:        OTHER,             Tapegate,         "PERMISSION_DENIED",         Grpc::PermissionDenied,   Caller,          Warn,  false, Never, Never, NotApplied, Failed,        None,     "ask the operator of this service for permission";
    LimitReached:            OTHER,             Tapegate,         "LIMIT_REACHED",             Grpc::ResourceExhausted,  Caller,          Warn,  false, Never, Never, NotApplied, Failed,        Some(1),  "retry after the delay in `RetryInfo`; if there is no `RetryInfo`, create fewer tapes in one call";
    LimitsUnavailable:       OTHER,             Tapegate,         "LIMITS_UNAVAILABLE",        Grpc::Unavailable,        Service,         Warn,  true,  Never, Never, NotApplied, Failed,        Some(1),  WAIT;
    Overloaded:              OTHER,             Tapegate,         "OVERLOADED",                Grpc::Unavailable,        Service,         Warn,  true,  Never, Never, NotApplied, Failed,        Some(1),  WAIT;

    // Requests that end without a response of AWS.
    ShuttingDown:            OTHER,             Tapegate,         "SHUTTING_DOWN",             Grpc::Unavailable,        Service,         Warn,  true,  Never, Never, Unknown,    Failed,        Some(1),  WAIT;
    ConnectionClosed:        OTHER,             Tapegate,         "CONNECTION_CLOSED",         Grpc::Unavailable,        Service,         Warn,  true,  Never, Never, Unknown,    Failed,        Some(1),  WAIT;
    DeadlineExceeded:        "deadline",        Tapegate,         "DEADLINE_EXCEEDED",         Grpc::DeadlineExceeded,   Deadline,        Warn,  true,  Never, Never, Unknown,    Failed,        None,     MORE_TIME;
    UpstreamBusy:            "paced",           Tapegate,         "UPSTREAM_BUSY",             Grpc::Unavailable,        Aws,             Warn,  true,  Never, Never, NotApplied, NotSent,       Some(1),  "retry after the delay in `RetryInfo`, make fewer calls, or set a longer deadline";
    UpstreamUnreachable:     "unreachable",     Tapegate,         "UPSTREAM_UNREACHABLE",      Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  NotApplied, NoAnswer,      None,     WAIT;
    UpstreamConnectionLost:  "connection_lost", Tapegate,         "UPSTREAM_CONNECTION_LOST",  Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    NoAnswer,      None,     WAIT;
    AttemptTimeout:          "timeout",         Tapegate,         "UPSTREAM_TIMEOUT",          Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    NoAnswer,      None,     WAIT;
    OperationTimeout:        "timeout",         Tapegate,         "UPSTREAM_TIMEOUT",          Grpc::Unavailable,        Aws,             Warn,  true,  Never, Never, Unknown,    Failed,        Some(1),  WAIT;
    NoAwsCredentials:        "no_credentials",  Tapegate,         "NO_AWS_CREDENTIALS",        Grpc::Unavailable,        Service,         Warn,  true,  Never, Never, NotApplied, NoCredentials, Some(10), WAIT;
    UpstreamNotAsked:        "not_sent",        Tapegate,         "UPSTREAM_NOT_ASKED",        Grpc::Internal,           Service,         Error, true,  Never, Never, NotApplied, NotSent,       None,     "report it to the operator of this service";
    WrongAccount:            "wrong_account",  Tapegate,         "AWS_ACCOUNT_MISMATCH",      Grpc::Internal,           Service,         Error, true,  Never, Never, NotApplied, NotSent,       None,     "report it to the operator of this service";
    Internal:                OTHER,             Tapegate,         "INTERNAL",                  Grpc::Internal,           Service,         Error, true,  Never, Never, Unknown,    Failed,        None,     "report it to the operator of this service, with the `x-request-id`";

    // Responses that the service cannot use.
    UpstreamUnreadable:      "unreadable",      Tapegate,         "UPSTREAM_UNREADABLE",       Grpc::Internal,           Aws,             Error, true,  Never, Never, Unknown,    Failed,        None,     REPORT_RESPONSE;
    UpstreamMarkerRepeated:  "wrong_page",      Tapegate,         "UPSTREAM_MARKER_REPEATED",  Grpc::DataLoss,           Aws,             Error, true,  Never, Never, NotApplied, Failed,        None,     REPORT_RESPONSE;
    UpstreamPageTooLong:     "wrong_page",      Tapegate,         "UPSTREAM_PAGE_TOO_LONG",    Grpc::Internal,           Aws,             Error, true,  Never, Never, NotApplied, Failed,        None,     "retry without `max_items`";

    // Creates whose barcode AWS rejected, after the look-up of the tape.
    TapeExists:              OTHER,             Tapegate,         "TAPE_EXISTS",               Grpc::AlreadyExists,      Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "use the existing tape if `matches` is `true`, which does not say whether it has the requested tags; otherwise use another barcode";
    BarcodeTaken:            OTHER,             Tapegate,         "BARCODE_TAKEN",             Grpc::AlreadyExists,      Caller,          Info,  false, Never, Never, NotApplied, Failed,        None,     "use another barcode: a barcode can be used only once";
    LookUpDeadline:          OTHER,             Tapegate,         "DEADLINE_EXCEEDED",         Grpc::DeadlineExceeded,   Deadline,        Warn,  true,  Never, Never, Unknown,    Failed,        None,     MORE_TIME;
    LookUpUnavailable:       OTHER,             Tapegate,         "TAPE_LOOKUP_FAILED",        Grpc::Unavailable,        Aws,             Warn,  true,  Never, Never, Unknown,    Failed,        None,     RETRY_SAME;
    LookUpFailed:            OTHER,             Tapegate,         "TAPE_LOOKUP_FAILED",        Grpc::Internal,           Service,         Error, true,  Never, Never, Unknown,    Failed,        None,     RETRY_SAME;

    // Responses without an AWS code, by HTTP status: mostly those of a proxy.
    HttpNotAws:              "4xx",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Internal,           Aws,             Error, true,  Never, Never, Unknown,    NoAnswer,      None,     IF_RETRY_INFO;
    Http408:                 "4xx",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    Failed,        None,     IF_RETRY_INFO;
    Http429:                 "429",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    Throttled,     None,     IF_RETRY_INFO;
    Http4xx:                 "4xx",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Internal,           Aws,             Error, true,  Never, Never, Unknown,    Failed,        None,     IF_RETRY_INFO;
    Http500:                 "5xx",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Internal,           Aws,             Error, true,  Soon,  Soon,  Unknown,    Failed,        None,     IF_RETRY_INFO;
    Http502:                 "502",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    NoAnswer,      None,     IF_RETRY_INFO;
    Http503:                 "503",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    NoAnswer,      None,     IF_RETRY_INFO;
    Http504:                 "504",             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    NoAnswer,      None,     IF_RETRY_INFO;
    HttpOther:               OTHER,             Tapegate,         "UPSTREAM_HTTP_ERROR",       Grpc::Internal,           Aws,             Error, true,  Never, Never, Unknown,    Failed,        None,     IF_RETRY_INFO;

    // Responses with an AWS code that has no row, by HTTP status.
    UnknownCode408:          OTHER,             ErrorDomain::Aws, UPSTREAM_UNKNOWN,            Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    Failed,        None,     IF_RETRY_INFO;
    UnknownCode429:          OTHER,             ErrorDomain::Aws, UPSTREAM_UNKNOWN,            Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    Throttled,     None,     IF_RETRY_INFO;
    UnknownCode4xx:          OTHER,             ErrorDomain::Aws, UPSTREAM_UNKNOWN,            Grpc::FailedPrecondition, Caller,          Warn,  false, Never, Never, NotApplied, Failed,        None,     IF_RETRY_INFO;
    UnknownCode500:          OTHER,             ErrorDomain::Aws, UPSTREAM_UNKNOWN,            Grpc::Internal,           Aws,             Error, true,  Soon,  Soon,  Unknown,    Failed,        None,     IF_RETRY_INFO;
    UnknownCode50x:          OTHER,             ErrorDomain::Aws, UPSTREAM_UNKNOWN,            Grpc::Unavailable,        Aws,             Warn,  true,  Soon,  Soon,  Unknown,    Failed,        None,     IF_RETRY_INFO;
    UnknownCodeOther:        OTHER,             ErrorDomain::Aws, UPSTREAM_UNKNOWN,            Grpc::Internal,           Aws,             Error, true,  Never, Never, Unknown,    Failed,        None,     IF_RETRY_INFO;
}

/// Classifies a status by its code and the domain and reason of its `ErrorInfo`.
pub fn classify(status: Grpc, domain: &str, reason: &str) -> Classification {
    AWS_CODES
        .iter()
        .chain(OTHER_FAILURES)
        .find(|row| row.status == status && row.reason == reason && row.domain.as_str() == domain)
        .map_or(status.classification(), FailureRow::classification)
}

/// The first row with a reason.
pub fn find_reason(reason: &str) -> Option<&'static FailureRow> {
    AWS_CODES
        .iter()
        .chain(OTHER_FAILURES)
        .find(|row| row.reason == reason)
}

impl ErrorKind {
    /// The row of the failure.
    pub fn row(self) -> &'static FailureRow {
        &OTHER_FAILURES[self as usize]
    }
}
