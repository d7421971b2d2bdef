//! Interceptors of the SDK's clients that see requests and responses.

use aws_sdk_storagegateway::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
};
use aws_smithy_runtime_api::box_error::BoxError;
use opentelemetry::Context;
use serde_json::Value;

use crate::observability::telemetry::propagation;

/// Sends the trace context of an attempt with its request. The headers are added after the request
/// is signed, because a proxy may replace them with a span of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct PropagateTrace;

impl Intercept for PropagateTrace {
    fn name(&self) -> &'static str {
        "PropagateTrace"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        for (name, value) in propagation::headers(&Context::current()) {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(())
    }
}

/// Rejects responses that the SDK would misread.
///
/// Measured: the SDK reads the empty body of a success as an empty object, so as an empty list, and
/// drops a `null` in a list, so a tape.
#[derive(Debug)]
pub(super) struct StrictResponses;

/// How a response violates the service model.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidResponse {
    #[error("the body is empty")]
    Empty,
    #[error("the list {0} contains null")]
    NullRow(String),
}

impl Intercept for StrictResponses {
    fn name(&self) -> &'static str {
        "StrictResponses"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        match response.body().bytes() {
            Some(body) if response.status().is_success() => Ok(check(body)?),
            _ => Ok(()),
        }
    }
}

fn check(body: &[u8]) -> Result<(), InvalidResponse> {
    if body.is_empty() {
        return Err(InvalidResponse::Empty);
    }
    // AWS omits absent members, so few responses contain the word. Only those are parsed again.
    if !body.windows(4).any(|word| word == b"null") {
        return Ok(());
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Ok(());
    };
    for (name, value) in members {
        if value.as_array().is_some_and(|rows| rows.contains(&Value::Null)) {
            return Err(InvalidResponse::NullRow(name));
        }
    }
    Ok(())
}
