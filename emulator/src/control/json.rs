//! JSON bodies of the control API, and its error responses.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use crate::json::Problem;

/// A JSON body of a request or a response. The `Content-Type` of a request is ignored.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync> FromRequest<S> for Json<Value> {
    type Rejection = ErrorResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, ErrorResponse> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| ErrorResponse::new(error.status(), error.body_text()))?;
        let value = serde_json::from_slice(&body);
        value.map(Self).map_err(|error| {
            ErrorResponse::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `{"errors": [...]}`: every problem of a request, and what is right.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    status: StatusCode,
    errors: Vec<String>,
}

impl ErrorResponse {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self::all(status, vec![error.into()])
    }

    pub(crate) fn all(status: StatusCode, errors: Vec<String>) -> Self {
        Self { status, errors }
    }
}

impl From<Vec<Problem>> for ErrorResponse {
    fn from(wrong: Vec<Problem>) -> Self {
        let errors = wrong.iter().map(ToString::to_string).collect();
        Self::all(StatusCode::BAD_REQUEST, errors)
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "errors": self.errors });
        (self.status, Json(body)).into_response()
    }
}
