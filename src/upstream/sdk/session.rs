use std::time::{Duration, Instant};

use aws_sdk_storagegateway::config::SharedCredentialsProvider;

use super::{
    credentials::{CredentialsCache, CredentialsEpoch},
    failure::causes,
    renewal::{RenewingProvider, Source},
};
use crate::domain::AccountId;

/// One set of credentials: the provider that renews them, and the cache of the SDK. Clones share both.
#[derive(Clone, Debug)]
pub(super) struct Session {
    provider: RenewingProvider,
    cache: CredentialsCache,
}

impl Session {
    /// A session with the credentials of `source`, for attempts that end after `attempt_timeout`. Rejected
    /// credentials are fetched again at most once in `pause`.
    pub(super) fn new(source: Source, pause: Duration, attempt_timeout: Duration) -> Self {
        Self {
            provider: RenewingProvider::new(source, pause, attempt_timeout),
            cache: CredentialsCache::new(pause),
        }
    }

    /// The provider, for a client.
    pub(super) fn provider(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(self.provider.clone())
    }

    /// The cache, for a client.
    pub(super) fn cache(&self) -> CredentialsCache {
        self.cache.clone()
    }

    /// The epoch of a request that begins now.
    pub(super) fn epoch(&self) -> CredentialsEpoch {
        self.cache.epoch()
    }

    /// Drops the credentials, because AWS rejected a request of this epoch.
    pub(super) fn rejected(&self, epoch: CredentialsEpoch) {
        if self.cache.rejected(epoch) {
            self.provider.forget();
        }
    }

    /// Replaces the credentials by new ones, and keeps them if that fails.
    ///
    /// # Errors
    ///
    /// Why there are no new ones, for the operator.
    pub(super) async fn replace(&self) -> Result<(), String> {
        let replaced = self.provider.replace().await;
        replaced.map_err(|error| causes(&error))?;
        self.cache.renew();
        Ok(())
    }

    /// Begins a new session of the role, because AWS denied a request of this epoch: the permission may
    /// be missing, or the session was revoked. Does so at most once in the pause, and not for keys,
    /// which are the same again.
    pub(super) fn denied(&self, epoch: CredentialsEpoch) {
        if !self.provider.is_session() || !self.cache.is_due(epoch) {
            return;
        }
        let session = self.clone();
        tokio::spawn(async move {
            if let Err(why) = session.replace().await {
                tracing::warn!(why, "cannot begin a new session after AWS denied a request");
            }
        });
    }

    /// When credentials were last obtained, if ever.
    pub(super) fn obtained(&self) -> Option<Instant> {
        self.provider.obtained()
    }

    /// The account of the credentials in use, if their provider knows it.
    pub(super) fn account(&self) -> Option<AccountId> {
        self.provider.account()
    }

    /// Obtains credentials from their source, if there are none.
    ///
    /// # Errors
    ///
    /// The provider's error, for the operator.
    pub(super) async fn obtain(&self) -> Result<(), String> {
        let obtained = self.provider.obtain().await;
        obtained.map(drop).map_err(|error| causes(&error))
    }
}
