use std::{
    collections::BTreeSet,
    mem,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use ipnet::IpNet;
use tower::{Layer, Service};

use super::{Report, address, connection::Peer, method};
use crate::{
    access::{Identities, Presented},
    domain::{Caller, Principal},
    grpc::{status, tls::ClientCertificate},
    observability::metrics::Counts,
};

/// How callers are authenticated, and which services need no authentication.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The sources of identities; `None` accepts every caller as anonymous.
    pub identities: Option<Arc<Identities>>,
    /// Who may call the health service.
    pub health: AccessMode,
    /// Who may use reflection.
    pub reflection: AccessMode,
    /// The proxies whose `x-forwarded-for` is trusted.
    pub trusted_proxies: BTreeSet<IpNet>,
}

/// Who may call a service other than the tape service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// Everybody.
    Open,
    /// Authenticated callers.
    Identified,
    /// Nobody: calls are rejected as if the service did not exist.
    Closed,
}

/// How often callers were not let in since the start, by the reason that they were told.
pub type Refusals = Counts<&'static str>;

/// Finds out who calls, and puts a [`Caller`] into the request; refuses whoever cannot say, or
/// is not believed. The metadata that says so goes no further.
#[derive(Clone, Debug)]
pub struct AuthenticateLayer {
    settings: Arc<AuthSettings>,
    refusals: Arc<Refusals>,
}

/// See [`AuthenticateLayer`].
#[derive(Clone, Debug)]
pub struct Authenticate<S> {
    layer: AuthenticateLayer,
    inner: S,
}

impl AuthenticateLayer {
    /// As these settings say.
    pub(super) fn new(settings: AuthSettings, refusals: Arc<Refusals>) -> Self {
        Self {
            settings: Arc::new(settings),
            refusals,
        }
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for Authenticate<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let AuthenticateLayer { settings, refusals } = self.layer.clone();
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            let status = status::internal("the call came by no connection");
            return ready(Ok(status.into_http())).boxed();
        };
        let address = address::of_caller(peer.address(), request.headers(), &settings.trusted_proxies);
        let authorization = take_authorization(request.headers_mut());
        let report = request.extensions().get::<Report>().cloned().unwrap_or_default();
        report.came_from(address);
        let path = request.uri().path();
        let door = match path {
            path if method::is_health(path) => settings.health,
            path if method::is_reflection(path) => settings.reflection,
            _ => AccessMode::Identified,
        };
        // One that is ready goes with the call; what takes its place is made ready for the next.
        let inner = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, inner);
        let identities = match (door, &settings.identities) {
            (AccessMode::Closed, _) => return ready(Ok(status::unknown_method().into_http())).boxed(),
            (AccessMode::Open, _) => return inner.call(request).boxed(),
            (AccessMode::Identified, None) => {
                admit(&mut request, &report, Principal::anonymous().into(), address);
                return inner.call(request).boxed();
            }
            (AccessMode::Identified, Some(identities)) => identities.clone(),
        };
        Box::pin(async move {
            let presented = Presented {
                authorization: &authorization,
                certificate: peer.certificate().map(ClientCertificate::leaf),
            };
            match identities.identify(presented).await {
                Ok(principal) => {
                    admit(&mut request, &report, principal, address);
                    inner.call(request).await
                }
                Err(refused) => {
                    refusals.add(status::reason_of(refused));
                    Ok(status::refused(refused).into_http())
                }
            }
        })
    }
}

/// Takes the credentials out of the metadata: what comes after need not see them.
fn take_authorization(headers: &mut HeaderMap) -> Vec<HeaderValue> {
    let taken = headers.get_all(AUTHORIZATION).iter().cloned().collect();
    headers.remove(AUTHORIZATION);
    taken
}

fn admit<B>(request: &mut Request<B>, report: &Report, principal: Arc<Principal>, address: IpAddr) {
    let caller = Caller::new(principal, address);
    report.is_made_by(caller.clone());
    request.extensions_mut().insert(caller);
}
