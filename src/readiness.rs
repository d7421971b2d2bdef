//! Whether this replica should be sent calls, and if not, why.
//!
//! Anything may tell it; `/readyz` and gRPC health show it.

use std::sync::Arc;

use tokio::sync::watch;

/// Shared by all that know something about readiness and all that show it.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    draining: bool,
    /// Why they do not work; `None` once they do.
    credentials: Option<String>,
}

impl State {
    fn is_ready(&self) -> bool {
        !self.draining && self.credentials.is_none()
    }
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

/// Not ready until the credentials are known to work.
impl Default for Readiness {
    fn default() -> Self {
        let credentials = Some("they have not been obtained yet".to_owned());
        Self(Arc::new(watch::Sender::new(State {
            draining: false,
            credentials,
        })))
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

impl Watch {
    /// Whether the replica is ready, as of now.
    pub fn ready(&mut self) -> bool {
        self.0.borrow_and_update().is_ready()
    }

    /// Waits for a change since [`Watch::ready`]; false when there can be none any more.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}
