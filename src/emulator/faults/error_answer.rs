use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::json;
use uuid::Uuid;

use crate::emulator::http;

/// The status and the message that a code comes with where a rule names none. AWS JSON
/// services send all but these as 400.
pub(super) fn usual(code: &str) -> (u16, &'static str) {
    match code {
        "InternalServerError" => (500, "An internal server error has occurred."),
        "InternalFailure" => (
            500,
            "The request processing has failed because of an unknown error.",
        ),
        "ServiceUnavailable" => (
            503,
            "The request has failed due to a temporary failure of the server.",
        ),
        "RequestTimeoutException" => (408, "The request took too long to arrive."),
        "ThrottlingException" => (400, "Rate exceeded"),
        "AccessDeniedException" => (400, "You are not authorized to perform this operation."),
        "ExpiredTokenException" => (400, "The security token included in the request is expired"),
        _ => (400, "A fault rule of the emulator made this error."),
    }
}

/// An error of AWS, in the shape that its JSON services give it.
pub(super) fn aws(code: &str, nested: Option<&str>, status: u16, message: &str) -> Response {
    let mut body = json!({ "__type": code, "message": message });
    if let Some(nested) = nested {
        body["error"] = json!({ "errorCode": nested });
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = (status, body.to_string()).into_response();
    http::dressed(response, &Uuid::new_v4().to_string())
}

/// What a load balancer answers when nobody behind it does: HTML, and no request id.
pub(super) fn bad_gateway() -> Response {
    const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                        <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    let mut response = (StatusCode::BAD_GATEWAY, Body::from(PAGE)).into_response();
    let html = HeaderValue::from_static("text/html");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}
