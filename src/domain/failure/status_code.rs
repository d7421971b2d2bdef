use super::{Classification, FaultOwner, LogLevel};
use FaultOwner::{Caller, Deadline, Service};
use LogLevel::{Error, Info, Warn};

macro_rules! status_codes {
    ($($code:ident = $number:literal, $name:literal, $is_server_error:literal, $owner:expr, $level:ident, $burns:literal;)+) => {
        /// A gRPC status code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "gRPC documents them")]
        pub enum StatusCode {
            $($code = $number,)+
        }

        impl StatusCode {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The name in gRPC's spelling, such as `NOT_FOUND`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)+
                }
            }

            /// Whether OpenTelemetry's conventions for gRPC servers count the code as an error of
            /// the server.
            pub const fn is_server_error(self) -> bool {
                match self {
                    $(Self::$code => $is_server_error,)+
                }
            }

            /// Classifies a status whose `ErrorInfo` is missing or not in the table.
            pub const fn classification(self) -> Classification {
                match self {
                    $(Self::$code => Classification {
                        owner: $owner,
                        level: $level,
                        burns_objective: $burns,
                    },)+
                }
            }
        }
    };
}

status_codes! {
//  code               number name                   server's error
//                                                           owner           level  burns the objective
    Ok                 =  0, "OK",                   false,  None,           Info,  false;
    Cancelled          =  1, "CANCELLED",            false,  Some(Caller),   Info,  false;
    Unknown            =  2, "UNKNOWN",              true,   Some(Service),  Error, true;
    InvalidArgument    =  3, "INVALID_ARGUMENT",     false,  Some(Caller),   Info,  false;
    DeadlineExceeded   =  4, "DEADLINE_EXCEEDED",    true,   Some(Deadline), Warn,  true;
    NotFound           =  5, "NOT_FOUND",            false,  Some(Caller),   Info,  false;
    AlreadyExists      =  6, "ALREADY_EXISTS",       false,  Some(Caller),   Info,  false;
    PermissionDenied   =  7, "PERMISSION_DENIED",    false,  Some(Caller),   Warn,  false;
    ResourceExhausted  =  8, "RESOURCE_EXHAUSTED",   false,  Some(Caller),   Warn,  false;
    FailedPrecondition =  9, "FAILED_PRECONDITION",  false,  Some(Caller),   Warn,  false;
    Aborted            = 10, "ABORTED",              false,  Some(Caller),   Info,  false;
    OutOfRange         = 11, "OUT_OF_RANGE",         false,  Some(Caller),   Info,  false;
    Unimplemented      = 12, "UNIMPLEMENTED",        true,   Some(Caller),   Info,  false;
    Internal           = 13, "INTERNAL",             true,   Some(Service),  Error, true;
    Unavailable        = 14, "UNAVAILABLE",          true,   Some(Service),  Warn,  true;
    DataLoss           = 15, "DATA_LOSS",            true,   Some(Service),  Error, true;
    Unauthenticated    = 16, "UNAUTHENTICATED",      false,  Some(Caller),   Info,  false;
}
