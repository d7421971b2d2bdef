//! Interceptors of the SDK's clients that see requests and responses.

use std::sync::OnceLock;

use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_storagegateway::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{
        AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextRef,
        BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
    },
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::interceptors::{DisableInterceptor, disable_interceptor, dyn_dispatch_hint},
};
use http::HeaderValue;
use opentelemetry::Context;
use serde_json::Value;

use crate::observability::telemetry::propagation;

/// Sends the trace context of an attempt with its request. The headers are added after the request
/// is signed, because a proxy may replace them with a span of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct PropagateTrace;

#[dyn_dispatch_hint]
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

/// The headers that name the SDK.
const USER_AGENT: [&str; 2] = ["user-agent", "x-amz-user-agent"];

/// Sends with each request the user agent of the client's first one. The SDK would make it again, which is the
/// same unless the credentials come from another kind of source.
#[derive(Debug, Default)]
pub(super) struct KeepUserAgent {
    kept: OnceLock<[HeaderValue; USER_AGENT.len()]>,
}

#[dyn_dispatch_hint]
impl Intercept for KeepUserAgent {
    fn name(&self) -> &'static str {
        "KeepUserAgent"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.kept.get().is_some() {
            let disable = disable_interceptor::<UserAgentInterceptor>("its headers are kept");
            config.interceptor_state().store_put(disable);
        }
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_disabled = config
            .load::<DisableInterceptor<UserAgentInterceptor>>()
            .is_some();
        let kept = self.kept.get().filter(|_| is_disabled);
        let headers = context.request_mut().headers_mut();
        for (name, value) in USER_AGENT.into_iter().zip(kept.into_iter().flatten()) {
            headers.insert(name, value.clone());
        }
        Ok(())
    }

    fn read_after_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.kept.get().is_none() {
            let headers = context.request().headers();
            if let [Some(agent), Some(of_aws)] = USER_AGENT.map(|name| headers.get(name)) {
                // Another request may have been faster with the same.
                let _ = self
                    .kept
                    .set([HeaderValue::from_str(agent)?, HeaderValue::from_str(of_aws)?]);
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

#[dyn_dispatch_hint]
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
    if memchr::memmem::find(body, b"null").is_none() {
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
