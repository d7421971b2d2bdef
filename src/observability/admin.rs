//! What the process says of itself over HTTP, to supervisors, to those who measure, and to people.
//!
//! `/livez` says that the process turns, no more. `/readyz` says whether this replica
//! should be sent calls, and if not, why. `/metrics` is for Prometheus. Those three answer
//! everybody. `/`, `/config` and `/log-filter` are for operators: see [`AdminAccess`].

mod admin_access;
pub mod history;
mod log_filter;
mod page;
mod ready;
mod serve;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use jiff::Timestamp;

use self::history::History;
pub use self::{
    admin_access::AdminAccess,
    serve::{AdminSettings, serve},
};
use crate::{
    domain::Region,
    grpc::inbound::View,
    observability::{
        metrics::{self, Metrics},
        readiness::Readiness,
    },
    upstream::{Shared, sdk::Clients},
};

/// What the pages show.
#[derive(Clone)]
pub struct Shown {
    /// Whether the replica is ready.
    pub readiness: Readiness,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// How that went over the last minutes.
    pub history: Arc<History>,
    /// The calls in progress, and those that failed.
    pub view: Arc<View>,
    /// The pace of calls to AWS.
    pub shared: Shared,
    /// The credentials that they are signed with.
    pub clients: Arc<Clients>,
    /// What runs.
    pub about: Arc<About>,
}

/// What runs, as it was started.
#[derive(Clone, Debug)]
pub struct About {
    /// When.
    pub started: Timestamp,
    /// Where gRPC is served.
    pub grpc: SocketAddr,
    /// Where AWS is said to be; `None` for AWS's own endpoints.
    pub endpoint: Option<String>,
    /// The regions that are served.
    pub regions: Vec<Region>,
    /// The settings in effect, secrets hidden.
    pub settings: String,
}

/// The pages. Those for operators are behind `admin_access`.
pub fn router(shown: Shown, admin_access: AdminAccess) -> Router {
    let changes = Router::new()
        .route(
            "/log-filter",
            get(log_filter::get)
                .put(log_filter::put)
                .delete(log_filter::delete),
        )
        // Whatever is shown to whom: what changes something is for this machine alone.
        .layer(middleware::from_fn_with_state(
            AdminAccess::Loopback,
            admin_access::check,
        ));
    let for_people = Router::new()
        .route("/", get(page::page))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/config", get(config))
        .layer(middleware::from_fn_with_state(admin_access, admin_access::check));
    Router::new()
        .route("/livez", get("ok\n"))
        .route("/readyz", get(ready::ready))
        .route("/metrics", get(measured))
        .merge(for_people)
        .with_state(shown)
        .merge(changes)
}

/// The settings in effect, as a file that gives the same ones.
async fn config(State(shown): State<Shown>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, shown.about.settings.clone()).into_response()
}

async fn measured(State(shown): State<Shown>) -> Response {
    match shown.metrics.text() {
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
