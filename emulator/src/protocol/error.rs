use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An error as an AWS JSON 1.1 service sends it: the type in `__type`, the code of an
/// `InvalidGatewayRequestException` in `error.errorCode`, neither in a header.
#[derive(Debug)]
pub(crate) struct Error {
    status: StatusCode,
    kind: &'static str,
    code: Option<Code>,
    message: String,
}

/// The nested error codes of the tape operations, spelled as in the service model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Code {
    /// The appliance cannot be reached.
    GatewayNotConnected,
    /// No gateway of the account has the ARN.
    GatewayNotFound,
    /// The gateway is not valid for the operation.
    InvalidGateway,
    /// The catch-all.
    InvalidParameters,
    /// There is too little local storage.
    LocalStorageLimitExceeded,
    /// The request is too long.
    MaximumContentLengthExceeded,
    /// The library has no room for more tapes.
    MaximumTapeCartridgeCountExceeded,
    /// The gateway has no disk for the request.
    NoDisksAvailable,
    /// The gateway's type does not support the operation.
    NotSupported,
    /// No tape of the account has the ARN.
    TapeCartridgeNotFound,
}

impl Error {
    /// An error outside the service model. AWS JSON services send these with status 400.
    pub(crate) fn common(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind,
            code: None,
            message: message.into(),
        }
    }

    /// An error of Storage Gateway. The first sentence of its message is that of AWS where it is
    /// known; the cause is the emulator's own, since AWS gives none.
    pub(crate) fn gateway(code: Code, cause: impl AsRef<str>) -> Self {
        let sentence = match code {
            Code::GatewayNotConnected => "The specified gateway is not connected.",
            Code::GatewayNotFound => "The specified gateway was not found.",
            Code::InvalidGateway => "The specified gateway is not valid.",
            Code::InvalidParameters => "The specified request contains invalid parameters.",
            Code::LocalStorageLimitExceeded => "The local storage limit was exceeded.",
            Code::MaximumContentLengthExceeded => "The request is longer than the maximum content length.",
            Code::MaximumTapeCartridgeCountExceeded => {
                "The maximum number of tape cartridges has been exceeded."
            }
            Code::NoDisksAvailable => "No disks are available on the specified gateway.",
            Code::NotSupported => "The specified operation is not supported.",
            Code::TapeCartridgeNotFound => "The specified tape was not found.",
        };
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "InvalidGatewayRequestException",
            code: Some(code),
            message: format!("{sentence} {}", cause.as_ref()),
        }
    }

    /// `InvalidParameters`, the catch-all of Storage Gateway.
    pub(crate) fn invalid(cause: impl AsRef<str>) -> Self {
        Self::gateway(Code::InvalidParameters, cause)
    }

    /// An error of the emulator itself.
    pub(crate) fn internal(cause: &impl std::fmt::Display) -> Self {
        Self::common("InternalServerError", cause.to_string()).with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// A body that is not a JSON object, or a member of the wrong JSON type.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::common("SerializationException", message)
    }

    /// A request without an operation of this service.
    pub(crate) fn unknown_operation(message: impl Into<String>) -> Self {
        Self::common("UnknownOperationException", message)
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The type and the nested code, for a log line.
    pub(crate) fn outcome(&self) -> String {
        match self.code {
            Some(code) => format!("{} {code:?}", self.kind),
            None => self.kind.to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "__type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Nested>,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Nested {
    error_code: Code,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = Body {
            kind: self.kind,
            error: self.code.map(|error_code| Nested { error_code }),
            message: &self.message,
        };
        let body = serde_json::to_vec(&body).expect("an error body is strings alone");
        (self.status, body).into_response()
    }
}
