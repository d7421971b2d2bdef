//! Tower layers without boilerplate.
//!
//! A layer that acts before and after a call implements [`Middleware`]; [`Around`] makes a
//! [`tower::Layer`] of it.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use futures_util::FutureExt;
//! use tapegate::call::middleware::{Around, Middleware};
//! use tower::{Layer, Service, service_fn};
//!
//! #[derive(Clone)]
//! struct AddOne;
//!
//! impl<S: Service<u32>> Middleware<S, u32> for AddOne {
//!     type Response = S::Response;
//!     type Future = S::Future;
//!
//!     fn call(&self, inner: &mut S, request: u32) -> S::Future {
//!         inner.call(request + 1)
//!     }
//! }
//!
//! let echo = service_fn(async |request: u32| Ok::<_, Infallible>(request));
//! let mut service = Around(AddOne).layer(echo);
//! assert_eq!(service.call(1).now_or_never(), Some(Ok(2)));
//! ```

use std::task::{Context, Poll};

use tower::{Layer, Service};

/// What a layer does around the calls of the service `S` below it.
pub trait Middleware<S: Service<Request>, Request> {
    /// The layer's response.
    type Response;
    /// The layer's future.
    type Future: Future<Output = Result<Self::Response, S::Error>>;

    /// Handles one request. `inner` is ready for one call.
    fn call(&self, inner: &mut S, request: Request) -> Self::Future;
}

/// A layer that puts a [`Middleware`] around each service.
#[derive(Clone, Debug)]
pub struct Around<M>(pub M);

/// A service with a [`Middleware`] around it.
#[derive(Clone, Debug)]
pub struct Wrapped<M, S> {
    middleware: M,
    inner: S,
}

impl<M: Clone, S> Layer<S> for Around<M> {
    type Service = Wrapped<M, S>;

    fn layer(&self, inner: S) -> Wrapped<M, S> {
        Wrapped {
            middleware: self.0.clone(),
            inner,
        }
    }
}

impl<M, S, Request> Service<Request> for Wrapped<M, S>
where
    S: Service<Request>,
    M: Middleware<S, Request>,
{
    type Response = M::Response;
    type Error = S::Error;
    type Future = M::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> M::Future {
        self.middleware.call(&mut self.inner, request)
    }
}
