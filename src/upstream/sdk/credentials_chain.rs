use std::{
    env, fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use aws_config::{
    ecs::EcsCredentialsProvider, environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::{
    Credentials,
    provider::{error::CredentialsError, future},
};
use aws_sdk_storagegateway::config::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::files;

use super::{
    aws_files::{AwsFiles, DEFAULT_PROFILE, FilesDigest, selected_profile},
    failure::{causes, find},
    renewal::checked,
};

/// The standard chain of the SDK: environment variables, profile, web identity token, container, EC2
/// instance. The first one that has credentials provides them.
///
/// The SDK's own chain reads the files of AWS once, keeps only the first error of a profile, and
/// returns the error of the last provider alone. This one is made anew when the files change or when
/// it failed, and its error has the causes of all providers.
pub(super) struct CredentialsChain {
    configure: Box<dyn Fn() -> ProviderConfig + Send + Sync>,
    files: AwsFiles,
    /// The only profile that is used, and the only link of the chain; `None` is the whole chain.
    profile: Option<String>,
    built: Mutex<Option<Built>>,
}

/// A chain, and the content of the files that it was made of.
#[derive(Clone)]
struct Built {
    providers: Arc<[(Link, SharedCredentialsProvider)]>,
    content: FilesDigest,
}

/// A provider of the chain.
#[derive(Clone, Copy, Debug)]
enum Link {
    Environment,
    Profile,
    WebIdentity,
    Container,
    Instance,
}

impl Link {
    /// Why the file that a variable names for it cannot be opened, if it is not a regular one.
    fn unusable_file(self) -> Option<String> {
        let variable = match self {
            Self::WebIdentity => "AWS_WEB_IDENTITY_TOKEN_FILE",
            Self::Container => "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            Self::Environment | Self::Profile | Self::Instance => return None,
        };
        let path = env::var_os(variable)?;
        let error = files::check(Path::new(&path)).err()?;
        Some(format!("{variable}={}: {error}", path.display()))
    }

    /// Its name for operators, with what it reads.
    fn describe(self) -> String {
        let variable = |name| match env::var(name) {
            Ok(value) => format!("{name}={value}"),
            Err(_) => format!("{name} is not set"),
        };
        match self {
            Self::Environment => "environment variables".to_owned(),
            Self::Profile => "profile".to_owned(),
            Self::WebIdentity => format!("web identity ({})", variable("AWS_WEB_IDENTITY_TOKEN_FILE")),
            Self::Container => "container".to_owned(),
            Self::Instance => "EC2 instance".to_owned(),
        }
    }
}

impl CredentialsChain {
    /// A chain of providers that `configure` configures, or one profile alone. A configuration remembers the profiles that
    /// it has read, so each time the chain is made it gets a new one.
    pub(super) fn new(
        files: AwsFiles,
        profile: Option<&str>,
        configure: impl Fn() -> ProviderConfig + Send + Sync + 'static,
    ) -> Self {
        Self {
            configure: Box::new(configure),
            files,
            profile: profile.map(str::to_owned),
            built: Mutex::default(),
        }
    }

    /// The chain for the files as they are.
    fn current(&self) -> Built {
        let content = self.files.digest();
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        match &*built {
            Some(built) if built.content == content => built.clone(),
            _ => {
                let providers = self.build();
                built.insert(Built { providers, content }).clone()
            }
        }
    }

    fn build(&self) -> Arc<[(Link, SharedCredentialsProvider)]> {
        let config = (self.configure)();
        if let Some(profile) = &self.profile {
            let profile = ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(profile)
                .build();
            return Arc::new([(Link::Profile, SharedCredentialsProvider::new(profile))]);
        }
        let environment = EnvironmentVariableCredentialsProvider::new();
        let profile = ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .build();
        let web_identity = WebIdentityTokenCredentialsProvider::builder()
            .configure(&config)
            .build();
        let container = EcsCredentialsProvider::builder().configure(&config).build();
        let instance = ImdsCredentialsProvider::builder().configure(&config).build();
        Arc::new([
            (Link::Environment, SharedCredentialsProvider::new(environment)),
            (Link::Profile, SharedCredentialsProvider::new(profile)),
            (Link::WebIdentity, SharedCredentialsProvider::new(web_identity)),
            (Link::Container, SharedCredentialsProvider::new(container)),
            (Link::Instance, SharedCredentialsProvider::new(instance)),
        ])
    }

    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let built = self.current();
        let selected = selected_profile();
        let is_named = self.profile.is_some() || selected.is_some();
        let profile = self.profile.clone().or(selected);
        let profile = profile.unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        let mut failures = Vec::new();
        for (link, provider) in built.providers.iter() {
            let provided = match link.unusable_file() {
                None => provider.provide_credentials().await.and_then(checked),
                Some(why) => Err(CredentialsError::invalid_configuration(why)),
            };
            let error = match provided {
                Ok(credentials) => return Ok(credentials),
                Err(error) => error,
            };
            let failure = match link {
                Link::Profile => failure_of_profile(&error, &profile, &self.files).await,
                link => format!("{}: {}", link.describe(), causes(&error)),
            };
            // A provider that is configured and fails ends the chain, as in the SDK's own. A profile that
            // somebody has named is configured, although it is not there: others are another identity.
            let is_configured = !matches!(error, CredentialsError::CredentialsNotLoaded(_));
            if is_configured || (is_named && matches!(link, Link::Profile)) {
                failures = vec![failure];
                break;
            }
            failures.push(failure);
        }
        // The next attempt reads everything again.
        let mut current = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        *current = None;
        Err(CredentialsError::provider_error(ChainFailed(failures.join("; "))))
    }
}

/// How many profiles are followed by their `source_profile`.
const MAX_SOURCES: usize = 8;

/// Why a profile has no credentials, with what the error of its provider does not have: file and line,
/// the file of a token, and the command that begins a session of a person again.
async fn failure_of_profile(error: &CredentialsError, name: &str, files: &AwsFiles) -> String {
    let (fs, env, kinds) = Default::default();
    let profiles = match aws_config::profile::load(&fs, &env, &kinds, None).await {
        Ok(profiles) => profiles,
        // The error has file and line.
        Err(error) => return format!("profile {name}: {}", causes(&error).replace('\n', " ")),
    };
    let mut failure = format!(
        "{}: {}",
        files.place_of_profile(name),
        without_stderr(&causes(error))
    );
    let is_network = find::<ConnectorError>(error).is_some();
    let mut name = name;
    // A role's profile names the one whose credentials assume it; the number of steps ends a circle.
    for _ in 0..MAX_SOURCES {
        let Some(profile) = profiles.get_profile(name) else {
            break;
        };
        let has = |key| profile.get(key).is_some();
        if let Some(file) = profile.get("web_identity_token_file") {
            failure += &format!(" (web_identity_token_file = {file})");
        }
        let command = match () {
            () if is_network => None,
            () if has("sso_session") || has("sso_start_url") => Some("aws sso login"),
            () if has("login_session") => Some("aws login"),
            () => None,
        };
        if let Some(command) = command {
            failure += &format!("; sign in again with `{command} --profile {name}`");
        }
        let Some(source) = profile.get("source_profile") else {
            break;
        };
        name = source;
    }
    failure
}

/// The cause without what a process has written to its standard error, which can be a secret.
fn without_stderr(cause: &str) -> String {
    match cause.split_once("Stderr: ") {
        None => cause.to_owned(),
        Some((before, _)) => format!("{before}its standard error is not shown"),
    }
}

impl ProvideCredentials for CredentialsChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

impl fmt::Debug for CredentialsChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialsChain").field(&self.files).finish()
    }
}

/// Why no provider has credentials.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ChainFailed(String);
