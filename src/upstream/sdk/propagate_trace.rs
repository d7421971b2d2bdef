use aws_sdk_storagegateway::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::box_error::BoxError;
use opentelemetry::Context;

use crate::observability::telemetry::propagation;

/// Sends the trace of an attempt with its request. It is not signed: whoever passes the request
/// on may begin a span of its own.
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
