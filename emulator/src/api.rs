//! The AWS API: serves the operations over HTTP.
//!
//! The path of a request: `http` reads its `body`, a fault rule may inject a fault, `signature`
//! verifies it, `operations` dispatches it, `validation` reads its members by `shapes`, `pagination`
//! begins its page at a `marker`, and the account of its `call` answers. `sts` answers the requests
//! in the AWS Query protocol.

mod body;
mod call;
mod http;
mod marker;
mod operations;
mod pagination;
mod shapes;
mod signature;
mod sts;
mod validation;

use axum::{Router, routing::any};

use crate::emulator::Emulator;

/// The path `/`, and an error of AWS for every other.
pub(crate) fn router() -> Router<Emulator> {
    Router::new()
        .route("/", any(http::handle))
        .fallback(http::not_found)
}
