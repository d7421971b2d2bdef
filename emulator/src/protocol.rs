//! AWS JSON 1.1 as Storage Gateway speaks it: the names of the operations, the errors, and the headers
//! of a response. `query` is the protocol of STS. It uses no other module.

mod error;
mod operation;
pub(crate) mod query;
mod service;

use axum::{
    http::{HeaderName, HeaderValue, header::CONTENT_TYPE},
    response::Response,
};

pub use error::Code;
pub(crate) use error::Error;
pub(crate) use operation::{Operation, StsOperation};
pub(crate) use service::Service;

/// The media type of requests and responses.
pub(crate) const AWS_JSON: &str = "application/x-amz-json-1.1";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Adds the headers that every response of AWS has.
pub(crate) fn with_headers(mut response: Response, request_id: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(AWS_JSON));
    let request_id = HeaderValue::from_str(request_id).expect("a UUID is visible ASCII");
    headers.insert(REQUEST_ID, request_id);
    response
}
