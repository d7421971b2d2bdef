use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::pace::{PaceSettings, Pacer, UpstreamState};
use crate::{
    domain::{AccountId, Operation, OperationKind, Region},
    observability::readiness::UpstreamCondition,
};

/// The state that calls to one region, or to one region and account, share: their pace, and the
/// epoch of their reads.
#[derive(Debug)]
pub(super) struct Partition {
    reads: Arc<Pacer>,
    creates: Arc<Pacer>,
    epoch: AtomicU64,
}

impl Partition {
    fn new(pace: &PaceSettings) -> Self {
        Self {
            reads: Arc::new(Pacer::new(pace.clone())),
            creates: Arc::new(Pacer::new(pace.clone())),
            epoch: AtomicU64::new(0),
        }
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

/// The account is `None` if partitions are by region alone.
type Key = (Region, Option<AccountId>);

#[derive(Debug)]
struct Inner {
    by_account: bool,
    pace: PaceSettings,
    partitions: Mutex<HashMap<Key, Arc<Partition>>>,
}

impl Partitions {
    /// Partitions by region and account if `by_account`, otherwise by region alone.
    ///
    /// If the account is not configured, requests may name any or none. Then a create must begin an
    /// epoch for all reads of its region, and callers must not be able to add partitions.
    pub(super) fn new(by_account: bool, pace: PaceSettings) -> Self {
        Self(Arc::new(Inner {
            by_account,
            pace,
            partitions: Mutex::default(),
        }))
    }

    /// The partition of an operation.
    pub(super) fn of<O: Operation>(&self, operation: &O) -> Arc<Partition> {
        let Inner {
            by_account,
            pace,
            partitions,
        } = &*self.0;
        let account = operation.account().filter(|_| *by_account).cloned();
        let key = (operation.region().clone(), account);
        let mut partitions = partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let partition = partitions
            .entry(key)
            .or_insert_with(|| Arc::new(Partition::new(pace)));
        Arc::clone(partition)
    }

    /// See [`Shared::conditions`](super::Shared::conditions).
    pub(super) fn conditions(&self) -> BTreeMap<Region, BTreeSet<UpstreamCondition>> {
        let partitions = self.0.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut states: BTreeMap<_, Vec<UpstreamState>> = BTreeMap::new();
        for ((region, _), partition) in &*partitions {
            let of_partition = [&partition.reads, &partition.creates].map(|pacer| pacer.upstream_state());
            states.entry(region.clone()).or_default().extend(of_partition);
        }
        states
            .into_iter()
            .map(|(region, states)| (region, conditions(&states)))
            .collect()
    }

    /// See [`Shared::paces`](super::Shared::paces).
    pub(super) fn paces(&self) -> Vec<(Region, OperationKind, f64)> {
        let partitions = self.0.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slowest: BTreeMap<(Region, OperationKind), f64> = BTreeMap::new();
        for ((region, _), partition) in &*partitions {
            for kind in [OperationKind::Read, OperationKind::Create] {
                if let Some(rate) = partition.pacer(kind).rate() {
                    let slowest = slowest.entry((region.clone(), kind)).or_insert(rate);
                    *slowest = slowest.min(rate);
                }
            }
        }
        let paces = slowest.into_iter();
        paces.map(|((region, kind), rate)| (region, kind, rate)).collect()
    }
}

/// The conditions of a region. If only one kind of call gets no response, and another got one since
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
        let partitions = Partitions::new(false, PaceSettings::default());
        for account in 0..1_000 {
            let account = format!("{account:012}");
            partitions.of(&list("us-east-1", Some(&account)));
            partitions.of(&list("eu-west-1", None));
        }
        assert_eq!(partitions.0.partitions.lock().unwrap().len(), 2);
    }

    #[test]
    fn each_configured_account_has_a_partition() {
        let partitions = Partitions::new(true, PaceSettings::default());
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
