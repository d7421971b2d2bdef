use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_storagegateway::config::{
    ConfigBag, IdentityCache, ResolveCachedIdentity, RuntimeComponents, SharedIdentityCache,
};
use aws_smithy_runtime_api::client::identity::{IdentityFuture, SharedIdentityResolver};

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
    /// When new credentials were last due.
    due: Option<Instant>,
}

impl State {
    fn drop_credentials(&mut self) {
        self.cache = IdentityCache::lazy().build();
        self.epoch.0 += 1;
    }
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
            due: None,
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
    ///
    /// Returns whether this call dropped them.
    pub(super) fn rejected(&self, epoch: CredentialsEpoch) -> bool {
        let is_first = self.is_due(epoch);
        if is_first {
            self.state().drop_credentials();
            tracing::info!("AWS rejected the service's credentials; fetching new ones");
        }
        is_first
    }

    /// Whether new credentials are due after a request of this epoch; if so, others are not due before
    /// the pause has passed.
    pub(super) fn is_due(&self, epoch: CredentialsEpoch) -> bool {
        let mut state = self.state();
        let is_due = state.due.is_none_or(|due| due.elapsed() >= self.pause);
        let is_first = state.epoch == epoch && is_due;
        if is_first {
            state.due = Some(Instant::now());
        }
        is_first
    }

    /// Drops the cached credentials, because their source has changed.
    pub(super) fn renew(&self) {
        self.state().drop_credentials();
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
