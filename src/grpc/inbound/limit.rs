use std::sync::Arc;

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tower::Service;

use super::{
    context_of, method,
    wrap::{Guard, GuardedBody, Wrapping},
};
use crate::{
    access::limits::{Limits, OpenCall},
    call::middleware::Middleware,
    grpc::{connection::CallCost, status},
};

/// Enforces the limits of each principal: calls per second and concurrent calls. Limits by address
/// would not work, because behind a load balancer all addresses are the same.
#[derive(Clone, Debug)]
pub struct LimitPrincipals(pub(super) Arc<Limits>);

impl<S, B, R> Middleware<S, Request<B>> for LimitPrincipals
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<GuardedBody<R, Option<OpenCall>>>;
    type Future =
        Either<Wrapping<S::Future, Guard<Option<OpenCall>>>, Ready<Result<Self::Response, S::Error>>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let is_of_tapes = method::kind(path).is_some();
        let counts = is_of_tapes || method::is_reflection(path);
        let caller = context_of(&request).and_then(|context| context.caller());
        let open = match caller.filter(|_| counts) {
            None => None,
            Some(caller) => match self.0.admit_call(&caller.principal) {
                Ok(open) => open,
                Err(reached) => {
                    if let Some(context) = context_of(&request) {
                        context.reject(&reached.quota);
                    }
                    let status = status::limited(&reached);
                    return Either::Right(ready(Ok(status.into_http())));
                }
            },
        };
        if let Some(cost) = request.extensions().get::<CallCost>().filter(|_| is_of_tapes) {
            cost.give_back();
        }
        Either::Left(Wrapping::new(inner.call(request), Guard(open)))
    }
}
