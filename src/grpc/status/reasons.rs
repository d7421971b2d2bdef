//! The reasons of this service's own: what `ErrorInfo` says in the domain
//! [`DOMAIN`](super::DOMAIN). Those of AWS are in [`codes`](super::codes).

use tonic::Code;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal: $code:ident $(| $more:ident)*;)+) => {
        /// A reason of this service's own. docs/errors.md says of each what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word that `ErrorInfo` has for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// The gRPC codes that it comes with, the usual one first.
            pub const fn codes(self) -> &'static [Code] {
                match self {
                    $(Self::$name => &[Code::$code $(, Code::$more)*],)+
                }
            }
        }
    };
}

reasons! {
    /// The request breaks rules; `BadRequest` has them all.
    InvalidRequest = "INVALID_REQUEST": InvalidArgument;
    /// The bytes are no request of this method, or a header is not what it should be.
    MalformedRequest = "MALFORMED_REQUEST": InvalidArgument;
    /// The message is longer than `max_request_bytes`.
    RequestTooLarge = "REQUEST_TOO_LARGE": ResourceExhausted;
    /// No such method or service.
    UnknownMethod = "UNKNOWN_METHOD": Unimplemented;
    /// The message is compressed in a way that this service does not take.
    UnsupportedCompression = "UNSUPPORTED_COMPRESSION": Unimplemented;
    /// Health was asked for a service that is not here, or reflection for a symbol.
    NotFound = "NOT_FOUND": NotFound;
    /// The request's stream broke while it was read.
    Transport = "TRANSPORT": Cancelled;
    /// The call's deadline passed.
    DeadlineExceeded = "DEADLINE_EXCEEDED": DeadlineExceeded;
    /// The barcode has a tape of the gateway's own, or an archived one.
    TapeExists = "TAPE_EXISTS": AlreadyExists;
    /// The barcode has a tape of another gateway.
    BarcodeTaken = "BARCODE_TAKEN": AlreadyExists;
    /// AWS refused a create that may have succeeded before, and looking failed too.
    TapeLookupFailed = "TAPE_LOOKUP_FAILED": Unavailable | PermissionDenied | Internal;
    /// The turn of the call would come after its deadline.
    UpstreamBusy = "UPSTREAM_BUSY": Unavailable;
    /// No connection to AWS came about.
    UpstreamUnreachable = "UPSTREAM_UNREACHABLE": Unavailable;
    /// The connection to AWS ended before a whole answer came.
    UpstreamConnectionLost = "UPSTREAM_CONNECTION_LOST": Unavailable;
    /// AWS did not answer in time.
    UpstreamTimeout = "UPSTREAM_TIMEOUT": Unavailable;
    /// An answer of failure without a word of AWS.
    UpstreamHttpError = "UPSTREAM_HTTP_ERROR": Internal | Unavailable | Unimplemented;
    /// An answer of success that is not what the service model promises.
    UpstreamUnreadable = "UPSTREAM_UNREADABLE": Internal;
    /// AWS's list goes in circles.
    UpstreamMarkerRepeated = "UPSTREAM_MARKER_REPEATED": DataLoss;
    /// AWS sent more rows than were asked for.
    UpstreamPageTooLong = "UPSTREAM_PAGE_TOO_LONG": Internal;
    /// The request to AWS could not be made.
    UpstreamNotAsked = "UPSTREAM_NOT_ASKED": Internal;
    /// The service has no AWS credentials.
    NoAwsCredentials = "NO_AWS_CREDENTIALS": Unavailable;
    /// Nothing says who calls.
    CredentialsMissing = "CREDENTIALS_MISSING": Unauthenticated;
    /// What says who calls cannot be read.
    CredentialsMalformed = "CREDENTIALS_MALFORMED": Unauthenticated;
    /// A static token that is not in the file, or no kind of token that is taken.
    TokenUnknown = "TOKEN_UNKNOWN": Unauthenticated;
    /// The token has lapsed.
    TokenExpired = "TOKEN_EXPIRED": Unauthenticated;
    /// The token's time has not come.
    TokenNotYetValid = "TOKEN_NOT_YET_VALID": Unauthenticated;
    /// The token's issuer is not trusted.
    TokenIssuerUnknown = "TOKEN_ISSUER_UNKNOWN": Unauthenticated;
    /// The token is for another audience.
    TokenAudienceWrong = "TOKEN_AUDIENCE_WRONG": Unauthenticated;
    /// The token is signed by an algorithm that is not taken.
    TokenAlgorithmRefused = "TOKEN_ALGORITHM_REFUSED": Unauthenticated;
    /// The token's key is not among its issuer's.
    TokenKeyUnknown = "TOKEN_KEY_UNKNOWN": Unauthenticated;
    /// The token's signature is wrong.
    TokenSignatureWrong = "TOKEN_SIGNATURE_WRONG": Unauthenticated;
    /// The token's claims do not say who calls.
    TokenClaimsUnusable = "TOKEN_CLAIMS_UNUSABLE": Unauthenticated;
    /// The keys of the token's issuer cannot be had.
    IdentityKeysUnavailable = "IDENTITY_KEYS_UNAVAILABLE": Unavailable;
    /// The client certificate has no name that counts.
    CertificateNameRefused = "CERTIFICATE_NAME_REFUSED": Unauthenticated;
    /// The client certificate has lapsed since its connection was opened.
    CertificateInvalid = "CERTIFICATE_INVALID": Unauthenticated;
    /// No policy allows it.
    PermissionDenied = "PERMISSION_DENIED": PermissionDenied;
    /// The caller has reached one of its limits.
    LimitReached = "LIMIT_REACHED": ResourceExhausted;
    /// There are too many calls in progress.
    Overloaded = "OVERLOADED": Unavailable;
    /// A defect of this service, or a stop that cut the call.
    Internal = "INTERNAL": Internal;
}

impl Reason {
    /// The gRPC code that it usually comes with.
    pub const fn code(self) -> Code {
        self.codes()[0]
    }
}
