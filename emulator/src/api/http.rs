//! The HTTP endpoint: POST requests to `/` with the operation in `X-Amz-Target`.

use std::time::SystemTime;

use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    http::{
        HeaderMap, HeaderValue, Method, Request, StatusCode,
        header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use uuid::Uuid;

use super::{call::Call, signature};
use crate::{
    account::arn::{PoolArns, TapeArns},
    connection::Peer,
    emulator::Emulator,
    protocol::{AWS_JSON, Code, Error, Operation, with_headers},
};

/// Handles requests to `/`.
pub(super) async fn handle(State(emulator): State<Emulator>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        let error = Error::unknown_operation("Operations are POST requests to /.");
        let error = error.with_status(StatusCode::METHOD_NOT_ALLOWED);
        let mut response = respond("none", Err(error));
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let operation = operation(&parts.headers);
    let name = operation.as_ref().map_or("none", |operation| operation.name());
    // The body is read in any case: a connection with an unread body is closed, and the client may
    // not see the error.
    let body = match read(body, &parts.headers, emulator.inner.settings.max_request_bytes).await {
        Ok(body) => body,
        Err(error) => return respond(name, Err(error)),
    };
    let operation = match operation {
        Ok(operation) => operation,
        Err(error) => return respond(name, Err(error)),
    };
    let peer = parts.extensions.get().map(|ConnectInfo::<Peer>(peer)| peer);
    let (emulator, parts) = (&emulator, &parts);
    let run = async |now| {
        let answer = answer(emulator, operation, parts, &body, now);
        // The response, also of a read, may show changes of other calls.
        let kept = emulator.flush().await.map_err(|error| Error::internal(&error));
        respond(name, kept.and(answer))
    };
    emulator.inner.faults.next(name).apply(peer, run).await
}

/// Handles requests to any other path.
pub(super) async fn not_found() -> Response {
    let error = Error::unknown_operation("Operations are POST requests to /.");
    respond("none", Err(error.with_status(StatusCode::NOT_FOUND)))
}

fn operation(headers: &HeaderMap) -> Result<Operation, Error> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(AWS_JSON) {
        return Err(Error::unknown_operation(format!(
            "The Content-Type must be {AWS_JSON}."
        )));
    }
    let target = headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    Operation::from_target(target).ok_or_else(|| {
        Error::unknown_operation(
            "X-Amz-Target must be StorageGateway_20130630. followed by an operation of this emulator.",
        )
    })
}

/// Verifies the signature as of `now`, and runs the operation.
fn answer(
    emulator: &Emulator,
    operation: Operation,
    parts: &Parts,
    body: &[u8],
    now: SystemTime,
) -> Result<Vec<u8>, Error> {
    let settings = &emulator.inner.settings;
    let region = signature::verify(parts, body, settings, now)?;
    let call = Call {
        region: &region,
        arns: TapeArns::new(&region, &settings.account_id),
        pool_arns: PoolArns::new(&region, &settings.account_id),
        settings,
        account: &emulator.inner,
    };
    operation.run(body, &call)
}

/// Reads a body up to the limit. A longer one is read and dropped up to a second limit, since a
/// client whose connection closes while it writes does not read the error.
async fn read(mut body: Body, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, Error> {
    const DRAINED: usize = 16;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut kept = Vec::with_capacity(announced.unwrap_or(0).min(limit));
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let cut = |_| Error::serialization("The body is shorter than its Content-Length.");
        let Ok(data) = frame.map_err(cut)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= limit {
            kept.extend_from_slice(&data);
        } else if seen > limit.saturating_mul(DRAINED) {
            break;
        }
    }
    if seen > limit {
        let cause = format!("The body is longer than {limit} bytes, the setting max_request_bytes.");
        return Err(Error::gateway(Code::MaximumContentLengthExceeded, cause));
    }
    Ok(kept)
}

fn respond(operation: &str, answer: Result<Vec<u8>, Error>) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let response = match answer {
        Ok(body) => {
            tracing::debug!(operation, request_id, outcome = "OK", "emulated");
            body.into_response()
        }
        Err(error) => {
            tracing::debug!(operation, request_id, outcome = error.outcome(), "emulated");
            error.into_response()
        }
    };
    with_headers(response, &request_id)
}
