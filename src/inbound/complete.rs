use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::{
    domain::{CreateTapeWithBarcode, CreateTapes, Kind, Operation},
    proto::tape_service_server::SERVICE_NAME,
    status,
};

/// Gives a status what it lacks: one that tonic made itself (a message too large, an unknown
/// method) has no details, and a create that was refused before it was sent no outcome.
///
/// Such a status comes before any message, so it is in the headers.
#[derive(Clone, Copy, Debug)]
pub struct CompleteLayer;

/// See [`CompleteLayer`].
#[derive(Clone, Debug)]
pub struct Complete<S>(S);

impl<S> Layer<S> for CompleteLayer {
    type Service = Complete<S>;

    fn layer(&self, inner: S) -> Complete<S> {
        Complete(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Complete<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let kind = kind(request.uri().path());
        let response = self.0.call(request);
        Box::pin(async move {
            let response = response.await?;
            Ok(match Status::from_header_map(response.headers()) {
                Some(status)
                    if status.code() != Code::Ok
                        && (status.details().is_empty() || kind == Some(Kind::Create)) =>
                {
                    let (mut parts, body) = response.into_parts();
                    let complete = status::completed(&status, kind).into_http::<R>();
                    parts.headers.extend(complete.headers().clone());
                    Response::from_parts(parts, body)
                }
                _ => response,
            })
        })
    }
}

/// What a call of this path does; `None` where the path is not of this service.
fn kind(path: &str) -> Option<Kind> {
    let method = path
        .strip_prefix('/')?
        .strip_prefix(SERVICE_NAME)?
        .strip_prefix('/')?;
    let creates = [CreateTapeWithBarcode::NAME, CreateTapes::NAME];
    Some(if creates.contains(&method) {
        Kind::Create
    } else {
        Kind::Read
    })
}
