use std::{
    pin::Pin,
    task::{Context, Poll},
};

use aws_sdk_storagegateway::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::{box_error::BoxError, client::interceptors::dyn_dispatch_hint};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::call::Transmission;

/// Reports when the request of one attempt begins to be sent, and holds it back if it was withdrawn
/// before that.
///
/// The SDK has no event for it: its last one before the response precedes the connection. So the body
/// of the request reports it. hyper takes the first bytes of a body only on an open connection, and
/// before it writes them: with HTTP/1.1 in one write with the head.
#[derive(Clone, Debug)]
pub(super) struct ReportSending(pub(super) Transmission);

#[dyn_dispatch_hint]
impl Intercept for ReportSending {
    fn name(&self) -> &'static str {
        "ReportSending"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let transmission = self.0.clone();
        let body = std::mem::replace(context.request_mut().body_mut(), SdkBody::taken());
        *context.request_mut().body_mut() = SdkBody::from_body_1_x(ReportedBody { body, transmission });
        Ok(())
    }
}

/// The request was withdrawn before it was sent.
#[derive(Debug, thiserror::Error)]
#[error("the request was withdrawn, because its call has ended")]
struct Withdrawn;

struct ReportedBody {
    body: SdkBody,
    transmission: Transmission,
}

impl Body for ReportedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.transmission.begin() {
            true => Pin::new(&mut self.body).poll_frame(cx),
            false => Poll::Ready(Some(Err(Withdrawn.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}
