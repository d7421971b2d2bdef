use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::Context as TraceContext;
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tracing::Span;

/// What looks on while a call is answered. It is dropped when the call has ended: after the last
/// byte of the answer, or when the caller has gone, or was cut.
pub(super) trait Onlooker {
    /// The call has this status, by the answer's head or its trailers.
    fn status(&mut self, status: &Status);

    /// The call is answered in HTTP, because it is not gRPC.
    fn not_grpc(&mut self, status: StatusCode);

    /// Some of a message is sent.
    fn message(&mut self) {}

    /// What the answer is sent within.
    fn span(&self) -> Span {
        Span::none()
    }

    /// The trace that the call came in.
    fn trace(&self) -> Option<TraceContext> {
        None
    }
}

/// How a call ended: nothing where its caller had gone, or was cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum End {
    #[default]
    GivenUp,
    Grpc(Code),
    Http(StatusCode),
}

impl End {
    /// As a gRPC code: whoever has gone away has cancelled.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Grpc(code) => *code,
            Self::GivenUp | Self::Http(_) => Code::Cancelled,
        }
    }
}

pin_project! {
    /// A body with an [`Onlooker`].
    #[derive(Debug)]
    pub struct UntilEnd<B, O> {
        #[pin]
        body: B,
        onlooker: O,
    }
}

/// The answer, at which `onlooker` looks on from its head.
pub(super) fn until_end<B, O: Onlooker>(response: Response<B>, mut onlooker: O) -> Response<UntilEnd<B, O>> {
    if response.status() != StatusCode::OK {
        onlooker.not_grpc(response.status());
    }
    read(response.headers(), &mut onlooker);
    response.map(|body| UntilEnd { body, onlooker })
}

fn read(headers: &HeaderMap, onlooker: &mut impl Onlooker) {
    if let Some(status) = Status::from_header_map(headers) {
        onlooker.status(&status);
    }
}

impl<B: Body, O: Onlooker> Body for UntilEnd<B, O> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _attached = this.onlooker.trace().map(TraceContext::attach);
        let _entered = this.onlooker.span().entered();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            match frame.trailers_ref() {
                Some(trailers) => read(trailers, this.onlooker),
                None => this.onlooker.message(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
