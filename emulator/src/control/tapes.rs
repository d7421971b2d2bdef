use axum::{Router, extract::State, http::StatusCode, routing::post};
use serde_json::Value;

use super::{ErrorResponse, Json};
use crate::{
    emulator::{DriveError, Emulator, TapeState},
    json::Members,
};

type Answer = Result<Json<TapeState>, ErrorResponse>;

pub(super) fn router() -> Router<Emulator> {
    Router::new()
        .route("/load", post(load))
        .route("/unload", post(unload))
        .route("/write", post(write))
        .route("/eject", post(eject))
}

async fn load(State(emulator): State<Emulator>, Json(body): Json<Value>) -> Answer {
    Ok(Json(emulator.load(&tape(body)?)?))
}

async fn unload(State(emulator): State<Emulator>, Json(body): Json<Value>) -> Answer {
    Ok(Json(emulator.unload(&tape(body)?)?))
}

async fn write(State(emulator): State<Emulator>, Json(body): Json<Value>) -> Answer {
    let (tape_arn, bytes) = Members::read(body, "", |members| {
        let tape_arn = tape_arn(members);
        let bytes = members.require("bytes", "a whole number of bytes, 0 or more", Value::as_u64);
        tape_arn.zip(bytes)
    })?;
    Ok(Json(emulator.write(&tape_arn, bytes)?))
}

async fn eject(State(emulator): State<Emulator>, Json(body): Json<Value>) -> Answer {
    Ok(Json(emulator.eject(&tape(body)?)?))
}

/// The one member of most of these requests.
fn tape(body: Value) -> Result<String, ErrorResponse> {
    Ok(Members::read(body, "", tape_arn)?)
}

fn tape_arn(members: &mut Members) -> Option<String> {
    members.require("tape_arn", "the ARN of a tape", |value| {
        value.as_str().map(str::to_owned)
    })
}

impl From<DriveError> for ErrorResponse {
    fn from(error: DriveError) -> Self {
        let status = match error {
            DriveError::NotFound(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}
