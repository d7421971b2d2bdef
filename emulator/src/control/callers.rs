//! The roles, their sessions, and the signed calls.

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::Serialize;
use serde_json::Value;

use super::{ErrorResponse, Json};
use crate::{
    emulator::Emulator,
    identity::{RoleSession, RoleState, SessionState, SignedCall},
    json::Members,
    settings::RoleArn,
};

#[derive(Serialize)]
struct Roles {
    roles: Vec<RoleState>,
}

/// The sessions, in the order in which they were issued.
#[derive(Serialize)]
struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Serialize)]
struct Session {
    #[serde(flatten)]
    session: RoleSession,
    state: SessionState,
}

/// The signed calls, in the order of their ends.
#[derive(Serialize)]
struct Calls {
    calls: Vec<SignedCall>,
}

pub(super) fn router() -> Router<Emulator> {
    Router::new()
        .route("/roles", get(roles).put(change_role))
        .route("/sessions", get(sessions))
        .route("/sessions/expire", post(expire))
        .route("/sessions/revoke", post(revoke))
        .route("/calls", get(calls).delete(clear_calls))
}

async fn roles(State(emulator): State<Emulator>) -> Json<Roles> {
    let roles = emulator.roles();
    Json(Roles { roles })
}

async fn change_role(
    State(emulator): State<Emulator>,
    Json(body): Json<Value>,
) -> Result<Json<Roles>, ErrorResponse> {
    let (arn, is_refused) = Members::read(body, "", |members| {
        let arn = role_arn(members);
        let is_refused = members.require("refused", "true or false", Value::as_bool);
        arn.zip(is_refused)
    })?;
    if is_refused {
        emulator.refuse_role(&arn);
    } else {
        emulator.allow_role(&arn);
    }
    Ok(roles(State(emulator)).await)
}

async fn sessions(State(emulator): State<Emulator>) -> Json<Sessions> {
    let sessions = emulator.sessions().into_iter();
    let sessions = sessions.map(|(session, state)| Session { session, state });
    Json(Sessions {
        sessions: sessions.collect(),
    })
}

async fn expire(
    State(emulator): State<Emulator>,
    Json(body): Json<Value>,
) -> Result<Json<Sessions>, ErrorResponse> {
    emulator.expire_sessions(&Members::read(body, "", role_arn)?);
    Ok(sessions(State(emulator)).await)
}

async fn revoke(
    State(emulator): State<Emulator>,
    Json(body): Json<Value>,
) -> Result<Json<Sessions>, ErrorResponse> {
    emulator.revoke_sessions(&Members::read(body, "", role_arn)?);
    Ok(sessions(State(emulator)).await)
}

async fn calls(State(emulator): State<Emulator>) -> Json<Calls> {
    let calls = emulator.calls();
    Json(Calls { calls })
}

async fn clear_calls(State(emulator): State<Emulator>) -> Json<Calls> {
    emulator.clear_calls();
    calls(State(emulator)).await
}

fn role_arn(members: &mut Members) -> Option<String> {
    members.require("role_arn", RoleArn::TAKES, |value| {
        let arn = value.as_str().filter(|arn| RoleArn::parse(arn).is_some());
        arn.map(str::to_owned)
    })
}
