//! The HTTP endpoint: POST requests to `/` with the operation in `X-Amz-Target`.

use std::time::SystemTime;

use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    http::{
        HeaderMap, HeaderValue, Method, Request, StatusCode,
        header::{ALLOW, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use uuid::Uuid;

use super::{
    body,
    call::Call,
    signature::{self, Signed},
    sts,
};
use crate::{
    account::store::AccountRegion,
    connection::Peer,
    emulator::Emulator,
    identity::SessionState,
    protocol::{AWS_JSON, Error, Operation, Service, with_headers},
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
    if sts::is_query(&parts.headers) {
        return sts::handle(&emulator, &parts, body).await;
    }
    let operation = operation(&parts.headers);
    let name = operation.as_ref().map_or("none", |operation| operation.name());
    // The body is read in any case: a connection with an unread body is closed, and the client may
    // not see the error.
    let body = match body::read(body, &parts.headers, emulator.inner.settings.max_request_bytes).await {
        Ok(body) => body,
        Err(unreadable) => return respond(name, Err(unreadable.into())),
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
    let region = signature::claimed_region(&parts.headers);
    let faults = &emulator.inner.faults;
    let faults = faults.next(Service::StorageGateway, name, region.as_deref());
    faults.apply(peer, run).await
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
    if target.is_empty() {
        return Err(Error::common("MissingAction", "X-Amz-Target names no operation."));
    }
    Operation::from_target(target).ok_or_else(|| {
        Error::unknown_operation(
            "X-Amz-Target must be StorageGateway_20130630. followed by an operation of this emulator.",
        )
    })
}

/// Verifies the signature as of `now`, runs the operation, and lists the call.
fn answer(
    emulator: &Emulator,
    operation: Operation,
    parts: &Parts,
    body: &[u8],
    now: SystemTime,
) -> Result<Vec<u8>, Error> {
    const SERVICE: Service = Service::StorageGateway;
    let Signed {
        region,
        caller,
        state,
    } = signature::verify(parts, body, SERVICE, &emulator.inner, now)?;
    let answer = match state {
        SessionState::Active => {
            let at = AccountRegion::new(&caller.account, &region);
            operation.run(body, &Call::new(at, &emulator.inner))
        }
        SessionState::Expired => Err(Error::common("ExpiredTokenException", signature::EXPIRED)),
        SessionState::Revoked => {
            let message = format!(
                "User: {} is not authorized to perform: {}:{} with an explicit deny in an identity-based policy",
                caller.arn(),
                SERVICE.name(),
                operation.name()
            );
            Err(Error::common("AccessDeniedException", message))
        }
    };
    let outcome = answer.as_ref().map_or_else(Error::outcome, |_| "OK".to_owned());
    let calls = &emulator.inner.calls;
    calls.add(SERVICE, operation.name(), &region, &caller, outcome);
    answer
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
