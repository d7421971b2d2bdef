use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_credential_types::{
    Credentials,
    provider::{error::CredentialsError, future},
};
use aws_sdk_storagegateway::config::{
    ConfigBag, IdentityCache, ProvideCredentials, ResolveCachedIdentity, RuntimeComponents,
    SharedCredentialsProvider, SharedIdentityCache,
};
use aws_smithy_runtime_api::client::identity::{IdentityFuture, SharedIdentityResolver};
use futures_util::FutureExt;

/// The cache of the credentials that sign requests. The SDK's own cache keeps them until they expire;
/// this one also drops them when AWS rejects them.
///
/// Clones share one cache, which all clients use. Requests that need credentials at the same time
/// wait for one fetch, by the SDK's cache.
#[derive(Clone)]
pub(super) struct CredentialsCache {
    pause: Duration,
    state: Arc<Mutex<State>>,
}

struct State {
    cache: SharedIdentityCache,
    epoch: CredentialsEpoch,
    dropped: Option<Instant>,
}

/// Counts how often the cache was dropped. Requests of one epoch are signed with credentials of that
/// epoch or a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CredentialsEpoch(u64);

impl CredentialsCache {
    /// An empty cache, which drops rejected credentials at most once in `pause`.
    pub(super) fn new(pause: Duration) -> Self {
        let state = State {
            cache: IdentityCache::lazy().build(),
            epoch: CredentialsEpoch(0),
            dropped: None,
        };
        Self {
            pause,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The epoch of a request that begins now.
    pub(super) fn epoch(&self) -> CredentialsEpoch {
        self.state().epoch
    }

    /// Drops the cached credentials, because AWS rejected a request of this epoch. If AWS rejects
    /// many requests at once, the first one drops them.
    pub(super) fn rejected(&self, epoch: CredentialsEpoch) {
        let mut state = self.state();
        let is_due = state
            .dropped
            .is_none_or(|dropped| dropped.elapsed() >= self.pause);
        if state.epoch == epoch && is_due {
            state.cache = IdentityCache::lazy().build();
            state.epoch.0 += 1;
            state.dropped = Some(Instant::now());
            tracing::info!("AWS rejected the service's credentials; fetching new ones");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolveCachedIdentity for CredentialsCache {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let cache = self.state().cache.clone();
        IdentityFuture::new(async move { cache.resolve_cached_identity(resolver, components, config).await })
    }
}

/// Does not show the credentials.
impl fmt::Debug for CredentialsCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialsCache").field(&self.epoch()).finish()
    }
}

/// Rejects credentials with characters that no HTTP header can have, such as the line end of a file.
/// The SDK would panic when it signs with them.
fn check(credentials: &Credentials) -> Result<(), CredentialsError> {
    let parts = [
        ("the access key id", Some(credentials.access_key_id())),
        ("the secret access key", Some(credentials.secret_access_key())),
        ("the session token", credentials.session_token()),
    ];
    let is_valid = |text: &str| !text.is_empty() && text.chars().all(|c| ('!'..='~').contains(&c));
    match parts
        .iter()
        .find(|(_, text)| text.is_some_and(|text| !is_valid(text)))
    {
        None => Ok(()),
        Some((part, _)) => Err(CredentialsError::invalid_configuration(InvalidCredentials(part))),
    }
}

/// Credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0} is empty, or has characters other than visible ASCII")]
struct InvalidCredentials(&'static str);

/// The provider has a defect.
#[derive(Debug, thiserror::Error)]
#[error("the provider panicked; its files or the response of its server are probably malformed")]
struct ProviderPanicked;

/// A credentials provider that records when it last provided credentials. The SDK calls it only
/// when its cache has none.
#[derive(Clone, Debug)]
pub(super) struct TimestampedProvider {
    inner: SharedCredentialsProvider,
    obtained: Arc<Mutex<Option<Instant>>>,
}

impl TimestampedProvider {
    /// A provider that has not provided credentials yet.
    pub(super) fn new(inner: SharedCredentialsProvider) -> Self {
        Self {
            inner,
            obtained: Arc::default(),
        }
    }

    /// When it last provided credentials.
    pub(super) fn obtained(&self) -> Option<Instant> {
        *self.obtained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for TimestampedProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            // A provider can panic on a file or a response that it does not expect.
            let provided = AssertUnwindSafe(self.inner.provide_credentials())
                .catch_unwind()
                .await;
            let provided = provided.unwrap_or_else(|_| Err(CredentialsError::unhandled(ProviderPanicked)))?;
            check(&provided)?;
            let mut obtained = self.obtained.lock().unwrap_or_else(PoisonError::into_inner);
            *obtained = Some(Instant::now());
            Ok(provided)
        })
    }
}
