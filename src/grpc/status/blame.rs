//! With whom it lies that a call did not end well.

use tonic::Code;
use tonic_types::ErrorInfo;

use super::{AWS_DOMAIN, codes::ROWS, is_error_of_server};
use crate::domain::is_about_credentials;

/// With whom it lies, as far as the code and the reason tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller asked for what cannot be, or may not be, or has gone.
    Caller,
    /// Somebody who was not let in, or not looked at.
    Stranger,
    /// The answer did not come in the caller's time.
    Deadline,
    /// A gateway: an appliance of the customer's, which is off, or cannot.
    Gateway,
    /// AWS.
    Aws,
    /// This service, or what it needs: its role, its keys, room.
    Service,
}

impl Blame {
    /// A word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Stranger => "stranger",
            Self::Deadline => "deadline",
            Self::Gateway => "gateway",
            Self::Aws => "aws",
            Self::Service => "service",
        }
    }
}

/// With whom it lies that a call ended with this code; `None` for one that ended well. `info` is
/// the error's, and `is_let_in` says whether its caller was found out.
pub fn blame(code: Code, info: Option<&ErrorInfo>, is_let_in: bool) -> Option<Blame> {
    let is_troubled = matches!(
        code,
        Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss
    );
    let is_aws = |info: &ErrorInfo| info.domain == AWS_DOMAIN || info.reason.starts_with("UPSTREAM_");
    let is_role = |info: &ErrorInfo| {
        let row = ROWS.iter().find(|row| row.reason == info.reason);
        let is_denied = code == Code::PermissionDenied;
        info.domain == AWS_DOMAIN && (is_denied || row.is_some_and(|row| is_about_credentials(row.code)))
    };
    Some(match (code, info) {
        (Code::Ok, _) => return None,
        _ if !is_let_in && !is_troubled => Blame::Stranger,
        (Code::DeadlineExceeded, _) => Blame::Deadline,
        (_, Some(info)) if is_role(info) => Blame::Service,
        _ if !is_error_of_server(code) || code == Code::Unimplemented => Blame::Caller,
        (_, Some(info)) if is_aws(info) && info.reason.starts_with("GATEWAY_") => Blame::Gateway,
        (_, Some(info)) if is_aws(info) => Blame::Aws,
        _ => Blame::Service,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blame_follows_the_code_and_the_reason() {
        let aws = |reason| Some(ErrorInfo::new(reason, AWS_DOMAIN, []));
        let own = |reason| Some(ErrorInfo::new(reason, super::super::DOMAIN, []));
        for (code, info, is_let_in, blame) in [
            (Code::Ok, None, true, None),
            (
                Code::Unauthenticated,
                own("TOKEN_UNKNOWN"),
                false,
                Some(Blame::Stranger),
            ),
            (
                Code::DeadlineExceeded,
                own("DEADLINE_EXCEEDED"),
                false,
                Some(Blame::Stranger),
            ),
            (Code::Unavailable, own("OVERLOADED"), false, Some(Blame::Service)),
            (
                Code::DeadlineExceeded,
                own("DEADLINE_EXCEEDED"),
                true,
                Some(Blame::Deadline),
            ),
            (
                Code::NotFound,
                aws("GATEWAY_NOT_FOUND"),
                true,
                Some(Blame::Caller),
            ),
            (
                Code::Unavailable,
                aws("GATEWAY_NOT_CONNECTED"),
                true,
                Some(Blame::Gateway),
            ),
            (
                Code::Internal,
                aws("INTERNAL_SERVER_ERROR"),
                true,
                Some(Blame::Aws),
            ),
            (
                Code::PermissionDenied,
                aws("ACCESS_DENIED_EXCEPTION"),
                true,
                Some(Blame::Service),
            ),
            (Code::PermissionDenied, own("DENIED"), true, Some(Blame::Caller)),
            (
                Code::Unavailable,
                aws("EXPIRED_TOKEN_EXCEPTION"),
                true,
                Some(Blame::Service),
            ),
            (Code::Unavailable, own("UPSTREAM_TIMEOUT"), true, Some(Blame::Aws)),
            (
                Code::Unavailable,
                own("NO_AWS_CREDENTIALS"),
                true,
                Some(Blame::Service),
            ),
            (Code::Internal, None, true, Some(Blame::Service)),
            (Code::Cancelled, None, true, Some(Blame::Caller)),
            (
                Code::Unimplemented,
                own("UNKNOWN_METHOD"),
                true,
                Some(Blame::Caller),
            ),
        ] {
            assert_eq!(
                super::blame(code, info.as_ref(), is_let_in),
                blame,
                "{code:?} {info:?}"
            );
        }
    }
}
