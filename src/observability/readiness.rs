//! Whether this replica should be sent calls, and if not, why.
//!
//! Anything may tell it; `/readyz` and gRPC health show it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    /// How AWS is, by the regions that were called.
    conditions: BTreeMap<Region, BTreeSet<Condition>>,
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

/// What can be wrong with AWS, as recent calls have found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// It throttles, and calls are paced.
    Throttled,
    /// It gives no answer, attempt after attempt.
    NoAnswer,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Throttled, Self::NoAnswer];

    /// A word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NoAnswer => "no_answer",
        }
    }

    /// What happened, and what comes of it, for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Throttled => "AWS throttles calls; they are let through at the pace that it grants",
            Self::NoAnswer => {
                "AWS gives no answer; it is probed, and calls are refused at once or wait for their repeat"
            }
        }
    }
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
    /// AWS is in this condition in every region that is served, and that is to count
    /// (`readiness.aws`).
    Aws(Condition),
}

impl NotReady {
    /// A word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::CredentialsMissing(_) => "aws_credentials_missing",
            Self::CredentialsRefused(_) => "aws_credentials_refused",
            Self::IdentityKeysMissing => "identity_keys_missing",
            Self::Aws(Condition::Throttled) => "aws_throttled",
            Self::Aws(Condition::NoAnswer) => "aws_no_answer",
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
            Self::Aws(condition) => {
                format!(
                    "in every region that is served, {} (readiness.aws)",
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
        // A region that is not opted in refuses good credentials: the others still serve.
        let refused = (self.refused.len() >= self.regions).then(|| {
            let codes = self
                .refused
                .iter()
                .map(|(region, code)| format!("{region}: {code}"));
            NotReady::CredentialsRefused(codes.collect::<Vec<_>>().join(", "))
        });
        let unknown = (!self.knows_callers).then_some(NotReady::IdentityKeysMissing);
        [draining, missing, refused, unknown, self.out_by_aws()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn out_by_aws(&self) -> Option<NotReady> {
        let counting = match self.not_ready_on {
            NotReadyOn::Nothing => return None,
            NotReadyOn::NoAnswer => &[Condition::NoAnswer][..],
            NotReadyOn::Throttling => &Condition::ALL,
        };
        let worst =
            |here: &BTreeSet<Condition>| here.iter().copied().filter(|one| counting.contains(one)).max();
        let bad: Vec<_> = self.conditions.values().filter_map(worst).collect();
        let everywhere = bad.len() >= self.regions;
        bad.into_iter().max().filter(|_| everywhere).map(NotReady::Aws)
    }
}

impl Readiness {
    /// Not ready until AWS credentials have been obtained. So many regions are served, at
    /// least 1; AWS's own condition counts as far as `not_ready_on` says.
    pub fn new(regions: usize, not_ready_on: NotReadyOn) -> Self {
        Self(Arc::new(watch::Sender::new(State {
            draining: false,
            missing: Some("they have not been obtained yet".to_owned()),
            knows_callers: true,
            refused: BTreeMap::new(),
            conditions: BTreeMap::new(),
            regions: regions.max(1),
            not_ready_on,
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

    /// How AWS is, by the regions that were called.
    pub fn aws_is(&self, conditions: BTreeMap<Region, BTreeSet<Condition>>) {
        self.update(|state| state.conditions = conditions);
    }

    /// How AWS is, by the regions that were called, whether that counts or not.
    pub fn conditions(&self) -> BTreeMap<Region, BTreeSet<Condition>> {
        self.0.borrow().conditions.clone()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn aws_takes_a_replica_out_where_it_is_to_and_everywhere_is_bad() {
        use Condition::{NoAnswer, Throttled};
        let two = |here: &[Condition], there: &[Condition], by| {
            let readiness = Readiness::new(2, by);
            readiness.credentials_obtained();
            let conditions = [("us-east-1", here), ("eu-west-1", there)];
            readiness.aws_is(
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
