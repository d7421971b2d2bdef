use std::{mem, sync::Arc};

use futures_util::future::{BoxFuture, Either, FutureExt, ready};
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use tonic::Status;
use tower::Service;

use super::{context_of, method};
use crate::{
    access::{Authenticator, CallerCredentials},
    call::{Caller, middleware::Middleware},
    domain::Principal,
    grpc::{connection::Peer, status, tls::ClientCertificate},
    observability::metrics::Counts,
};

/// How callers are authenticated.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The identities of callers; `None` with `allow_anonymous`.
    pub identities: Option<Arc<Authenticator>>,
    /// Who may call the health service.
    pub health: AccessMode,
    /// Who may call reflection.
    pub reflection: AccessMode,
}

/// Who may call a service other than the tape service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// All callers.
    Open,
    /// Authenticated callers.
    Identified,
    /// No one: the service does not exist.
    Closed,
}

/// Counts calls that were rejected because they were not authenticated, by reason.
pub type Refusals = Counts<&'static str>;

/// Authenticates the caller, and adds it to the call's context. A caller without valid
/// credentials is rejected. The credentials are removed from the metadata.
#[derive(Clone, Debug)]
pub struct Authenticate {
    settings: Arc<AuthSettings>,
    refusals: Arc<Refusals>,
}

impl Authenticate {
    /// Authenticates by these settings. `refusals` counts rejected calls.
    pub(super) fn new(settings: AuthSettings, refusals: Arc<Refusals>) -> Self {
        Self {
            settings: Arc::new(settings),
            refusals,
        }
    }
}

impl<S, B, R> Middleware<S, Request<B>> for Authenticate
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<R>, S::Error>>>;

    fn call(&self, inner: &mut S, mut request: Request<B>) -> Self::Future {
        let Self { settings, refusals } = self.clone();
        let reject = |status: Status| Either::Right(ready(Ok(status.into_http())).boxed());
        let peer = request.extensions().get::<Peer>().cloned();
        let context = context_of(&request).cloned();
        let address = context.as_ref().and_then(|context| context.address());
        let (Some(peer), Some(context), Some(address)) = (peer, context, address) else {
            return reject(status::internal("the request has no connection or no context"));
        };
        let authorization = take_authorization(request.headers_mut());
        let mode = match request.uri().path() {
            path if method::is_health(path) => settings.health,
            path if method::is_reflection(path) => settings.reflection,
            _ => AccessMode::Identified,
        };
        let identities = match (mode, &settings.identities) {
            (AccessMode::Closed, _) => return reject(status::unknown_method()),
            (AccessMode::Open, _) => return Either::Left(inner.call(request)),
            (AccessMode::Identified, None) => {
                context.set_caller(Caller::new(Principal::anonymous(), address));
                return Either::Left(inner.call(request));
            }
            (AccessMode::Identified, Some(identities)) => identities.clone(),
        };
        // `inner` is ready, so it serves this call; its clone becomes ready for the next one.
        let next = inner.clone();
        let mut inner = mem::replace(inner, next);
        Either::Right(Box::pin(async move {
            let credentials = CallerCredentials {
                authorization: &authorization,
                certificate: peer.certificate().map(ClientCertificate::leaf),
            };
            match identities.authenticate(credentials).await {
                Ok(principal) => {
                    context.set_caller(Caller::new(principal, address));
                    inner.call(request).await
                }
                Err(error) => {
                    refusals.add(status::reason_of(error));
                    Ok(status::unauthenticated(error).into_http())
                }
            }
        }))
    }
}

/// Removes the credentials from the metadata, because no layer below needs them.
fn take_authorization(headers: &mut HeaderMap) -> Vec<HeaderValue> {
    let taken = headers.get_all(AUTHORIZATION).iter().cloned().collect();
    headers.remove(AUTHORIZATION);
    taken
}
