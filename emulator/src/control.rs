//! The control API, `/_emulator/`, with which tests act as operators and backup software. It takes
//! and returns JSON, for programs on this machine only.
//!
//! It requires no signature, so two other checks come first. The peer must be on loopback, and
//! requests of web pages are rejected: browsers send an `Origin`, and a page whose name was made to
//! resolve to this machine (DNS rebinding) sends that name as `Host`.

mod callers;
mod clock;
mod faults;
mod gateways;
mod guard;
mod json;
mod state;
mod tapes;

use axum::{
    Router,
    http::{Method, StatusCode},
    middleware,
};

use json::{ErrorResponse, Json};

use crate::emulator::Emulator;

/// The paths below `/_emulator`.
pub(super) fn router(emulator: &Emulator) -> Router<Emulator> {
    let pages = faults::router()
        .merge(state::router(emulator.inner.settings.max_snapshot_bytes))
        .merge(gateways::router())
        .merge(tapes::router())
        .merge(clock::router())
        .merge(callers::router())
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(emulator.clone(), state::flush))
        .layer(middleware::from_fn(guard::check));
    Router::new().nest("/_emulator", pages)
}

async fn not_found() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::NOT_FOUND,
        "unknown path; docs/emulator.md lists the paths of the control API",
    )
}

async fn wrong_method(method: Method) -> ErrorResponse {
    let message = format!("{method} is not allowed on this path; the header Allow lists the allowed methods");
    ErrorResponse::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
