use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, provider_config::ProviderConfig};
use aws_sdk_storagegateway::{
    Client,
    config::{
        Builder, ProvideCredentials, Region as SdkRegion, SharedCredentialsProvider,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};

use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::{
    aws_files::AwsFiles,
    clock::ServiceClock,
    credentials_chain::CredentialsChain,
    interceptors::{KeepUserAgent, PropagateTrace, StrictResponses},
    renewal::Source,
    session::Session,
    settings::SdkSettings,
    signing::SigV4,
    sts::Sts,
};
use crate::domain::{AccountId, Region};

/// How long STS may take to answer, with all its attempts.
const STS_PATIENCE: Duration = Duration::from_secs(10);

/// Makes the clients of the SDK, and holds what they share.
#[derive(Debug)]
pub(super) struct ClientFactory {
    settings: SdkSettings,
    home: Region,
    shared: SdkConfig,
    clock: ServiceClock,
}

impl ClientFactory {
    /// A factory with these settings, whose clients send with `http_client`. Those that fetch
    /// credentials use the region `home`. With credentials in the settings, nothing is read of the
    /// environment and the files of AWS.
    pub(super) async fn new(settings: SdkSettings, http_client: SharedHttpClient, home: &Region) -> Self {
        let version = BehaviorVersion::v2026_01_12();
        let region = SdkRegion::new(home.as_str().to_owned());
        let shared = match &settings.credentials {
            Some(_) => SdkConfig::builder()
                .behavior_version(version)
                .region(region)
                .http_client(http_client)
                .build(),
            None => {
                aws_config::defaults(version)
                    .region(region)
                    .http_client(http_client)
                    .no_credentials()
                    // Of the requests that fetch credentials. The SDK would panic on a value of
                    // AWS_RETRY_MODE or AWS_MAX_ATTEMPTS that it does not know.
                    .retry_config(RetryConfig::standard())
                    .load()
                    .await
            }
        };
        Self {
            clock: ServiceClock::new(!shared.disable_clock_skew_correction().unwrap_or_default()),
            settings,
            home: home.clone(),
            shared,
        }
    }

    /// The session of the given credentials, or of those of a profile or of the standard chain.
    pub(super) fn session(&self, profile: Option<&str>, files: &AwsFiles) -> Session {
        if let Some(credentials) = &self.settings.credentials {
            return self.session_from(Source::Given(credentials.clone()));
        }
        let shared = self.shared.clone();
        let configure = move || {
            let mut config = ProviderConfig::without_region()
                .with_region(shared.region().cloned())
                .with_retry_config(RetryConfig::standard())
                .with_use_fips(shared.use_fips())
                .with_use_dual_stack(shared.use_dual_stack())
                .with_behavior_version(shared.behavior_version());
            if let Some(http_client) = shared.http_client() {
                config = config.with_http_client(http_client);
            }
            match shared.timeout_config() {
                None => config,
                Some(timeouts) => config.with_timeout_config(timeouts.clone()),
            }
        };
        self.session_of(CredentialsChain::new(files.clone(), profile, configure))
    }

    /// The session with the credentials of a provider.
    pub(super) fn session_of(&self, provider: impl ProvideCredentials + 'static) -> Session {
        self.session_from(Source::Provider(SharedCredentialsProvider::new(provider)))
    }

    fn session_from(&self, source: Source) -> Session {
        Session::new(
            source,
            self.settings.credentials_pause,
            self.settings.attempt_timeout,
        )
    }

    /// The client of a region, which signs with the credentials of `session`.
    ///
    /// Only the upstream stack retries and enforces timeouts. So the SDK's retries are off, and its timeout,
    /// which is the same as the stack's, only ends requests that the stack no longer waits for.
    pub(super) fn storage_gateway(
        &self,
        region: &Region,
        account: Option<&AccountId>,
        session: &Session,
    ) -> Client {
        let settings = &self.settings;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(settings.connect_timeout)
            .operation_timeout(settings.attempt_timeout)
            .build();
        let clock = self.clock.of_client();
        let mut builder = Builder::from(&self.shared)
            .region(SdkRegion::new(region.as_str().to_owned()))
            .credentials_provider(session.provider())
            .identity_cache(session.cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(StrictResponses)
            .interceptor(PropagateTrace)
            .interceptor(KeepUserAgent::default())
            // Ours signs with the corrected time.
            .disable_clock_skew_correction(true)
            .push_auth_scheme(SigV4::new(region.clone(), clock.clone()))
            .interceptor(clock);
        let endpoint = settings.endpoint_of(region, account);
        match &endpoint.url {
            // FIPS and dual-stack are variants of AWS's own endpoints. With another endpoint, the SDK
            // would reject every call.
            Some(url) => builder = builder.endpoint_url(url).use_fips(false).use_dual_stack(false),
            None => {
                builder.set_use_fips(endpoint.use_fips.or(self.shared.use_fips()));
                builder.set_use_dual_stack(endpoint.use_dual_stack.or(self.shared.use_dual_stack()));
            }
        }
        Client::from_conf(builder.build())
    }

    /// STS in the region of an account that is nearest to the service: its own, if the account is
    /// served there.
    pub(super) fn sts<'r>(
        &self,
        mut regions: impl Iterator<Item = &'r Region> + Clone,
        account: Option<&AccountId>,
        session: &Session,
    ) -> Sts {
        let is_home = regions.clone().any(|region| *region == self.home);
        let first = regions.next().filter(|_| !is_home);
        let region = first.unwrap_or(&self.home);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.settings.connect_timeout)
            .operation_timeout(STS_PATIENCE)
            .build();
        let endpoint = self.settings.endpoint_of(region, account);
        Sts::new(&self.shared, region, &endpoint, timeouts, session)
    }
}
