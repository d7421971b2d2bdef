use axum::{Json, extract::State};
use http::StatusCode;
use serde_json::{Value, json};

use super::Shown;

/// Whether the replica is ready, and if not, why; and how AWS is, whether that counts or not.
pub(super) async fn ready(State(shown): State<Shown>) -> (StatusCode, Json<Value>) {
    let reasons = shown.readiness.reasons();
    let is_ready = reasons.is_empty();
    let status = match is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let reasons: Vec<_> = reasons
        .iter()
        .map(|why| json!({ "reason": why.reason(), "message": why.message() }))
        .collect();
    let conditions = shown.readiness.conditions();
    let aws = conditions.iter().flat_map(|(region, found)| {
        found.iter().map(|condition| {
            json!({
                "region": region.as_str(),
                "condition": condition.as_str(),
                "message": condition.message(),
            })
        })
    });
    let aws: Vec<_> = aws.collect();
    (
        status,
        Json(json!({ "ready": is_ready, "reasons": reasons, "aws": aws })),
    )
}
