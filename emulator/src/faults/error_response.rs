use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::json;
use uuid::Uuid;

use crate::protocol::{self, Service, query};

const THROTTLED: &str = "ThrottlingException";

/// The default status of an error code: 400 for all but these. Those with 403 are codes of STS.
pub(super) fn status(code: &str, internal_server_error: u16) -> u16 {
    match code {
        "InternalServerError" => internal_server_error,
        "InternalFailure" => 500,
        "ServiceUnavailable" => 503,
        "RequestTimeoutException" => 408,
        "AccessDenied"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "RegionDisabledException"
        | "SignatureDoesNotMatch" => 403,
        _ => 400,
    }
}

/// The default message of an error code.
pub(super) fn message(code: &str) -> &'static str {
    match code {
        "InternalServerError" => "An internal server error has occurred.",
        "InternalFailure" => "The request processing has failed because of an unknown error.",
        "ServiceUnavailable" => "The request has failed due to a temporary failure of the server.",
        "RequestTimeoutException" => "The request took too long to arrive.",
        THROTTLED | "Throttling" => "Rate exceeded",
        "AccessDenied" | "AccessDeniedException" => "You are not authorized to perform this operation.",
        "ExpiredToken" | "ExpiredTokenException" => "The security token included in the request is expired",
        "RegionDisabledException" => {
            "STS is not activated in this region for account. Your account administrator can activate STS in this \
             region using the IAM Console."
        }
        _ => "A fault rule of the emulator made this error.",
    }
}

/// The response to a throttled call.
pub(super) fn throttled(service: Service) -> Response {
    let code = match service {
        Service::StorageGateway => THROTTLED,
        Service::Sts => "Throttling",
    };
    aws(service, code, None, 400, message(THROTTLED))
}

/// An error in the shape of the service: JSON, or XML without a nested code.
pub(super) fn aws(
    service: Service,
    code: &str,
    nested: Option<&str>,
    status: u16,
    message: &str,
) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if service == Service::Sts {
        return query::error(status, code, message);
    }
    let mut body = json!({ "__type": code, "message": message });
    if let Some(nested) = nested {
        body["error"] = json!({ "errorCode": nested });
    }
    let response = (status, body.to_string()).into_response();
    protocol::with_headers(response, &Uuid::new_v4().to_string())
}

/// The response of a load balancer without a backend: HTML, and no request id.
pub(super) fn bad_gateway() -> Response {
    const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                        <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    let mut response = (StatusCode::BAD_GATEWAY, Body::from(PAGE)).into_response();
    let html = HeaderValue::from_static("text/html");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}
