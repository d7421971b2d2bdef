use aws_config::{Region as SdkRegion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::error::CredentialsError};
use aws_sdk_sts::{
    Client,
    config::Builder,
    error::ProvideErrorMetadata,
    types::{AssumedRoleUser, Tag},
};

use super::{failure::causes, session::Session, settings::EndpointSettings};
use crate::domain::{AccountId, Region, RoleArn};

/// The name of the provider in the credentials of a role.
const PROVIDER: &str = "AssumeRole";

/// Asks STS with the credentials of one session.
#[derive(Clone, Debug)]
pub(super) struct Sts {
    client: Client,
    session: Session,
    /// Where it is, for errors.
    place: String,
}

/// Why it is not known whose the credentials are.
pub enum NoOwner {
    /// STS rejects the credentials, as every service of AWS will.
    Rejected(String),
    /// STS was not reached, or failed.
    Unknown(String),
}

/// A session of a role that is to be begun.
#[derive(Clone, Debug)]
pub(super) struct RoleSession {
    pub(super) role: RoleArn,
    pub(super) external_id: Option<String>,
    pub(super) name: String,
    pub(super) tags: Vec<(&'static str, String)>,
}

impl Sts {
    /// The STS of a region, asked with the credentials of `session`. Unlike those of Storage Gateway,
    /// its requests keep the SDK's retries, because nothing else retries them.
    pub(super) fn new(
        shared: &SdkConfig,
        region: &Region,
        endpoint: &EndpointSettings,
        timeouts: TimeoutConfig,
        session: &Session,
    ) -> Self {
        let mut builder = Builder::from(shared)
            .region(SdkRegion::new(region.as_str().to_owned()))
            .credentials_provider(session.provider())
            .identity_cache(session.cache())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts);
        match &endpoint.sts_url {
            Some(url) => builder = builder.endpoint_url(url).use_fips(false).use_dual_stack(false),
            None => {
                builder.set_use_fips(endpoint.use_fips.or(shared.use_fips()));
                builder.set_use_dual_stack(endpoint.use_dual_stack.or(shared.use_dual_stack()));
            }
        }
        Self {
            client: Client::from_conf(builder.build()),
            session: session.clone(),
            place: match &endpoint.sts_url {
                Some(url) => format!("STS at {url}"),
                None => format!("STS of {region}"),
            },
        }
    }

    /// The account that the credentials belong to.
    ///
    /// # Errors
    ///
    /// [`NoOwner`], for the operator.
    pub(super) async fn account_of_credentials(&self) -> Result<AccountId, NoOwner> {
        let epoch = self.session.epoch();
        // The replica is not ready meanwhile, and can do without: so it is asked once.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let identity = self.client.get_caller_identity().customize();
        let identity = identity.config_override(once).send().await;
        let identity = identity.map_err(|error| {
            let why = format!("{}: {}", self.place, causes(&error));
            if error.code().is_some_and(rejects_the_credentials) {
                self.session.rejected(epoch);
                return NoOwner::Rejected(why);
            }
            NoOwner::Unknown(why)
        })?;
        let account = identity.account().unwrap_or_default();
        let none = |_| NoOwner::Unknown(format!("{} names no account", self.place));
        account.parse().map_err(none)
    }

    /// Where it is, for operators.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The credentials of a new session of a role.
    pub(super) async fn assume(&self, wanted: &RoleSession) -> Result<Credentials, CredentialsError> {
        let tag = |(key, value): &(&str, String)| Tag::builder().key(*key).value(value).build();
        let tags: Result<Vec<_>, _> = wanted.tags.iter().map(tag).collect();
        let tags = tags.map_err(CredentialsError::unhandled)?;
        let epoch = self.session.epoch();
        let assumed = self
            .client
            .assume_role()
            .role_arn(wanted.role.as_str())
            .role_session_name(&wanted.name)
            .set_external_id(wanted.external_id.clone())
            .set_tags((!tags.is_empty()).then_some(tags))
            .send()
            .await;
        let assumed = assumed.map_err(|error| {
            if error.code().is_some_and(rejects_the_credentials) {
                self.session.rejected(epoch);
            }
            CredentialsError::provider_error(NotAssumed {
                role: wanted.role.clone(),
                session: wanted.name.clone(),
                why: format!("{}: {}", self.place, causes(&error)),
            })
        })?;
        let arn = assumed
            .assumed_role_user()
            .map(AssumedRoleUser::arn)
            .unwrap_or_default();
        if arn.split(':').nth(4) != Some(wanted.role.account().as_str()) {
            return Err(CredentialsError::provider_error(NotAssumed {
                role: wanted.role.clone(),
                session: wanted.name.clone(),
                why: format!("{} sent a session of another account: {arn}", self.place),
            }));
        }
        let missing = || CredentialsError::unhandled("STS sent no credentials");
        let credentials = assumed.credentials().ok_or_else(missing)?;
        let expiry = (*credentials.expiration()).try_into();
        Ok(Credentials::builder()
            .access_key_id(credentials.access_key_id())
            .secret_access_key(credentials.secret_access_key())
            .session_token(credentials.session_token())
            .expiry(expiry.map_err(CredentialsError::unhandled)?)
            .account_id(wanted.role.account().as_str())
            .provider_name(PROVIDER)
            .build())
    }
}

/// Whether STS rejects with this code the credentials that signed the request, and not what they ask
/// for.
fn rejects_the_credentials(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"
    )
}

/// Why a role could not be assumed.
#[derive(Debug, thiserror::Error)]
#[error("cannot assume {role} in the session {session}: {why}")]
struct NotAssumed {
    role: RoleArn,
    session: String,
    why: String,
}
