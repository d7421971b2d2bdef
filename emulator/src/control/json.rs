use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use super::Wrong;

/// A JSON body, either way. The `Content-Type` of a request is not looked at.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync> FromRequest<S> for Json<Value> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
        let value = serde_json::from_slice(&body);
        value
            .map(Self)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}")))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `{"errors": [...]}`: everything wrong with a request, and what would be right.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    errors: Vec<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self::all(status, vec![error.into()])
    }

    pub(crate) fn all(status: StatusCode, errors: Vec<String>) -> Self {
        Self { status, errors }
    }
}

impl From<Vec<Wrong>> for Refusal {
    fn from(wrong: Vec<Wrong>) -> Self {
        let errors = wrong.iter().map(ToString::to_string).collect();
        Self::all(StatusCode::BAD_REQUEST, errors)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "errors": self.errors });
        (self.status, Json(body)).into_response()
    }
}
