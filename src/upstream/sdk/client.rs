use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, SdkConfig, provider_config::ProviderConfig};
use aws_credential_types::Credentials;
use aws_sdk_storagegateway::{
    Client,
    config::{
        Builder, Config, ProvideCredentials, Region as SdkRegion, SharedCredentialsProvider,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use tokio::sync::Notify;

use super::{
    aws_files::{AwsFiles, ReloadAwsFiles},
    clock::ClockWatch,
    credentials::{CredentialsCache, CredentialsEpoch},
    credentials_chain::CredentialsChain,
    failure::causes,
    http_client::http_client,
    interceptors::{PropagateTrace, StrictResponses},
    renewal::RenewingProvider,
};
use crate::{access::reload::Reload, domain::Region, network::NetworkSettings};

/// How the SDK's clients connect, sign and time out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkSettings {
    /// The URL that is called instead of AWS's own endpoints.
    pub endpoint: Option<String>,
    /// Proxies and root certificates.
    pub network: NetworkSettings,
    /// The credentials that sign requests; `None` is the standard chain of the SDK. They are not a
    /// setting: the caller of the library may set them.
    pub credentials: Option<Credentials>,
    /// The timeout for opening a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// The timeout of one attempt, including the time to fetch credentials.
    pub attempt_timeout: Duration,
    /// The maximum size of a response body, in bytes.
    pub max_answer_bytes: usize,
    /// The minimum time between two fetches of rejected credentials.
    pub credentials_pause: Duration,
}

/// The clients of the SDK, one for each region that is served. A client costs milliseconds to make
/// and has its own connections, so it is made once and shared.
#[derive(Debug)]
pub struct Clients {
    by_region: BTreeMap<Region, Client>,
    credentials: RenewingProvider,
    cache: CredentialsCache,
    /// The files of AWS, if credentials can come from them.
    files: Option<Arc<ReloadAwsFiles>>,
    changed: Arc<Notify>,
}

impl Clients {
    /// Makes the clients of `regions`. The SDK's standard credentials chain uses the region `home`.
    ///
    /// # Errors
    ///
    /// If the file of root certificates is invalid.
    pub async fn new(
        settings: &SdkSettings,
        home: &Region,
        regions: impl IntoIterator<Item = Region>,
    ) -> Result<Self, String> {
        let cache = CredentialsCache::new(settings.credentials_pause);
        let files = AwsFiles::of_environment();
        let (shared, source) = settings.shared(home, cache.clone(), &files).await?;
        let credentials = RenewingProvider::new(source, settings.credentials_pause);
        let shared = shared
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        let clock = ClockWatch::new(!shared.disable_clock_skew_correction().unwrap_or_default());
        let client = |region: &Region| Client::from_conf(settings.config(&shared, region, clock.clone()));
        let by_region = regions
            .into_iter()
            .map(|region| (region.clone(), client(&region)))
            .collect();
        let changed = Arc::<Notify>::default();
        let renew = {
            let (credentials, cache, changed) = (credentials.clone(), cache.clone(), changed.clone());
            move || {
                credentials.forget();
                cache.renew();
                changed.notify_one();
            }
        };
        let files = settings
            .credentials
            .is_none()
            .then(|| ReloadAwsFiles::new(files, renew));
        Ok(Self {
            by_region,
            credentials,
            cache,
            files,
            changed,
        })
    }

    /// The files of AWS, which can be checked for changes; `None` if the credentials are given.
    pub fn files(&self) -> Option<Arc<dyn Reload>> {
        self.files.clone().map(|files| files as Arc<dyn Reload>)
    }

    /// Waits until a file of AWS has changed.
    pub async fn files_changed(&self) {
        self.changed.notified().await;
    }

    /// The epoch of a request that begins now.
    pub(super) fn epoch(&self) -> CredentialsEpoch {
        self.cache.epoch()
    }

    /// Drops the credentials, because AWS rejected a request of this epoch.
    pub(super) fn rejected(&self, epoch: CredentialsEpoch) {
        if self.cache.rejected(epoch) {
            self.credentials.forget();
        }
    }

    /// The client of a region, if the region is served.
    pub fn of(&self, region: &Region) -> Option<&Client> {
        self.by_region.get(region)
    }

    /// When credentials were last obtained, if ever.
    pub fn credentials_obtained(&self) -> Option<Instant> {
        self.credentials.obtained()
    }

    /// Obtains credentials from the provider.
    ///
    /// # Errors
    ///
    /// The provider's error, for the operator.
    pub async fn obtain_credentials(&self) -> Result<(), String> {
        self.credentials
            .provide_credentials()
            .await
            .map(|_| ())
            .map_err(|error| causes(&error))
    }
}

impl SdkSettings {
    /// What the clients of all regions share, and where credentials come from. With credentials of its
    /// own, nothing is read of the environment and the files of AWS.
    async fn shared(
        &self,
        home: &Region,
        cache: CredentialsCache,
        files: &AwsFiles,
    ) -> Result<(SdkConfig, SharedCredentialsProvider), String> {
        let version = BehaviorVersion::v2026_01_12();
        let region = SdkRegion::new(home.as_str().to_owned());
        let http_client = http_client(&self.network)?;
        if let Some(credentials) = &self.credentials {
            let shared = SdkConfig::builder()
                .behavior_version(version)
                .region(region)
                .http_client(http_client)
                .identity_cache(cache)
                .build();
            return Ok((shared, SharedCredentialsProvider::new(credentials.clone())));
        }
        let shared = aws_config::defaults(version)
            .region(region.clone())
            .http_client(http_client.clone())
            .identity_cache(cache)
            .no_credentials()
            // Of the requests that fetch credentials. The SDK would panic on a value of AWS_RETRY_MODE
            // or AWS_MAX_ATTEMPTS that it does not know.
            .retry_config(RetryConfig::standard())
            .load()
            .await;
        let (use_fips, use_dual_stack) = (shared.use_fips(), shared.use_dual_stack());
        let timeouts = shared.timeout_config().cloned();
        let configure = move || {
            let config = ProviderConfig::without_region()
                .with_region(Some(region.clone()))
                .with_http_client(http_client.clone())
                .with_retry_config(RetryConfig::standard())
                .with_use_fips(use_fips)
                .with_use_dual_stack(use_dual_stack)
                .with_behavior_version(Some(version));
            match &timeouts {
                None => config,
                Some(timeouts) => config.with_timeout_config(timeouts.clone()),
            }
        };
        let chain = CredentialsChain::new(files.clone(), configure);
        Ok((shared, SharedCredentialsProvider::new(chain)))
    }

    /// The configuration of one region's client.
    ///
    /// Only the upstream stack retries and enforces timeouts. So the SDK's retries are off, and its
    /// timeouts, which are the same as the stack's, only end requests that the stack no longer waits
    /// for. The clients that fetch credentials keep the SDK's retries, because nothing else retries
    /// them.
    fn config(&self, shared: &SdkConfig, region: &Region, clock: ClockWatch) -> Config {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.attempt_timeout)
            .operation_attempt_timeout(self.attempt_timeout)
            .operation_timeout(self.attempt_timeout)
            .build();
        let builder = Builder::from(shared)
            .region(SdkRegion::new(region.as_str().to_owned()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(StrictResponses::new(self.max_answer_bytes))
            .interceptor(PropagateTrace)
            .interceptor(clock);
        match &self.endpoint {
            None => builder.build(),
            // FIPS and dual-stack are variants of AWS's own endpoints. With another endpoint, the SDK
            // would reject every call.
            Some(endpoint) => {
                let builder = builder
                    .endpoint_url(endpoint)
                    .use_fips(false)
                    .use_dual_stack(false);
                builder.build()
            }
        }
    }
}
