use tonic::Code;
use tonic_types::ErrorInfo;

use super::LAST_REASON;
use crate::domain::{Classification, FaultOwner, StatusCode, failure::table};

impl From<StatusCode> for Code {
    fn from(status: StatusCode) -> Self {
        Self::from_i32(status as i32)
    }
}

/// The code in the domain's type.
pub(super) fn status_code(code: Code) -> StatusCode {
    let same = |status: &StatusCode| Code::from(*status) == code;
    StatusCode::ALL
        .iter()
        .copied()
        .find(same)
        .unwrap_or(StatusCode::Unknown)
}

/// Classifies the end of a call by the [table of failures](table): who can fix it, how it is
/// logged, and whether it counts against the objective.
///
/// `info` is the `ErrorInfo` of its status, and `authenticated` says whether its caller is known.
pub fn classify(code: Code, info: Option<&ErrorInfo>, authenticated: bool) -> Classification {
    let status = status_code(code);
    let classification = match info {
        Some(info) => match waited_for(status, info) {
            Some(cause) => cause,
            None => table::classify(status, &info.domain, &info.reason),
        },
        None => status.classification(),
    };
    match authenticated {
        true => classification,
        false => classification.unauthenticated(),
    }
}

/// The classification of a deadline that passed while a call was retried: that of the failure which it
/// was retried after. Who can fix a gateway that is offline can fix the deadline too.
fn waited_for(status: StatusCode, info: &ErrorInfo) -> Option<Classification> {
    let last = info.metadata.get(LAST_REASON)?;
    let cause = table::find_reason(last)?.classification();
    let is_others = cause.owner.is_some_and(|owner| owner != FaultOwner::Caller);
    (status == StatusCode::DeadlineExceeded && is_others).then_some(cause)
}

/// Whether OpenTelemetry's conventions for gRPC servers count the code as an error of the server.
pub fn is_server_error(code: Code) -> bool {
    status_code(code).is_server_error()
}

/// The code in gRPC's spelling, such as `NOT_FOUND`.
pub fn name_of(code: Code) -> &'static str {
    status_code(code).name()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ErrorDomain;

    #[test]
    fn a_failure_is_classified_by_code_and_reason() {
        let aws = |reason| Some(ErrorInfo::new(reason, ErrorDomain::Aws.as_str(), []));
        let own = |reason| Some(ErrorInfo::new(reason, ErrorDomain::Tapegate.as_str(), []));
        let after = |reason: &str| {
            let metadata = [(LAST_REASON.to_owned(), reason.to_owned())];
            Some(ErrorInfo::new(
                "DEADLINE_EXCEEDED",
                ErrorDomain::Tapegate.as_str(),
                metadata,
            ))
        };
        use FaultOwner::{Aws, Caller, Deadline, Gateway, Service, Unauthenticated};
        #[rustfmt::skip]
        let cases = [
            (Code::Ok, None, true, None),
            (Code::Unauthenticated, own("TOKEN_UNKNOWN"), false, Some(Unauthenticated)),
            (Code::DeadlineExceeded, own("DEADLINE_EXCEEDED"), false, Some(Unauthenticated)),
            (Code::Unavailable, own("OVERLOADED"), false, Some(Service)),
            (Code::DeadlineExceeded, own("DEADLINE_EXCEEDED"), true, Some(Deadline)),
            (Code::DeadlineExceeded, after("GATEWAY_NOT_CONNECTED"), true, Some(Gateway)),
            (Code::DeadlineExceeded, after("UPSTREAM_TIMEOUT"), true, Some(Aws)),
            (Code::DeadlineExceeded, after("INVALID_PARAMETERS"), true, Some(Deadline)),
            (Code::DeadlineExceeded, after("GATEWAY_NOT_CONNECTED"), false, Some(Gateway)),
            (Code::NotFound, aws("GATEWAY_NOT_FOUND"), true, Some(Caller)),
            (Code::Unavailable, aws("GATEWAY_NOT_CONNECTED"), true, Some(Gateway)),
            (Code::Internal, aws("INTERNAL_SERVER_ERROR"), true, Some(Aws)),
            (Code::Internal, aws("ACCESS_DENIED_EXCEPTION"), true, Some(Service)),
            (Code::PermissionDenied, own("PERMISSION_DENIED"), true, Some(Caller)),
            (Code::PermissionDenied, own("NOT_IN_THE_TABLE"), true, Some(Caller)),
            (Code::Unavailable, aws("EXPIRED_TOKEN_EXCEPTION"), true, Some(Service)),
            (Code::Unavailable, own("UPSTREAM_TIMEOUT"), true, Some(Aws)),
            (Code::Unavailable, own("NO_AWS_CREDENTIALS"), true, Some(Service)),
            (Code::Internal, None, true, Some(Service)),
            (Code::Cancelled, None, true, Some(Caller)),
            (Code::Unimplemented, own("UNKNOWN_METHOD"), true, Some(Caller)),
        ];
        for (code, info, authenticated, owner) in cases {
            let classification = classify(code, info.as_ref(), authenticated);
            assert_eq!(classification.owner, owner, "{code:?} {info:?}");
        }
    }
}
