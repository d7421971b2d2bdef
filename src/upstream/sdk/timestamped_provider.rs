use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use aws_sdk_storagegateway::config::{ProvideCredentials, SharedCredentialsProvider};
use futures_util::FutureExt;

/// A provider that knows when it last gave credentials. The SDK asks it only for those that it
/// does not have yet.
#[derive(Clone, Debug)]
pub(super) struct TimestampedProvider {
    inner: SharedCredentialsProvider,
    obtained: Arc<Mutex<Option<Instant>>>,
}

impl TimestampedProvider {
    /// None given yet.
    pub(super) fn new(inner: SharedCredentialsProvider) -> Self {
        Self {
            inner,
            obtained: Arc::default(),
        }
    }

    /// When it last gave some.
    pub(super) fn obtained(&self) -> Option<Instant> {
        *self.obtained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for TimestampedProvider {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let provided = self.inner.provide_credentials().inspect(|provided| {
            if provided.is_ok() {
                let mut obtained = self.obtained.lock().unwrap_or_else(PoisonError::into_inner);
                *obtained = Some(Instant::now());
            }
        });
        aws_credential_types::provider::future::ProvideCredentials::new(provided)
    }
}
