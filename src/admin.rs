//! What the process says of itself over HTTP, to supervisors and to those who measure.
//!
//! `/livez` says that the process turns, no more. `/readyz` says whether this replica
//! should be sent calls, and if not, why. `/metrics` is for Prometheus.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{
    metrics::{self, Metrics},
    readiness::Readiness,
};

/// The pages, over what is known of readiness and what is measured.
pub fn router(readiness: Readiness, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get("ok\n"))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(measured).with_state(metrics))
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

async fn measured(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics cannot be written; the log says why\n",
            )
                .into_response()
        }
    }
}
