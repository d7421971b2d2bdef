use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    api::{
        body::Unreadable,
        signature::{self, Rejection},
        validation::Invalid,
    },
    protocol::query,
};

/// An error of STS.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Error {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    pub(super) fn access_denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    /// For a call that is signed with expired credentials.
    pub(super) fn expired_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, "ExpiredToken", signature::EXPIRED)
    }

    /// The code, for a log line.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let (code, message) = match rejection {
            Rejection::Missing => ("MissingAuthenticationToken", signature::MISSING.to_owned()),
            Rejection::Incomplete(message) => ("IncompleteSignature", message),
            Rejection::UnknownKey => ("InvalidClientTokenId", signature::UNKNOWN_KEY.to_owned()),
            Rejection::Invalid(message) => ("SignatureDoesNotMatch", message),
        };
        Self::new(StatusCode::FORBIDDEN, code, message)
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::Mistyped(message) => Self::new(StatusCode::BAD_REQUEST, "MalformedInput", message),
            Invalid::Violated(message) => Self::validation(message),
        }
    }
}

impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        let status = match unreadable {
            Unreadable::Short => StatusCode::BAD_REQUEST,
            Unreadable::Long(_) => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Self::new(status, "MalformedInput", unreadable.to_string())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        query::error(self.status, self.code, &self.message)
    }
}
