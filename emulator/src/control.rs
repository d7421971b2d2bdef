//! The control API, `/_emulator/`: what stands in for the hands of operators and backup
//! software. JSON in, JSON out, for programs on this machine alone.
//!
//! No signature is asked for, so two other checks stand in front. The peer has to be on
//! loopback, and what a web page sends is refused: browsers name an `Origin`, and a page
//! that had its own name point at this machine (DNS rebinding) sends that name as `Host`.

mod clock;
mod faults;
mod gateways;
mod guard;
mod json;
mod keep;
mod members;
mod reset;
mod snapshot;
mod tapes;

use axum::{
    Router,
    http::{Method, StatusCode},
    middleware,
};

pub(super) use json::{Json, Refusal};
pub(super) use members::Members;
pub use members::Wrong;

use super::Emulator;

/// Everything under `/_emulator`.
pub(super) fn router(emulator: &Emulator) -> Router<Emulator> {
    let pages = faults::router()
        .merge(reset::router())
        .merge(snapshot::router(emulator.inner.settings.max_snapshot_bytes))
        .merge(gateways::router())
        .merge(tapes::router())
        .merge(clock::router())
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(emulator.clone(), keep::keep))
        .layer(middleware::from_fn(guard::check));
    Router::new().nest("/_emulator", pages)
}

async fn not_found() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "nothing is at this path; docs/emulator.md lists the paths of the control API",
    )
}

async fn wrong_method(method: Method) -> Refusal {
    let message = format!("this path takes no {method}; the header Allow lists what it takes");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
