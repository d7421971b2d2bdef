//! Health over HTTP, for supervisors that do not speak gRPC.
//!
//! `/livez` says that the process turns, no more. `/readyz` says whether this replica
//! should be sent calls, and if not, why.

use axum::{Json, Router, extract::State, routing::get};
use http::StatusCode;
use serde_json::{Value, json};

use crate::readiness::Readiness;

/// The pages, over what is known of readiness.
pub fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get("ok\n"))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, Json<Value>) {
    let reasons = readiness.reasons();
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let reasons: Vec<_> = reasons
        .iter()
        .map(|why| json!({ "reason": why.reason(), "message": why.message() }))
        .collect();
    (
        status,
        Json(json!({ "ready": reasons.is_empty(), "reasons": reasons })),
    )
}
