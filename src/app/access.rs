//! Composes access control: authentication, authorization, limits and audit.

use std::{sync::Arc, time::Duration};

use futures_util::future::select_all;
use tokio_util::task::AbortOnDropHandle;

use super::{settings::Config, startup::CannotStart};
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
                warn_of_ignored_settings(config);
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
                trusted_proxies: server.trusted_proxies.clone(),
            },
            authority,
            limits: Arc::new(Limits::new(config.limits.clone())),
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
        // If callers can be authenticated in another way, too, missing keys do not make the replica
        // unready.
        let identities = self.auth.identities.as_ref();
        if identities.is_some_and(|identities| identities.needs_remote_keys()) {
            tasks.push(tokio::spawn(report_keys(remotes.clone(), readiness.clone())));
        }
        tasks.into_iter().map(AbortOnDropHandle::new).collect()
    }
}

/// Reports to readiness whether the keys of any issuer are available.
async fn report_keys(remotes: Vec<Arc<RemoteKeys>>, readiness: Readiness) {
    let mut watches: Vec<_> = remotes.iter().map(|remote| remote.watch()).collect();
    loop {
        let are_available = watches.iter_mut().any(|watch| *watch.borrow_and_update());
        readiness.set_identity_keys(are_available);
        let changes = watches.iter_mut().map(|watch| Box::pin(watch.changed()));
        if select_all(changes).await.0.is_err() {
            return;
        }
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
                    .map_err(|unusable| CannotStart::Files(vec![format!("{url}: {unusable}")]))?;
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
    let asks_for_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let certificates = asks_for_certificates.then(|| certificates.clone());
    Ok(Authenticator::new(
        certificates,
        issuers,
        tokens,
        *remember,
        *max_token_bytes,
    ))
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

fn warn_of_ignored_settings(config: &Config) {
    let has_identities = !config.identities.issuers.is_empty() || config.identities.tokens.is_some();
    if has_identities || config.policy.is_some() {
        tracing::warn!(
            "allow_anonymous is set: every caller may do everything, and the configured identities and policies are \
             ignored"
        );
    }
}
