//! The AWS Query protocol as STS speaks it: XML responses.

use std::fmt::Write as _;

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use uuid::Uuid;

use super::REQUEST_ID;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Text as XML shows it. Characters that XML cannot show are replaced by U+FFFD.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '\r' => f.write_str("&#xD;"),
            '\t' | '\n' => f.write_char(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => f.write_char('\u{FFFD}'),
            c => f.write_char(c),
        })
    }
}

/// The children of an XML element, in order.
#[derive(Default)]
pub(crate) struct Elements(String);

impl Elements {
    /// Adds an element with a text.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        let _ = write!(self.0, "<{name}>{}</{name}>", Escaped(text));
        self
    }

    /// Adds an element with a text, if there is one.
    pub(crate) fn optional(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// Adds an element with children.
    pub(crate) fn node(mut self, name: &str, children: &Self) -> Self {
        let _ = write!(self.0, "<{name}>{}</{name}>", children.0);
        self
    }
}

/// The response of an operation with a result.
pub(crate) fn result(operation: &str, result: &Elements) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let body = Elements::default()
        .node(&format!("{operation}Result"), result)
        .node(
            "ResponseMetadata",
            &Elements::default().text("RequestId", &request_id),
        );
    response(
        StatusCode::OK,
        &format!("{operation}Response"),
        &body,
        &request_id,
    )
}

/// The response for an error.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let fault = if status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let request_id = Uuid::new_v4().to_string();
    let error = Elements::default()
        .text("Type", fault)
        .text("Code", code)
        .text("Message", message);
    let body = Elements::default()
        .node("Error", &error)
        .text("RequestId", &request_id);
    response(status, "ErrorResponse", &body, &request_id)
}

fn response(status: StatusCode, root: &str, children: &Elements, request_id: &str) -> Response {
    let body = format!("<{root} xmlns=\"{NAMESPACE}\">{}</{root}>\n", children.0);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    let request_id = HeaderValue::from_str(request_id).expect("a UUID is visible ASCII");
    headers.insert(REQUEST_ID, request_id);
    response
}
