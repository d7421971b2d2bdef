use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use tokio::task;

use super::Refusal;
use crate::Emulator;

pub(super) fn router(limit: usize) -> Router<Emulator> {
    let page = get(show).put(put).layer(DefaultBodyLimit::max(limit));
    Router::new().route("/snapshot", page)
}

async fn show(State(emulator): State<Emulator>) -> Result<impl IntoResponse, Refusal> {
    // A million tapes take seconds.
    let document = task::spawn_blocking(move || emulator.snapshot()).await;
    let document = document.map_err(|error| failed(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], document))
}

async fn put(
    State(emulator): State<Emulator>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Refusal> {
    let limit = emulator.inner.settings.max_snapshot_bytes;
    let body = body.map_err(|error| {
        let message = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => format!(
                "a snapshot here has at most {limit} bytes; the setting emulator.max_snapshot_bytes says how many"
            ),
            _ => error.body_text(),
        };
        Refusal::new(error.status(), message)
    })?;
    let restored = task::spawn_blocking(move || emulator.restore(&body)).await;
    restored.map_err(|error| failed(&error))??;
    Ok(StatusCode::NO_CONTENT)
}

fn failed(error: &task::JoinError) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
