//! Whether this replica should receive calls, and if not, why.
//!
//! Layers and background tasks report what they find; `/readyz`, gRPC health and a metric read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::sync::watch;

use crate::domain::{AccountId, Scope};

/// Readiness of this replica. Clones share one state.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    draining: bool,
    /// The accounts without AWS credentials, and why. The account is `None` if calls may name any.
    missing: BTreeMap<Option<AccountId>, Missing>,
    /// The accounts in which the session of a caller could not begin: perhaps none can.
    doubted: BTreeSet<AccountId>,
    /// Why the AWS credentials are those of a wrong account.
    wrong_account: Option<String>,
    /// The URLs of the keys of all issuers, if none has any and nobody can be authenticated without.
    missing_keys: Option<BTreeSet<String>>,
    /// The URLs of issuers' keys that were never fetched and that the start waits for.
    awaited_keys: BTreeSet<String>,
    /// Where AWS rejected the credentials, with its error code.
    rejected: BTreeMap<Scope, String>,
    /// The conditions of AWS where it was called.
    conditions: BTreeMap<Scope, BTreeSet<UpstreamCondition>>,
    /// The regions and accounts that are served.
    scopes: Arc<[Scope]>,
    not_ready_on: NotReadyOn,
}

/// Why an account has no AWS credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Missing {
    /// They are on their way; what the service waits for.
    Awaited(String),
    /// They cannot be obtained.
    Failed(String),
}

impl Missing {
    fn describe(&self) -> String {
        match self {
            Self::Awaited(what) => format!("not obtained yet: {what}"),
            Self::Failed(why) => format!("{why}; check the service's role, environment variables or profile"),
        }
    }
}

/// Which condition of AWS makes a replica not ready, if it holds in every region and account that is
/// served.
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
    /// There are no AWS credentials for the account.
    CredentialsMissing,
}

impl UpstreamCondition {
    /// All conditions.
    pub const ALL: [Self; 4] = [
        Self::Throttled,
        Self::NoAnswer,
        Self::CredentialsRejected,
        Self::CredentialsMissing,
    ];

    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NoAnswer => "no_answer",
            Self::CredentialsRejected => "credentials_refused",
            Self::CredentialsMissing => "credentials_missing",
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
            Self::CredentialsMissing => "the service has no AWS credentials for this account",
        }
    }
}

/// Why a replica is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The service is shutting down.
    Draining,
    /// The service cannot obtain AWS credentials, for any account.
    CredentialsMissing(String),
    /// The AWS credentials belong to an account that is not served.
    WrongAccount(String),
    /// In every region and account that is served, AWS rejects the service's own credentials, or there
    /// are none.
    CredentialsRejected(String),
    /// No issuer's keys can be fetched from these URLs, and there is no other way to authenticate callers.
    IdentityKeysMissing(BTreeSet<String>),
    /// The keys at these URLs were not fetched yet since the start.
    IdentityKeysAwaited(BTreeSet<String>),
    /// AWS is in this condition in every region that is served, and `readiness.aws` makes it count.
    Aws(UpstreamCondition),
}

impl NotReady {
    /// The name for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::CredentialsMissing(_) => "aws_credentials_missing",
            Self::WrongAccount(_) => "aws_account_mismatch",
            Self::CredentialsRejected(_) => "aws_credentials_refused",
            Self::IdentityKeysMissing(_) => "identity_keys_missing",
            Self::IdentityKeysAwaited(_) => "identity_keys_awaited",
            Self::Aws(UpstreamCondition::Throttled) => "aws_throttled",
            Self::Aws(UpstreamCondition::NoAnswer) => "aws_no_answer",
            Self::Aws(UpstreamCondition::CredentialsRejected) => "aws_credentials_refused",
            Self::Aws(UpstreamCondition::CredentialsMissing) => "aws_credentials_missing",
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
                format!("the service has no AWS credentials: {why}")
            }
            Self::WrongAccount(why) => format!(
                "{why}; correct account_id, or give the service credentials of that account"
            ),
            Self::CredentialsRejected(codes) => format!(
                "AWS rejects the service's own credentials ({codes}); check that they are valid in these regions, and \
                 that this machine's clock is right"
            ),
            Self::IdentityKeysMissing(urls) => format!(
                "the keys of no issuer can be fetched, so every caller would be rejected; check that this machine can \
                 reach these URLs of auth.jwt: {}",
                joined(urls)
            ),
            Self::IdentityKeysAwaited(urls) => format!(
                "the keys of these issuers were not fetched yet, so their callers would be rejected: {}; check that \
                 this machine can reach these URLs of auth.jwt",
                joined(urls)
            ),
            Self::Aws(condition) => {
                format!(
                    "in every served region and account, {} (readiness.aws makes this count)",
                    condition.message()
                )
            }
        }
    }
}

fn joined(urls: &BTreeSet<String>) -> String {
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    urls.join(", ")
}

impl State {
    fn reasons(&self) -> Vec<NotReady> {
        let draining = self.draining.then_some(NotReady::Draining);
        let wrong_account = self.wrong_account.clone().map(NotReady::WrongAccount);
        let no_keys = self.missing_keys.clone().map(NotReady::IdentityKeysMissing);
        let awaited = (no_keys.is_none() && !self.awaited_keys.is_empty())
            .then(|| NotReady::IdentityKeysAwaited(self.awaited_keys.clone()));
        [
            draining,
            self.credentials(),
            wrong_account,
            no_keys,
            awaited,
            self.aws(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// An account without credentials, and a region that is not enabled for an account, leave the others
    /// to be served.
    fn credentials(&self) -> Option<NotReady> {
        let is_missing = |scope: &Scope| self.missing.contains_key(&scope.account);
        if self.scopes.iter().all(is_missing) {
            let causes = self.missing.iter().map(|(account, missing)| match account {
                Some(account) if self.missing.len() > 1 => {
                    format!("account {account}: {}", missing.describe())
                }
                _ => missing.describe(),
            });
            return Some(NotReady::CredentialsMissing(
                causes.collect::<Vec<_>>().join("; "),
            ));
        }
        let is_unusable = |scope: &Scope| is_missing(scope) || self.rejected.contains_key(scope);
        self.scopes.iter().all(is_unusable).then(|| {
            let codes = self
                .rejected
                .iter()
                .map(|(scope, code)| format!("{scope}: {code}"));
            NotReady::CredentialsRejected(codes.collect::<Vec<_>>().join(", "))
        })
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
        let everywhere = bad.len() >= self.scopes.len();
        bad.into_iter().max().filter(|_| everywhere).map(NotReady::Aws)
    }
}

impl Readiness {
    /// Starts as not ready, until AWS credentials are obtained. `scopes` are the regions and accounts
    /// that are served, at least one; `not_ready_on` says which conditions of AWS count.
    pub fn new(scopes: impl IntoIterator<Item = Scope>, not_ready_on: NotReadyOn) -> Self {
        let scopes: Arc<[_]> = scopes.into_iter().collect();
        let not_yet = |scope: &Scope| {
            let what = "the service has just started".to_owned();
            (scope.account.clone(), Missing::Awaited(what))
        };
        Self(Arc::new(watch::Sender::new(State {
            draining: false,
            missing: scopes.iter().map(not_yet).collect(),
            doubted: BTreeSet::new(),
            wrong_account: None,
            missing_keys: None,
            awaited_keys: BTreeSet::new(),
            rejected: BTreeMap::new(),
            conditions: BTreeMap::new(),
            scopes,
            not_ready_on,
        })))
    }

    /// Records that the service has begun to shut down.
    pub fn start_draining(&self) {
        self.update(|state| state.draining = true);
    }

    /// Records that the service has AWS credentials for an account.
    pub fn credentials_obtained(&self, account: Option<&AccountId>) {
        self.update(|state| {
            state.missing.remove(&account.cloned());
            account.and_then(|account| state.doubted.take(account));
        });
    }

    /// Records that the service cannot obtain AWS credentials for an account, and why.
    pub fn credentials_missing(&self, account: Option<&AccountId>, why: &str) {
        self.update(|state| {
            let missing = Missing::Failed(why.to_owned());
            state.missing.insert(account.cloned(), missing);
        });
    }

    /// Records what the service waits for, if it has no AWS credentials for an account yet.
    pub fn credentials_awaited(&self, account: Option<&AccountId>, what: String) {
        self.update(|state| {
            if let Some(missing @ Missing::Awaited(_)) = state.missing.get_mut(&account.cloned()) {
                *missing = Missing::Awaited(what);
            }
        });
    }

    /// Records that the session of one caller could not begin in an account. That can be the caller's
    /// own, so it says nothing yet about the sessions of others.
    pub fn credentials_doubted(&self, account: &AccountId) {
        self.update(|state| {
            state.doubted.insert(account.clone());
        });
    }

    /// Records that the service's own session in an account can begin.
    pub fn credentials_trusted(&self, account: Option<&AccountId>) {
        self.update(|state| {
            account.and_then(|account| state.doubted.take(account));
        });
    }

    /// Records whether the credentials belong to an account that is not served, and why that is so.
    pub fn set_wrong_account(&self, why: Option<String>) {
        self.update(|state| state.wrong_account = why);
    }

    /// Records that AWS accepted the credentials in this region and account.
    pub fn credentials_accepted(&self, scope: &Scope) {
        let is_known = {
            let state = self.0.borrow();
            !state.missing.contains_key(&scope.account) && !state.rejected.contains_key(scope)
        };
        // Every call that succeeds comes here, and mostly changes nothing.
        if is_known {
            return;
        }
        self.update(|state| {
            state.missing.remove(&scope.account);
            state.rejected.remove(scope);
        });
    }

    /// Records that AWS rejected the credentials in this region and account, with this error code.
    pub fn credentials_rejected(&self, scope: &Scope, code: &str) {
        self.update(|state| {
            state.rejected.insert(scope.clone(), code.to_owned());
        });
    }

    /// Forgets that AWS rejected the credentials of an account: a replica without calls could not find
    /// out that they are accepted again.
    pub fn forget_rejections(&self, account: Option<&AccountId>) {
        self.update(|state| {
            state
                .rejected
                .retain(|scope, _| scope.account.as_ref() != account);
        });
    }

    /// Records the URLs of the keys without which no caller can be authenticated, while none has any.
    pub fn set_missing_keys(&self, urls: Option<BTreeSet<String>>) {
        self.update(|state| state.missing_keys = urls);
    }

    /// Records which URLs of issuers' keys the start still waits for.
    pub fn set_awaited_keys(&self, urls: BTreeSet<String>) {
        self.update(|state| state.awaited_keys = urls);
    }

    /// Records the conditions of AWS where it was called.
    pub fn set_conditions(&self, conditions: BTreeMap<Scope, BTreeSet<UpstreamCondition>>) {
        self.update(|state| state.conditions = conditions);
    }

    /// The conditions of AWS where it was called, whether they count or not.
    pub fn conditions(&self) -> BTreeMap<Scope, BTreeSet<UpstreamCondition>> {
        let conditions = self.0.borrow().conditions.clone();
        self.with_credentials(conditions)
    }

    /// These conditions, and the regions and accounts where AWS rejects the credentials or where there
    /// are none. The others still serve, so this does not make the replica not ready.
    pub fn with_credentials(
        &self,
        mut conditions: BTreeMap<Scope, BTreeSet<UpstreamCondition>>,
    ) -> BTreeMap<Scope, BTreeSet<UpstreamCondition>> {
        let state = self.0.borrow();
        let missing = |scope: &&Scope| state.missing.contains_key(&scope.account);
        let missing = state.scopes.iter().filter(missing);
        let found = missing.map(|scope| (scope, UpstreamCondition::CredentialsMissing));
        let rejected = state.rejected.keys();
        for (scope, condition) in
            found.chain(rejected.map(|scope| (scope, UpstreamCondition::CredentialsRejected)))
        {
            conditions.entry(scope.clone()).or_default().insert(condition);
        }
        conditions
    }

    /// Why an account has no AWS credentials, if it has none.
    pub fn why_missing(&self, account: Option<&AccountId>) -> Option<String> {
        let state = self.0.borrow();
        state.missing.get(&account.cloned()).map(Missing::describe)
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
    /// The session of a caller could not begin.
    Doubted,
    /// They were obtained, and AWS has not rejected them recently.
    Good,
}

impl ReadinessWatch {
    /// Whether the replica is ready now.
    pub fn ready(&mut self) -> bool {
        self.0.borrow_and_update().reasons().is_empty()
    }

    /// The state of the AWS credentials of an account now.
    pub fn credentials(&mut self, account: Option<&AccountId>) -> CredentialsState {
        let state = self.0.borrow_and_update();
        let is_rejected = state
            .rejected
            .keys()
            .any(|scope| scope.account.as_ref() == account);
        let is_doubted = account.is_some_and(|account| state.doubted.contains(account));
        match () {
            () if state.missing.contains_key(&account.cloned()) => CredentialsState::Missing,
            () if is_rejected => CredentialsState::Rejected,
            () if is_doubted => CredentialsState::Doubted,
            () => CredentialsState::Good,
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

    fn scope(region: &str, account: Option<&str>) -> Scope {
        Scope {
            region: region.parse().unwrap(),
            account: account.map(|account| account.parse().unwrap()),
        }
    }

    #[test]
    fn a_replica_is_ready_while_one_account_has_accepted_credentials() {
        let [one, two] = ["111111111111", "222222222222"].map(|id| scope("us-east-1", Some(id)));
        let readiness = Readiness::new([one.clone(), two.clone()], NotReadyOn::Nothing);
        let reasons = || {
            let reasons = readiness.reasons();
            reasons.iter().map(NotReady::reason).collect::<Vec<_>>()
        };
        assert_eq!(reasons(), ["aws_credentials_missing"]);
        readiness.credentials_obtained(one.account.as_ref());
        assert_eq!(reasons(), [""; 0]);
        let missing = BTreeSet::from([UpstreamCondition::CredentialsMissing]);
        assert_eq!(readiness.conditions(), BTreeMap::from([(two.clone(), missing)]));
        readiness.credentials_rejected(&one, "ExpiredTokenException");
        assert_eq!(reasons(), ["aws_credentials_refused"]);
        readiness.credentials_accepted(&two);
        assert_eq!(reasons(), [""; 0]);
    }

    #[test]
    fn a_replica_is_not_ready_when_every_region_has_a_condition_that_counts() {
        use UpstreamCondition::{NoAnswer, Throttled};
        let two = |here: &[UpstreamCondition], there: &[UpstreamCondition], by| {
            let scopes = [scope("us-east-1", None), scope("eu-west-1", None)];
            let readiness = Readiness::new(scopes.clone(), by);
            readiness.credentials_obtained(None);
            let conditions = scopes.into_iter().zip([here, there]);
            readiness.set_conditions(
                conditions
                    .map(|(scope, found)| (scope, found.iter().copied().collect()))
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
