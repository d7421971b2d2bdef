use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    pace::{PaceSettings, Pacer, UpstreamState},
    retry_budget::{Budget, RetryBudgetSettings},
};
use crate::{
    domain::{GatewayArn, Operation, OperationKind, Scope},
    observability::readiness::UpstreamCondition,
};

/// The most gateways of a partition with a retry budget of their own.
const MAX_GATEWAYS: usize = 1_000;

/// The state that calls to one region, or to one region and account, share: their pace, the epoch of
/// their reads and their retry budgets.
#[derive(Debug)]
pub(super) struct Partition {
    reads: Arc<Pacer>,
    creates: Arc<Pacer>,
    epoch: AtomicU64,
    retry: RetryBudgetSettings,
    /// Of calls that name no gateway.
    budget: Arc<Budget>,
    budgets: Mutex<HashMap<GatewayArn, Arc<Budget>>>,
}

impl Partition {
    fn new(pace: &PaceSettings, retry: &RetryBudgetSettings) -> Self {
        Self {
            reads: Arc::new(Pacer::new(pace.clone())),
            creates: Arc::new(Pacer::new(pace.clone())),
            epoch: AtomicU64::new(0),
            budget: Arc::new(Budget::new(retry)),
            budgets: Mutex::default(),
            retry: retry.clone(),
        }
    }

    /// The retry budget of calls to a gateway, or of those that name none. Each gateway has its own,
    /// so that one that does not respond takes no retries from others. With too many gateways at once,
    /// further ones share the budget of calls without a gateway.
    pub(super) fn budget(&self, gateway: Option<&GatewayArn>) -> Arc<Budget> {
        let Some(gateway) = gateway else {
            return self.budget.clone();
        };
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(gateway) {
            return budget.clone();
        }
        if budgets.len() >= MAX_GATEWAYS {
            budgets.retain(|_, budget| !budget.is_unused());
        }
        if budgets.len() >= MAX_GATEWAYS {
            return self.budget.clone();
        }
        let budget = Arc::new(Budget::new(&self.retry));
        budgets.insert(gateway.clone(), budget.clone());
        budget
    }

    /// The number of retries that are left in the smallest budget.
    fn budget_left(&self) -> usize {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let left = budgets.values().chain([&self.budget]).map(|budget| budget.left());
        left.min().unwrap_or_default()
    }

    /// The pacer of this kind of operation. Reads and creates have separate ones, so that a flood of
    /// one does not starve the other.
    pub(super) fn pacer(&self, kind: OperationKind) -> &Arc<Pacer> {
        match kind {
            OperationKind::Read => &self.reads,
            OperationKind::Create => &self.creates,
        }
    }

    /// The current epoch. Reads that began in the same epoch may share a result.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Begins an epoch, because a tape may have been created: later reads must not share the result
    /// of earlier ones.
    pub(super) fn begin_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

/// All [`Partition`]s. Each is made when it is first needed; their number is limited by the
/// configured regions and accounts.
#[derive(Clone, Debug)]
pub(super) struct Partitions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    by_account: bool,
    pace: PaceSettings,
    retry: RetryBudgetSettings,
    partitions: Mutex<HashMap<Scope, Arc<Partition>>>,
}

impl Partitions {
    /// Partitions by region and account if `by_account`, otherwise by region alone.
    ///
    /// If the accounts are not configured, requests may name any or none. Then a create must begin an
    /// epoch for all reads of its region, and callers must not be able to add partitions.
    pub(super) fn new(by_account: bool, pace: PaceSettings, retry: RetryBudgetSettings) -> Self {
        Self(Arc::new(Inner {
            by_account,
            pace,
            retry,
            partitions: Mutex::default(),
        }))
    }

    /// The region, and the account if partitions are by account.
    pub(super) fn scope<O: Operation>(&self, operation: &O) -> Scope {
        Scope {
            region: operation.region().clone(),
            account: operation.account().filter(|_| self.0.by_account).cloned(),
        }
    }

    /// The partition of an operation.
    pub(super) fn of<O: Operation>(&self, operation: &O) -> Arc<Partition> {
        let mut partitions = self.lock();
        let partition = partitions
            .entry(self.scope(operation))
            .or_insert_with(|| Arc::new(Partition::new(&self.0.pace, &self.0.retry)));
        Arc::clone(partition)
    }

    /// See [`Shared::conditions`](super::Shared::conditions).
    pub(super) fn conditions(&self) -> BTreeMap<Scope, BTreeSet<UpstreamCondition>> {
        let states = |partition: &Partition| {
            [&partition.reads, &partition.creates].map(|pacer| pacer.upstream_state())
        };
        let partitions = self.lock();
        let found = partitions.iter();
        found
            .map(|(scope, partition)| (scope.clone(), conditions(&states(partition))))
            .collect()
    }

    /// See [`Shared::paces`](super::Shared::paces).
    pub(super) fn paces(&self) -> Vec<(Scope, OperationKind, f64)> {
        let partitions = self.lock();
        let rates = partitions.iter().flat_map(|(scope, partition)| {
            let rate = |kind| Some((scope.clone(), kind, partition.pacer(kind).rate()?));
            [OperationKind::Read, OperationKind::Create]
                .into_iter()
                .filter_map(rate)
        });
        let mut rates: Vec<_> = rates.collect();
        rates.sort_by(|(one, kind, _), (other, its_kind, _)| (one, kind).cmp(&(other, its_kind)));
        rates
    }

    /// See [`Shared::retry_budgets`](super::Shared::retry_budgets).
    pub(super) fn retry_budgets(&self) -> BTreeMap<Scope, usize> {
        let partitions = self.lock();
        let left = partitions.iter();
        left.map(|(scope, partition)| (scope.clone(), partition.budget_left()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Arc<Partition>>> {
        self.0.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The conditions of a partition. If only one kind of call gets no response, and another got one since
/// then, there is no outage.
fn conditions(states: &[UpstreamState]) -> BTreeSet<UpstreamCondition> {
    let unresponsive_since = states.iter().filter_map(|state| state.unresponsive_since).max();
    let last_response = states.iter().filter_map(|state| state.last_response).max();
    let no_answer =
        unresponsive_since.is_some_and(|since| last_response.is_none_or(|response| response < since));
    let throttled = states.iter().any(|state| state.is_throttled);
    let found = [
        (no_answer, UpstreamCondition::NoAnswer),
        (throttled, UpstreamCondition::Throttled),
    ];
    let found = found.into_iter().filter(|(holds, _)| *holds);
    found.map(|(_, condition)| condition).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::sync::Arc;

    use super::*;
    use crate::domain::{ListTapes, PageRequest, Scope};

    fn list(region: &str, account: Option<&str>) -> ListTapes {
        ListTapes {
            scope: Scope {
                region: region.parse().unwrap(),
                account: account.map(|account| account.parse().unwrap()),
            },
            tapes: Arc::new([]),
            page: PageRequest::default(),
        }
    }

    #[test]
    fn callers_cannot_add_partitions_for_accounts_that_are_not_configured() {
        let partitions = Partitions::new(false, PaceSettings::default(), RetryBudgetSettings::default());
        for account in 0..1_000 {
            let account = format!("{account:012}");
            partitions.of(&list("us-east-1", Some(&account)));
            partitions.of(&list("eu-west-1", None));
        }
        assert_eq!(partitions.0.partitions.lock().unwrap().len(), 2);
    }

    #[test]
    fn each_gateway_has_a_retry_budget_and_their_number_is_limited() {
        let partitions = Partitions::new(true, PaceSettings::default(), RetryBudgetSettings::default());
        let partition = partitions.of(&list("us-east-1", Some("123456789012")));
        let gateway = |number: usize| -> GatewayArn {
            format!("arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-{number:08X}")
                .parse()
                .unwrap()
        };
        let [one, two] = [0, 1].map(|number| partition.budget(Some(&gateway(number))));
        while one.spend() {}
        assert_eq!((one.left(), partition.budget_left()), (0, 0));
        assert!(two.left() > 0);
        assert!(Arc::ptr_eq(&one, &partition.budget(Some(&gateway(0)))));
        // A flood of names neither takes memory nor the budgets in use.
        (1..10 * MAX_GATEWAYS).for_each(|number| partition.budget(Some(&gateway(number))).earn());
        assert!(partition.budgets.lock().unwrap().len() <= MAX_GATEWAYS);
        assert!(Arc::ptr_eq(&one, &partition.budget(Some(&gateway(0)))));
    }

    #[test]
    fn each_configured_account_has_a_partition() {
        let partitions = Partitions::new(true, PaceSettings::default(), RetryBudgetSettings::default());
        let [one, two] =
            ["111111111111", "222222222222"].map(|account| partitions.of(&list("us-east-1", Some(account))));
        one.begin_epoch();
        assert_eq!((one.epoch(), two.epoch()), (1, 0));
        assert!(Arc::ptr_eq(
            &one,
            &partitions.of(&list("us-east-1", Some("111111111111")))
        ));
    }
}
