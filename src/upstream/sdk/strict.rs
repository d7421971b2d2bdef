use aws_sdk_storagegateway::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut},
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use serde_json::Value;

/// Refuses answers that the SDK would read as something else.
///
/// Measured: the SDK takes an empty body of a success for an empty object, so an empty
/// list, and leaves out a `null` in a list, so a tape. Neither may pass for an answer.
/// Nor does it bound a body, so a bound is put here.
#[derive(Debug)]
pub(super) struct StrictAnswers {
    max_bytes: usize,
}

/// An answer that is not what the service model promises.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTheModel {
    #[error("the body is empty")]
    Empty,
    #[error("the list {0} has a null in it")]
    NullRow(String),
}

impl StrictAnswers {
    /// A body may have `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes }
    }
}

impl Intercept for StrictAnswers {
    fn name(&self) -> &'static str {
        "StrictAnswers"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let max = self.max_bytes;
        let body = std::mem::replace(context.response_mut().body_mut(), SdkBody::taken());
        *context.response_mut().body_mut() =
            body.map_preserve_contents(move |body| SdkBody::from_body_1_x(Limited::new(body, max)));
        Ok(())
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

fn check(body: &[u8]) -> Result<(), NotTheModel> {
    if body.is_empty() {
        return Err(NotTheModel::Empty);
    }
    // AWS leaves absent members out, so hardly an answer has the word; only one that
    // does is read a second time.
    if !body.windows(4).any(|word| word == b"null") {
        return Ok(());
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Ok(());
    };
    for (name, value) in members {
        if value.as_array().is_some_and(|rows| rows.contains(&Value::Null)) {
            return Err(NotTheModel::NullRow(name));
        }
    }
    Ok(())
}
