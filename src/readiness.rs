//! Whether this replica should be sent calls, and if not, why.
//!
//! Anything may tell it; `/readyz` and gRPC health show it.

use std::sync::Arc;

use tokio::sync::watch;

/// Shared by all that know something about readiness and all that show it.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    draining: bool,
    credentials: Option<String>,
}

/// Why a replica is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It is shutting down.
    Draining,
    /// The service's own AWS credentials cannot be had, or AWS refuses them.
    Credentials(String),
}

impl NotReady {
    /// A word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Credentials(_) => "aws_credentials",
        }
    }

    /// What happened, and what to do, for people.
    pub fn message(&self) -> String {
        match self {
            Self::Draining => "shutting down; calls in progress are ending".to_owned(),
            Self::Credentials(cause) => {
                format!(
                    "the service's own AWS credentials do not work: {cause}; check its role, environment or profile"
                )
            }
        }
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }
}

impl Readiness {
    /// The service has begun to shut down.
    pub fn draining(&self) {
        self.update(|state| state.draining = true);
    }

    /// The service's AWS credentials were taken.
    pub fn credentials_accepted(&self) {
        self.update(|state| state.credentials = None);
    }

    /// The service's AWS credentials cannot be had, or were refused.
    pub fn credentials_refused(&self, cause: &str) {
        self.update(|state| state.credentials = Some(cause.to_owned()));
    }

    /// Why the replica is not ready; empty when it is.
    pub fn reasons(&self) -> Vec<NotReady> {
        let State {
            draining,
            credentials,
        } = self.0.borrow().clone();
        let draining = draining.then_some(NotReady::Draining);
        draining
            .into_iter()
            .chain(credentials.map(NotReady::Credentials))
            .collect()
    }

    /// Calls `show` with whether the replica is ready: now, and at every change.
    pub async fn follow(&self, mut show: impl AsyncFnMut(bool)) {
        let mut states = self.0.subscribe();
        loop {
            let ready = *states.borrow_and_update() == State::default();
            show(ready).await;
            if states.changed().await.is_err() {
                return;
            }
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.0.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }
}
