use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::pace::{PaceSettings, Pacer, Seen};
use crate::{
    domain::{AccountId, Operation, OperationKind, Region},
    observability::readiness::UpstreamCondition,
};

/// What all calls to one account and region have in common: their pace, and how far what
/// they read from one another is true.
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

    /// Reads and creates have a pace each, so that a flood of the one does not starve the
    /// other.
    pub(super) fn pacer(&self, kind: OperationKind) -> &Arc<Pacer> {
        match kind {
            OperationKind::Read => &self.reads,
            OperationKind::Create => &self.creates,
        }
    }

    /// What is read in one epoch may be told to everybody in it.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Something may have been made: what is asked from now on must be asked of AWS.
    pub(super) fn begin_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

/// Every [`Partition`], made when it is first needed. There are as many as regions and accounts
/// are configured.
#[derive(Clone, Debug)]
pub(super) struct Partitions(Arc<Inner>);

/// The account where accounts are known.
type Key = (Region, Option<AccountId>);

#[derive(Debug)]
struct Inner {
    by_account: bool,
    pace: PaceSettings,
    partitions: Mutex<HashMap<Key, Arc<Partition>>>,
}

impl Partitions {
    /// Partitions for each account, or, where calls need not say of which they are, for each region
    /// alone: a create ends what is shared by all who could see its tape, and callers must not
    /// be able to make as many partitions as they like.
    pub(super) fn new(by_account: bool, pace: PaceSettings) -> Self {
        Self(Arc::new(Inner {
            by_account,
            pace,
            partitions: Mutex::default(),
        }))
    }

    /// The partition that an operation goes by.
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
        let mut seen: BTreeMap<_, Vec<Seen>> = BTreeMap::new();
        for ((region, _), partition) in &*partitions {
            let of_partition = [&partition.reads, &partition.creates].map(|pacer| pacer.seen());
            seen.entry(region.clone()).or_default().extend(of_partition);
        }
        seen.into_iter()
            .map(|(region, seen)| (region, conditions(&seen)))
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

/// What can be said of a region. Where one kind of call gets no answer and another does since
/// then, AWS is not away.
fn conditions(seen: &[Seen]) -> BTreeSet<UpstreamCondition> {
    let silent_since = seen.iter().filter_map(|seen| seen.silent_since).max();
    let heard = seen.iter().filter_map(|seen| seen.heard).max();
    let no_answer = silent_since.is_some_and(|since| heard.is_none_or(|heard| heard < since));
    let throttled = seen.iter().any(|seen| seen.is_throttled);
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
    fn callers_cannot_make_lanes_of_accounts_that_nobody_configured() {
        let partitions = Partitions::new(false, PaceSettings::default());
        for account in 0..1_000 {
            let account = format!("{account:012}");
            partitions.of(&list("us-east-1", Some(&account)));
            partitions.of(&list("eu-west-1", None));
        }
        assert_eq!(partitions.0.partitions.lock().unwrap().len(), 2);
    }

    #[test]
    fn where_accounts_are_known_each_has_a_lane() {
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
