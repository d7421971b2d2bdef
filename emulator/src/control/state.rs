//! The pages that read and replace the whole state, and the wait for the state file.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State, rejection::BytesRejection},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::task;

use super::ErrorResponse;
use crate::emulator::Emulator;

pub(super) fn router(limit: usize) -> Router<Emulator> {
    let page = get(show).put(put).layer(DefaultBodyLimit::max(limit));
    Router::new()
        .route("/snapshot", page)
        .route("/reset", post(reset))
}

async fn show(State(emulator): State<Emulator>) -> Result<impl IntoResponse, ErrorResponse> {
    // A million tapes take seconds.
    let document = task::spawn_blocking(move || emulator.snapshot()).await;
    let document = document.map_err(|error| failed(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], document))
}

async fn put(
    State(emulator): State<Emulator>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ErrorResponse> {
    let limit = emulator.inner.settings.max_snapshot_bytes;
    let body = body.map_err(|error| {
        let message = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => format!(
                "the snapshot is longer than {limit} bytes; the setting max_snapshot_bytes raises the limit"
            ),
            _ => error.body_text(),
        };
        ErrorResponse::new(error.status(), message)
    })?;
    let restored = task::spawn_blocking(move || emulator.restore(&body)).await;
    restored.map_err(|error| failed(&error))??;
    Ok(StatusCode::NO_CONTENT)
}

fn failed(error: &task::JoinError) -> ErrorResponse {
    ErrorResponse::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

async fn reset(State(emulator): State<Emulator>) -> Result<StatusCode, ErrorResponse> {
    // A million seeds take seconds.
    let done = task::spawn_blocking(move || emulator.reset()).await;
    done.map_err(|error| failed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a response when all that it may show is in the state file.
///
/// # Errors
///
/// 500, when the state file cannot be written.
pub(super) async fn flush(
    State(emulator): State<Emulator>,
    request: Request,
    next: Next,
) -> Result<Response, ErrorResponse> {
    let response = next.run(request).await;
    let flushed = emulator.flush().await;
    flushed.map_err(|error| ErrorResponse::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(response)
}
