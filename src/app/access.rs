//! Composes access control: authentication, authorization, limits and audit.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::select_all;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{expiry::Expiries, settings::Config, startup::CannotStart};
use crate::{
    access::{
        Authenticator, Authority, IdentitySettings,
        audit::AuditLog,
        identity::{
            jwt::{Issuer, JwksLocation, KeySet, KeySource, RemoteKeys},
            static_tokens::StaticTokens,
        },
        limits::Limits,
        policy::{Policies, PolicyEngine},
        reload::{self, Reload, Reloading},
    },
    grpc::{
        inbound::AuthSettings,
        tls::{self, Tls},
    },
    observability::readiness::Readiness,
};

/// What the layers of a call check it against.
pub(super) struct Access {
    pub(super) tls: Option<Arc<Reloading<Tls>>>,
    pub(super) auth: AuthSettings,
    pub(super) authority: Authority,
    pub(super) limits: Arc<Limits>,
    pub(super) audit: Arc<AuditLog>,
    upkeep: Upkeep,
}

/// What has to be kept up to date while the service runs.
#[derive(Default)]
struct Upkeep {
    files: Vec<Arc<dyn Reload>>,
    remotes: Vec<Arc<RemoteKeys>>,
}

impl Access {
    /// Opens the files that the settings name.
    ///
    /// # Errors
    ///
    /// If a file has become invalid since the settings were checked.
    pub(super) fn open(config: &Config) -> Result<Self, CannotStart> {
        let mut upkeep = Upkeep::default();
        let tls = match &config.tls {
            None => None,
            Some(tls) => Some(upkeep.keep(tls::open(tls))?),
        };
        let server = &config.server;
        let (identities, authority) = match server.allow_anonymous {
            true => {
                if let Some(warning) = ignored_access_control(config) {
                    tracing::warn!("{warning}");
                }
                (None, Authority::Anyone)
            }
            false => {
                let identities = identities(config, &mut upkeep)?;
                (Some(Arc::new(identities)), authority(config, &mut upkeep)?)
            }
        };
        Ok(Self {
            tls,
            auth: AuthSettings {
                identities,
                health: server.health,
                reflection: server.reflection,
            },
            authority,
            limits: Arc::new(limits(config)?),
            audit: Arc::new(AuditLog::open(&config.audit)?),
            upkeep,
        })
    }

    /// The files that are reloaded when they change.
    pub(super) fn files(&self) -> Vec<Arc<dyn Reload>> {
        self.upkeep.files.clone()
    }

    /// The key sets at URLs.
    pub(super) fn remotes(&self) -> Vec<Arc<RemoteKeys>> {
        self.upkeep.remotes.clone()
    }

    /// The files whose content expires.
    pub(super) fn expiries(&self) -> Expiries {
        Expiries::of(self.tls.as_ref(), self.auth.identities.as_deref())
    }

    /// Checks these files for changes, too.
    pub(super) fn watch(&mut self, files: Option<Arc<dyn Reload>>) {
        self.upkeep.files.extend(files);
    }

    /// Reloads files and fetches keys until the handles are dropped, and reports missing keys to
    /// readiness.
    pub(super) fn keep_up_to_date(
        &self,
        reload_interval: Duration,
        readiness: &Readiness,
    ) -> Vec<AbortOnDropHandle<()>> {
        let Upkeep { files, remotes } = &self.upkeep;
        let mut tasks = Vec::new();
        if !files.is_empty() {
            tasks.push(tokio::spawn(reload::watch(files.clone(), reload_interval)));
        }
        for remote in remotes.clone() {
            tasks.push(tokio::spawn(async move { remote.keep_fresh().await }));
        }
        if let Some(identities) = &self.auth.identities
            && !remotes.is_empty()
        {
            let keys = ReportedKeys {
                remotes: remotes.clone(),
                are_needed: identities.needs_remote_keys(),
                readiness: readiness.clone(),
            };
            // At once, so that the replica is not ready before the first fetch.
            keys.report(true);
            tasks.push(tokio::spawn(keys.keep_reporting()));
        }
        tasks.into_iter().map(AbortOnDropHandle::new).collect()
    }
}

/// The keys of issuers at URLs, as readiness sees them.
struct ReportedKeys {
    remotes: Vec<Arc<RemoteKeys>>,
    /// Whether nobody can be authenticated without them.
    are_needed: bool,
    readiness: Readiness,
}

/// How long a start waits for the keys of every issuer. One issuer that fails must not keep replicas
/// out of service for ever that callers of the other sources can use.
const START_PATIENCE: Duration = Duration::from_secs(60);

impl ReportedKeys {
    /// Reports missing keys whenever they change. During the start, the keys of every issuer count;
    /// after that, only that there are some, if nobody can be authenticated without them.
    async fn keep_reporting(self) {
        let mut watches: Vec<_> = self.remotes.iter().map(|remote| remote.watch()).collect();
        let mut is_starting = true;
        let patience = sleep(START_PATIENCE);
        tokio::pin!(patience);
        loop {
            watches
                .iter_mut()
                .for_each(|watch| drop(watch.borrow_and_update()));
            is_starting &= self.report(is_starting);
            let changes = watches.iter_mut().map(|watch| Box::pin(watch.changed()));
            tokio::select! {
                (changed, _, _) = select_all(changes) => if changed.is_err() { return },
                () = &mut patience, if is_starting => {
                    is_starting = false;
                    tracing::warn!(
                        "the keys of an issuer were not fetched within a minute; its callers are rejected until they are"
                    );
                }
            }
        }
    }

    /// Returns whether the start still waits for keys.
    fn report(&self, is_starting: bool) -> bool {
        let never_fetched = self
            .remotes
            .iter()
            .filter(|remote| is_starting && remote.age().is_none());
        let awaited: BTreeSet<_> = never_fetched.map(|remote| remote.url().to_owned()).collect();
        let is_waiting = !awaited.is_empty();
        self.readiness.set_awaited_keys(awaited);
        if self.are_needed {
            let are_available = self.remotes.iter().any(|remote| remote.keys().is_some());
            let urls = self.remotes.iter().map(|remote| remote.url().to_owned());
            let missing = (!are_available).then(|| urls.collect());
            self.readiness.set_missing_keys(missing);
        }
        is_waiting
    }
}

impl Upkeep {
    fn keep<T: Send + Sync + 'static>(
        &mut self,
        opened: Result<Reloading<T>, Vec<String>>,
    ) -> Result<Arc<Reloading<T>>, CannotStart> {
        let opened = Arc::new(opened.map_err(CannotStart::Files)?);
        self.files.push(opened.clone());
        Ok(opened)
    }
}

fn identities(config: &Config, upkeep: &mut Upkeep) -> Result<Authenticator, CannotStart> {
    let IdentitySettings {
        certificates,
        issuers: issuer_settings,
        tokens,
        max_token_bytes,
        remember,
    } = &config.identities;
    let mut issuers = Vec::new();
    for issuer in issuer_settings {
        let source = match &issuer.jwks {
            JwksLocation::File(path) => KeySource::File(upkeep.keep(KeySet::open(path))?),
            JwksLocation::Url(url) => {
                let remote = RemoteKeys::new(url, issuer.remote.clone())
                    .map_err(|faults| CannotStart::Files(faults.iter().map(ToString::to_string).collect()))?;
                let remote = Arc::new(remote);
                upkeep.remotes.push(remote.clone());
                KeySource::Remote(remote)
            }
        };
        issuers.push(Issuer::new(issuer.clone(), source));
    }
    let tokens = match tokens {
        None => None,
        Some(path) => Some(upkeep.keep(StaticTokens::open(path))?),
    };
    Ok(Authenticator::new(
        certificates.clone(),
        issuers,
        tokens,
        *remember,
        *max_token_bytes,
    ))
}

fn limits(config: &Config) -> Result<Limits, CannotStart> {
    let limits = Limits::new(config.limits.clone());
    match &config.shared_limits {
        None => Ok(limits),
        Some(settings) => limits
            .shared(settings)
            .map_err(|faults| CannotStart::Files(faults.iter().map(ToString::to_string).collect())),
    }
}

/// Without policies no call would be allowed, so settings without them are rejected.
fn authority(config: &Config, upkeep: &mut Upkeep) -> Result<Authority, CannotStart> {
    let Some(policy) = &config.policy else {
        return Err(CannotStart::Files(vec!["policy.path is not set".to_owned()]));
    };
    let real = upkeep.keep(PolicyEngine::open("policy.path", &policy.path))?;
    let trial = match &policy.trial {
        None => None,
        Some(path) => Some(upkeep.keep(PolicyEngine::open("policy.trial", path))?),
    };
    let unset_pool = policy.unset_pool.as_str().to_owned();
    Ok(Authority::Policies(Arc::new(Policies::new(
        real, trial, unset_pool,
    ))))
}

/// What an operator should know who configures access control and allows anonymous callers.
pub(super) fn ignored_access_control(config: &Config) -> Option<&'static str> {
    let Config {
        server,
        identities,
        policy,
        limits,
        ..
    } = config;
    let has_identities =
        identities.certificates.is_some() || !identities.issuers.is_empty() || identities.tokens.is_some();
    let is_ignored = has_identities || policy.is_some() || !limits.groups.is_empty();
    (server.allow_anonymous && is_ignored).then_some(
        "allow_anonymous is set: every caller may do everything, and the configured identities, policies and limits \
         of principals are ignored",
    )
}
