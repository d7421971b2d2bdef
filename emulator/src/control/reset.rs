use axum::{Router, extract::State, http::StatusCode, routing::post};
use tokio::task;

use super::Refusal;
use crate::Emulator;

pub(super) fn router() -> Router<Emulator> {
    Router::new().route("/reset", post(reset))
}

async fn reset(State(emulator): State<Emulator>) -> Result<StatusCode, Refusal> {
    // A million seeds take seconds.
    let done = task::spawn_blocking(move || emulator.reset()).await;
    done.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}
