use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service};
use uuid::Uuid;

use futures_util::future::BoxFuture;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a caller, in characters.
const MAX_LENGTH: usize = 128;

/// The id of one call, in the extensions of its request: the caller's where it sent a
/// usable one.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// An id of at most 128 visible ASCII characters is the caller's own; anything else
    /// would be a way to write into logs.
    fn of<B>(request: &Request<B>) -> Self {
        let usable = |id: &&HeaderValue| {
            (1..=MAX_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        match request.headers().get(X_REQUEST_ID).filter(usable) {
            Some(id) => Self(id.clone()),
            None => {
                let id = Uuid::new_v4().to_string();
                Self(id.try_into().expect("a UUID is visible ASCII"))
            }
        }
    }
}

/// Gives every call an id, and gives it back with the answer.
#[derive(Clone, Copy, Debug)]
pub struct RequestIdLayer;

/// See [`RequestIdLayer`].
#[derive(Clone, Debug)]
pub struct SetRequestId<S>(S);

impl<S> Layer<S> for RequestIdLayer {
    type Service = SetRequestId<S>;

    fn layer(&self, inner: S) -> SetRequestId<S> {
        SetRequestId(inner)
    }
}

impl<S, B, R> Service<Request<B>> for SetRequestId<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = RequestId::of(&request);
        request.extensions_mut().insert(id.clone());
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            response.headers_mut().insert(X_REQUEST_ID, id.0);
            Ok(response)
        })
    }
}
