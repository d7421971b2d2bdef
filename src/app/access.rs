//! From a configuration to who is let in, what each may do, and what is written down of it.

use std::sync::Arc;

use futures_util::future::select_all;
use tokio_util::task::AbortOnDropHandle;

use super::CannotStart;
use crate::{
    access::{
        Authenticator, Authority,
        audit::AuditLog,
        identity::{
            jwt::{Issuer, JwksLocation, KeySet, KeySource, RemoteKeys},
            static_tokens::StaticTokens,
        },
        limits::Limits,
        policy::{Policies, PolicyEngine},
        reload::{self, Files, Reload, Reloading},
    },
    app::config::{self, Config, Entry},
    grpc::{
        inbound::{AccessMode, AuthSettings},
        tls::{self, Tls},
    },
    observability::readiness::Readiness,
};

/// Who is let in, and how far.
pub(super) struct Access {
    pub(super) tls: Option<Arc<Reloading<Tls>>>,
    pub(super) entrance: AuthSettings,
    pub(super) authority: Authority,
    pub(super) limits: Arc<Limits>,
    pub(super) audit: Arc<AuditLog>,
    upkeep: Upkeep,
}

/// What has to be looked after while the service runs.
#[derive(Default)]
struct Upkeep {
    files: Vec<Arc<dyn Reload>>,
    remotes: Vec<Arc<RemoteKeys>>,
}

impl Access {
    /// What `config` says.
    ///
    /// # Errors
    ///
    /// When a file has become wrong since the configuration was checked.
    pub(super) fn of(config: &Config) -> Result<Self, CannotStart> {
        let mut upkeep = Upkeep::default();
        let tls = match &config.tls {
            None => None,
            Some(tls) => {
                let opened = tls::open(&tls.cert, &tls.key, tls.client_ca.as_deref());
                Some(upkeep.keep(opened)?)
            }
        };
        let server = &config.server;
        let (identities, authority) = match server.allow_anonymous {
            true => {
                warn_of_what_counts_for_nothing(config);
                (None, Authority::Anyone)
            }
            false => {
                let identities = identities(config, &mut upkeep)?;
                (Some(Arc::new(identities)), authority(config, &mut upkeep)?)
            }
        };
        let door = |entry| match entry {
            Entry::Open => AccessMode::Open,
            Entry::Identified => AccessMode::Identified,
            Entry::Closed => AccessMode::Closed,
        };
        let config::Audit { file, reads, queue } = &config.audit;
        let audit = match file {
            None => AuditLog::to_log(*reads),
            Some(path) => AuditLog::to_file(path, *queue, *reads)?,
        };
        Ok(Self {
            tls,
            entrance: AuthSettings {
                identities,
                health: door(config.auth.health),
                reflection: door(config.auth.reflection),
                trusted_proxies: server.trusted_proxies.clone(),
            },
            authority,
            limits: Arc::new(Limits::new(config.limits.clone())),
            audit: Arc::new(audit),
            upkeep,
        })
    }

    /// The files that are read again when they change.
    pub(super) fn files(&self) -> Vec<Arc<dyn Reload>> {
        self.upkeep.files.clone()
    }

    /// What fetches keys from URLs.
    pub(super) fn remotes(&self) -> Vec<Arc<RemoteKeys>> {
        self.upkeep.remotes.clone()
    }

    /// Looks after files and keys for as long as what comes back is kept, and tells readiness
    /// whether anybody can be known.
    pub(super) fn look_after(
        &self,
        config: &config::Server,
        readiness: &Readiness,
    ) -> Vec<AbortOnDropHandle<()>> {
        let Upkeep { files, remotes } = &self.upkeep;
        let mut tasks = Vec::new();
        if !files.is_empty() {
            tasks.push(tokio::spawn(reload::watch(files.clone(), config.reload_interval)));
        }
        for remote in remotes.clone() {
            tasks.push(tokio::spawn(async move { remote.keep_fresh().await }));
        }
        // Where callers can be known in another way too, keys that are missing are no reason to
        // send the others elsewhere.
        let identities = self.entrance.identities.as_ref();
        if identities.is_some_and(|identities| identities.needs_remote_keys()) {
            tasks.push(tokio::spawn(tell_of_keys(remotes.clone(), readiness.clone())));
        }
        tasks.into_iter().map(AbortOnDropHandle::new).collect()
    }
}

/// Tells readiness whether the keys of any issuer are there.
async fn tell_of_keys(remotes: Vec<Arc<RemoteKeys>>, readiness: Readiness) {
    let mut watches: Vec<_> = remotes.iter().map(|remote| remote.watch()).collect();
    loop {
        let are_there = watches.iter_mut().any(|watch| *watch.borrow_and_update());
        readiness.set_identity_keys(are_there);
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
    let config::Auth {
        mtls,
        jwt,
        tokens,
        max_token_bytes,
        remember,
        health: _,
        reflection: _,
    } = &config.auth;
    let mut issuers = Vec::new();
    for issuer in jwt {
        let source = match &issuer.jwks {
            JwksLocation::File(path) => {
                let files = Files::Each(vec![path.clone()]);
                KeySource::File(upkeep.keep(Reloading::open("auth.jwt.jwks", files, KeySet::read))?)
            }
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
        Some(path) => {
            let files = Files::Each(vec![path.clone()]);
            Some(upkeep.keep(Reloading::open("auth.tokens.file", files, StaticTokens::read))?)
        }
    };
    let asks_for_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let certificates = asks_for_certificates.then(|| mtls.clone());
    Ok(Authenticator::new(
        certificates,
        issuers,
        tokens,
        *remember,
        *max_token_bytes,
    ))
}

/// Without policies nothing would be allowed, so a configuration without them is refused.
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

fn warn_of_what_counts_for_nothing(config: &Config) {
    let has_identities = !config.auth.jwt.is_empty() || config.auth.tokens.is_some();
    if has_identities || config.policy.is_some() {
        tracing::warn!(
            "allow_anonymous is set: every caller may do everything, and the identities and policies that are \
             configured count for nothing"
        );
    }
}
