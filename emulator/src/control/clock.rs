use std::time::Duration;

use axum::{Router, extract::State, routing::get};
use serde::Serialize;
use serde_json::Value;

use super::{ErrorResponse, Json};
use crate::{emulator::Emulator, json::Members};

/// The maximum step, in seconds: a hundred years, longer than any retention lock.
const MAX_STEP_SECONDS: u64 = 36_525 * 86_400;

#[derive(Serialize)]
struct Clock {
    /// RFC 3339, in UTC.
    now: String,
    time_scale: u32,
}

pub(super) fn router() -> Router<Emulator> {
    Router::new().route("/clock", get(show).post(step))
}

async fn show(State(emulator): State<Emulator>) -> Json<Clock> {
    Json(Clock {
        now: emulator.inner.clock.now().to_rfc3339(),
        time_scale: emulator.inner.settings.time_scale,
    })
}

async fn step(
    State(emulator): State<Emulator>,
    Json(body): Json<Value>,
) -> Result<Json<Clock>, ErrorResponse> {
    let takes = format!("a whole number of seconds, 0 to {MAX_STEP_SECONDS} (a hundred years)");
    let seconds = Members::read(body, "", |members| {
        members.require("step_seconds", &takes, |value| {
            value.as_u64().filter(|seconds| *seconds <= MAX_STEP_SECONDS)
        })
    })?;
    emulator.step(Duration::from_secs(seconds));
    Ok(show(State(emulator)).await)
}
