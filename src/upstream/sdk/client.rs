use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_storagegateway::{
    Client,
    config::{
        Builder, Config, ProvideCredentials, Region as SdkRegion, SharedCredentialsProvider,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};

use super::{
    clock::ClockWatch, failure::causes, identities::Identities, propagate_trace::PropagateTrace,
    strict::StrictAnswers, timestamped_provider::TimestampedProvider,
};
use crate::domain::Region;

/// How the SDK's clients connect, sign and time out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkSettings {
    /// The URL that is called instead of AWS's own endpoints.
    pub endpoint: Option<String>,
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

/// One client per region that is served. A client costs milliseconds to make and keeps
/// its own connections, so it is made once and shared.
#[derive(Debug)]
pub struct Clients {
    by_region: BTreeMap<Region, Client>,
    credentials: Option<TimestampedProvider>,
    pub(super) identities: Identities,
}

impl Clients {
    /// Makes the clients of `regions`; the standard chain looks for credentials from
    /// `home`.
    pub async fn new(
        settings: &SdkSettings,
        home: &Region,
        regions: impl IntoIterator<Item = Region>,
    ) -> Self {
        let identities = Identities::new(settings.credentials_pause);
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(SdkRegion::new(home.as_str().to_owned()))
            .identity_cache(identities.clone());
        if let Some(credentials) = &settings.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        let shared = loader.load().await;
        let credentials = shared.credentials_provider().map(TimestampedProvider::new);
        let provider = credentials.clone().map(SharedCredentialsProvider::new);
        let shared = shared.into_builder();
        let shared = match provider {
            Some(provider) => shared.credentials_provider(provider),
            None => shared,
        }
        .build();
        let clock = ClockWatch::new(!shared.disable_clock_skew_correction().unwrap_or_default());
        let client = |region: &Region| Client::from_conf(settings.config(&shared, region, clock.clone()));
        let by_region = regions
            .into_iter()
            .map(|region| (region.clone(), client(&region)))
            .collect();
        Self {
            by_region,
            credentials,
            identities,
        }
    }

    /// The client of a region, if that region is served.
    pub fn of(&self, region: &Region) -> Option<&Client> {
        self.by_region.get(region)
    }

    /// When credentials were last obtained; `None` before that.
    pub fn credentials_obtained(&self) -> Option<Instant> {
        self.credentials.as_ref()?.obtained()
    }

    /// Asks the chain for credentials.
    ///
    /// # Errors
    ///
    /// What the chain said, for an operator to read.
    pub async fn obtain_credentials(&self) -> Result<(), String> {
        let chain = self
            .credentials
            .as_ref()
            .ok_or("no credentials provider is configured")?;
        chain
            .provide_credentials()
            .await
            .map(|_| ())
            .map_err(|error| causes(&error))
    }
}

impl SdkSettings {
    /// The configuration of one region's client.
    ///
    /// One authority retries and keeps time, and that is the upstream stack: so the SDK's
    /// retries are off, and its timers are the same bounds as the stack's, there to end what
    /// the stack no longer waits for. The clients that fetch credentials keep the SDK's own
    /// ways: nobody else would repeat for them.
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
            .interceptor(StrictAnswers::new(self.max_answer_bytes))
            .interceptor(PropagateTrace)
            .interceptor(clock);
        match &self.endpoint {
            None => builder.build(),
            // AWS's variants of an endpoint go with AWS's own: the SDK refuses to put them
            // together with another, call by call.
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
