//! The HTTP pages of the admin listener, for supervisors, load balancers, Prometheus and operators.
//!
//! `/livez` answers 200 while the process responds. `/readyz` says whether this replica should
//! receive calls, and if not, why. `/metrics` is for Prometheus. These three are open to everybody.
//! `/`, `/config` and `/log-filter` are for operators: see [`AdminAccess`].

mod admin_access;
pub mod history;
mod log_filter;
mod page;
mod places;
mod rendering;
mod serve;
mod write_timeout;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{FromRef, State},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::{
    admin_access::AdminAccess,
    serve::{AdminSettings, serve},
};
use self::{history::History, rendering::Rendering};
use crate::{
    domain::{AccountId, OperationKind, Scope},
    observability::{
        account_names::AccountNames,
        calls::CallRegistry,
        metrics::{self, Metrics},
        readiness::{Readiness, UpstreamCondition},
    },
};

/// What the admin pages are rendered from.
#[derive(Clone)]
pub struct AdminState {
    /// Whether the replica is ready.
    pub readiness: Readiness,
    /// The metrics of the service.
    pub metrics: Arc<Metrics>,
    /// The metrics of the last minutes.
    pub history: Arc<History>,
    /// The calls in progress, and the last failed calls.
    pub calls: Arc<CallRegistry>,
    /// Reads the current state of the upstream stack.
    pub upstream: Arc<dyn Fn() -> UpstreamState + Send + Sync>,
    /// Counts the audit records that could not be written to the audit file.
    pub lost_audit_records: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// What the accounts are called.
    pub names: AccountNames,
    /// What runs.
    pub service: Arc<ServiceInfo>,
}

/// The state of the pages, with those whose rendering takes time.
#[derive(Clone)]
struct Pages {
    state: AdminState,
    metrics: Arc<Rendering<Result<Bytes, String>>>,
    page: Arc<Rendering<Bytes>>,
}

impl FromRef<Pages> for AdminState {
    fn from_ref(pages: &Pages) -> Self {
        pages.state.clone()
    }
}

/// The state of the upstream stack at one moment.
#[derive(Clone, Debug)]
pub struct UpstreamState {
    /// The paced rates in attempts per second, by region, account and kind.
    pub paces: Vec<(Scope, OperationKind, f64)>,
    /// How many retries the retry budget allows now, by region and account.
    pub retry_budgets: BTreeMap<Scope, usize>,
    /// When the AWS credentials in use were obtained, by account; an account without any is left out.
    pub credentials_obtained: BTreeMap<Option<AccountId>, Instant>,
}

/// What runs, as it was started.
#[derive(Clone, Debug)]
pub struct ServiceInfo {
    /// When it was started.
    pub started: Timestamp,
    /// The address of the gRPC listener.
    pub grpc: SocketAddr,
    /// The configured AWS endpoint; `None` for AWS's own endpoints.
    pub endpoint: Option<String>,
    /// The regions and accounts that are served.
    pub scopes: Vec<Scope>,
    /// The settings in effect, without secrets.
    pub settings: String,
}

/// Routes of the admin pages. The operators' pages are behind `admin_access`.
pub fn router(state: AdminState, admin_access: AdminAccess) -> Router {
    let changes = Router::new()
        .route(
            "/log-filter",
            get(log_filter::get)
                .put(log_filter::put)
                .delete(log_filter::delete),
        )
        // A page that changes something is for this machine only, whatever the setting says.
        .layer(middleware::from_fn_with_state(
            AdminAccess::Loopback,
            admin_access::check,
        ));
    let for_operators = Router::new()
        .route("/", get(page::page))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/config", get(config))
        .layer(middleware::from_fn_with_state(admin_access, admin_access::check));
    Router::new()
        .route("/livez", get("ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .merge(for_operators)
        .with_state(Pages {
            state,
            metrics: Arc::default(),
            page: Arc::default(),
        })
        .merge(changes)
}

/// The settings in effect, as a file that gives the same settings.
async fn config(State(state): State<AdminState>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, state.service.settings.clone()).into_response()
}

/// Whether the replica is ready, and if not, why; and the condition of AWS, whether it counts or not.
async fn readyz(State(state): State<AdminState>) -> (StatusCode, Json<Value>) {
    let reasons = state.readiness.reasons();
    let is_ready = reasons.is_empty();
    let status = match is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let reasons: Vec<_> = reasons
        .iter()
        .map(|why| json!({ "reason": why.reason(), "message": why.message() }))
        .collect();
    let conditions = state.readiness.conditions();
    let aws = conditions.iter().flat_map(|(scope, found)| {
        found.iter().map(|condition| {
            let account = scope.account.as_ref();
            let mut shown = json!({
                "region": scope.region.as_str(),
                "condition": condition.as_str(),
                "message": condition.message(),
            });
            if let Some(name) = state.names.of(account) {
                shown["account"] = name.into();
            }
            if *condition == UpstreamCondition::CredentialsMissing {
                shown["cause"] = state.readiness.why_missing(account).into();
            }
            shown
        })
    });
    let aws: Vec<_> = aws.collect();
    (
        status,
        Json(json!({ "ready": is_ready, "reasons": reasons, "aws": aws })),
    )
}

async fn prometheus(State(pages): State<Pages>) -> Response {
    let metrics = pages.state.metrics;
    let render = move || {
        let text = metrics.text().map(Bytes::from);
        text.map_err(|error| error.to_string())
    };
    let rendered = pages.metrics.page(render).await;
    match rendered.map_err(|error| error.to_string()).flatten() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(error, "cannot encode the metrics");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "cannot encode the metrics; see the log for the cause\n",
            )
                .into_response()
        }
    }
}
