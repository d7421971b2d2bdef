//! Whether this replica should receive calls, and if not, why.
//!
//! Layers and background tasks report what they find; `/readyz`, gRPC health and a metric read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::sync::watch;

use crate::domain::Region;

/// Readiness of this replica. Clones share one state.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    draining: bool,
    /// Why there are no AWS credentials; `None` once they were obtained.
    missing: Option<String>,
    /// Whether callers can be authenticated.
    can_authenticate: bool,
    /// The regions where AWS rejected the credentials, with its error code.
    rejected: BTreeMap<Region, String>,
    /// The conditions of AWS in the regions that were called.
    conditions: BTreeMap<Region, BTreeSet<UpstreamCondition>>,
    regions: usize,
    not_ready_on: NotReadyOn,
}

/// Which condition of AWS makes a replica not ready, if it holds in every region that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReadyOn {
    /// None: conditions are only reported.
    Nothing,
    /// AWS does not respond.
    NoAnswer,
    /// AWS does not respond, or throttles calls.
    Throttling,
}

/// A condition of AWS that recent calls have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpstreamCondition {
    /// AWS throttles, and calls are paced.
    Throttled,
    /// Several attempts in a row ended without an answer from AWS.
    NoAnswer,
    /// AWS rejected the service's own credentials.
    CredentialsRejected,
}

impl UpstreamCondition {
    /// All conditions.
    pub const ALL: [Self; 3] = [Self::Throttled, Self::NoAnswer, Self::CredentialsRejected];

    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NoAnswer => "no_answer",
            Self::CredentialsRejected => "credentials_refused",
        }
    }

    /// What happens, and what the service does about it, for operators.
    pub fn message(self) -> &'static str {
        match self {
            Self::Throttled => "AWS throttles; calls wait for their turn at a reduced rate",
            Self::NoAnswer => {
                "AWS does not answer; calls fail at once or wait for a retry, except for occasional probes"
            }
            Self::CredentialsRejected => {
                "AWS rejects the service's own credentials; check that they are valid in this region, and that this \
                 machine's clock is right"
            }
        }
    }
}

/// Why a replica is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The service is shutting down.
    Draining,
    /// The service cannot obtain AWS credentials.
    CredentialsMissing(String),
    /// AWS rejects the service's own credentials in every region that is served.
    CredentialsRejected(String),
    /// No issuer's keys can be fetched, and there is no other way to authenticate callers.
    IdentityKeysMissing,
    /// AWS is in this condition in every region that is served, and `readiness.aws` makes it count.
    Aws(UpstreamCondition),
}

impl NotReady {
    /// The name for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::CredentialsMissing(_) => "aws_credentials_missing",
            Self::CredentialsRejected(_) => "aws_credentials_refused",
            Self::IdentityKeysMissing => "identity_keys_missing",
            Self::Aws(UpstreamCondition::Throttled) => "aws_throttled",
            Self::Aws(UpstreamCondition::NoAnswer) => "aws_no_answer",
            Self::Aws(UpstreamCondition::CredentialsRejected) => "aws_credentials_refused",
        }
    }

    /// What happened, and what to do, for operators.
    pub fn message(&self) -> String {
        match self {
            Self::Draining => {
                "the service is shutting down; it serves calls until shutdown.delay has passed, and then ends those in \
                 progress"
                    .to_owned()
            }
            Self::CredentialsMissing(why) => {
                format!(
                    "the service has no AWS credentials: {why}; check its role, its environment variables or its \
                     profile"
                )
            }
            Self::CredentialsRejected(codes) => format!(
                "AWS rejects the service's own credentials ({codes}); check that they are valid in these regions, and \
                 that this machine's clock is right"
            ),
            Self::IdentityKeysMissing => {
                "the keys of no issuer can be fetched, so every caller would be rejected; check that this machine \
                 can reach the URLs of auth.jwt"
                    .to_owned()
            }
            Self::Aws(condition) => {
                format!(
                    "in every served region, {} (readiness.aws makes this count)",
                    condition.message()
                )
            }
        }
    }
}

impl State {
    fn reasons(&self) -> Vec<NotReady> {
        let draining = self.draining.then_some(NotReady::Draining);
        let missing = self.missing.clone().map(NotReady::CredentialsMissing);
        // A region that is not enabled for the account rejects valid credentials; the others still serve.
        let rejected = (self.rejected.len() >= self.regions).then(|| {
            let codes = self
                .rejected
                .iter()
                .map(|(region, code)| format!("{region}: {code}"));
            NotReady::CredentialsRejected(codes.collect::<Vec<_>>().join(", "))
        });
        let no_keys = (!self.can_authenticate).then_some(NotReady::IdentityKeysMissing);
        [draining, missing, rejected, no_keys, self.aws()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn aws(&self) -> Option<NotReady> {
        let counting = match self.not_ready_on {
            NotReadyOn::Nothing => return None,
            NotReadyOn::NoAnswer => &[UpstreamCondition::NoAnswer][..],
            NotReadyOn::Throttling => &[UpstreamCondition::Throttled, UpstreamCondition::NoAnswer][..],
        };
        let worst = |here: &BTreeSet<UpstreamCondition>| {
            here.iter().copied().filter(|one| counting.contains(one)).max()
        };
        let bad: Vec<_> = self.conditions.values().filter_map(worst).collect();
        let everywhere = bad.len() >= self.regions;
        bad.into_iter().max().filter(|_| everywhere).map(NotReady::Aws)
    }
}

impl Readiness {
    /// Starts as not ready, until AWS credentials are obtained. `regions` is how many regions are
    /// served, at least 1; `not_ready_on` says which conditions of AWS count.
    pub fn new(regions: usize, not_ready_on: NotReadyOn) -> Self {
        Self(Arc::new(watch::Sender::new(State {
            draining: false,
            missing: Some("they were not obtained yet".to_owned()),
            can_authenticate: true,
            rejected: BTreeMap::new(),
            conditions: BTreeMap::new(),
            regions: regions.max(1),
            not_ready_on,
        })))
    }

    /// Records that the service has begun to shut down.
    pub fn start_draining(&self) {
        self.update(|state| state.draining = true);
    }

    /// Records that the service has AWS credentials.
    pub fn credentials_obtained(&self) {
        self.update(|state| state.missing = None);
    }

    /// Records that the service cannot obtain AWS credentials, and why.
    pub fn credentials_missing(&self, why: &str) {
        self.update(|state| state.missing = Some(why.to_owned()));
    }

    /// Records that AWS accepted the credentials in this region.
    pub fn credentials_accepted(&self, region: &Region) {
        self.update(|state| {
            state.missing = None;
            state.rejected.remove(region);
        });
    }

    /// Records that AWS rejected the credentials in this region, with this error code.
    pub fn credentials_rejected(&self, region: &Region, code: &str) {
        self.update(|state| {
            state.rejected.insert(region.clone(), code.to_owned());
        });
    }

    /// Forgets that AWS rejected the credentials: a replica without calls could not find out that
    /// they are accepted again.
    pub fn forget_rejections(&self) {
        self.update(|state| state.rejected.clear());
    }

    /// Records whether there are keys to authenticate callers with.
    pub fn set_identity_keys(&self, available: bool) {
        self.update(|state| state.can_authenticate = available);
    }

    /// Records the conditions of AWS in the regions that were called.
    pub fn set_conditions(&self, conditions: BTreeMap<Region, BTreeSet<UpstreamCondition>>) {
        self.update(|state| state.conditions = conditions);
    }

    /// The conditions of AWS in the regions that were called, whether they count or not.
    pub fn conditions(&self) -> BTreeMap<Region, BTreeSet<UpstreamCondition>> {
        let conditions = self.0.borrow().conditions.clone();
        self.with_rejections(conditions)
    }

    /// These conditions, and the regions where AWS rejects the credentials. The others still serve, so
    /// this does not make the replica not ready.
    pub fn with_rejections(
        &self,
        mut conditions: BTreeMap<Region, BTreeSet<UpstreamCondition>>,
    ) -> BTreeMap<Region, BTreeSet<UpstreamCondition>> {
        for region in self.0.borrow().rejected.keys() {
            let here = conditions.entry(region.clone()).or_default();
            here.insert(UpstreamCondition::CredentialsRejected);
        }
        conditions
    }

    /// Why the replica is not ready; empty when it is.
    pub fn reasons(&self) -> Vec<NotReady> {
        self.0.borrow().reasons()
    }

    /// A receiver of changes.
    pub fn watch(&self) -> ReadinessWatch {
        ReadinessWatch(self.0.subscribe())
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.0.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }
}

/// Receives changes of a [`Readiness`].
#[derive(Debug)]
pub struct ReadinessWatch(watch::Receiver<State>);

/// State of the service's own AWS credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsState {
    /// They cannot be obtained.
    Missing,
    /// AWS rejected them recently, in some region.
    Rejected,
    /// They were obtained, and AWS has not rejected them recently.
    Good,
}

impl ReadinessWatch {
    /// Whether the replica is ready now.
    pub fn ready(&mut self) -> bool {
        self.0.borrow_and_update().reasons().is_empty()
    }

    /// The state of the AWS credentials now.
    pub fn credentials(&mut self) -> CredentialsState {
        let state = self.0.borrow_and_update();
        match (&state.missing, state.rejected.is_empty()) {
            (Some(_), _) => CredentialsState::Missing,
            (None, false) => CredentialsState::Rejected,
            (None, true) => CredentialsState::Good,
        }
    }

    /// Waits for a change since the last call of another method; false if the [`Readiness`] is gone.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn a_replica_is_not_ready_when_every_region_has_a_condition_that_counts() {
        use UpstreamCondition::{NoAnswer, Throttled};
        let two = |here: &[UpstreamCondition], there: &[UpstreamCondition], by| {
            let readiness = Readiness::new(2, by);
            readiness.credentials_obtained();
            let conditions = [("us-east-1", here), ("eu-west-1", there)];
            readiness.set_conditions(
                conditions
                    .into_iter()
                    .map(|(region, found)| (region.parse().unwrap(), found.iter().copied().collect()))
                    .collect(),
            );
            readiness.reasons()
        };
        for by in [NotReadyOn::Nothing, NotReadyOn::NoAnswer, NotReadyOn::Throttling] {
            assert_eq!(two(&[], &[], by), []);
            assert_eq!(two(&[NoAnswer], &[], by), []);
        }
        assert_eq!(two(&[NoAnswer], &[NoAnswer], NotReadyOn::Nothing), []);
        assert_eq!(two(&[NoAnswer], &[Throttled], NotReadyOn::NoAnswer), []);
        assert_eq!(two(&[Throttled], &[Throttled], NotReadyOn::NoAnswer), []);
        let both = [Throttled, NoAnswer];
        assert_eq!(
            two(&both, &[NoAnswer], NotReadyOn::NoAnswer),
            [NotReady::Aws(NoAnswer)]
        );
        assert_eq!(
            two(&[Throttled], &[Throttled], NotReadyOn::Throttling),
            [NotReady::Aws(Throttled)]
        );
        assert_eq!(
            two(&[NoAnswer], &[Throttled], NotReadyOn::Throttling),
            [NotReady::Aws(NoAnswer)]
        );
    }
}
