use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get},
};
use serde::Serialize;
use serde_json::Value;

use super::{ErrorResponse, Json};
use crate::{
    emulator::Emulator,
    faults::{Active, Faults, Rule},
};

/// The active rules, in order.
#[derive(Serialize)]
struct Rules {
    faults: Vec<Active>,
}

pub(super) fn router() -> Router<Emulator> {
    Router::new()
        .route("/faults", get(list).post(add).delete(clear))
        .route("/faults/{id}", delete(remove))
}

async fn list(State(emulator): State<Emulator>) -> Json<Rules> {
    Json(Rules {
        faults: emulator.inner.faults.list(),
    })
}

async fn add(
    State(emulator): State<Emulator>,
    Json(body): Json<Value>,
) -> Result<Json<Rules>, ErrorResponse> {
    let rules = Rule::of_json(body)?;
    let faults = emulator.inner.faults.add(rules).ok_or_else(|| {
        let message = format!(
            "more than {} rules would be active; delete some",
            Faults::MAX_RULES
        );
        ErrorResponse::new(StatusCode::BAD_REQUEST, message)
    })?;
    Ok(Json(Rules { faults }))
}

async fn clear(State(emulator): State<Emulator>) -> Json<Rules> {
    emulator.inner.faults.clear();
    list(State(emulator)).await
}

async fn remove(
    State(emulator): State<Emulator>,
    Path(id): Path<String>,
) -> Result<Json<Rules>, ErrorResponse> {
    let is_removed = id.parse().is_ok_and(|id| emulator.inner.faults.remove(id));
    if !is_removed {
        let message = "no rule has this id; GET /_emulator/faults lists the active rules";
        return Err(ErrorResponse::new(StatusCode::NOT_FOUND, message));
    }
    Ok(list(State(emulator)).await)
}
