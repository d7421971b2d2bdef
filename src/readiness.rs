//! Whether this replica should be sent calls, and if not, why.
//!
//! Anything may tell it; `/readyz` and gRPC health show it.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use crate::domain::Region;

/// Shared by all that know something about readiness and all that show it.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    draining: bool,
    /// Why there are no credentials; `None` once they were obtained.
    missing: Option<String>,
    /// Whether callers can be known.
    knows_callers: bool,
    /// The regions where AWS refused them, and its code.
    refused: BTreeMap<Region, String>,
    regions: usize,
}

/// Why a replica is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It is shutting down.
    Draining,
    /// The service's own AWS credentials cannot be had.
    CredentialsMissing(String),
    /// AWS refuses the service's own credentials, in every region that is served.
    CredentialsRefused(String),
    /// The keys of no issuer can be had, and callers are known in no other way.
    IdentityKeysMissing,
}

impl NotReady {
    /// A word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::CredentialsMissing(_) => "aws_credentials_missing",
            Self::CredentialsRefused(_) => "aws_credentials_refused",
            Self::IdentityKeysMissing => "identity_keys_missing",
        }
    }

    /// What happened, and what to do, for people.
    pub fn message(&self) -> String {
        match self {
            Self::Draining => "shutting down; calls in progress are ending".to_owned(),
            Self::CredentialsMissing(why) => {
                format!("the service has no AWS credentials: {why}; check its role, environment or profile")
            }
            Self::CredentialsRefused(codes) => format!(
                "AWS refuses the service's own credentials ({codes}); check that they are valid there and that \
                 this machine's clock is right"
            ),
            Self::IdentityKeysMissing => {
                "the keys of no issuer can be had, so nobody could be let in; check that the \
                 URLs of auth.jwt can be reached from here"
                    .to_owned()
            }
        }
    }
}

impl State {
    fn reasons(&self) -> Vec<NotReady> {
        let draining = self.draining.then_some(NotReady::Draining);
        let missing = self.missing.clone().map(NotReady::CredentialsMissing);
        // A region that is not opted in refuses good credentials: the others still serve.
        let refused = (self.refused.len() >= self.regions).then(|| {
            let codes = self
                .refused
                .iter()
                .map(|(region, code)| format!("{region}: {code}"));
            NotReady::CredentialsRefused(codes.collect::<Vec<_>>().join(", "))
        });
        let unknown = (!self.knows_callers).then_some(NotReady::IdentityKeysMissing);
        [draining, missing, refused, unknown]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Readiness {
    /// Not ready until AWS credentials have been obtained. So many regions are served, at
    /// least 1.
    pub fn new(regions: usize) -> Self {
        Self(Arc::new(watch::Sender::new(State {
            draining: false,
            missing: Some("they have not been obtained yet".to_owned()),
            knows_callers: true,
            refused: BTreeMap::new(),
            regions: regions.max(1),
        })))
    }

    /// The service has begun to shut down.
    pub fn draining(&self) {
        self.update(|state| state.draining = true);
    }

    /// The service has AWS credentials.
    pub fn credentials_obtained(&self) {
        self.update(|state| state.missing = None);
    }

    /// The service cannot get AWS credentials.
    pub fn credentials_missing(&self, why: &str) {
        self.update(|state| state.missing = Some(why.to_owned()));
    }

    /// AWS took the credentials in this region.
    pub fn credentials_accepted(&self, region: &Region) {
        self.update(|state| {
            state.missing = None;
            state.refused.remove(region);
        });
    }

    /// AWS refused the credentials in this region, by this code.
    pub fn credentials_refused(&self, region: &Region, code: &str) {
        self.update(|state| {
            state.refused.insert(region.clone(), code.to_owned());
        });
    }

    /// Lets refusals lapse: a replica that is sent no calls would never learn that its
    /// credentials are taken again.
    pub fn forget_refusals(&self) {
        self.update(|state| state.refused.clear());
    }

    /// Whether the keys are there without which no caller can be known.
    pub fn identity_keys(&self, are_there: bool) {
        self.update(|state| state.knows_callers = are_there);
    }

    /// Why the replica is not ready; empty when it is.
    pub fn reasons(&self) -> Vec<NotReady> {
        self.0.borrow().reasons()
    }

    /// Tells of changes.
    pub fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.0.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }
}

/// Tells of changes of a [`Readiness`].
#[derive(Debug)]
pub struct Watch(watch::Receiver<State>);

/// How it stands with the service's AWS credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// They cannot be had.
    Missing,
    /// They were refused somewhere, not long ago.
    Refused,
    /// Nothing is known against them.
    Good,
}

impl Watch {
    /// Whether the replica is ready, as of now.
    pub fn ready(&mut self) -> bool {
        self.0.borrow_and_update().reasons().is_empty()
    }

    /// How it stands with the credentials, as of now.
    pub fn credentials(&mut self) -> Credentials {
        let state = self.0.borrow_and_update();
        match (&state.missing, state.refused.is_empty()) {
            (Some(_), _) => Credentials::Missing,
            (None, false) => Credentials::Refused,
            (None, true) => Credentials::Good,
        }
    }

    /// Waits for a change since the last look; false when there can be none any more.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}
