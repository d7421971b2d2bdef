//! STS: who the caller is, and credentials for sessions of roles.
//!
//! A request is a form (`query` reads it); `shapes` has the constraints of its members. `role` makes
//! sessions: of a signed caller, and of one with a web identity token (`web_identity`).

mod error;
mod query;
mod role;
mod shapes;
mod web_identity;

use std::time::SystemTime;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::{
    body,
    signature::{self, Signed},
};
use crate::{
    connection::Peer,
    emulator::{Emulator, Inner},
    identity::SessionState,
    protocol::{
        Service, StsOperation,
        query::{Elements, result},
    },
};
use error::Error;

const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a request is in the AWS Query protocol.
pub(super) fn is_query(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(FORM))
}

/// Handles a request in the AWS Query protocol.
pub(super) async fn handle(emulator: &Emulator, parts: &Parts, body: Body) -> Response {
    let limit = emulator.inner.settings.max_request_bytes;
    let body = match body::read(body, &parts.headers, limit).await {
        Ok(body) => body,
        Err(unreadable) => return Error::from(unreadable).into_response(),
    };
    let form = query::Form::read(&body);
    let (operation, members) = match form.and_then(query::Form::operation) {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    let name = operation.name();
    let peer = parts.extensions.get().map(|ConnectInfo::<Peer>(peer)| peer);
    let run = async |now| {
        let request = Request {
            emulator: &emulator.inner,
            parts,
            body: &body,
            now,
        };
        let answer = request.answer(operation, members);
        let outcome = answer.as_ref().map_or_else(Error::code, |_| "OK");
        tracing::debug!(operation = name, outcome, "emulated");
        match answer {
            Ok(elements) => result(name, &elements),
            Err(error) => error.into_response(),
        }
    };
    let region = signature::claimed_region(&parts.headers);
    let faults = &emulator.inner.faults;
    let faults = faults.next(Service::Sts, name, region.as_deref());
    faults.apply(peer, run).await
}

/// A request of a known operation.
struct Request<'a> {
    emulator: &'a Inner,
    parts: &'a Parts,
    body: &'a [u8],
    /// The time that signatures and sessions are measured by.
    now: SystemTime,
}

impl Request<'_> {
    fn answer(&self, operation: StsOperation, members: Map<String, Value>) -> Result<Elements, Error> {
        match operation {
            StsOperation::AssumeRole => self.signed(operation, |signed| {
                role::assume(members, signed, self.emulator, self.now)
            }),
            StsOperation::AssumeRoleWithWebIdentity => web_identity::assume(members, self.emulator, self.now),
            StsOperation::GetCallerIdentity => self.signed(operation, |signed| {
                Ok(Elements::default()
                    .text("Arn", &signed.caller.arn())
                    .text("UserId", &signed.caller.user_id())
                    .text("Account", &signed.caller.account))
            }),
        }
    }

    /// Verifies the signature, answers, and lists the call.
    fn signed(
        &self,
        operation: StsOperation,
        answer: impl FnOnce(&Signed) -> Result<Elements, Error>,
    ) -> Result<Elements, Error> {
        let signed = signature::verify(self.parts, self.body, Service::Sts, self.emulator, self.now)?;
        let answer = match (signed.state, operation) {
            (SessionState::Expired, _) => Err(Error::expired_token()),
            // Every caller with valid credentials may ask who it is, whatever its permissions.
            (SessionState::Revoked, StsOperation::AssumeRole) => {
                let message = format!(
                    "User: {} is not authorized to perform: sts:AssumeRole with an explicit deny in an \
                     identity-based policy",
                    signed.caller.arn()
                );
                Err(Error::access_denied(message))
            }
            _ => answer(&signed),
        };
        let outcome = answer.as_ref().map_or_else(Error::code, |_| "OK").to_owned();
        let calls = &self.emulator.calls;
        calls.add(
            Service::Sts,
            operation.name(),
            &signed.region,
            &signed.caller,
            outcome,
        );
        answer
    }
}
