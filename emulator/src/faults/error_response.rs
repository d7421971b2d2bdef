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
    foreign(502, "text/html", page(502))
}

/// A response of a server that is not AWS: any status, and no request id.
pub(super) fn foreign(status: u16, content_type: &str, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.extend(
        HeaderValue::from_str(content_type)
            .ok()
            .map(|value| (CONTENT_TYPE, value)),
    );
    response
}

/// The page that a proxy or a load balancer shows with a status.
pub(super) fn page(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let title = format!("{status} {}", reason.unwrap_or("Unknown"));
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
         <center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
}
