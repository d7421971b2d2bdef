use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};

use super::Refusal;
use crate::Emulator;

/// Lets an answer go when all that it could show is kept.
///
/// # Errors
///
/// 500, when the state file cannot be written.
pub(super) async fn keep(
    State(emulator): State<Emulator>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let answer = next.run(request).await;
    let kept = emulator.flush().await;
    kept.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(answer)
}
