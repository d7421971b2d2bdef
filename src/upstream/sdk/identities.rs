use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_storagegateway::config::{
    ConfigBag, IdentityCache, ResolveCachedIdentity, RuntimeComponents, SharedIdentityCache,
};
use aws_smithy_runtime_api::client::identity::{IdentityFuture, SharedIdentityResolver};

/// The credentials that requests are signed with: kept by the SDK's own cache until they expire, or
/// until AWS refuses them.
///
/// Clones are the same, and all clients use one. So those who need credentials at once wait for one
/// fetch, which the SDK's cache sees to.
#[derive(Clone)]
pub(super) struct Identities {
    pause: Duration,
    state: Arc<Mutex<State>>,
}

struct State {
    cache: SharedIdentityCache,
    epoch: Generation,
    renewed: Option<Instant>,
}

/// Credentials that were fetched once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl Identities {
    /// None yet. Refused ones are fetched anew at most once in `pause`.
    pub(super) fn new(pause: Duration) -> Self {
        let state = State {
            cache: IdentityCache::lazy().build(),
            epoch: Generation(0),
            renewed: None,
        };
        Self {
            pause,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// What a request that begins now is signed with, at the least.
    pub(super) fn epoch(&self) -> Generation {
        self.state().epoch
    }

    /// AWS refused a request that began with these: the next one fetches others. Of many that are
    /// refused together, the first one sees to it.
    pub(super) fn refused(&self, epoch: Generation) {
        let mut state = self.state();
        let is_due = state
            .renewed
            .is_none_or(|renewed| renewed.elapsed() >= self.pause);
        if state.epoch == epoch && is_due {
            state.cache = IdentityCache::lazy().build();
            state.epoch.0 += 1;
            state.renewed = Some(Instant::now());
            tracing::info!("AWS refuses the service's credentials; they are fetched anew");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolveCachedIdentity for Identities {
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

/// Without the credentials.
impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.epoch()).finish()
    }
}
